//! `landfall token`.

use anyhow::Result;
use clap::{Subcommand, ValueEnum};
use jiff::{Span, Timestamp, tz::TimeZone};
use landfall_engine::{
    escape_controls,
    link::LinkKey,
    targets::TargetAccess,
    token::{NewToken, Role, Token, Tokens, create_token, open_access, revoke_token},
};

use serde_json::json;

use super::{Invocation, complete, selection::require_tables};
use crate::{
    exit::{CommandError, Exit},
    output,
};

/// Create, list or revoke the tokens of the service.
#[derive(Debug, clap::Args)]
pub(super) struct TokenArgs {
    #[command(subcommand)]
    action: TokenAction,
}

#[derive(Debug, Subcommand)]
enum TokenAction {
    /// Create a token and print it. It is shown only now; the database stores its hash.
    Create(CreateTokenArgs),
    /// List the tokens, without their secrets.
    List,
    /// Revoke a token by its number. A running service refuses it within two seconds.
    Revoke {
        /// The token's number, as in `landfall token list`.
        #[arg(value_name = "ID")]
        id: String,
    },
    /// Allow access without a token from the service's own machine again, after the last token was revoked. It is refused while there
    /// are tokens.
    Open,
    /// Revoke all links to exported reports: the service signs with a new key from now on.
    RevokeLinks,
}

#[derive(Debug, clap::Args)]
struct CreateTokenArgs {
    /// A note on what the token is for.
    #[arg(long)]
    name: String,
    /// What it may do: reader (reports and tables), writer (rows, rejects), admin (everything); may be repeated.
    #[arg(long = "role", value_enum, required = true)]
    roles: Vec<TypedRole>,
    /// Limit the token to this table; may be repeated.
    #[arg(long = "table", value_name = "TABLE", add = complete::offer_tables())]
    tables: Vec<String>,
    /// Limit the token to this report; may be repeated.
    #[arg(long = "report", value_name = "REPORT", add = complete::offer_reports())]
    reports: Vec<String>,
    /// When the token expires: after a time (90d, 12h, 30min), or at a time (2027-01-31T00:00:00Z). [default: never]
    #[arg(long, value_name = "WHEN", value_parser = parse_expiry)]
    expires: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum TypedRole {
    Reader,
    Writer,
    Admin,
}

impl From<TypedRole> for Role {
    fn from(role: TypedRole) -> Self {
        match role {
            TypedRole::Reader => Self::Reader,
            TypedRole::Writer => Self::Writer,
            TypedRole::Admin => Self::Admin,
        }
    }
}

/// A point in time in the future: a length from now, or a time.
fn parse_expiry(text: &str) -> Result<Timestamp, String> {
    let now = Timestamp::now();
    // By a calendar, since `1mo` and `1y` have no fixed length; in UTC, so that no change of clocks counts.
    let after = |span: Span| now.to_zoned(TimeZone::UTC).checked_add(span).ok().map(|end| end.timestamp());
    let moment = text.parse().ok().or_else(|| text.parse::<Span>().ok().and_then(after));
    let wrong = || format!("{text:?} is neither a length such as 90d or 12h nor a time such as 2027-01-31T00:00:00Z");
    let moment = moment.ok_or_else(wrong)?;
    if moment > now { Ok(moment) } else { Err(format!("{text:?} is over")) }
}

pub(super) fn run(args: TokenArgs, invocation: &Invocation) -> Result<Exit> {
    match args.action {
        TokenAction::Create(args) => run_create(args, invocation),
        TokenAction::List => list_tokens(invocation),
        TokenAction::Revoke { id } => {
            let mut opened = invocation.open(TargetAccess::Write)?;
            let token = revoke_token(&mut *opened.target, &id)?;
            let words = format!("the token {} ({}) is revoked", token.id, escape_controls(&token.name));
            tell_change(&json!({ "revoked": token }), &words, invocation)
        }
        TokenAction::Open => open(invocation),
        TokenAction::RevokeLinks => {
            let mut opened = invocation.open(TargetAccess::Write)?;
            LinkKey::replace_key(&mut *opened.target)?;
            let words = "all links to exported reports are of no more use";
            tell_change(&json!({ "links_revoked": true }), words, invocation)
        }
    }
}

fn open(invocation: &Invocation) -> Result<Exit> {
    let mut opened = invocation.open(TargetAccess::Write)?;
    let opens = open_access(&mut *opened.target)?;
    let words = if opens {
        "a service on 127.0.0.1 now lets everybody on its machine do everything; `landfall token create` closes it again"
    } else {
        "there was no token since the service was last open; nothing was changed"
    };
    tell_change(&json!({ "opened": opens }), words, invocation)
}

/// Tells what was changed: `document` where JSON is asked for, else `words`.
fn tell_change(document: &serde_json::Value, words: &str, invocation: &Invocation) -> Result<Exit> {
    if invocation.globals.json {
        output::print_document(document)?;
    } else {
        invocation.print_note(words);
    }
    Ok(Exit::Done)
}

fn run_create(args: CreateTokenArgs, invocation: &Invocation) -> Result<Exit> {
    let settings = invocation.read_settings()?;
    require_tables(&args.tables, &settings.package)?;
    if let Some(report) = args.reports.iter().find(|name| !settings.reports.iter().any(|report| report.name == **name))
    {
        return Err(CommandError::usage_error(format!("landfall.yaml has no report {report:?}")).into());
    }
    let mut opened = invocation.open_with(settings, TargetAccess::Write)?;
    let mut roles: Vec<Role> = args.roles.into_iter().map(Role::from).collect();
    roles.sort_unstable();
    roles.dedup();
    let new = NewToken { name: args.name, roles, tables: args.tables, reports: args.reports, expires_at: args.expires };
    let (token, text) = create_token(&mut *opened.target, new)?;
    if invocation.globals.json {
        output::print_document(&json!({ "token": token, "secret": text }))?;
    } else {
        // Alone on standard output, so that a script can take it; the note goes to standard error.
        output::print_result(&format!("{text}\n"))?;
    }
    invocation.print_note(&format!("this is token {}; keep it, since it is not shown again", token.id));
    Ok(Exit::Done)
}

fn list_tokens(invocation: &Invocation) -> Result<Exit> {
    let opened = invocation.open(TargetAccess::Read)?;
    let tokens = Tokens::read(&*opened.target)?;
    if invocation.globals.json {
        output::print_document(&json!({ "tokens": tokens.iter().collect::<Vec<_>>() }))?;
        return Ok(Exit::Done);
    }
    if tokens.is_empty() {
        output::print_result("There are no tokens.\n")?;
    }
    if tokens.is_empty() && tokens.is_closed() {
        invocation
            .print_note("there were tokens, so that a service lets nobody in; `landfall token open` changes that");
    }
    for token in tokens.iter() {
        output::print_result(&format_token(token))?;
    }
    Ok(Exit::Done)
}

/// `0123456789abcdef  writer  nightly import  tables: jobs  expires 2027-01-31T00:00:00Z`.
fn format_token(token: &Token) -> String {
    let roles: Vec<&str> = token.roles.iter().map(|role| role.as_str()).collect();
    let mut line = format!("{}  {}  {}", token.id, roles.join(","), escape_controls(&token.name));
    for (what, names) in [("tables", &token.tables), ("reports", &token.reports)] {
        if !names.is_empty() {
            line.push_str(&format!("  {what}: {}", escape_controls(&names.join(", "))));
        }
    }
    if let Some(end) = &token.expires_at {
        line.push_str(&format!("  {} {end}", if token.is_expired() { "expired" } else { "expires" }));
    }
    line.push('\n');
    line
}
