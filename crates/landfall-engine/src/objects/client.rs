//! HTTP to a storage: which addresses are connected to, and how long anything is waited for. Redirects are not followed.

#[cfg(test)]
mod tests;

use std::{
    error::Error as StdError,
    fmt, io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use async_trait::async_trait;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper_rustls::HttpsConnector;
use hyper_util::{
    client::legacy::{
        self,
        connect::{HttpConnector as Tcp, dns::Name},
    },
    rt::{TokioExecutor, TokioTimer},
};
use object_store::{
    ClientOptions,
    client::{HttpClient, HttpConnector, HttpError, HttpRequest, HttpResponse, HttpResponseBody, HttpService},
};
use rustls::{ClientConfig, RootCertStore, pki_types::CertificateDer};
use tokio::time::timeout;
use tower_service::Service;

use super::{
    address,
    body::{ObjectBody, RequestBody},
    failure::{ObjectFailure, find_code},
};

/// Bytes of an answer that is an error: what its code is looked for in.
const ERROR_BODY: usize = 64 << 10;

/// How long is waited.
#[derive(Debug, Clone, Copy)]
pub(super) struct ClientTimeouts {
    /// For a connection.
    pub(super) connect: Duration,
    /// For an answer to begin, once the storage takes no more of the request.
    pub(super) answer: Duration,
    /// For each part of an answer's body.
    pub(super) read: Duration,
}

/// Where may be connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NetworkReach {
    /// The internet.
    Public,
    /// Networks of one's own as well.
    Private,
    /// Where clouds tell credentials, and nowhere else.
    Metadata,
}

impl NetworkReach {
    fn allows_address(self, address: IpAddr) -> bool {
        match self {
            Self::Public => !address::is_private(address) && !address::is_never_allowed(address),
            Self::Private => !address::is_never_allowed(address),
            Self::Metadata => address::is_metadata(address),
        }
    }
}

/// What gives the library of the protocols its client.
#[derive(Debug, Clone)]
pub(super) struct ClientConnector(Arc<ObjectClient>);

type HyperClient = legacy::Client<HttpsConnector<Tcp<GuardedResolver>>, RequestBody>;

/// The client.
struct ObjectClient {
    storage: HyperClient,
    metadata: HyperClient,
    reach: NetworkReach,
    allow_http: bool,
    patience: ClientTimeouts,
}

impl ClientConnector {
    /// A client that goes as far as `reach` says.
    ///
    /// # Errors
    /// A machine that trusts no authority, where no http is allowed: nothing could be reached.
    pub(super) fn new(reach: NetworkReach, allow_http: bool, patience: ClientTimeouts) -> io::Result<Self> {
        let roots = system_roots();
        if roots.is_empty() && !allow_http {
            return Err(io::Error::other("no certificate authority is known; SSL_CERT_FILE may name a file of them"));
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let tls = tls.map_err(io::Error::other)?.with_root_certificates(roots).with_no_client_auth();
        let storage = build_client(reach, tls.clone(), patience);
        let metadata = build_client(
            NetworkReach::Metadata,
            tls,
            ClientTimeouts { connect: patience.connect.min(METADATA), ..patience },
        );
        Ok(Self(Arc::new(ObjectClient { storage, metadata, reach, allow_http, patience })))
    }
}

/// How long a cloud's own machine may take for a connection: it stands beside.
const METADATA: Duration = Duration::from_secs(2);

/// The system's authorities, read once.
fn system_roots() -> RootCertStore {
    static ROOTS: OnceLock<Vec<CertificateDer<'static>>> = OnceLock::new();
    let mut roots = RootCertStore::empty();
    let known = ROOTS.get_or_init(|| rustls_native_certs::load_native_certs().certs);
    roots.add_parsable_certificates(known.iter().cloned());
    roots
}

fn build_client(reach: NetworkReach, tls: ClientConfig, patience: ClientTimeouts) -> HyperClient {
    let mut tcp = Tcp::new_with_resolver(GuardedResolver(reach));
    // Otherwise the connector would refuse https, which is laid over it here.
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(patience.connect));
    let connector = hyper_rustls::HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http();
    legacy::Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(Duration::from_secs(30))
        .pool_max_idle_per_host(4)
        .build(connector.enable_http1().wrap_connector(tcp))
}

impl fmt::Debug for ObjectClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("reach", &self.reach).finish_non_exhaustive()
    }
}

impl HttpConnector for ClientConnector {
    // What is allowed is not for the library to say: its own options come from the environment as well.
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

#[async_trait]
impl HttpService for ClientConnector {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let host = request.uri().host().unwrap_or_default().to_owned();
        self.0.send_request(&host, request).await.map_err(ObjectFailure::into_http_error)
    }
}

