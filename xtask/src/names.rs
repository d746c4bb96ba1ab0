//! Names of people who do not exist, put together from made-up syllables.

use crate::random::Random;

const FIRST: ([&str; 16], [&str; 12]) = (
    [
        "Ombr", "Velk", "Taz", "Quenn", "Ysk", "Drav", "Plin", "Orv", "Zham", "Krel", "Fosk", "Wenth", "Ibl", "Nurv",
        "Skae", "Glim",
    ],
    ["ato", "ix", "une", "orra", "ilde", "esk", "uvo", "anth", "ymo", "erro", "ulla", "ost"],
);

const LAST: ([&str; 12], [&str; 12]) = (
    ["Marv", "Gost", "Helk", "Pryn", "Dusk", "Ferl", "Jolv", "Stum", "Cren", "Wolth", "Bink", "Ruzz"],
    ["andrel", "ovell", "umbrel", "itchet", "eldop", "akkren", "impet", "oylen", "ustrel", "engo", "ippa", "arroc"],
);

/// All first and all last names.
#[derive(Debug)]
pub(crate) struct PeopleNames {
    first: Vec<String>,
    last: Vec<String>,
}

impl PeopleNames {
    /// Puts the syllables together.
    pub(crate) fn new() -> Self {
        Self { first: join_parts(&FIRST.0, &FIRST.1), last: join_parts(&LAST.0, &LAST.1) }
    }

    /// A first and a last name.
    pub(crate) fn pick_name(&self, random: &mut Random) -> [&str; 2] {
        [&self.first, &self.last].map(|names| names[random.below(names.len())].as_str())
    }
}

fn join_parts(heads: &[&str], tails: &[&str]) -> Vec<String> {
    heads.iter().flat_map(|head| tails.iter().map(move |tail| format!("{head}{tail}"))).collect()
}
