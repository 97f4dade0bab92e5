//! Posting bytes and getting bytes back, within every limit.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use banyan_protocol::envelope::{CONTENT_TYPE, SIGN_VERSION, SIGN_VERSION_HEADER};
use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Incoming};
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Method, Request};
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{self, PemObject as _};
use url::{Host, Url};

use crate::allowed_hosts::web_target;
use crate::connect::{Connector, DialFault, checked_target};
use crate::resolve::Resolver;
use crate::{CallFault, ConnectFault, HostGuard};

/// Most servers close a kept-alive connection after 60 s or more; to let go first spares us
/// requests that meet a closing connection.
const IDLE_TIMEOUT: Duration = Duration::from_secs(45);
/// Bounds the head of a reply, and what is read ahead of its body.
const MAX_READ_AHEAD: usize = 64 * 1024;

/// How to call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpSettings {
    /// For one address: TCP, and TLS where the scheme asks for it.
    pub connect_timeout: Duration,
    /// For a whole call: resolving, connecting, sending, and the last byte of the reply.
    pub call_timeout: Duration,
    /// The longest body of a reply.
    pub max_reply_bytes: usize,
    /// How many idle connections are kept for each host and address.
    pub idle_per_host: usize,
    /// A PEM file with certificates of authorities to trust beside the public ones.
    pub extra_ca_file: Option<PathBuf>,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(3),
            call_timeout: Duration::from_secs(10),
            max_reply_bytes: 1024 * 1024,
            idle_per_host: 32,
            extra_ca_file: None,
        }
    }
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ClientSetupError {
    /// The file of private authorities can't be read or is no PEM.
    #[error("the authorities of {} can't be read: {reason}", .path.display())]
    UnreadableAuthorities {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: pem::Error,
    },
    /// The file of private authorities holds none.
    #[error("{} holds no certificate", .path.display())]
    NoAuthorities {
        /// The file.
        path: PathBuf,
    },
    /// A certificate or the TLS library's own settings are at fault.
    #[error("TLS can't be set up: {0}")]
    Tls(#[from] rustls::Error),
    /// The blocking client has no runtime.
    #[error("the runtime can't be started: {0}")]
    Runtime(#[from] std::io::Error),
}

/// Posts messages; to be made once and cloned, because it holds the pool of connections.
///
/// Connections live on the runtime that first used them: a client belongs to one runtime. How
/// many calls are under way at a time is the caller's to bound.
#[derive(Clone, Debug)]
pub struct HttpClient(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    client: legacy::Client<Connector, Full<Bytes>>,
    resolver: Resolver,
    call_timeout: Duration,
    max_reply_bytes: usize,
}

/// What came back. `Debug` shows no content.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpReply {
    /// The HTTP status.
    pub status: u16,
    /// The body, complete.
    pub body: Bytes,
}

impl HttpClient {
    /// Prepares the pool; connects nowhere yet.
    ///
    /// # Errors
    /// Where the private authorities can't be used.
    pub fn new(settings: &HttpSettings) -> Result<Self, ClientSetupError> {
        let connector = Connector::new(Arc::new(tls(settings)?), settings.connect_timeout);
        let client = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(settings.idle_per_host)
            .http1_max_buf_size(MAX_READ_AHEAD)
            .build(connector);
        Ok(Self(Arc::new(Inner {
            client,
            resolver: Resolver::new(),
            call_timeout: settings.call_timeout,
            max_reply_bytes: settings.max_reply_bytes,
        })))
    }

    /// Posts the body and gives the reply, whatever its status; redirects are not followed.
    ///
    /// # Errors
    /// `Forbidden`, `Connect`, `Tls`, `Timeout`, `TooLarge` or `Http`.
    pub async fn post(
        &self,
        url: &Url,
        body: Bytes,
        guard: &HostGuard,
    ) -> Result<HttpReply, CallFault> {
        self.send_oddly(Oddity::ContentType(CONTENT_TYPE), url, body, guard)
            .await
    }

    /// The same with another method and `Content-Type` than messages have: for those who test how
    /// a partner takes it.
    ///
    /// # Errors
    /// Those of [`HttpClient::post`].
    pub async fn send_oddly(
        &self,
        oddity: Oddity,
        url: &Url,
        body: Bytes,
        guard: &HostGuard,
    ) -> Result<HttpReply, CallFault> {
        self.within_time(Way { oddity, key: None }, url, body, guard)
            .await
    }

    /// Posts the body as messages are posted, with an `Authorization: Bearer` where there is a key.
    ///
    /// # Errors
    /// Those of [`HttpClient::post`].
    pub async fn post_with_key(
        &self,
        url: &Url,
        body: Bytes,
        key: Option<&str>,
        guard: &HostGuard,
    ) -> Result<HttpReply, CallFault> {
        let oddity = Oddity::ContentType(CONTENT_TYPE);
        self.within_time(Way { oddity, key }, url, body, guard)
            .await
    }

    /// Asks by GET, with an `Authorization: Bearer`.
    ///
    /// # Errors
    /// Those of [`HttpClient::post`].
    pub async fn get_with_key(
        &self,
        url: &Url,
        key: &str,
        guard: &HostGuard,
    ) -> Result<HttpReply, CallFault> {
        let way = Way {
            oddity: Oddity::Get,
            key: Some(key),
        };
        self.within_time(way, url, Bytes::new(), guard).await
    }

    async fn within_time(
        &self,
        way: Way<'_>,
        url: &Url,
        body: Bytes,
        guard: &HostGuard,
    ) -> Result<HttpReply, CallFault> {
        let sending = self.0.deliver(way, url, body, guard);
        tokio::time::timeout(self.0.call_timeout, sending)
            .await
            .unwrap_or(Err(CallFault::Timeout))
    }

    #[cfg(test)]
    pub(crate) fn resolver(&self) -> &Resolver {
        &self.0.resolver
    }
}

/// How a message that is not sent as messages are is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Oddity {
    /// By GET.
    Get,
    /// By POST, with this `Content-Type`.
    ContentType(&'static str),
}

/// How one request goes out.
#[derive(Clone, Copy)]
struct Way<'a> {
    oddity: Oddity,
    key: Option<&'a str>,
}

