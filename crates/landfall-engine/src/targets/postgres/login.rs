//! How a connection comes about: the socket, TLS, and the proof of who one is.

use std::{
    io::{self, Read as _, Write as _},
    time::{Duration, Instant},
};

use bytes::BytesMut;
use postgres_protocol::{
    authentication::{
        md5_hash,
        sasl::{ChannelBinding, SCRAM_SHA_256, SCRAM_SHA_256_PLUS, ScramSha256},
    },
    message::frontend,
};

use super::{
    super::url::SslMode,
    connection::{PostgresConnection, ServerStream},
    failure::{PostgresFailure, PostgresResult},
    message::{BodyReader, parse_refusal, protocol_failure},
    settings::PostgresSettings,
    socket::{TimedSocket, time_until},
    tls,
};

/// The oldest major version that Landfall works with.
const OLDEST: u32 = 13;

/// The stream to the server of `settings`, with TLS where they ask for it.
pub(super) fn open_stream(settings: &PostgresSettings, deadline: Instant) -> io::Result<ServerStream> {
    let mut socket = TimedSocket::connect_by_deadline(settings, deadline)?;
    socket.set_timeout(time_until(deadline)?)?;
    // As in libpq, a socket of this machine needs no TLS.
    if settings.ssl_mode == SslMode::Disable || socket.is_local() {
        return Ok(ServerStream::Plain(socket));
    }
    let mut request = BytesMut::new();
    frontend::ssl_request(&mut request);
    socket.write_all(&request)?;
    // Exactly one byte is read. More would be plain text that an attacker slips in before TLS (CVE-2021-23222).
    let mut answer = [0];
    socket.read_exact(&mut answer)?;
    match answer[0] {
        b'S' => tls::start_tls(socket, settings).map(|stream| ServerStream::Tls(Box::new(stream))),
        b'N' if settings.ssl_mode == SslMode::Prefer => Ok(ServerStream::Plain(socket)),
        b'N' => {
            Err(io::Error::new(io::ErrorKind::InvalidData, "the server does not offer TLS, which sslmode asks for"))
        }
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, "what answers there is not a PostgreSQL server")),
    }
}

/// The failure where no connection comes about.
pub(super) fn unreachable_failure(settings: &PostgresSettings, error: io::Error) -> PostgresFailure {
    let why = match error.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => {
            format!(
                "it did not answer for {} seconds; see that it runs and can be reached",
                settings.connect_timeout.as_secs()
            )
        }
        io::ErrorKind::InvalidData if error.to_string().contains("certificate") => {
            format!("{error}; sslrootcert=FILE names the authority to trust")
        }
        // Of TLS, or of what answered.
        io::ErrorKind::InvalidData => error.to_string(),
        _ => format!("{error}; see that it runs there and lets connections in"),
    };
    let sentence = format!("the server at {} port {} cannot be used: {why}", settings.host, settings.port);
    match error.kind() {
        // It is there, and has no answer now: that may be other the next time.
        io::ErrorKind::TimedOut
        | io::ErrorKind::WouldBlock
        | io::ErrorKind::UnexpectedEof
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::ConnectionAborted
        // A server that is being started again listens soon.
        | io::ErrorKind::ConnectionRefused
        | io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::ConnectionReset => PostgresFailure::Mute(sentence),
        _ => PostgresFailure::Unable(sentence),
    }
}

/// How long a server may take to stop a statement.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(5);

/// Asks the server to stop what `process` runs. It closes the connection once it has passed that on.
pub(super) fn request_cancel(settings: &PostgresSettings, process: i32, key: i32) -> io::Result<()> {
    let mut stream = open_stream(settings, Instant::now() + CANCEL_TIMEOUT.min(settings.connect_timeout))?;
    let mut request = BytesMut::new();
    frontend::cancel_request(process, key, &mut request);
    let mut end = [0];
    match &mut stream {
        // Read until the server closes: only then is the request passed on, and cannot meet a later statement.
        ServerStream::Plain(socket) => socket.write_all(&request).and_then(|()| socket.read(&mut end)),
        ServerStream::Tls(tls) => tls.write_all(&request).and_then(|()| tls.flush()).and_then(|()| tls.read(&mut end)),
    }
    .map(drop)
}

/// Says who one is and proves it.
pub(super) fn log_in(connection: &mut PostgresConnection, settings: &PostgresSettings) -> PostgresResult<()> {
    let parameters = [
        ("user", settings.user.as_str()),
        ("database", &settings.database),
        ("application_name", &settings.application_name),
        // Whatever the server's default is: our texts are UTF-8, and so must be its answers.
        ("client_encoding", "UTF8"),
    ];
    connection.write(|outbox| frontend::startup_message(parameters, outbox))?;
    while !answer_challenge(connection, settings)? {}
    let (mut process, mut key) = (0, 0);
    connection.read_until_ready(&mut |tag, body| {
        if tag == b'K' {
            let mut body = BodyReader(body);
            (process, key) = (body.read_i32()?, body.read_i32()?);
        }
        Ok(())
    })?;
    (connection.server.process, connection.cancel_key) = (process, key);
    check_server(connection)
}

