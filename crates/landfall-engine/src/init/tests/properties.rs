//! Whatever the files hold, the proposal is sound, and a load accepts what was counted as fine.

use std::sync::Arc;

use landfall_core::{
    decode::{CutterLimits, decode_all},
    schema::Resource,
    validate::{ColumnMap, Validator},
};
use proptest::prelude::*;

use super::{folder, loaded, proposal};
use crate::{init::propose_project, pipeline::SilentObserver};

/// A cell of some kind.
fn cell() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => (0..40u32).prop_map(|n| n.to_string()),
        1 => Just(String::new()),
        1 => (1..13u32, 1..29u32).prop_map(|(month, day)| format!("2021-{month:02}-{day:02}")),
        1 => (1..13u32, 1..29u32).prop_map(|(month, day)| format!("{day:02}/{month:02}/2021")),
        1 => "[a-z;|' ,\"é]{0,5}".prop_map(|text| if text.contains(['"', ',']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }),
        1 => any::<bool>().prop_map(|value| value.to_string()),
        1 => Just("007".to_owned()),
    ]
}

/// Text of a table with some columns, perhaps ragged.
fn text() -> impl Strategy<Value = String> {
    let record = prop::collection::vec(cell(), 3);
    let records = prop::collection::vec(prop_oneof![9 => record, 1 => prop::collection::vec(cell(), 0..5)], 1..30);
    let lines = |records: Vec<Vec<String>>| records.iter().map(|record| record.join(",") + "\n").collect::<String>();
    (any::<bool>(), records.prop_map(lines))
        .prop_map(|(header, lines)| if header { format!("id,day,note\n{lines}") } else { lines })
}

/// A cell of a header or title: short or long, empty, the same again, with signs that files or YAML use.
fn label() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-cA-C]{1,2}",
        1 => Just(String::new()),
        1 => Just("id".to_owned()),
        1 => Just("2021".to_owned()),
        1 => "[#'%: ü\u{a0}\\-]{1,4}",
        1 => "[a-z]{70}",
        1 => Just("\"a\nb\"".to_owned()),
    ]
}

/// A file as people have them: perhaps with titles, units, sums, the header again, blanks, and any delimiter.
fn odd_file() -> impl Strategy<Value = String> {
    let header = prop::collection::vec(label(), 3);
    let titles = prop::collection::vec(prop::collection::vec(label(), 1..3), 0..3);
    let records = prop::collection::vec(prop::collection::vec(cell(), 3), 0..12);
    let delimiter = prop::sample::select(vec![",", ";", "\t", "|", ", ", "^", "\u{1}"]);
    let extras = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    (titles, header, records, delimiter, extras).prop_map(|(titles, header, records, delimiter, extras)| {
        let (separator, units, again, sum) = extras;
        let mut lines: Vec<Vec<String>> = titles;
        lines.push(header.clone());
        lines.extend(units.then(|| ["", "kg", "(m)"].map(String::from).to_vec()));
        lines.extend(records);
        lines.extend(again.then_some(header));
        lines.extend(sum.then(|| ["Total", "", "7"].map(String::from).to_vec()));
        let first = if separator { format!("sep={}\n", &delimiter[..1]) } else { String::new() };
        let line = |cells: &Vec<String>| cells.join(delimiter) + "\n";
        first + &lines.iter().map(line).collect::<String>()
    })
}

/// The records that the proposed schema accepts.
fn accepted(resource: &Resource, bytes: &[u8]) -> usize {
    let fields = resource.schema.fields.len();
    let validator =
        Validator::new(Arc::new(resource.schema.clone()), ColumnMap::identity(fields)).expect("sound rules");
    let decoded = decode_all(&resource.dialect, resource.encoding, CutterLimits::default(), bytes);
    let blocks = decoded.parts.iter().filter_map(|part| part.records.as_ref().ok());
    blocks.map(|records| validator.validate_records(records).rows.num_rows()).sum()
}

/// The number after which `words` stand in `yaml`.
fn told(yaml: &str) -> Option<usize> {
    let line = yaml.lines().find(|line| line.contains("pass the rules below"))?;
    line.split_whitespace().find_map(|word| word.parse().ok())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_was_counted_as_fine_is_accepted(text in text()) {
        let folder = folder(&[("items.csv", text.as_bytes())]);
        let Ok(_) = propose_project(folder.path(), &SilentObserver) else { return Ok(()) };
        let (proposal, package) = proposal(folder.path());
        let yaml = proposal.package_yaml;
        let fine = accepted(&package.resources[0], text.as_bytes());
        prop_assert_eq!(told(&yaml).unwrap_or(0), fine, "{}", yaml);
        let counts = &loaded(folder.path(), &package)[0].counts;
        let repeated = yaml.contains(" again (");
        prop_assert!(repeated || counts.inserted as usize == fine, "{:?} {}", counts, yaml);
    }

    /// A header, a dialect or a package that a load refuses would be an error, and end the test.
    #[test]
    fn no_proposal_is_refused_by_a_load(files in prop::collection::vec(odd_file(), 1..4), name in "[a-z\\[\\]{}*? _.-]{1,6}") {
        let files: Vec<(String, String)> =
            files.into_iter().enumerate().map(|(at, text)| (format!("{name}{at}.csv"), text)).collect();
        let bytes: Vec<(&str, &[u8])> = files.iter().map(|(name, text)| (name.as_str(), text.as_bytes())).collect();
        let folder = folder(&bytes);
        if propose_project(folder.path(), &SilentObserver).is_ok() {
            let (_, package) = proposal(folder.path());
            loaded(folder.path(), &package);
        }
    }

    #[test]
    fn any_bytes_give_a_sound_proposal_or_none(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let folder = folder(&[("items.csv", &bytes)]);
        if propose_project(folder.path(), &SilentObserver).is_ok() {
            proposal(folder.path());
        }
    }
}
