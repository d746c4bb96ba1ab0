//! A door before an S3 server that is open to everybody: it lets those through who show a bearer token, as Google Cloud Storage does, whose
//! XML API is that of S3 otherwise.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{Ipv4Addr, Shutdown, TcpListener, TcpStream},
    thread,
};

use anyhow::{Context, Result};

const DENIED: &[u8] = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 55\r\nConnection: close\r\n\r\n\
    <Error><Code>AuthenticationRequired</Code></Error>     ";

/// Starts one before the server on this port of 127.0.0.1; its own port. It lasts as long as the process.
pub(crate) fn start_door(server: u16, token: &str) -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port of 127.0.0.1 is free")?;
    let port = listener.local_addr()?.port();
    let shown = format!("Bearer {token}");
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let shown = shown.clone();
            // A client that goes away is no concern of the server's.
            thread::spawn(move || drop(pass_request(client, server, &shown)));
        }
    });
    Ok(port)
}

/// Lets one request through, and its answer; the next one comes by another connection.
fn pass_request(client: TcpStream, server: u16, shown: &str) -> io::Result<()> {
    let mut request = BufReader::new(client.try_clone()?);
    let (mut head, mut length, mut may) = (String::new(), 0, false);
    loop {
        let mut line = String::new();
        if request.read_line(&mut line)? == 0 {
            return Ok(());
        }
        if line == "\r\n" {
            break;
        }
        let (name, value) = line.split_once(':').map_or((line.as_str(), ""), |(name, value)| (name, value.trim()));
        match name.to_ascii_lowercase().as_str() {
            "authorization" => may = value == shown,
            "connection" => {}
            "content-length" => {
                length = value.parse().map_err(io::Error::other)?;
                head.push_str(&line);
            }
            _ => head.push_str(&line),
        }
    }
    let mut body = request.take(length);
    let mut client = client;
    if !may {
        io::copy(&mut body, &mut io::sink())?;
        client.write_all(DENIED)?;
        return client.shutdown(Shutdown::Write);
    }
    let mut server = TcpStream::connect((Ipv4Addr::LOCALHOST, server))?;
    server.write_all(format!("{head}Connection: close\r\n\r\n").as_bytes())?;
    io::copy(&mut body, &mut server)?;
    io::copy(&mut server, &mut client)?;
    client.shutdown(Shutdown::Write)
}
