use super::{DescriptorProblems, DocumentNode, DocumentPlace, MapEntry};

/// Reads the properties of a map one by one; [`MapReader::refuse_unknown`] then complains about those that nobody asked for.
#[derive(Debug)]
pub struct MapReader<'a> {
    what: &'a str,
    entries: &'a [MapEntry],
    place: &'a DocumentPlace,
    problems: &'a DescriptorProblems,
    known: Vec<&'static str>,
}

impl<'a> MapReader<'a> {
    pub(super) const fn new(
        what: &'a str,
        entries: &'a [MapEntry],
        place: &'a DocumentPlace,
        problems: &'a DescriptorProblems,
    ) -> Self {
        Self { what, entries, place, problems, known: Vec::new() }
    }

    /// Where the map stands.
    #[must_use]
    pub const fn place(&self) -> &'a DocumentPlace {
        self.place
    }

    /// The errors found so far.
    #[must_use]
    pub const fn problems(&self) -> &'a DescriptorProblems {
        self.problems
    }

    /// All entries, in the order of the source: for a map whose keys are not known beforehand.
    #[must_use]
    pub const fn entries(&self) -> &'a [MapEntry] {
        self.entries
    }

    /// The value of the property `name`, which is known from now on.
    pub fn take_value(&mut self, name: &'static str) -> Option<&'a DocumentNode> {
        self.take_entry(name).map(|entry| &entry.node)
    }

    /// The property `name` with the place of its key.
    pub fn take_entry(&mut self, name: &'static str) -> Option<&'a MapEntry> {
        // Known even if absent, so that a misspelling of it gets this name as a suggestion.
        self.accept_names(&[name]);
        self.entries.iter().find(|entry| entry.key == name)
    }

    /// The value of the property `name`; an error where it is missing.
    pub fn require_value(&mut self, name: &'static str) -> Option<&'a DocumentNode> {
        let node = self.take_value(name);
        if node.is_none() {
            self.problems.report_problem(self.place, format!("{} needs the property \"{name}\"", self.what));
        }
        node
    }

    /// The text of the property `name`.
    pub fn take_text(&mut self, name: &'static str) -> Option<&'a str> {
        self.take_value(name)?.read_text(&quote_name(name), self.problems)
    }

    /// The property `name`, true or false.
    pub fn take_flag(&mut self, name: &'static str) -> Option<bool> {
        self.take_value(name)?.read_flag(&quote_name(name), self.problems)
    }

    /// The whole number of the property `name`.
    pub fn take_whole_number(&mut self, name: &'static str) -> Option<u64> {
        self.take_value(name)?.read_whole_number(&quote_name(name), self.problems)
    }

    /// The list of the property `name`.
    pub fn take_list(&mut self, name: &'static str) -> Option<&'a [DocumentNode]> {
        self.take_value(name)?.read_list(&quote_name(name), self.problems)
    }

    /// The texts of the list `name`.
    pub fn take_texts(&mut self, name: &'static str) -> Option<Vec<String>> {
        self.take_value(name)?.read_texts(&quote_name(name), self.problems)
    }

    /// Properties that may stand here and are not read.
    pub fn accept_names(&mut self, names: &[&'static str]) {
        for name in names {
            if !self.known.contains(name) {
                self.known.push(name);
            }
        }
    }

    /// Complains about properties of `names` that stand here: they belong into `home`, and would do nothing here.
    pub fn refuse_misplaced(&mut self, names: &[&'static str], home: &str) {
        for entry in self.entries.iter().filter(|entry| names.contains(&entry.key.as_str())) {
            let message = format!("\"{}\" belongs into {home}, not here", entry.key);
            self.problems.report_with_mend(&entry.key_place, message, format!("move it into {home}"));
        }
        // Or the same property would be reported as unknown once more.
        self.accept_names(names);
    }

    /// Complains about every property that is not known.
    pub fn refuse_unknown(self) {
        for entry in self.unknown_entries() {
            let key = &entry.key;
            match find_nearest(key, self.known.iter().copied()) {
                Some(name) => self.problems.report_problem(&entry.key_place, suggest_name(key, name)),
                None => {
                    let message = format!("{} has no property \"{key}\"", self.what);
                    let mend = format!("write one of: {}", self.known.join(", "));
                    self.problems.report_with_mend(&entry.key_place, message, mend);
                }
            }
        }
    }

    /// Complains about properties that look like a misspelling of a known one; others may stand here.
    pub fn refuse_misspelled(self) {
        for entry in self.unknown_entries() {
            if let Some(name) = find_misspelled(&entry.key, &self.known) {
                self.problems.report_problem(&entry.key_place, suggest_name(&entry.key, name));
            }
        }
    }

    fn unknown_entries(&self) -> impl Iterator<Item = &'a MapEntry> {
        self.entries.iter().filter(|entry| !self.known.contains(&entry.key.as_str()))
    }
}

fn quote_name(name: &str) -> String {
    format!("\"{name}\"")
}

fn suggest_name(key: &str, name: &str) -> String {
    format!("unknown property \"{key}\"; did you mean \"{name}\"?")
}

/// The name that `typed` most likely stands for, where one is near enough to suggest.
#[must_use]
pub fn find_nearest<'n>(typed: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let folded = fold_name(typed);
    let near = names.map(|name| (strsim::damerau_levenshtein(&folded, &fold_name(name)), name));
    let (distance, name) = near.min_by_key(|(distance, _)| *distance)?;
    // Longer names may have more mistakes: one, and one more for every four letters.
    (distance <= 1 + name.chars().count() / 4).then_some(name)
}

/// A stricter test than [`find_nearest`], for maps in which other names may stand. A known name with a suffix of its own, such
/// as `description_fr` or `title@de`, is another name.
fn find_misspelled(typed: &str, known: &[&'static str]) -> Option<&'static str> {
    let allowed = |name: &str| if name.len() < 9 { 1 } else { 2 };
    let suffixed = |name: &str| typed.strip_prefix(name).is_some_and(|rest| !rest.starts_with(char::is_alphanumeric));
    let folded = fold_name(typed);
    let near = |name: &str| strsim::damerau_levenshtein(&folded, &fold_name(name)) <= allowed(name) && !suffixed(name);
    known.iter().copied().find(|name| near(name))
}

/// `primary_key`, `primary-key` and `PrimaryKey` are one mistake away from `primaryKey` for a person, not five.
fn fold_name(name: &str) -> String {
    name.chars().filter(|char| !matches!(char, '_' | '-')).map(|char| char.to_ascii_lowercase()).collect()
}
