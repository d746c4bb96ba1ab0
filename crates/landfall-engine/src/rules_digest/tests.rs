use landfall_core::schema::{Package, Resource};

use super::{RulesDigest, canonical_rules};

/// A table with every type, format and kind of key, in an unusual dialect.
const PACKAGE: &str = r##"
resources:
  - name: teams
    path: teams.csv
    schema: {primaryKey: [code], fields: [{name: code, type: string}]}
  - name: people
    path: people.csv
    encoding: windows-1252
    dialect: {delimiter: ";", quoteChar: "'", doubleQuote: false, escapeChar: '\', nullSequence: '\N', headerRows: [2],
              headerJoin: "_", commentChar: "#", commentRows: [1], skipInitialSpace: true}
    schema:
      fieldsMatch: subset
      missingValues: ["", "-"]
      primaryKey: [id]
      uniqueKeys: [[mail, born]]
      foreignKeys:
        - {fields: [boss], reference: {resource: "", fields: [id]}}
        - {fields: [team], reference: {resource: teams, fields: [code]}}
      fields:
        - {name: id, type: integer, groupChar: "'", bareNumber: false, title: Number, description: "Of a \"person\""}
        - {name: boss, type: integer}
        - {name: team, type: string}
        - {name: mail, type: string, format: email, constraints: {required: true, maxLength: 80, minLength: 3}}
        - {name: code, type: string, constraints: {unique: true, pattern: "[A-Z]+\\d", enum: [A1, B2, "Ä\t3"]}}
        - {name: born, type: date, format: "%d/%m/%Y", constraints: {minimum: "01/01/1900"}}
        - {name: at, type: time, format: any}
        - {name: hired, type: datetime, timezone: Europe/Berlin}
        - {name: pay, type: number, decimalChar: ",", groupChar: ".", constraints: {exclusiveMinimum: "0"}}
        - {name: active, type: boolean, trueValues: [yes], falseValues: [no]}
        - {name: tags, type: list, delimiter: ";", itemType: integer}
        - {name: place, type: geopoint, format: object}
        - {name: area, type: geojson, format: topojson}
        - {name: key, type: string, format: uuid}
        - {name: year, type: year}
        - {name: month, type: yearmonth}
        - {name: span, type: duration}
        - {name: extra, type: object}
        - {name: items, type: array}
        - {name: rest, type: any, missingValues: [none]}
"##;

/// What version 0.1.0 wrote into the ledger for the tables of [`PACKAGE`].
const OF_0_1_0: [&str; 2] = ["6bbce9c43aa406de2587e851871306ac", "7110a10b1da762889071bbc11359f271"];

fn resources(package: &str) -> Vec<Resource> {
    Package::from_yaml(package, "declared").expect("a package").resources
}

fn digests(package: &str) -> Vec<RulesDigest> {
    resources(package).iter().map(RulesDigest::from_resource).collect()
}

#[test]
fn digests_stay_as_they_were_written() {
    let texts: Vec<String> = digests(PACKAGE).into_iter().map(|digest| digest.text).collect();
    assert_eq!(
        texts,
        ["2:6982a07832c70f78963f457e011f7c2a", "2:6759095b2fc804ced5f6bf1dce90ee22"],
        "a changed digest makes every loaded file new: give it another version"
    );
}

#[test]
fn digests_of_version_0_1_0_are_known() {
    for (digest, old) in digests(PACKAGE).iter().zip(OF_0_1_0) {
        assert!(digest.matches_stored(old), "{digest:?} {old}");
        assert!(digest.matches_stored(&digest.text));
        assert!(!digest.matches_stored(""));
    }
}

#[test]
fn every_rule_is_part_of_the_digest_and_nothing_else() {
    let before = &digests(PACKAGE)[1];
    for (from, to) in [
        ("type: year}", "type: integer}"),
        ("decimalChar: \",\"", "decimalChar: \";\""),
        ("trueValues: [yes]", "trueValues: [yes, y]"),
        ("required: true", "required: false"),
        ("maxLength: 80", "maxLength: 81"),
        ("enum: [A1, B2,", "enum: [B2, A1,"),
        ("timezone: Europe/Berlin", "timezone: Europe/Paris"),
        ("timezone: Europe/Berlin", "timezone: Europe/Berlin, ambiguous: earlier"),
        ("{name: boss, type: integer}", "{name: boss, type: integer, decimals: zero}"),
        ("missingValues: [\"\", \"-\"]", "missingValues: [\"\"]"),
        ("uniqueKeys: [[mail, born]]", "uniqueKeys: [[born, mail]]"),
        ("fields: [team], reference", "fields: [code], reference"),
        ("fieldsMatch: subset", "fieldsMatch: equal"),
        ("encoding: windows-1252", "encoding: utf-8"),
        ("doubleQuote: false", "doubleQuote: true"),
        ("headerRows: [2]", "headerRows: [3]"),
        ("skipInitialSpace: true", "skipInitialSpace: false"),
        ("skipInitialSpace: true", "skipInitialSpace: true, trim: true"),
        ("skipInitialSpace: true", "skipInitialSpace: true, ragged: pad"),
        ("skipInitialSpace: true", "skipInitialSpace: true, strayQuotes: reject"),
        ("skipInitialSpace: true", "skipInitialSpace: true, quotedMissing: false"),
        ("skipInitialSpace: true", "skipInitialSpace: true, headerMatch: position"),
    ] {
        let changed = PACKAGE.replacen(from, to, 1);
        assert_ne!(changed, PACKAGE, "{from}");
        assert_ne!(digests(&changed)[1].text, before.text, "{from} → {to}");
        assert_ne!(digests(&changed)[1].legacy, before.legacy, "{from} → {to}");
    }
    for (from, to) in [
        ("title: Number, ", "title: No, "),
        (", description: \"Of a \\\"person\\\"\"", ""),
        ("path: people.csv", "path: others.csv"),
        ("trueValues: [yes], falseValues: [no]", "falseValues: [no], trueValues: [yes]"),
    ] {
        let changed = PACKAGE.replacen(from, to, 1);
        assert_ne!(changed, PACKAGE, "{from}");
        assert_eq!(&digests(&changed)[1], before, "{from} → {to}");
    }
}

#[test]
fn what_has_its_default_is_not_part_of_the_digest() {
    let plain = "resources: [{name: t, path: t.csv, schema: {fields: [{name: a, type: integer}]}}]";
    let told = "resources: [{name: t, path: t.csv, encoding: utf-8, dialect: {delimiter: ',', header: true},
        schema: {fieldsMatch: exact, fields: [{name: a, type: integer, bareNumber: true}]}}]";
    assert_eq!(digests(plain), digests(told));
    assert_eq!(
        canonical_rules(&resources(plain)[0]).to_string(),
        r#"{"dialect":{},"encoding":"utf-8","schema":{"fields":[{"missingValues":[""],"name":"a","type":"integer"}]}}"#
    );
}
