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
    sync::watch,
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;

use crate::http::{
    access::oidc::OidcProvider,
    desk::DeskThreads,
    resources::results::refresh_results,
    router::build_router,
    server::connections::{ConnectionPlace, CountedBody, OpenConnections, connections_that_fit},
    server::refusals::RefusalStream,
    server::stall_timer::SteadyStream,
    service::Service,
};

/// How long a connection may be silent between two requests, or take for a request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(15);
/// The most bytes of a request's head.
pub(in crate::http) const HEAD_BYTES: usize = 64 << 10;
/// The most headers of a request.
const HEADERS: usize = 64;
/// How long requests under way may take once the service is told to stop.
const GRACE: Duration = Duration::from_secs(30);
/// How long to wait after the system has refused a connection for want of something.
const PAUSE: Duration = Duration::from_millis(50);
/// How long a connection that makes way for another may take to say so.
const FAREWELL: Duration = Duration::from_millis(50);

/// Serves until `stop_workers` is done; then finishes what is under way.
pub(crate) async fn serve_until(
    listener: TcpListener,
    service: Arc<Service>,
    staff: DeskThreads,
    tls: Option<TlsAcceptor>,
    stop: impl Future<Output = ()> + Send,
) {
    let router = build_router(&service);
    tokio::spawn(Service::forget_answers(Arc::downgrade(&service)));
    tokio::spawn(refresh_results(Arc::downgrade(&service)));
    tokio::spawn(OidcProvider::keep_fresh(Arc::downgrade(&service)));
    let connections = OpenConnections::new(connections_that_fit());
    let (stopping, stopped) = watch::channel(false);
    tokio::pin!(stop);
    loop {
        let accepted = async {
            match listener.accept().await {
                // It is there already: should no place come free, others wait to be accepted.
                Ok((stream, _)) => Ok((connections.take_place().await, stream)),
                Err(error) => Err(error),
            }
        };
        tokio::select! {
            () = &mut stop => break,
            accepted = accepted => match accepted {
                Ok((place, stream)) => {
                    let (router, stopped, service, tls) = (router.clone(), stopped.clone(), service.clone(), tls.clone());
                    tokio::spawn(async move {
                        service.metrics.connections.inc();
                        let limit = service.stall_limit();
                        serve_greeted(stream, tls, router, stopped, Arc::new(place), limit).await;
                        service.metrics.connections.dec();
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    connections.close_idlest();
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
    while !connections.are_closed() && ended.elapsed() < GRACE {
        sleep(Duration::from_millis(20)).await;
    }
    service.jobs.control.stop_workers();
    drop(router);
    drop(service);
    // What was handed over is finished, also where its client is gone.
    let waited = tokio::task::spawn_blocking(move || staff.wait_for_threads());
    let _ = timeout(GRACE, waited).await;
}

/// One connection, from its first byte.
async fn serve_greeted(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    router: Router,
    stopped: watch::Receiver<bool>,
    place: Arc<ConnectionPlace>,
    stall_limit: Duration,
) {
    // Small answers are sent at once.
    let _ = stream.set_nodelay(true);
    let stream = SteadyStream::new(stream, stall_limit);
    let Some(tls) = tls else { return serve_connection(stream, router, stopped, place).await };
    let greeting = timeout(HEAD_TIMEOUT, tls.accept(stream));
    let greeting = tokio::select! {
        greeting = greeting => greeting,
        () = place.asked_to_leave() => return,
    };
    match greeting {
        Ok(Ok(stream)) => serve_connection(stream, router, stopped, place).await,
        Ok(Err(error)) => tracing::debug!(%error, "a client did not speak TLS"),
        Err(_) => tracing::debug!("a client took too long to speak TLS"),
    }
}

/// One connection.
async fn serve_connection(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    router: Router,
    mut stopped: watch::Receiver<bool>,
    place: Arc<ConnectionPlace>,
) {
    let stream = RefusalStream::new(stream);
    let notice = stream.request_notifier();
    let occupied = place.clone();
    let answer = service_fn(move |request: Request<Incoming>| {
        notice(request.version());
        let (router, in_use) = (router.clone(), occupied.begin_request());
        async move {
            let answer = router.oneshot(request).await;
            answer.map(|answer| answer.map(|body| CountedBody { body, _in_use: in_use }))
        }
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
        () = place.asked_to_leave() => {
            connection.as_mut().graceful_shutdown();
            end_idle_connection(connection, &place).await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// Ends a connection that makes way: at once, or after a request that has come in the same moment.
async fn end_idle_connection<E>(
    connection: impl Future<Output = Result<(), E>>,
    place: &ConnectionPlace,
) -> Result<(), E> {
    tokio::pin!(connection);
    loop {
        match timeout(FAREWELL, connection.as_mut()).await {
            Ok(ended) => return ended,
            // A client that has sent nothing, or not all of a head, cannot be told.
            Err(_) if place.is_idle() => return Ok(()),
            Err(_) => {}
        }
    }
}
