//! `landfall rejects list`.

use std::io::Write;

use anyhow::Result;
use landfall_engine::{
    ledger::LoadId,
    quarantine::{Reject, RejectFilter, RejectId, RejectState, ShownReject},
    targets::{Target, TargetAccess},
};
use serde::Serialize;

use super::filter::{FilterArgs, TypedState};
use crate::{
    cli::{Invocation, summary},
    exit::Exit,
    output::{self, JsonList},
};

/// List rejects, with file, line, field, reason and value.
#[derive(Debug, PartialEq, Eq, clap::Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    filter: FilterArgs,
    /// Rejects in this state.
    #[arg(long, value_enum, default_value_t, value_name = "STATE")]
    state: TypedState,
    /// At most this many.
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
}

impl ListArgs {
    /// Whether nothing was typed.
    pub(super) fn is_default(&self) -> bool {
        self.filter.is_empty() && self.state == TypedState::Open && self.limit.is_none()
    }
}

/// A reject as JSON: the record with every reason, then what the quarantine knows of it.
#[derive(Serialize)]
pub(super) struct ListedReject {
    #[serde(flatten)]
    record: ShownReject,
    id: RejectId,
    load_id: LoadId,
    state: RejectState,
}

impl From<&Reject> for ListedReject {
    fn from(reject: &Reject) -> Self {
        Self { record: reject.into(), id: reject.id, load_id: reject.load, state: reject.state }
    }
}

pub(super) fn run(args: ListArgs, invocation: &Invocation) -> Result<Exit> {
    let settings = invocation.read_settings()?;
    let filter = args.state.apply_to(args.filter.resolve_filter(&settings.package)?);
    let opened = invocation.open_with(settings, TargetAccess::Read)?;
    let json = invocation.globals.json;
    let listed = output::write_stdout(|out| {
        if !json {
            return visit_rejects(&*opened.target, &filter, args.limit, &mut |reject| write_lines(&reject, out));
        }
        let mut list = JsonList::begin_list(out, "rejects")?;
        let mut write = |reject: Reject| Ok(list.write_item(&ListedReject::from(&reject))?);
        let listed = visit_rejects(&*opened.target, &filter, args.limit, &mut write)?;
        list.end_list(&[])?;
        Ok(listed)
    })?;
    if listed == 0 && !json && !invocation.globals.quiet {
        output::print_note("No rejects.");
    }
    Ok(Exit::Done)
}

/// Rejects that are held in memory at once: each may carry a megabyte.
const PAGE: u64 = 64;

/// Calls `visit` with every reject that `filter` wants, at most `limit`; how many there were.
fn visit_rejects(
    target: &dyn Target,
    filter: &RejectFilter,
    limit: Option<u64>,
    visit: &mut dyn FnMut(Reject) -> Result<()>,
) -> Result<u64> {
    let (mut seen, mut after) = (0, RejectId::default());
    loop {
        let page = limit.map_or(PAGE, |limit| PAGE.min(limit - seen));
        let rejects = target.find_rejects(&RejectFilter { after, limit: Some(page), ..filter.clone() })?;
        // Also the end by the limit: a page of no rejects is asked for then.
        let Some(last) = rejects.last() else { return Ok(seen) };
        after = last.id;
        seen += rejects.len() as u64;
        rejects.into_iter().try_for_each(&mut *visit)?;
    }
}

fn write_lines(reject: &Reject, out: &mut dyn Write) -> Result<()> {
    for line in summary::reject_lines(&ShownReject::from(reject)).lines() {
        writeln!(out, "#{} {line}", reject.id)?;
    }
    Ok(())
}
