//! `landfall push`.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Result, bail};
use landfall_core::schema::SourcePath;
use landfall_engine::{
    ledger::OnConflict,
    receipt::{Receipt, ReceiptLoad},
    source::{Source, resolve_sources},
};
use ureq::http::{HeaderValue, Uri};

use super::{Invocation, load_result};
use crate::{
    cli::summary::PushSummary,
    counts::format_equation,
    exit::{CommandError, Exit},
    failure, output,
    push::{PushClient, PushOptions, PushOutcome, ask_file_form, push, render_csv},
    typed::TypedRule,
    web::is_loopback,
};

/// The variable that holds the token where none is typed.
const TOKEN: &str = "LANDFALL_TOKEN";

/// Send a CSV file to a service, in batches that take effect exactly once.
///
/// The file goes to a running `landfall serve` unchanged, in the dialect and encoding that the service declares for the table. No
/// project is needed here. A batch is one request, and one transaction of the service.
///
/// Each batch has an Idempotency-Key made of the table, the options, the file's content and the batch's place in it. If the connection
/// or the service fails, the batch is sent again. After an interruption, the same command goes on, and nothing is doubled. This holds
/// as long as the service keeps its answers (idempotencyHours), and token and --batch are the same.
///
/// Parallel batches commit in any order. If rows of the file name each other, clash, or update the same row, use --parallel 1: then
/// they commit in the order of the file.
#[derive(Debug, clap::Args)]
pub(super) struct PushArgs {
    /// The file, plain or compressed (.gz, .zst). If it is -, standard input is written to a temporary file first.
    #[arg(value_name = "FILE")]
    file: String,
    /// The address of the service, such as https://rows.example.com:8080.
    #[arg(long, value_name = "URL", value_parser = parse_service)]
    to: Uri,
    /// The table.
    #[arg(long)]
    table: String,
    /// Records in a batch, at most.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u16).range(1..=1000))]
    batch: u16,
    /// Batches that are sent at the same time.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    parallel: u16,
    /// The token. Prefer the variable LANDFALL_TOKEN: other users of this machine may see what you type.
    #[arg(long)]
    token: Option<String>,
    /// Send the token to another machine over http:, where everybody on the way can read it.
    #[arg(long)]
    plain_http: bool,
    /// Trust these certificates (PEM) instead of the system's.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// What to do with a row whose key exists with other content.
    #[arg(long, value_enum, value_name = "RULE", default_value = "reject")]
    on_conflict: TypedRule,
    /// All or nothing for each batch: if it has one reject, none of its rows is inserted.
    #[arg(long)]
    atomic: bool,
    /// Resend everything, ignoring earlier progress. If that is interrupted, the same rows may be sent twice.
    #[arg(long)]
    again: bool,
    /// How often a batch is sent again if the connection or the service fails, at growing intervals.
    #[arg(long, value_name = "N", default_value_t = 10)]
    retries: u32,
    /// How long to wait for an answer.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
    /// Write the outcome of each batch to this file, as CSV.
    #[arg(long, value_name = "FILE")]
    history: Option<PathBuf>,
    /// Write a receipt of the acknowledged rows to this file; `landfall verify --receipt` compares it with the database.
    #[arg(long, value_name = "FILE")]
    receipt: Option<PathBuf>,
}

/// The address of a service.
fn parse_service(text: &str) -> Result<Uri, String> {
    // What was typed may have a password in it.
    let wrong = || "it is not the address of a service; write it like https://rows.example.com:8080".to_owned();
    let uri: Uri = text.parse().map_err(|_| wrong())?;
    let sound = matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some_and(|host| !host.is_empty());
    if !sound || uri.query().is_some() {
        return Err(wrong());
    }
    // Also behind a slash, which may be one of the password.
    if text.contains('@') {
        return Err("a name and a password in the address are not sent; use --token".into());
    }
    Ok(uri)
}

pub(super) fn run(args: PushArgs, invocation: &Invocation) -> Result<Exit> {
    let source = find_source(&args.file)?;
    let (history, receipt) = (args.history.clone(), args.receipt.clone());
    let options = resolve_options(args)?;
    let client = PushClient::new(&options)?;
    let written = ask_file_form(&client, &options)?;
    let reporter = invocation.progress_reporter();
    let pushed = push(&source, &written, &options, &client, &reporter)?;
    reporter.clear_bar();
    let to = options.service.to_string();
    let summary = PushSummary { table: &options.table, source: &source.name, to: &to, pushed: &pushed };
    if invocation.globals.json {
        output::print_result(&summary.render_json()?)?;
    } else if !invocation.globals.quiet && !pushed.entries.is_empty() {
        output::print_result(&summary.render_text())?;
    }
    // Also after a failure: what was answered is committed.
    let written = write_files(history.as_deref(), receipt.as_deref(), &pushed, &options.table, &source.name);
    load_result::combine_outcomes(end_push(pushed, options.atomic, invocation), written)
}