impl ObjectClient {
    async fn send_request(&self, host: &str, request: HttpRequest) -> Result<HttpResponse, ObjectFailure> {
        // An endpoint is never one of these (see `settings`), so that only a provider of credentials asks there.
        let is_metadata = address::is_metadata_host(host);
        let (client, reach) =
            if is_metadata { (&self.metadata, NetworkReach::Metadata) } else { (&self.storage, self.reach) };
        if request.uri().scheme_str() != Some("https") && !self.allow_http && !is_metadata {
            return Err(ObjectFailure::PlainHttp(host.to_owned()));
        }
        // No resolver is asked for what is an address already.
        if let Some(address) = address::literal_address(host).filter(|address| !reach.allows_address(*address)) {
            return Err(ObjectFailure::Private(host.to_owned(), address));
        }
        let progress = Arc::new(AtomicU64::new(0));
        let request = request.map(|body| RequestBody::new(body, progress.clone()));
        let mut answer = std::pin::pin!(client.request(request));
        let mut seen = 0;
        let answer = loop {
            match timeout(self.patience.answer, &mut answer).await {
                Ok(answer) => break answer.map_err(|error| classify_failure(host, &error))?,
                // A large part may take long, as long as the storage takes some of it.
                Err(_) if progress.load(Ordering::Relaxed) != seen => seen = progress.load(Ordering::Relaxed),
                Err(_) => return Err(ObjectFailure::Slow(host.to_owned())),
            }
        };
        let status = answer.status();
        let body = |body: Incoming| ObjectBody::new(body, host, self.patience.read);
        if is_metadata || status.is_success() || status.as_u16() == 304 {
            return Ok(answer.map(|received| HttpResponseBody::new(body(received))));
        }
        // Told here, since the library keeps the status of an answer to itself.
        let code = read_error_code(body(answer.into_body()), self.patience.answer).await;
        Err(ObjectFailure::Answer { host: host.to_owned(), status: status.as_u16(), code })
    }
}

/// The code in the first bytes of a body, of what comes of them in time.
async fn read_error_code(mut body: ObjectBody, patience: Duration) -> String {
    let mut start = Vec::new();
    let read = async {
        while let Some(Ok(frame)) = body.frame().await {
            start.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
            if start.len() >= ERROR_BODY {
                break;
            }
        }
    };
    // What has come by then will do.
    let _ = timeout(patience, read).await;
    find_code(&start)
}

/// What the client says of a request that came to nothing.
fn classify_failure(host: &str, error: &legacy::Error) -> ObjectFailure {
    let mut next: Option<&(dyn StdError + 'static)> = Some(error);
    let mut said = String::new();
    let mut is_slow = false;
    while let Some(error) = next {
        if let Some(failure) = error.downcast_ref::<ObjectFailure>() {
            // Our own resolver has said precisely what is wrong, however deep the library has put it.
            return failure.clone();
        }
        if let Some(tls) = find_cause::<rustls::Error>(error) {
            return ObjectFailure::Tls(host.to_owned(), tls.to_string());
        }
        is_slow |= error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::TimedOut);
        said = error.to_string();
        next = error.source();
    }
    match (error.is_connect(), is_slow) {
        (true, true) => ObjectFailure::Slow(host.to_owned()),
        (true, false) => ObjectFailure::Unreachable(host.to_owned(), said),
        (false, _) => ObjectFailure::Cut(host.to_owned(), said),
    }
}

/// The error that `error` is, or has within it: the cause of an operation's error is that of what is within, and not that itself.
fn find_cause<'e, T: StdError + 'static>(mut error: &'e (dyn StdError + 'static)) -> Option<&'e T> {
    loop {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        error = error.downcast_ref::<io::Error>()?.get_ref()?;
    }
}

/// What resolves names, and lets no address through that may not be connected to.
#[derive(Debug, Clone, Copy)]
struct GuardedResolver(NetworkReach);

impl Service<Name> for GuardedResolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = ObjectFailure;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, ObjectFailure>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ObjectFailure>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let reach = self.0;
        Box::pin(async move {
            let host = name.as_str();
            let found = tokio::net::lookup_host((host, 0)).await;
            let found: Vec<SocketAddr> =
                found.map_err(|error| ObjectFailure::NoSuchName(host.to_owned(), error.to_string()))?.collect();
            // A name that has one such address may have it next time.
            match found.iter().find(|address| !reach.allows_address(address.ip())) {
                Some(address) => Err(ObjectFailure::Private(host.to_owned(), address.ip())),
                None => Ok(found.into_iter()),
            }
        })
    }
}
