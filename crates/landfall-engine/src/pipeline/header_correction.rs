//! What a person can do where a header is not that of the table: the likely correction of the data dictionary or of the file.

use landfall_core::schema::{FieldsMatch, LabelMatch, TableSchema};

/// The delimiters that files have instead of the one declared.
const DELIMITERS: [char; 4] = [';', ',', '\t', '|'];
/// How many pairs of labels and names are told.
const MOST_PAIRS: usize = 3;

/// What to do where these `labels` are not the header of `schema`; none where nothing is likely.
pub(super) fn suggest_correction(schema: &TableSchema, labels: &[String]) -> Option<String> {
    let names: Vec<&str> = schema.fields.iter().map(|field| &*field.name).collect();
    suggest_delimiter(&names, labels)
        .or_else(|| suggest_match(schema.fields_match, &names, labels))
        .or_else(|| suggest_names(schema, labels))
        .or_else(|| suggest_places(&names, labels))
        .or_else(|| suggest_no_header(&names, labels))
}

/// The whole header is one label, and another delimiter cuts it into the fields.
fn suggest_delimiter(names: &[&str], labels: &[String]) -> Option<String> {
    let [label] = labels else { return None };
    let known = |delimiter: &&char| {
        let parts: Vec<&str> = label.split(**delimiter).map(|part| part.trim().trim_matches('"')).collect();
        parts.len() > 1 && parts.iter().any(|part| names.contains(part))
    };
    let delimiter = DELIMITERS.iter().find(known)?;
    Some(format!("the file has another delimiter: write delimiter: {delimiter:?} to the dialect").replace('\'', "\""))
}

/// The labels are names of fields, but not in the way that `fieldsMatch` asks for.
fn suggest_match(declared: FieldsMatch, names: &[&str], labels: &[String]) -> Option<String> {
    let known = labels.iter().filter(|label| names.contains(&label.as_str())).count();
    let missing = names.iter().filter(|name| !labels.iter().any(|label| label == *name)).count();
    let extra = labels.len() - known;
    let allowed = match (missing, extra, known) {
        (_, _, 0) => return None,
        (0, 0, _) => (FieldsMatch::Equal, "equal", "are the same in another order"),
        (0, _, _) => (FieldsMatch::Subset, "subset", "are there, with others"),
        (_, 0, _) => (FieldsMatch::Superset, "superset", "are some of the fields"),
        // Other names for the same columns are more likely than columns that are no fields.
        (missing, extra, _) if missing == extra => return None,
        _ => (FieldsMatch::Partial, "partial", "are some of the fields, with others"),
    };
    let (way, word, words) = allowed;
    (way != declared).then(|| format!("the columns {words}: if that is right, write fieldsMatch: {word} to the schema"))
}

/// Labels that are names or titles of fields, but for their letters or their spelling.
fn suggest_names(schema: &TableSchema, labels: &[String]) -> Option<String> {
    let unknown: Vec<&String> = labels.iter().filter(|label| schema.field_position(label).is_none()).collect();
    let knows_all = |label_match: LabelMatch| {
        let schema = TableSchema { label_match, ..schema.clone() };
        schema.rename_labels(labels).iter().all(|label| schema.field_position(label).is_some())
    };
    let (titles, ignore_case) = (true, true);
    if knows_all(LabelMatch { titles, ..schema.label_match }) {
        return Some("the file has the titles of the fields: write matchTitles: true to the schema".into());
    }
    if knows_all(LabelMatch { ignore_case, ..schema.label_match }) {
        return Some("only upper and lower case differ: write matchCase: false to the schema".into());
    }
    let mut pairs = Vec::new();
    for field in schema.fields.iter().filter(|field| !labels.iter().any(|label| *label == *field.name)) {
        if let Some(label) = unknown.iter().find(|label| are_near(label, &field.name)) {
            pairs.push(format!("{label:?} for {:?}", &*field.name));
        }
    }
    if pairs.is_empty() {
        return None;
    }
    pairs.truncate(MOST_PAIRS);
    let pairs = pairs.join(", ");
    Some(format!(
        "the file probably has {pairs}: give the field that name, or that title with matchTitles: true, or correct the file"
    ))
}

