//! `landfall serve`.

use std::net::SocketAddr;

use anyhow::Result;
use landfall_engine::{Project, targets::Location};
use serde_json::json;
use tokio::net::{TcpListener, TcpSocket};

use super::Invocation;
use crate::{
    config::parse_address,
    exit::{CommandError, Exit},
    http::{self, Service, ServiceSettings},
    output,
    stop_signal::await_stop_signal,
};

/// Take rows over HTTP under the same rules, and answer reports.
///
/// The service creates missing tables, takes 1 to 1,000 rows in a request, and serves the reports. Its own documentation is at /docs.
///
/// Without tokens (and without `api.oidc` in landfall.yaml), it listens on this machine only, and everybody there may do everything.
/// Create a token with `landfall token create`. After that, nobody gets in without one, until `landfall token open`.
///
/// The service ends on the signal TERM, INT or HUP, after it has answered open requests.
#[derive(Debug, clap::Args)]
pub(super) struct ServeArgs {
    /// The address to listen on, such as 127.0.0.1:8080, 8080 or [::]:8080. Port 0 stands for any free port.
    #[arg(long, value_name = "ADDRESS", value_parser = parse_address)]
    listen: Option<SocketAddr>,
    /// Do no jobs: `landfall worker` does them, also on other machines. Requests are answered all the same.
    #[arg(long)]
    no_jobs: bool,
}

pub(super) fn run(args: ServeArgs, invocation: &Invocation) -> Result<Exit> {
    let settings = invocation.read_settings()?;
    let address = args.listen.unwrap_or(settings.api.listen);
    let project = Project { folder: settings.data_folder, package: settings.package };
    if settings.target == Location::Memory {
        let words =
            "a service needs a database that its threads share, and memory: is of one of them alone; set `target`";
        return Err(CommandError::project_error(words).into());
    }
    let tls = settings.api.tls.as_ref().map(|tls| http::tls_acceptor(&tls.certificate, &tls.key)).transpose();
    let tls = tls.map_err(|error| CommandError::project_error(format!("{error:#}")))?;
    let oidc = settings.api.oidc.as_ref().map(http::OidcProvider::open).transpose();
    let oidc = oidc.map_err(|error| CommandError::project_error(format!("api.oidc: {error:#}")))?;
    let takes_others = oidc.is_some();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let settings = ServiceSettings {
        api: settings.api,
        location: settings.target,
        reports: settings.reports,
        load: settings.load,
        jobs: settings.jobs,
        backup: settings.backup,
        storage: settings.storage,
        folder: invocation.globals.project.clone(),
        oidc,
        address,
        does_jobs: !args.no_jobs,
    };
    let (service, staff, tokens) = Service::open(settings, project)?;
    let is_guarded = tokens.is_closed() || takes_others;
    // Before the port is opened, so that there is no moment in which strangers get in.
    if !is_guarded && !address.ip().is_loopback() {
        return Err(CommandError::project_error(format!(
            "there is no token, so that everybody who reaches {address} could do everything; make one with `{} token create \
             --role admin --name NAME`, or listen on 127.0.0.1",
            invocation.command_prefix()
        ))
        .into());
    }
    // The listener is there before the first word is said, so that whoever reads it can connect.
    let listener = {
        let _runtime = runtime.enter();
        bind_listener(address)
            .map_err(|error| CommandError::project_error(format!("cannot listen on {address}: {error}")))?
    };
    let address = listener.local_addr()?;
    // So is the handler of signals: whoever reads the first word may also tell the service to end.
    let stop = runtime.block_on(async { await_stop_signal() })?;
    print_greeting(invocation, &address, is_guarded, tls.is_some())?;
    if tokens.is_empty() && tokens.is_closed() && !takes_others {
        invocation.print_note(
            "all tokens are gone, so that nobody is let in; `landfall token create` makes one, `landfall token open` lets \
             everybody on this machine in",
        );
    }
    runtime.block_on(http::serve_until(listener, service, staff, tls, stop));
    // What still runs by then has had its time.
    runtime.shutdown_background();
    Ok(Exit::Done)
}

/// The bytes that the system takes at once of what is sent over a connection. With more of them, it does not see for minutes
/// whether a slow client still takes something.
const SEND_BUFFER: u32 = 512 << 10;

/// Connections that wait to be accepted.
const BACKLOG: u32 = 1024;

fn bind_listener(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A service that is started again may listen where the last one did.
    socket.set_reuseaddr(true)?;
    // Connections have it from here.
    socket.set_send_buffer_size(SEND_BUFFER)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

fn print_greeting(invocation: &Invocation, address: &SocketAddr, is_guarded: bool, speaks_tls: bool) -> Result<()> {
    let scheme = if speaks_tls { "https" } else { "http" };
    if invocation.globals.json {
        let url = format!("{scheme}://{address}");
        output::print_document(
            &json!({ "listening": url, "documentation": format!("{url}/docs"), "open": !is_guarded }),
        )?;
    }
    invocation.print_note(&format!("listening on {scheme}://{address} (its documentation: {scheme}://{address}/docs)"));
    if !is_guarded {
        invocation.print_note(
            "there is no token: everybody on this machine may do everything, and nobody else can reach the service; \
             `landfall token create` makes one",
        );
    }
    Ok(())
}
