//! Which tables can be made anew without a loss: Landfall has made them, they have no rows, and nobody has changed them since. A load that
//! kept nothing leaves such tables, perhaps with types that were the very mistake.
//!
//! Whether somebody changed a table is not judged by a list of what could be changed: all that the catalogue says of it is noted as a
//! digest when it is made, and compared.

use std::collections::HashSet;

use super::{SqlConnection, documents};
use crate::{
    document::{DocumentFilter, NewDocument},
    error::Result,
    targets::Table,
};

/// The kind of the documents that tell how a table was made; they are named after it.
const KIND: &str = "made-table";

/// Notes that Landfall has made `table`, of which the catalogue says `traits`.
pub(in crate::targets) fn note_made_table(connection: &dyn SqlConnection, table: &str, traits: &str) -> Result<()> {
    // One that is not noted is left as it is.
    if table.len() > NewDocument::NAME_LIMIT {
        return Ok(());
    }
    let body = traits_digest(traits);
    // A table may be made, dropped by somebody and made again: then the note of before is stale.
    match documents::find_documents(connection, &made_filter(table))?.pop() {
        Some(document) => documents::change_document(connection, &document, Some(&body)).map(drop),
        None => documents::add_documents(connection, &[NewDocument { kind: KIND, name: table.to_owned(), body }]),
    }
}

/// Whether Landfall has made `table`, of which the catalogue says `traits`, and nobody has changed it since.
pub(in crate::targets) fn is_as_made(connection: &dyn SqlConnection, table: &str, traits: &str) -> Result<bool> {
    let noted = documents::find_documents(connection, &made_filter(table))?.pop();
    Ok(noted.is_some_and(|document| document.body == traits_digest(traits)))
}

fn made_filter(table: &str) -> DocumentFilter {
    DocumentFilter { names: Some(vec![table.to_owned()]), ..DocumentFilter::all_of_kind(KIND) }
}

fn traits_digest(traits: &str) -> Vec<u8> {
    blake3::hash(traits.as_bytes()).to_hex().as_bytes().to_vec()
}

/// What a database tells of its tables.
pub(in crate::targets) trait TableCatalogue {
    /// Whether `table` differs from the dictionary; none where it does not exist, or has rows.
    fn empty_differs(&mut self, table: &Table) -> Result<Option<bool>>;

    /// Whether `table` is as Landfall has made it.
    fn is_as_made(&mut self, table: &Table) -> Result<bool>;

    /// The names of the tables with a foreign key to `table`.
    fn referring_tables(&mut self, table: &Table) -> Result<Vec<String>>;
}

/// Those of `tables` that differ from the dictionary and can be made anew without a loss, with those that refer to them.
pub(in crate::targets) fn find_remakable(database: &mut dyn TableCatalogue, tables: &[Table]) -> Result<Vec<Table>> {
    let mut empty = Vec::new();
    for table in tables {
        empty.extend(database.empty_differs(table)?.map(|differs| (table, differs)));
    }
    // The digests cost several questions for each table, which are only asked if there is something to mend.
    if !empty.iter().any(|(_, differs)| *differs) {
        return Ok(Vec::new());
    }
    let mut candidates = Vec::new();
    for (table, differs) in empty {
        if database.is_as_made(table)? {
            candidates.push(RemakeCandidate { table, differs, referring: database.referring_tables(table)? });
        }
    }
    Ok(choose_remakable(&candidates))
}

/// A table that can be made anew, as far as it alone is concerned.
struct RemakeCandidate<'t> {
    table: &'t Table,
    differs: bool,
    referring: Vec<String>,
}

/// The candidates that differ, and those that refer to them; without those to which a table refers that stays.
fn choose_remakable(candidates: &[RemakeCandidate<'_>]) -> Vec<Table> {
    let differ = candidates.iter().filter(|candidate| candidate.differs);
    let mut chosen: HashSet<&str> = differ.map(|candidate| &*candidate.table.name).collect();
    // And a parent stays if one of its children has to stay. That may hold others in turn, hence the loop.
    // Children go along, since a parent cannot be dropped while a foreign key refers to it.
    loop {
        let refers = |name: &str| {
            let parents = candidates.iter().filter(|parent| chosen.contains(&*parent.table.name));
            parents.flat_map(|parent| &parent.referring).any(|child| child == name)
        };
        let names = candidates.iter().map(|candidate| &*candidate.table.name);
        let more: Vec<&str> = names.filter(|name| !chosen.contains(name) && refers(name)).collect();
        if more.is_empty() {
            break;
        }
        chosen.extend(more);
    }
    loop {
        let is_held = |candidate: &&RemakeCandidate<'_>| {
            let stays = |child: &String| !chosen.contains(child.as_str());
            chosen.contains(&*candidate.table.name) && candidate.referring.iter().any(stays)
        };
        let held: Vec<&str> = candidates.iter().filter(is_held).map(|candidate| &*candidate.table.name).collect();
        if held.is_empty() {
            break;
        }
        chosen.retain(|name| !held.contains(name));
    }
    let is_chosen = |candidate: &&RemakeCandidate<'_>| chosen.contains(&*candidate.table.name);
    candidates.iter().filter(is_chosen).map(|candidate| candidate.table.clone()).collect()
}
