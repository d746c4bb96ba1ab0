#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use proptest::prelude::*;

use super::*;

/// Text for PostgreSQL and MySQL, and their names.
fn both(sql: &str) -> [(String, String); 2] {
    [number_parameters(sql), mark_parameters(sql)].map(|positional| (positional.sql, positional.names.join(",")))
}

#[track_caller]
fn check(sql: &str, postgres: (&str, &str), mysql: (&str, &str)) {
    let owned = |(sql, names): (&str, &str)| (sql.to_owned(), names.to_owned());
    assert_eq!(both(sql), [owned(postgres), owned(mysql)]);
}

/// There is no parameter in `sql`, whatever the database.
#[track_caller]
fn check_none(sql: &str) {
    check(sql, (sql, ""), (sql, ""));
}

#[test]
fn a_name_has_one_number_and_as_many_marks_as_it_occurs() {
    let sql = "SELECT :b, :a + :b FROM t WHERE x=:a";
    check(sql, ("SELECT $1, $2 + $1 FROM t WHERE x=$2", "b,a"), ("SELECT ?, ? + ? FROM t WHERE x=?", "b,a,b,a"));
}

#[test]
fn names_are_what_sqlite_takes_for_names() {
    check(":año_2$x.y", ("$1.y", "año_2$x"), ("?.y", "año_2$x"));
    check("(:a)::int", ("($1)::int", "a"), ("(?)::int", "a"));
    check(":a::int", ("$1::int", "a"), ("?::int", "a"));
    check_none("a[1:2], a[1 : n], b::text, @x:=1, :, ::: :$1 :");
}

#[test]
fn a_number_does_not_melt_into_the_word_before_it() {
    check("SELECT:a", ("SELECT $1", "a"), ("SELECT?", "a"));
    check("$:a$", ("$ $1", "a$"), ("$?", "a$"));
}

#[test]
fn strings_and_identifiers_stay() {
    check_none("'it''s :a' \":b\"\":c\" ''':d'");
    check(r"'\' :a '", (r"'\' $1 '", "a"), (r"'\' :a '", ""));
    check(r"E'\' :a' :b", (r"E'\' :a' $1", "b"), (r"E'\' :a' ?", "b"));
    check(r"e'a'':b\'' :c", (r"e'a'':b\'' $1", "c"), (r"e'a'':b\'' ?", "c"));
    check(r"NAME'\' :a", (r"NAME'\' $1", "a"), (r"NAME'\' :a", ""));
    check(r#""\" :a"#, (r#""\" $1"#, "a"), (r#""\" ?"#, "a"));
    check("`a:b` :c", ("`a $1` $2", "b,c"), ("`a:b` ?", "c"));
}

#[test]
fn comments_stay() {
    check("-- :a\n:b -- :c", ("-- :a\n$1 -- :c", "b"), ("-- :a\n? -- :c", "b"));
    check("1--:a", ("1--:a", ""), ("1--?", "a"));
    check("1 # :a\r:b", ("1 # $1\r$2", "a,b"), ("1 # :a\r?", "b"));
    check("/* /* :a */ :b */ :c", ("/* /* :a */ :b */ $1", "c"), ("/* /* :a */ ? */ ?", "b,c"));
    check_none("/* :a * / :b");
    check_none("--\n--");
}

#[test]
fn dollar_quotes_stay() {
    check("$$ :a $$ :b", ("$$ :a $$ $1", "b"), ("$$ ? $$ ?", "a,b"));
    check("$t$ $$ :a $T$ $t$:b", ("$t$ $$ :a $T$ $t$ $1", "b"), ("$t$ $$ ? $T$ $t$?", "a,b"));
    check("a$t$ :a", ("a$t$ $1", "a"), ("a$t$ ?", "a"));
    check("$1 :a $1$ :b", ("$1 $1 $1$ $2", "a,b"), ("$1 ? $1$ ?", "a,b"));
    check("$t$ :a", ("$t$ :a", ""), ("$t$ ?", "a"));
}

#[test]
fn what_never_ends_goes_to_the_end() {
    for sql in ["' :a", "\" :a", "/* :a"] {
        check_none(sql);
    }
    check("`:a", ("`$1", "a"), ("`:a", ""));
    check(r"E'ä\", (r"E'ä\", ""), (r"E'ä\", ""));
}

/// The pieces of `sql` put together again.
fn joined(sql: &str, rules: LexicalRules) -> String {
    cut_at_parameters(sql, rules).iter().fold(String::new(), |text, piece| match piece {
        QueryPiece::Text(piece) => text + piece,
        QueryPiece::Name(name) => text + ":" + name,
    })
}

/// The names that SQLite finds in an expression.
fn known_to_sqlite(sql: &str) -> Vec<String> {
    let database = rusqlite::Connection::open_in_memory().unwrap();
    let statement = database.prepare(&format!("SELECT {sql}")).unwrap();
    (1..=statement.parameter_count()).map(|at| statement.parameter_name(at).unwrap()[1..].to_owned()).collect()
}

proptest! {
    #[test]
    fn any_text_comes_back_byte_for_byte(sql in "([-'\"`$:#/*\\\\e\n a1ä]|:[a-c]|\\$t\\$|--|/\\*|\\*/){0,40}", other: String) {
        for text in [&sql, &other] {
            for rules in [LexicalRules::Postgres, LexicalRules::Mysql] {
                prop_assert_eq!(&joined(text, rules), text);
            }
        }
    }

    #[test]
    fn text_without_colons_is_left_alone(sql in "[^:]{0,60}") {
        prop_assert_eq!(number_parameters(&sql).sql, sql.clone());
        prop_assert_eq!(mark_parameters(&sql).sql, sql);
    }

    /// Where the rules agree, the names are those that SQLite's own parser finds.
    #[test]
    fn names_are_those_that_sqlite_finds(
        parts in prop::collection::vec(prop::sample::select(vec![
            ":a", ":b", ":cé", "':a'", "'it''s :d'", "1", "/* :e 'x */ :f", "-- it's :g\n2", "(:h)", "4-:i", "\":j\"",
        ]), 1..12)
    ) {
        let sql = parts.join(" ,\t");
        let mut distinct: Vec<String> = Vec::new();
        for name in mark_parameters(&sql).names {
            if !distinct.contains(&name) {
                distinct.push(name);
            }
        }
        prop_assert_eq!(&number_parameters(&sql).names, &known_to_sqlite(&sql), "{}", &sql);
        prop_assert_eq!(distinct, number_parameters(&sql).names);
    }
}
