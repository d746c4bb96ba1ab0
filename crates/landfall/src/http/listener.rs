//! Connections: accepted, bounded in number and time, and ended gracefully.

use std::{
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{Router, extract::Request};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;

use super::{
    desk::Staff, oidc::Provider, refusals::Refusals, results::refresh, route::router, scheduled, service::Service,
};

/// How long a connection may be silent between two requests, or take for a request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(15);
/// Open connections; beyond, others wait to be accepted.
const CONNECTIONS: usize = 4096;
/// The most bytes of a request's head.
pub(super) const HEAD_BYTES: usize = 64 << 10;
/// The most headers of a request.
const HEADERS: usize = 64;
/// How long requests under way may take once the service is told to stop.
const GRACE: Duration = Duration::from_secs(30);
/// How long to wait after the system has refused a connection for want of something.
const PAUSE: Duration = Duration::from_millis(50);

/// Serves until `stop` is done; then finishes what is under way.
pub(crate) async fn serve(
    listener: TcpListener,
    service: Arc<Service>,
    staff: Staff,
    tls: Option<TlsAcceptor>,
    stop: impl Future<Output = ()> + Send,
) {
    let router = router(&service);
    tokio::spawn(Service::forget_answers(Arc::downgrade(&service)));
    tokio::spawn(refresh(Arc::downgrade(&service)));
    tokio::spawn(scheduled::run(Arc::downgrade(&service)));
    tokio::spawn(Provider::keep_fresh(Arc::downgrade(&service)));
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let (stopping, stopped) = watch::channel(false);
    tokio::pin!(stop);
    loop {
        let place = places.clone().acquire_owned();
        let accepted = async { (place.await, listener.accept().await) };
        tokio::select! {
            () = &mut stop => break,
            (place, accepted) = accepted => match accepted {
                Ok((stream, _)) => {
                    let (router, stopped, service, tls) = (router.clone(), stopped.clone(), service.clone(), tls.clone());
                    tokio::spawn(async move {
                        service.metrics.connections.inc();
                        greeted(stream, tls, router, stopped).await;
                        service.metrics.connections.dec();
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    sleep(PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    tracing::info!("the service is being stopped; requests under way are finished");
    // Whoever listens for the end of the others is gone when they are.
    let _ = stopping.send(true);
    drop(stopped);
    let ended = Instant::now();
    while places.available_permits() < CONNECTIONS && ended.elapsed() < GRACE {
        sleep(Duration::from_millis(20)).await;
    }
    service.tasks.stop();
    drop(router);
    drop(service);
    // What was handed over is finished, also where its client is gone.
    let waited = tokio::task::spawn_blocking(move || staff.finish());
    let _ = timeout(GRACE, waited).await;
}

/// One connection, from its first byte.
async fn greeted(stream: TcpStream, tls: Option<TlsAcceptor>, router: Router, stopped: watch::Receiver<bool>) {
    // Small answers are sent at once.
    let _ = stream.set_nodelay(true);
    let Some(tls) = tls else { return connection(stream, router, stopped).await };
    match timeout(HEAD_TIMEOUT, tls.accept(stream)).await {
        Ok(Ok(stream)) => connection(stream, router, stopped).await,
        Ok(Err(error)) => tracing::debug!(%error, "a client did not speak TLS"),
        Err(_) => tracing::debug!("a client took too long to speak TLS"),
    }
}

/// One connection.
async fn connection(stream: impl AsyncRead + AsyncWrite + Unpin, router: Router, mut stopped: watch::Receiver<bool>) {
    let stream = Refusals::new(stream);
    let notice = stream.notice();
    let answer = service_fn(move |request: Request<Incoming>| {
        notice(request.version());
        router.clone().oneshot(request)
    });
    let mut server = http1::Builder::new();
    server
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES)
        .max_headers(HEADERS)
        .keep_alive(true);
    let connection = server.serve_connection(TokioIo::new(stream), answer);
    tokio::pin!(connection);
    let told = async { drop(stopped.wait_for(|stopped| *stopped).await) };
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = told => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}