impl Inner {
    async fn deliver(
        &self,
        way: Way<'_>,
        url: &Url,
        body: Bytes,
        guard: &HostGuard,
    ) -> Result<HttpReply, CallFault> {
        // Before resolving: whoever may not be called is not even asked for.
        guard.permits_url(url)?;
        match web_target(url)? {
            (Host::Ipv4(address), port) => self.send(way, url, port, address.into(), body).await,
            (Host::Ipv6(address), port) => {
                let address = IpAddr::V6(address).to_canonical();
                self.send(way, url, port, address, body).await
            }
            (Host::Domain(name), port) => {
                self.send_by_name(way, url, name, port, body, guard).await
            }
        }
    }

    async fn send_by_name(
        &self,
        way: Way<'_>,
        url: &Url,
        name: &str,
        port: u16,
        body: Bytes,
        guard: &HostGuard,
    ) -> Result<HttpReply, CallFault> {
        let resolved = self.resolver.resolve(name).await?;
        for address in resolved.addresses() {
            guard.permits_address(name, port, address)?;
        }
        let mut fault = None;
        for address in resolved.addresses() {
            match self.send(way, url, port, address, body.clone()).await {
                Err(CallFault::Connect(unreached)) => fault = Some(unreached),
                reached => {
                    resolved.worked(address);
                    return reached;
                }
            }
        }
        let fault = fault.unwrap_or_else(|| ConnectFault::Unresolved {
            host: name.to_owned(),
            reason: "no address".to_owned(),
        });
        Err(fault.into())
    }

    async fn send(
        &self,
        way: Way<'_>,
        url: &Url,
        port: u16,
        checked: IpAddr,
        body: Bytes,
    ) -> Result<HttpReply, CallFault> {
        let mut request = Request::new(Full::new(body));
        let (method, content_type) = match way.oddity {
            Oddity::Get => (Method::GET, CONTENT_TYPE),
            Oddity::ContentType(content_type) => (Method::POST, content_type),
        };
        *request.method_mut() = method;
        *request.uri_mut() = checked_target(url, port, checked)?;
        let headers = request.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.insert(
            const { HeaderName::from_static(SIGN_VERSION_HEADER) },
            const { HeaderValue::from_static(SIGN_VERSION) },
        );
        if let Some(key) = way.key {
            // A key that no header can carry is sent as none, and is refused for it.
            if let Ok(value) = HeaderValue::from_str(&format!("Bearer {key}")) {
                headers.insert(header::AUTHORIZATION, value);
            }
        }
        let response = self.client.request(request).await.map_err(sending_fault)?;
        Ok(HttpReply {
            status: response.status().as_u16(),
            body: read_bounded(response.into_body(), self.max_reply_bytes).await?,
        })
    }
}

impl fmt::Debug for HttpReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpReply")
            .field("status", &self.status)
            .field("bytes", &self.body.len())
            .finish()
    }
}

async fn read_bounded(mut body: Incoming, max: usize) -> Result<Bytes, CallFault> {
    let announced = body.size_hint().lower();
    if usize::try_from(announced).map_or(true, |announced| announced > max) {
        return Err(CallFault::TooLarge);
    }
    // Most replies come in one piece, which is handed on without a copy.
    let mut first = Bytes::new();
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| CallFault::Http(chain(&error)))?;
        let Ok(piece) = frame.into_data() else {
            continue;
        };
        if first.len().max(whole.len()) + piece.len() > max {
            return Err(CallFault::TooLarge);
        }
        if first.is_empty() && whole.is_empty() {
            first = piece;
        } else {
            if whole.is_empty() {
                whole.extend_from_slice(&first);
            }
            whole.extend_from_slice(&piece);
        }
    }
    Ok(if whole.is_empty() {
        first
    } else {
        whole.freeze()
    })
}

fn sending_fault(error: legacy::Error) -> CallFault {
    let source = std::error::Error::source(&error);
    match source.and_then(|source| source.downcast_ref::<DialFault>()) {
        Some(DialFault::Connect(fault)) => CallFault::Connect(fault.clone()),
        Some(DialFault::Tls(reason)) => CallFault::Tls(reason.clone()),
        None => CallFault::Http(chain(source.unwrap_or(&error))),
    }
}

/// The error and what caused it, in one line. hyper's errors name no content.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

fn tls(settings: &HttpSettings) -> Result<rustls::ClientConfig, ClientSetupError> {
    let mut roots = rustls::RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    if let Some(path) = &settings.extra_ca_file {
        let unreadable = |reason| ClientSetupError::UnreadableAuthorities {
            path: path.clone(),
            reason,
        };
        let public = roots.len();
        for certificate in CertificateDer::pem_file_iter(path).map_err(unreadable)? {
            roots.add(certificate.map_err(unreadable)?)?;
        }
        if roots.len() == public {
            return Err(ClientSetupError::NoAuthorities { path: path.clone() });
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}