/// Most labels are the names at their places, so that the others are likely to be other names of their fields.
fn suggest_places(names: &[&str], labels: &[String]) -> Option<String> {
    let differing: Vec<(&String, &&str)> = labels.iter().zip(names).filter(|(label, name)| label != *name).collect();
    let is_clear = labels.len() == names.len() && differing.len() * 2 <= names.len() && differing.len() <= MOST_PAIRS;
    let is_known = |label: &String| names.contains(&label.as_str());
    if !is_clear || differing.iter().any(|(label, _)| is_known(label)) {
        return None;
    }
    let pairs: Vec<String> =
        differing.iter().map(|(label, name)| format!("{label:?} at the place of {name:?}")).collect();
    let pairs = pairs.join(", ");
    Some(format!(
        "the file has {pairs}: give the field that name, or that title with matchTitles: true, or correct the file"
    ))
}

/// Whether two names differ in case and marks only, or in a letter or two.
fn are_near(label: &str, name: &str) -> bool {
    let fold = |text: &str| -> String {
        text.chars().filter(|character| character.is_alphanumeric()).flat_map(char::to_lowercase).collect()
    };
    let (label, name) = (fold(label), fold(name));
    let near = label.len().min(name.len()) > 4 && strsim::levenshtein(&label, &name) <= 2;
    !label.is_empty() && (label == name || near)
}

/// No label is a name, and some of them are numbers: the first record is data.
fn suggest_no_header(names: &[&str], labels: &[String]) -> Option<String> {
    let known = labels.iter().any(|label| names.contains(&label.as_str()));
    let numeric = labels.iter().any(|label| label.parse::<f64>().is_ok());
    let data = !known && numeric && labels.len() == names.len();
    data.then(|| "its first line looks like data: if the file has no header, write header: false to the dialect".into())
}

#[cfg(test)]
mod tests {
    use landfall_core::schema::{Field, FieldType, StringFormat};

    use super::*;

    fn suggested(fields_match: FieldsMatch, labels: &[&str]) -> String {
        let field = |name: &str| Field {
            name: name.into(),
            title: (name == "born").then(|| "Date of birth".into()),
            description: None,
            kind: FieldType::String(StringFormat::Default),
            constraints: Default::default(),
            missing_values: vec![String::new()],
        };
        let fields = ["id", "full_name", "born"].map(field).to_vec();
        let schema = TableSchema { fields, fields_match, ..TableSchema::default() };
        let labels: Vec<String> = labels.iter().map(ToString::to_string).collect();
        suggest_correction(&schema, &labels).unwrap_or_default()
    }

    #[test]
    fn the_likely_correction_is_told() {
        for (labels, words) in [
            (&["born", "id", "full_name"][..], "fieldsMatch: equal"),
            (&["id", "full_name", "born", "note"], "fieldsMatch: subset"),
            (&["id", "born"], "fieldsMatch: superset"),
            (&["id", "note"], "fieldsMatch: partial"),
            (&["ID", "Full_Name", "Born"], "matchCase: false"),
            (&["id", "full_name", "Date of birth"], "matchTitles: true"),
            (&["ID", "Full Name", "x"], "\"ID\" for \"id\", \"Full Name\" for \"full_name\""),
            (&["id", "ful_name", "born"], "\"ful_name\" for \"full_name\""),
            (&["id", "full_name", "birth"], "\"birth\" at the place of \"born\""),
            (&["id;full_name;born"], "delimiter: \";\""),
            (&["1", "Ann", "1980-01-01"], "header: false"),
        ] {
            let told = suggested(FieldsMatch::Exact, labels);
            assert!(told.contains(words), "{labels:?}: {told}");
        }
        assert_eq!(suggested(FieldsMatch::Equal, &["a", "b", "c"]), "");
    }
}