/// Answers one question about who one is; whether it was the last.
fn answer_challenge(connection: &mut PostgresConnection, settings: &PostgresSettings) -> PostgresResult<bool> {
    let message = connection.receive_message()?;
    let mut body = BodyReader(connection.message_body(&message));
    match message.tag {
        b'E' => return Err(parse_refusal(body.0)),
        b'R' => {}
        _ => return Err(protocol_failure()),
    }
    match body.read_i32()? {
        0 => return Ok(true),
        // In plain text. Whether that may happen is decided by `sslmode`, as in libpq.
        3 => {
            let password = required_password(settings)?;
            connection.write(|outbox| frontend::password_message(password.as_bytes(), outbox))?;
        }
        // MD5 is weak, and yet what servers of long standing still ask for.
        5 => {
            let salt: [u8; 4] = body.read_bytes(4)?.try_into().map_err(|_| protocol_failure())?;
            let proof = md5_hash(settings.user.as_bytes(), required_password(settings)?.as_bytes(), salt);
            connection.write(|outbox| frontend::password_message(proof.as_bytes(), outbox))?;
        }
        10 => {
            let mechanisms = sasl_mechanisms(body)?;
            authenticate_scram(connection, settings, &mechanisms)?;
        }
        _ => {
            return Err(PostgresFailure::Unable(
                "the server asks for a proof other than a password; change its pg_hba.conf to scram-sha-256".into(),
            ));
        }
    }
    Ok(false)
}

fn required_password(settings: &PostgresSettings) -> PostgresResult<String> {
    let missing = "the server asks for a password and there is none: write it in a file that password_file=FILE names, \
                   in ~/.pgpass or in PGPASSWORD";
    let password = settings.find_password().map_err(PostgresFailure::Unable)?;
    password.map(|secret| secret.0).ok_or_else(|| PostgresFailure::Unable(missing.into()))
}

fn sasl_mechanisms(mut body: BodyReader<'_>) -> PostgresResult<Vec<String>> {
    let mut names = Vec::new();
    loop {
        match body.read_text()? {
            name if name.is_empty() => return Ok(names),
            name => names.push(name),
        }
    }
}

/// SCRAM (RFC 5802, RFC 7677), bound to the TLS below where the server can do that: so that nobody in between can pass the
/// proof on.
fn authenticate_scram(
    connection: &mut PostgresConnection,
    settings: &PostgresSettings,
    mechanisms: &[String],
) -> PostgresResult<()> {
    let offers = |name: &str| mechanisms.iter().any(|offered| offered == name);
    let end_point = connection.tls_stream().and_then(tls::channel_binding);
    let (mechanism, binding) = match end_point {
        Some(digest) if offers(SCRAM_SHA_256_PLUS) => {
            (SCRAM_SHA_256_PLUS, ChannelBinding::tls_server_end_point(digest))
        }
        // "Unrequested" says that we could have bound it: a server that could have too notices a meddler who hid
        // that.
        Some(_) if offers(SCRAM_SHA_256) => (SCRAM_SHA_256, ChannelBinding::unrequested()),
        None if offers(SCRAM_SHA_256) => (SCRAM_SHA_256, ChannelBinding::unsupported()),
        _ => return Err(PostgresFailure::Unable("the server offers no kind of SCRAM that Landfall knows".into())),
    };
    let mut exchange = ScramSha256::new(required_password(settings)?.as_bytes(), binding);
    connection.write(|outbox| frontend::sasl_initial_response(mechanism, exchange.message(), outbox))?;
    let challenge = receive_sasl(connection, 11)?;
    exchange.update(&challenge).map_err(|_| protocol_failure())?;
    connection.write(|outbox| frontend::sasl_response(exchange.message(), outbox))?;
    let proof = receive_sasl(connection, 12)?;
    // The server proves itself as well: one that only records passwords cannot.
    exchange
        .finish(&proof)
        .map_err(|_| PostgresFailure::Unable("the server cannot prove that it knows the password".into()))
}

/// The data of the SASL message of `kind`, which comes next.
fn receive_sasl(connection: &mut PostgresConnection, kind: i32) -> PostgresResult<Vec<u8>> {
    let message = connection.receive_message()?;
    let mut body = BodyReader(connection.message_body(&message));
    match message.tag {
        b'E' => Err(parse_refusal(body.0)),
        b'R' if body.read_i32()? == kind => Ok(body.0.to_vec()),
        _ => Err(protocol_failure()),
    }
}

/// Refuses a server with which rows could be lost.
fn check_server(connection: &PostgresConnection) -> PostgresResult<()> {
    let server = &connection.server;
    if server.version < OLDEST {
        return Err(PostgresFailure::Unable(format!(
            "the server is PostgreSQL {}; Landfall works with {OLDEST} and later",
            server.version
        )));
    }
    // In another encoding some texts have no form at all, and a chunk would fail in the middle of a load.
    if server.encoding != "UTF8" {
        return Err(PostgresFailure::Unable(format!(
            "the database's encoding is {}, which cannot hold every text; create one with ENCODING 'UTF8' TEMPLATE \
             template0",
            server.encoding
        )));
    }
    Ok(())
}
