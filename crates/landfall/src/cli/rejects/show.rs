//! `landfall rejects show`.

use std::fmt::Write as _;

use anyhow::Result;
use landfall_engine::{
    Error, escape_controls,
    quarantine::{Reject, RejectEvent, RejectFilter, RejectId, ShownReject},
    targets::{Target, TargetAccess},
};
use serde_json::{Value, json};

use super::list::ListedReject;

use crate::{
    cli::Invocation,
    cli::summary,
    counts::{count_noun, group_thousands},
    exit::{CommandError, Exit},
    output,
};

/// Show one reject: its raw record, every reason, and its history.
#[derive(Debug, clap::Args)]
pub(super) struct ShowArgs {
    /// The reject's number, as in `rejects list`.
    #[arg(value_name = "ID")]
    id: RejectId,
    /// Print only the record's bytes as they are in the source.
    #[arg(long)]
    raw: bool,
}

pub(super) fn run(args: ShowArgs, invocation: &Invocation) -> Result<Exit> {
    if args.raw && invocation.globals.json {
        return Err(CommandError::usage_error("--raw prints bytes, which --json cannot hold; use one of them").into());
    }
    let opened = invocation.open(TargetAccess::Read)?;
    let target = &*opened.target;
    let wanted = RejectFilter { id: Some(args.id), any_state: true, ..RejectFilter::default() };
    let Some(reject) = target.find_rejects(&wanted)?.pop() else {
        return Err(CommandError::usage_error(format!("there is no reject {} in the quarantine", args.id)).into());
    };
    if invocation.globals.json {
        let events: Vec<Value> = target.reject_events(args.id)?.iter().map(event_with_text).collect();
        output::print_document(&json!({ "reject": ListedReject::from(&reject), "events": events }))?;
    } else if args.raw {
        print_raw(target, args.id)?;
    } else {
        output::print_result(&describe_reject(&reject, &target.reject_events(args.id)?))?;
    }
    Ok(Exit::Done)
}

/// An event as JSON, with the record as it was tried where that differs from the quarantine's.
fn event_with_text(event: &RejectEvent) -> Value {
    let mut value = event.to_json();
    if let Some(mended) = event.mended.as_deref().filter(|_| value["reason"].is_null()) {
        value["mended"] = String::from_utf8_lossy(mended).into();
    }
    value
}

fn print_raw(target: &dyn Target, id: RejectId) -> Result<()> {
    output::write_stdout(|out| {
        let unwritable = |cause| Error::System { doing: "write to standard output", cause };
        Ok(target.read_reject_bytes(id, &mut |part| out.write_all(part).map_err(unwritable))?)
    })
}

fn describe_reject(reject: &Reject, events: &[RejectEvent]) -> String {
    let record = ShownReject::from(reject);
    let mut text = format!(
        "reject {} of load {} ({})\n{}: record {}, line {}, offset {}, {}\n\n",
        reject.id,
        reject.load,
        reject.state.as_str(),
        escape_controls(&reject.source),
        group_thousands(reject.record),
        group_thousands(reject.line),
        group_thousands(reject.offset),
        count_noun(reject.length, "byte"),
    );
    // Writing to a string cannot fail.
    let _ = writeln!(text, "  {}", escape_controls(&record.raw));
    if reject.length > reject.raw.len() as u64 {
        let _ = writeln!(text, "  … (landfall rejects show {} --raw prints all that is kept)", reject.id);
    }
    let _ = write!(text, "\n{}", summary::reject_lines(&record));
    for event in events {
        let _ = write!(text, "\n{} {} by load {}", event.at, event.action, event.load);
        if let Some(mended) = &event.mended {
            let more = if mended.len() < RejectEvent::MENDED_LIMIT { "" } else { " …" };
            let _ = write!(text, ", mended to\n  {}{more}", escape_controls(&String::from_utf8_lossy(mended)));
        }
    }
    if !events.is_empty() {
        text.push('\n');
    }
    text
}
