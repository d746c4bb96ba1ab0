//! What is found in the columns of one table.

use std::fmt::Write as _;

use landfall_core::schema::{FieldIndex, FieldType, StringFormat, TemporalFormat};

use super::{table, types};

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
        (&["NaN", "1.5"], "number"),
        (&["n/a", "1", "2"], "integer"),
        (&["9e42", "17"], "string"),
        (&["1.5e3", "2e-5"], "number"),
        (&["1.234,50", "7,5"], "number"),
        (&["1.234.567", "12"], "integer"),
        (&["1 234", "12"], "integer"),
        (&["12 %", "7,5 %"], "string"),
        (&["€ 5", "$ 6"], "string"),
        (&["ja", "nein", "Ja"], "boolean"),
        (&["Y", "N"], "boolean"),
        (&["Y", "Y"], "string"),
        (&["31.12.21", "1.2.22"], "date"),
        (&["20211231", "20220101", "20220102", "20220103", "20220104"], "date"),
        (&["12/31/2021 11:30 PM", "1/2/2022 1:05 AM"], "datetime"),
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
    assert_eq!(format(&["a@b.org", "nobody"]), StringFormat::Default);
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
    for words in ["(line 152)", "(line 153)", "(line 154)", "(line 155)", "152 of 154 records pass"] {
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
    let (yaml, _) = table("id,mail\n1,a@x.org\n2,b@x.org\n3,c@x.org\n4,d@x.org\n");
    assert!(yaml.contains("it may be a unique key"), "{yaml}");
}

#[test]
fn codes_stay_text_and_the_reason_is_told() {
    let (yaml, resource) = table("id,batch\n1,9e42\n2,17\n3,12e4\n");
    assert_eq!(types(&resource), "id integer, batch string");
    assert!(yaml.contains("2 values have the form 9e42"), "{yaml}");
    let (yaml, _) = table("id,zip\n1,007\n2,56789\n");
    assert!(yaml.contains("1 value has leading zeros"), "{yaml}");
}

#[test]
fn words_for_missing_values_are_declared() {
    let (yaml, resource) = table("id,age,note\n1,3,-\n2,n/a,x\n3,,y\n4,NaN,z\n");
    assert_eq!(types(&resource), "id integer, age integer, note string");
    assert!(yaml.contains("missingValues: [\"\", n/a, NaN]"), "{yaml}");
    assert!(yaml.contains("if these stand for a missing value, write them to missingValues: \"-\" (line 2)"), "{yaml}");
}

#[test]
fn other_columns_tell_what_a_point_means() {
    let (_, resource) = table("id;menge;preis\n1;1.234;5,50\n2;12.500;7,25\n");
    assert_eq!(types(&resource), "id integer, menge integer, preis number");
    let (yaml, resource) = table("id;menge\n1;1.234\n2;12.500\n");
    assert_eq!(types(&resource), "id integer, menge number");
    assert!(yaml.contains("where it groups thousands"), "{yaml}");
}

#[test]
fn times_and_gaps_in_numbers_are_told() {
    let (yaml, _) = table("id,created\n1,1700000000\n2,1700003600\n");
    assert!(yaml.contains("all values may be seconds since 1970"), "{yaml}");
    let (yaml, _) = table("id,created\n1,1700000000000\n2,1700003600000\n");
    assert!(yaml.contains("all values may be milliseconds since 1970"), "{yaml}");
    let (yaml, _) = table("id,depth\n1,-999\n2,5\n3,-999\n");
    assert!(yaml.contains("-999 occurs 2 times (lines 2, 4)"), "{yaml}");
}

#[test]
fn a_key_with_a_few_duplicates_is_proposed_with_their_lines() {
    let (yaml, resource) = table("id,age\n1,3\n2,4\n3,3\n4,5\n5,7\n6,1\n7,2\n8,2\n9,9\n3,8\n");
    assert_eq!(resource.schema.primary_key, [FieldIndex::from(0)]);
    assert!(yaml.contains("1 value occurs again (line 11)"), "{yaml}");
    let (yaml, resource) = table("id,age\n1,3\n2,4\n3,3\n3,8\n");
    assert!(resource.schema.primary_key.is_empty());
    assert!(yaml.contains("no primary key, though the name of id suggests it: 1 value again (line 5)"), "{yaml}");
}

#[test]
fn a_key_may_have_several_fields() {
    let (_, resource) = table("order_no,pos,item\n1,1,a\n1,2,b\n2,1,a\n2,2,a\n3,1,c\n");
    assert_eq!(resource.schema.primary_key, [0, 1].map(FieldIndex::from));
    let (yaml, resource) = table("room,date,who\na,2024-01-01,x\na,2024-01-02,y\nb,2024-01-01,x\nb,2024-01-02,x\n");
    assert!(resource.schema.primary_key.is_empty());
    assert!(yaml.contains("# primaryKey: [room, date]"), "{yaml}");
}
