//! `landfall rejects show`.

use std::fmt::Write as _;

use anyhow::Result;
use landfall_engine::{
    Error, escape_controls,
    quarantine::{Reject, RejectEvent, RejectFilter, RejectId, ShownReject},
    targets::{Target, TargetAccess},
};

use crate::{
    cli::Invocation,
    cli::summary,
    counts::group_thousands,
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
    let opened = invocation.open(TargetAccess::Read)?;
    let target = &*opened.target;
    let wanted = RejectFilter { id: Some(args.id), any_state: true, ..RejectFilter::default() };
    let Some(reject) = target.find_rejects(&wanted)?.pop() else {
        return Err(CommandError::usage_error(format!("there is no reject {} in the quarantine", args.id)).into());
    };
    if args.raw {
        print_raw(target, args.id)?;
    } else {
        output::print_result(&describe_reject(&reject, &target.reject_events(args.id)?))?;
    }
    Ok(Exit::Done)
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
        "reject {} of load {} ({})\n{}: record {}, line {}, offset {}, {} bytes\n\n",
        reject.id,
        reject.load,
        reject.state.as_str(),
        escape_controls(&reject.source),
        group_thousands(reject.record),
        group_thousands(reject.line),
        group_thousands(reject.offset),
        group_thousands(reject.length),
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
