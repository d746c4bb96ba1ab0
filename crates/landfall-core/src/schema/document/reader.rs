use super::{Entry, Node, Place, Problems};

/// Reads the properties of a map one by one; [`Reader::finish`] then complains about those that nobody asked for.
#[derive(Debug)]
pub struct Reader<'a> {
    what: &'a str,
    entries: &'a [Entry],
    place: &'a Place,
    problems: &'a Problems,
    known: Vec<&'static str>,
}

impl<'a> Reader<'a> {
    pub(super) const fn new(what: &'a str, entries: &'a [Entry], place: &'a Place, problems: &'a Problems) -> Self {
        Self { what, entries, place, problems, known: Vec::new() }
    }

    /// Where the map stands.
    #[must_use]
    pub const fn place(&self) -> &'a Place {
        self.place
    }

    /// The errors found so far.
    #[must_use]
    pub const fn problems(&self) -> &'a Problems {
        self.problems
    }

    /// All entries, in the order of the source: for a map whose keys are not known beforehand.
    #[must_use]
    pub const fn entries(&self) -> &'a [Entry] {
        self.entries
    }

    /// The value of the property `name`, which is known from now on.
    pub fn take(&mut self, name: &'static str) -> Option<&'a Node> {
        self.take_entry(name).map(|entry| &entry.node)
    }

    /// The property `name` with the place of its key.
    pub fn take_entry(&mut self, name: &'static str) -> Option<&'a Entry> {
        self.accept(&[name]);
        self.entries.iter().find(|entry| entry.key == name)
    }

    /// The value of the property `name`; an error where it is missing.
    pub fn require(&mut self, name: &'static str) -> Option<&'a Node> {
        let node = self.take(name);
        if node.is_none() {
            self.problems.report(self.place, format!("{} needs the property \"{name}\"", self.what));
        }
        node
    }

    /// The text of the property `name`.
    pub fn text(&mut self, name: &'static str) -> Option<&'a str> {
        self.take(name)?.text(&in_quotes(name), self.problems)
    }

    /// The property `name`, true or false.
    pub fn flag(&mut self, name: &'static str) -> Option<bool> {
        self.take(name)?.flag(&in_quotes(name), self.problems)
    }

    /// The whole number of the property `name`.
    pub fn whole(&mut self, name: &'static str) -> Option<u64> {
        self.take(name)?.whole(&in_quotes(name), self.problems)
    }

    /// The list of the property `name`.
    pub fn list(&mut self, name: &'static str) -> Option<&'a [Node]> {
        self.take(name)?.list(&in_quotes(name), self.problems)
    }

    /// The texts of the list `name`.
    pub fn texts(&mut self, name: &'static str) -> Option<Vec<String>> {
        self.take(name)?.texts(&in_quotes(name), self.problems)
    }

    /// Properties that may stand here and are not read.
    pub fn accept(&mut self, names: &[&'static str]) {
        for name in names {
            if !self.known.contains(name) {
                self.known.push(name);
            }
        }
    }

    /// Complains about every property that is not known.
    pub fn finish(self) {
        for entry in self.unknown() {
            let key = &entry.key;
            match nearest(key, self.known.iter().copied()) {
                Some(name) => self.problems.report(&entry.key_place, suggestion(key, name)),
                None => {
                    let message = format!("{} has no property \"{key}\"", self.what);
                    let mend = format!("write one of: {}", self.known.join(", "));
                    self.problems.report_with_mend(&entry.key_place, message, mend);
                }
            }
        }
    }

    /// Complains about properties that look like a misspelling of a known one; others may stand here.
    pub fn finish_open(self) {
        for entry in self.unknown() {
            if let Some(name) = misspelled(&entry.key, &self.known) {
                self.problems.report(&entry.key_place, suggestion(&entry.key, name));
            }
        }
    }

    fn unknown(&self) -> impl Iterator<Item = &'a Entry> {
        self.entries.iter().filter(|entry| !self.known.contains(&entry.key.as_str()))
    }
}

fn in_quotes(name: &str) -> String {
    format!("\"{name}\"")
}

fn suggestion(key: &str, name: &str) -> String {
    format!("unknown property \"{key}\"; did you mean \"{name}\"?")
}

/// The name that `typed` most likely stands for, where one is near enough to suggest.
#[must_use]
pub fn nearest<'n>(typed: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let folded = fold(typed);
    let near = names.map(|name| (strsim::damerau_levenshtein(&folded, &fold(name)), name));
    let (distance, name) = near.min_by_key(|(distance, _)| *distance)?;
    (distance <= 1 + name.chars().count() / 4).then_some(name)
}

/// A stricter test than [`nearest`], for maps in which other names may stand. A known name with a suffix of its own, such
/// as `description_fr` or `title@de`, is another name.
fn misspelled(typed: &str, known: &[&'static str]) -> Option<&'static str> {
    let allowed = |name: &str| if name.len() < 9 { 1 } else { 2 };
    let suffixed = |name: &str| typed.strip_prefix(name).is_some_and(|rest| !rest.starts_with(char::is_alphanumeric));
    let folded = fold(typed);
    let near = |name: &str| strsim::damerau_levenshtein(&folded, &fold(name)) <= allowed(name) && !suffixed(name);
    known.iter().copied().find(|name| near(name))
}

/// `primary_key`, `primary-key` and `PrimaryKey` are one mistake away from `primaryKey` for a person, not five.
fn fold(name: &str) -> String {
    name.chars().filter(|char| !matches!(char, '_' | '-')).map(|char| char.to_ascii_lowercase()).collect()
}