/// Writes down what became of each batch, and what was acknowledged, where that is asked for.
fn write_files(
    history: Option<&Path>,
    receipt: Option<&Path>,
    pushed: &PushOutcome,
    table: &str,
    source: &str,
) -> Result<()> {
    if let Some(path) = receipt {
        output::write_receipt(path, &build_receipt(pushed, table, source))?;
    }
    if let Some(path) = history {
        let text = render_csv(&pushed.entries);
        output::write_file(path, output::ReplaceFile::Yes, |out| Ok(out.write_all(text.as_bytes())?))?;
    }
    Ok(())
}

/// The receipt of the batches that were answered; those that entered nothing in the ledger acknowledge nothing.
fn build_receipt(pushed: &PushOutcome, table: &str, source: &str) -> Receipt {
    // Replayed answers as well: their rows are in the table.
    let loads = pushed.entries.iter().filter_map(|entry| {
        let (load_id, counts) = (entry.load_id?, entry.counts?);
        Some(ReceiptLoad { load_id, table: table.to_owned(), source: source.to_owned(), counts })
    });
    Receipt::new("push", loads.collect())
}

/// How the command ends.
fn end_push(pushed: PushOutcome, atomic: bool, invocation: &Invocation) -> Result<Exit> {
    let PushOutcome { tally, entries, failure, .. } = pushed;
    if let Some(error) = failure {
        if tally.counts.read > 0 {
            invocation.print_note(&format!(
                "stopped; answered so far: {}. The same command goes on: what was answered is not done again.",
                format_equation(tally.counts)
            ));
        }
        return Err(error);
    }
    if entries.is_empty() {
        invocation.print_note("There is no record in it.");
    }
    let refused = entries.iter().filter(|entry| entry.counts.is_some_and(|counts| counts.rejected > 0)).count();
    if atomic && refused > 0 {
        let message = format!("rolled back: --atomic inserts all of a batch or nothing, and {refused} had rejects");
        failure::print_error(&message, Exit::RolledBack, &invocation.globals);
        return Ok(Exit::RolledBack);
    }
    Ok(Exit::Done)
}

fn resolve_options(args: PushArgs) -> Result<PushOptions> {
    let token = args.token.or_else(|| std::env::var(TOKEN).ok()).filter(|token| !token.is_empty());
    if token.as_ref().is_some_and(|token| HeaderValue::from_str(token).is_err()) {
        return Err(CommandError::usage_error("the token has characters that no token has").into());
    }
    let in_the_open = args.to.scheme_str() == Some("http") && !is_loopback(&args.to);
    if token.is_some() && in_the_open && !args.plain_http {
        return Err(CommandError::usage_error(format!(
            "{} is plain HTTP: everybody on the way could read the token; use https, or say --plain-http",
            args.to
        ))
        .into());
    }
    // A number by chance gives all batches new keys, so that no stored answer fits them.
    let salt = if args.again {
        Some(getrandom::u64().map_err(|error| anyhow::anyhow!("no random number: {error}"))?)
    } else {
        None
    };
    Ok(PushOptions {
        service: args.to,
        table: args.table,
        token,
        authority: args.ca,
        batch: usize::from(args.batch),
        parallel: usize::from(args.parallel),
        retries: args.retries,
        patience: Duration::from_secs(args.timeout),
        on_conflict: OnConflict::from(args.on_conflict),
        atomic: args.atomic,
        salt,
    })
}

/// The one source that `file` is.
fn find_source(file: &str) -> Result<Source> {
    let here = Path::new(".");
    let mut sources = resolve_sources(&SourcePath(file.into()), here, here)?;
    match (sources.len(), sources.pop()) {
        (1, Some(source)) => Ok(source),
        (count, _) => bail!(CommandError::usage_error(format!("{file} are {count} files; push them one by one"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_has_an_address_without_secrets() {
        for sound in
            ["http://localhost:8080", "https://rows.example.com", "https://example.com/rows/", "http://[::1]:1"]
        {
            assert!(parse_service(sound).is_ok(), "{sound}");
        }
        for wrong in
            ["", "localhost:8080", "/x", "ftp://a", "http://", "https://me:secret@example.com", "http://a/?b=c"]
        {
            let error = parse_service(wrong).expect_err(wrong);
            assert!(!error.contains("secret"), "{wrong}: {error}");
        }
    }
}
