//! Imports go one way: a room of a crate may know the rooms before it, and none behind it (see "Rooms" in ARCHITECTURE).

use std::{collections::BTreeSet, fs, path::Path};

/// The rooms of a crate from the lowest to the highest. Rooms of one entry are of equal height, and do not know each other.
struct CrateRooms {
    source: &'static str,
    order: &'static [&'static [&'static str]],
}

const ENGINE: CrateRooms = CrateRooms {
    source: "crates/landfall-engine/src",
    order: &[
        &["error"],
        &["public_error"],
        &["timestamp", "csv_text", "rules_digest", "document", "origin", "folder_space"],
        &["job"],
        &["ledger"],
        &["quarantine"],
        &["objects", "avro"],
        &["source", "targets"],
        &["project"],
        &["pipeline"],
        &["receipt", "report", "init", "token"],
        &["verify", "backup", "link"],
        &["jobs"],
    ],
};

const BINARY: CrateRooms = CrateRooms {
    source: "crates/landfall/src",
    order: &[
        &["exit", "web", "typed", "counts", "stop_signal"],
        &["globals", "output"],
        &["failure", "logging", "progress"],
        &["config", "push"],
        &["workers"],
        &["http"],
        &["cli"],
        &["main"],
    ],
};

impl CrateRooms {
    fn room_height(&self, room: &str) -> Option<usize> {
        self.order.iter().position(|level| level.contains(&room))
    }

    /// Every import that does not go down, as `file: room`.
    fn find_upward_imports(&self, root: &Path) -> Vec<String> {
        let mut faults = Vec::new();
        for file in source_files(&root.join(self.source)) {
            let place = file.strip_prefix(root.join(self.source)).expect("a file of the crate");
            let first = place.components().next().expect("a file has a name").as_os_str().to_string_lossy();
            let room = first.trim_end_matches(".rs");
            let Some(height) = self.room_height(room) else {
                if room != "lib" {
                    faults.push(format!("{}: the room {room} has no place in the order", place.display()));
                }
                continue;
            };
            let text = fs::read_to_string(&file).expect("a file of the crate");
            // Tests look from outside.
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
            let known = crate_imports(code).into_iter().filter(|other| other != room);
            let upward = known.filter(|other| self.room_height(other).is_some_and(|other| other >= height));
            faults.extend(upward.map(|other| format!("{} imports {other}", place.display())));
        }
        faults
    }
}

/// The source files below `folder` that are not tests.
fn source_files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder of the crate").flatten() {
        let path = entry.path();
        let name = entry.file_name();
        if name == "tests" || name == "tests.rs" {
            continue;
        }
        if path.is_dir() {
            found.extend(source_files(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
    found
}

/// The first parts of all paths that begin with `crate::`.
fn crate_imports(code: &str) -> BTreeSet<String> {
    let word = |text: &str| text.chars().take_while(|char| char.is_alphanumeric() || *char == '_').collect::<String>();
    let mut found = BTreeSet::new();
    for (at, part) in code.match_indices("crate::") {
        let rest = &code[at + part.len()..];
        match rest.strip_prefix('{') {
            None => drop(found.insert(word(rest))),
            Some(list) => found.extend(split_first_level(list).iter().map(|item| word(item.trim_start()))),
        }
    }
    found.remove("");
    found
}

/// The items of a list in braces, whose opening brace was read.
fn split_first_level(list: &str) -> Vec<&str> {
    let (mut depth, mut start, mut items) = (1, 0, Vec::new());
    for (at, char) in list.char_indices() {
        match char {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 || char == ',' && depth == 1 {
            items.push(&list[start..at]);
            start = at + 1;
        }
        if depth == 0 {
            break;
        }
    }
    items
}

#[test]
fn no_import_goes_upwards() {
    for rooms in [ENGINE, BINARY] {
        let faults = rooms.find_upward_imports(&crate::workspace_root());
        assert!(faults.is_empty(), "move what both need to a lower room:\n{}", faults.join("\n"));
    }
}

#[test]
fn imports_are_found_in_lists_and_paths() {
    let code = "use crate::{\n    a::{b, c},\n    d,\n};\nuse crate::e::f;\nfn g() { crate::h::i(); }";
    assert_eq!(crate_imports(code).into_iter().collect::<Vec<_>>(), ["a", "d", "e", "h"]);
}
