//! What is found in the columns of one table.

use std::fmt::Write as _;

use landfall_core::schema::{FieldIndex, FieldType, StringFormat, TemporalFormat};

use super::{folder, loaded, proposal, table, types};

/// The type of the second column, of which these are the values.
fn kind_of(values: &[&str]) -> FieldType {
    let mut text = String::from("id;value\n");
    for (at, value) in values.iter().enumerate() {
        writeln!(text, "{at};{value}").expect("text");
    }
    table(&text).1.schema.fields[1].kind.clone()
}

#[test]
fn types_are_those_that_lose_nothing() {
    for (values, name) in [
        (&["1", "-5", "9223372036854775807"][..], "integer"),
        (&["1", "007"], "string"),
        (&["+49", "+1"], "string"),
        (&["1", "2.50"], "number"),
        (&["9223372036854775808", "1"], "number"),
        (&["1,5", "2,25"], "number"),
        (&["1,500", "2,250"], "string"),
        (&["true", "FALSE"], "boolean"),
        (&["0", "1"], "integer"),
        (&["2021", "1999"], "integer"),
        (&["2021-01-31", "2020-02-29"], "date"),
        (&["2021-01-31", "2021-02-30"], "string"),
        (&["02:48:42", "23:59:59"], "time"),
        (&["09:30", "17:45"], "time"),
        (&["2021-11-07T02:48:42Z"], "datetime"),
        (&["2021-11-07 02:48:42"], "datetime"),
        (&["2021-11-07T02:48:42Z", "2021-11-07T02:48:42"], "string"),
        (&["31/12/2021", "01/02/2021"], "date"),
        (&["03/04/2021", "01/02/2021"], "string"),
        (&["31/12/2021", "12/31/2021"], "string"),
        (&["a", "b"], "string"),
        (&["", ""], "string"),
        (&["NaN", "1.5"], "string"),
    ] {
        assert_eq!(kind_of(values).name(), name, "{values:?}");
    }
}

#[test]
fn formats_are_those_of_all_values() {
    let format = |values: &[&str]| match kind_of(values) {
        FieldType::String(format) => format,
        other => panic!("{other:?}"),
    };
    assert_eq!(format(&["a@b.org", "c@d.org"]), StringFormat::Email);
    assert_eq!(format(&["https://a.org/x"]), StringFormat::Uri);
    assert_eq!(format(&["a:b"]), StringFormat::Default);
    assert_eq!(format(&["2eb8aa08-aa98-11ea-b4aa-73b441d16380"]), StringFormat::Uuid);
    assert_eq!(format(&["a@b.org", "none"]), StringFormat::Default);
    let day_first = FieldType::Date(TemporalFormat::Pattern("%d.%m.%Y".into()));
    assert_eq!(kind_of(&["31.12.2021", "1.2.2021"]), day_first);
}

#[test]
fn doubts_are_told() {
    let (yaml, _) = table("id,day\n1,03/04/2021\n2,05/06/2021\n");
    assert!(yaml.contains("no day beyond 12 tells"), "{yaml}");
    let (yaml, _) = table("id,zip\n1,01234\n2,56789\n");
    assert!(yaml.contains("leading zeros"), "{yaml}");
    let (yaml, _) = table("id,at\n1,2021-11-07 02:48:42\n");
    assert!(yaml.contains("timezone: UTC") && yaml.contains("have no zone"), "{yaml}");
}

/// A table of `good` records, and one more for each of `bad`.
fn mostly(good: usize, bad: &[&str]) -> String {
    let mut text = String::from("id,amount,note\n");
    (1..=good).for_each(|id| writeln!(text, "{id},{},n", id % 90).expect("text"));
    bad.iter().for_each(|line| writeln!(text, "{line}").expect("text"));
    text
}

#[test]
fn a_few_bad_values_do_not_make_a_column_text() {
    let (yaml, resource) = table(&mostly(150, &["x,1,n", "152,n/a,n", "153,2,", "1,3,other"]));
    assert_eq!(types(&resource), "id integer, amount integer, note string");
    assert_eq!(resource.schema.primary_key, [FieldIndex::from(0)]);
    assert!(resource.schema.fields[2].constraints.required);
    for words in ["(line 152)", "(line 153)", "(line 154)", "(line 155)", "151 of 154 records pass"] {
        assert!(yaml.contains(words), "{words} in {yaml}");
    }
    let (_, resource) = table(&mostly(30, &["x,1,n"]));
    assert_eq!(types(&resource), "id string, amount integer, note string");
    let (_, resource) = table(&mostly(150, &["x,1,"; 20]));
    assert_eq!(types(&resource), "id string, amount integer, note string");
    assert!(!resource.schema.fields[2].constraints.required);
}

#[test]
fn values_beyond_every_sample_count() {
    let mut text = mostly(60_000, &[]);
    text.push_str("60001,12.5,n\n");
    assert_eq!(types(&table(&text).1), "id integer, amount number, note string");
}

#[test]
fn keys_need_a_name_or_the_first_place() {
    assert_eq!(table("name,code\nA b,x\nB c,y\nA b,z\n").1.schema.primary_key, [FieldIndex::from(1)]);
    assert!(table("name,age\nA b,3\nB c,4\nC d,4\n").1.schema.primary_key.is_empty());
    assert!(table("id,age\n1,3\n1,4\n").1.schema.primary_key.is_empty());
    assert_eq!(table("nr,age\n1,3\n2,4\n3,3\n").1.schema.primary_key, [FieldIndex::from(0)]);
    let (yaml, _) = table("id,mail\n1,a\n2,b\n3,c\n4,d\n");
    assert!(yaml.contains("it may be a unique key"), "{yaml}");
}

#[test]
fn a_foreign_key_needs_values_and_a_name() {
    let folder = folder(&[
        ("countries.csv", b"code,name\nDE,Germany\nFR,France\n"),
        ("cities.csv", b"id,name,country_code,mayor_id,parent_id\n1,Rome,IT,7,\n2,Nice,FR,8,1\n3,Lyon,FR,7,1\n"),
        ("mayors.csv", b"id,name,country\n7,A,FR\n8,B,DE\n"),
    ]);
    let (proposal, package) = proposal(folder.path());
    let parents = |at: usize| -> Vec<(usize, String)> {
        let keys = &package.resources[at].schema.foreign_keys;
        keys.iter().map(|key| (key.fields[0].get(), key.parent.to_string())).collect()
    };
    assert_eq!(&*package.resources[0].name, "cities");
    assert_eq!(parents(0), [(3, "mayors".into()), (4, "cities".into())], "{}", proposal.package_yaml);
    assert_eq!(parents(2), [(2, "countries".into())]);
    assert!(proposal.package_yaml.contains("Not a foreign key, though the name of country_code"));
    let inserted: u64 = loaded(folder.path(), &package).iter().map(|outcome| outcome.counts.inserted).sum();
    assert_eq!(inserted, 7);
}
