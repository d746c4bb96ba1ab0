//! The order of text is that of its bytes, and texts are equal when their bytes are, whatever the server's collation.

use std::sync::OnceLock;

use testbed::{Mariadb, Postgres, ServerOptions};

use super::{
    cells::Form,
    place::{Kind, Place},
    site::{HR, Site, assert_same},
};
use crate::support::Project;

/// A server whose language folds case, accents and blanks.
fn folding(kind: Kind) -> Place {
    static POSTGRES: OnceLock<Postgres> = OnceLock::new();
    static MARIADB: OnceLock<Mariadb> = OnceLock::new();
    if kind == Kind::Mariadb {
        let options = ServerOptions::default().with_setting("collation_server", "utf8mb4_general_ci");
        let server = MARIADB.get_or_init(|| Mariadb::start_with(&options).unwrap());
        return Place::on(kind, server.fresh_database().unwrap());
    }
    let server =
        POSTGRES.get_or_init(|| Postgres::start_with(&ServerOptions::default().with_icu_locale("en-US")).unwrap());
    Place::on(kind, server.fresh_database().unwrap())
}

/// Texts that differ in their bytes, and are the same or stand elsewhere in some collation.
const TEXTS: [&str; 22] = [
    "a",
    "A",
    "a ",
    " a",
    "á",
    "a\u{301}",
    "b",
    "B",
    "ab",
    "a b",
    "a-b",
    "Z",
    "z",
    "_",
    "ß",
    "ss",
    "ẞ",
    "ﬁ",
    "fi",
    "漢",
    "\u{1F980}",
    "0",
];

fn texts() -> Project {
    let project = Project::empty();
    project.write(
        "datapackage.yaml",
        "resources:
  - name: words
    path: words.csv
    schema:
      fields:
        - {name: word, type: string, constraints: {required: true, maxLength: 20}}
        - {name: code, type: string, constraints: {maxLength: 20}}
      primaryKey: [word]
      uniqueKeys: [[code]]
  - name: uses
    path: uses.csv
    schema:
      fields:
        - {name: id, type: integer, constraints: {required: true}}
        - {name: word, type: string, constraints: {required: true, maxLength: 20}}
      primaryKey: [id]
      foreignKeys: [{fields: [word], reference: {resource: words, fields: [word]}}]
",
    );
    let words: String = TEXTS.iter().map(|word| format!("\"{word}\",\"{word}\"\n")).collect();
    project.write("words.csv", format!("word,code\n{words}"));
    let uses: String = (1..).zip(TEXTS).map(|(id, word)| format!("{id},\"{word}\"\n")).collect();
    project.write("uses.csv", format!("id,word\n{uses}98,A \n99,c\n"));
    project.write("landfall.yaml", "reports: {words: {sql: words.sql}}\n");
    project.write("words.sql", "SELECT word, code FROM words ORDER BY word\n");
    project
}

fn sites(make: &dyn Fn() -> Project) -> Vec<Site> {
    let folding = Kind::DATABASES.map(|kind| Site::at(make(), folding(kind)));
    let plain = Kind::SERVERS.map(|kind| Site::new(make(), kind));
    folding.into_iter().chain(plain).collect()
}

#[test]
fn texts_that_differ_are_different_keys_and_stand_in_the_order_of_their_bytes() {
    let mut sorted = TEXTS;
    sorted.sort_unstable();
    let wanted: Vec<String> = sorted.iter().map(|&word| word.to_owned()).collect();
    for site in sites(&texts) {
        let run = site.run(&["load", "--json"]).exits(0);
        let count = TEXTS.len() as u64;
        assert_eq!(run.counts("words"), [count, count, 0, 0, 0], "{:?}", site.place.kind);
        assert_eq!(run.counts("uses"), [count + 2, count, 0, 0, 2], "{:?}", site.place.kind);
        let report = site.run(&["report", "words", "--format", "json"]).exits(0).json();
        let rows = report["rows"].as_array().or_else(|| report.as_array()).unwrap();
        let told: Vec<String> = rows.iter().map(|row| row["word"].as_str().unwrap().to_owned()).collect();
        assert_eq!(told, wanted, "{:?}", site.place.kind);
        site.run(&["load", "--force", "--json"]).exits(0);
        assert_eq!(site.count("words"), count);
        assert_eq!(site.content("words", &[("word", Form::Plain)]).len(), TEXTS.len());
        site.audit(&[]);
    }
}

#[test]
fn reports_have_one_order_whatever_the_collation() {
    let reference = Site::new(Project::example(), Kind::Sqlite);
    reference.run(&["load", "-q"]).exits(0);
    let report = |site: &Site| site.run(&["report", "hires_by_quarter", "--format", "csv"]).exits(0).stdout;
    for site in sites(&Project::example) {
        site.run(&["load", "-q"]).exits(0);
        assert_eq!(report(&site), report(&reference), "{:?}", site.place.kind);
        assert_same(&site.outcome(&HR), &reference.outcome(&HR), &format!("{:?}", site.place.kind));
    }
}
