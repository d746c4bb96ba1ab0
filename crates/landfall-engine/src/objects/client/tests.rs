#![expect(clippy::unwrap_used, reason = "a test may")]

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    thread::{self, sleep},
    time::Instant,
};

use http::Request;
use object_store::client::{HttpErrorKind, HttpRequestBody};

use super::*;

const PATIENCE: ClientTimeouts = ClientTimeouts {
    connect: Duration::from_secs(5),
    answer: Duration::from_millis(200),
    read: Duration::from_millis(200),
};

/// Asks a server that treats its first connection so; the outcome, with the body where there is one.
fn asked(
    reach: NetworkReach,
    body: usize,
    serve: impl FnOnce(TcpStream) + Send + 'static,
) -> Result<Result<Vec<u8>, HttpError>, HttpError> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/a", listener.local_addr().unwrap());
    thread::spawn(move || serve(listener.accept().unwrap().0));
    let connector = ClientConnector::new(reach, true, PATIENCE).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let request = Request::put(url).body(HttpRequestBody::from(vec![7; body])).unwrap();
        let answer = connector.call(request).await?;
        Ok(answer.into_body().bytes().await.map(|bytes| bytes.to_vec()))
    })
}

fn failure(error: &HttpError) -> ObjectFailure {
    ObjectFailure::find_in_causes(error).unwrap().clone()
}

/// Reads the head of a request.
fn head(client: &mut TcpStream) {
    let mut seen = Vec::new();
    let mut byte = [0];
    while !seen.ends_with(b"\r\n\r\n") && client.read(&mut byte).unwrap() > 0 {
        seen.push(byte[0]);
    }
}

#[test]
fn an_answer_that_does_not_come_is_not_waited_for() {
    let begun = Instant::now();
    let error = asked(NetworkReach::Private, 0, |client| {
        sleep(Duration::from_secs(20));
        drop(client);
    })
    .unwrap_err();
    assert_eq!(failure(&error), ObjectFailure::Slow("127.0.0.1".into()));
    assert_eq!(error.kind(), HttpErrorKind::Timeout);
    assert!(begun.elapsed() < Duration::from_secs(10));
}

/// What is sent may take far longer than an answer may, as long as some of it is taken.
#[test]
fn a_slow_upload_is_waited_for() {
    const BODY: usize = 24 << 20;
    let begun = Instant::now();
    let answer = asked(NetworkReach::Private, BODY, |mut client| {
        head(&mut client);
        let (mut read, mut buffer) = (0, vec![0; 1 << 20]);
        while read < BODY {
            read += client.read(&mut buffer).unwrap();
            sleep(Duration::from_millis(20));
        }
        client.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").unwrap();
    });
    assert_eq!(answer.unwrap().unwrap(), b"ok");
    assert!(begun.elapsed() > PATIENCE.answer * 2, "{:?}", begun.elapsed());
}

#[test]
fn a_body_that_stops_or_is_cut_is_an_error() {
    for (stays, wanted) in [(true, HttpErrorKind::Timeout), (false, HttpErrorKind::Interrupted)] {
        let answer = asked(NetworkReach::Private, 0, move |mut client| {
            head(&mut client);
            client.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345").unwrap();
            if stays {
                sleep(Duration::from_secs(20));
            }
        });
        // The library hands an error of a body on as one of its own, with ours within.
        let error = answer.unwrap().unwrap_err();
        match (failure(&error), wanted) {
            (ObjectFailure::Slow(_), HttpErrorKind::Timeout) | (ObjectFailure::Cut(..), HttpErrorKind::Interrupted) => {
            }
            (other, _) => panic!("{other:?}, where it {}", if stays { "stops" } else { "is cut" }),
        }
    }
}

#[test]
fn redirects_are_not_followed_and_errors_are_told_by_their_code() {
    for (answer, status, code, kind) in [
        ("302 Found\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0", 302, "", HttpErrorKind::Unknown),
        (
            "403 No\r\nContent-Length: 42\r\n\r\n<Code>AccessDenied</Code><Key>secret</Key>",
            403,
            "AccessDenied",
            HttpErrorKind::Unknown,
        ),
        ("503 No\r\nContent-Length: 0", 503, "", HttpErrorKind::Request),
        // A body that never ends is not waited for.
        ("404 No\r\nContent-Length: 9000\r\n\r\n<Code>NoSuchKey</Code>", 404, "NoSuchKey", HttpErrorKind::Unknown),
    ] {
        let error = asked(NetworkReach::Private, 0, move |mut client| {
            head(&mut client);
            client.write_all(format!("HTTP/1.1 {answer}\r\n\r\n").as_bytes()).unwrap();
            sleep(Duration::from_secs(20));
        })
        .unwrap_err();
        assert_eq!(failure(&error), ObjectFailure::Answer { host: "127.0.0.1".into(), status, code: code.into() });
        assert_eq!(error.kind(), kind, "{status}");
    }
}

#[test]
fn a_private_address_is_not_connected_to() {
    let error = asked(NetworkReach::Public, 0, |_| panic!("it was")).unwrap_err();
    assert_eq!(failure(&error), ObjectFailure::Private("127.0.0.1".into(), "127.0.0.1".parse().unwrap()));
}

/// A name is judged by what it resolves to.
#[test]
fn a_name_of_a_private_address_is_refused() {
    let connector = ClientConnector::new(NetworkReach::Public, true, PATIENCE).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for host in ["localhost", "127.1", "0x7f.1", "017700000001"] {
        let request = Request::get(format!("http://{host}:9/")).body(HttpRequestBody::empty()).unwrap();
        let error = runtime.block_on(connector.call(request)).unwrap_err();
        assert!(matches!(failure(&error), ObjectFailure::Private(..)), "{host}: {error}");
    }
}
