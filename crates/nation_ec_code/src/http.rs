//! One POST to the centre or to a terminal, on this very thread.
//!
//! Connections are kept open between calls, so that a kiosk pays for one TLS handshake, not for
//! thousands. No redirect is followed, no proxy asked, and nothing is sent a second time.

use std::io;
use std::time::Duration;

use ureq::config::Config;
use ureq::http::Uri;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout, time};
use ureq::{Agent, Error, Timeout};

use crate::fault::{Code, Fault};

/// Far more than any buffer of a caller takes.
const MOST_REPLY_BYTES: u64 = 256 * 1024;
/// Shorter than the servers' and the firewalls' own, so that a kept connection is a living one.
const KEPT_IDLE: Duration = Duration::from_secs(15);
/// A kiosk has one caller, a window's program a few, a test a crowd.
const MOST_KEPT: usize = 16;

/// A way to call; clones share their connections.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    agent: Agent,
    whom: &'static str,
    connect: Duration,
}

/// What came back, whatever it says.
pub(crate) struct Answered {
    pub(crate) status: u16,
    pub(crate) is_utf8: bool,
    pub(crate) body: Vec<u8>,
}

/// What is sent.
pub(crate) struct Post<'a> {
    pub(crate) address: &'a Uri,
    pub(crate) content_type: &'static str,
    pub(crate) body: &'a [u8],
    pub(crate) within: Duration,
}

impl Line {
    /// `whom` is called so in faults. Without roots of one's own, the public ones are trusted.
    pub(crate) fn new(
        whom: &'static str,
        connect: Duration,
        roots: Option<&[Certificate<'static>]>,
    ) -> Self {
        let roots = roots.map_or(RootCerts::WebPki, RootCerts::new_with_certs);
        let config = Config::builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .user_agent(concat!("NationECCode/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(connect))
            .max_idle_age(KEPT_IDLE)
            .max_idle_connections(2 * MOST_KEPT)
            .max_idle_connections_per_host(MOST_KEPT)
            .tls_config(TlsConfig::builder().root_certs(roots).build())
            .build();
        let agent = Agent::with_parts(config, DefaultConnector::default(), HereResolver);
        Self {
            agent,
            whom,
            connect,
        }
    }

    /// Ends every call under way and all to come.
    pub(crate) fn hang_up(self) {
        self.agent.shutdown();
    }

    pub(crate) fn post(&self, post: &Post<'_>) -> Result<Answered, Fault> {
        self.exchange(post).map_err(|error| self.fault(error, post))
    }

    fn exchange(&self, post: &Post<'_>) -> Result<Answered, Error> {
        let mut response = self
            .agent
            .post(post.address)
            .config()
            .timeout_global(Some(post.within))
            .build()
            .header("Content-Type", post.content_type)
            .send(post.body)?;
        let is_utf8 = response
            .headers()
            .get("content-type")
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| value.to_ascii_lowercase().contains("utf-8"));
        let status = response.status().as_u16();
        let body = response
            .body_mut()
            .with_config()
            .limit(MOST_REPLY_BYTES)
            .read_to_vec()?;
        Ok(Answered {
            status,
            is_utf8,
            body,
        })
    }

    fn fault(&self, error: Error, post: &Post<'_>) -> Fault {
        let whom = self.whom;
        if let Some(tls) = tls_error(&error) {
            return Fault::new(Code::Centre, format!("{whom}的证书不可信：{}", said(tls)));
        }
        let (code, text) = match error {
            Error::Timeout(Timeout::Connect | Timeout::Resolve) => (
                Code::Timeout,
                format!("{} 毫秒内没有连上{whom}", self.connect.as_millis()),
            ),
            Error::Timeout(_) => (
                Code::Timeout,
                format!("{whom}在 {} 毫秒内没有应答", post.within.as_millis()),
            ),
            Error::HostNotFound => (Code::Address, format!("找不到{whom}的主机名")),
            Error::BadUri(_) | Error::Http(_) => (Code::Address, format!("{whom}的地址不合法")),
            Error::BodyExceedsLimit(_) => (Code::Centre, format!("{whom}的应答过长")),
            Error::Io(error) => match error.kind() {
                io::ErrorKind::ConnectionRefused => (
                    Code::Centre,
                    format!("{whom}拒绝连接：请检查地址、端口，以及对方是否在运行"),
                ),
                io::ErrorKind::TimedOut => (Code::Timeout, format!("连接{whom}超时")),
                io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
                    (Code::Centre, format!("网络不通，到不了{whom}"))
                }
                kind => {
                    let number = error.raw_os_error().unwrap_or_default();
                    let text = format!("与{whom}的连接中断（{kind}，系统错误号 {number}）");
                    (Code::Centre, text)
                }
            },
            _ => (Code::Centre, format!("{whom}的应答不是 HTTP")),
        };
        Fault::new(code, text)
    }
}

/// Wherever in the error's causes it stands.
fn tls_error(error: &Error) -> Option<&rustls::Error> {
    match error {
        Error::Rustls(error) => Some(error),
        Error::Io(error) => {
            let inner: &(dyn std::error::Error + 'static) = error.get_ref()?;
            inner
                .downcast_ref()
                .or_else(|| inner.source().and_then(|source| source.downcast_ref()))
        }
        _ => None,
    }
}

fn said(error: &rustls::Error) -> String {
    use rustls::CertificateError as Bad;
    let rustls::Error::InvalidCertificate(bad) = error else {
        return format!("TLS 握手失败（{error}）");
    };
    match bad {
        Bad::Expired | Bad::ExpiredContext { .. } => "证书已过期，或本机日期不对".to_owned(),
        Bad::NotValidYet | Bad::NotValidYetContext { .. } => {
            "证书尚未生效，或本机日期不对".to_owned()
        }
        Bad::UnknownIssuer => {
            "签发机构未知：自建 CA 请在设置 centre.ca_file 中给出其证书".to_owned()
        }
        Bad::NotValidForName | Bad::NotValidForNameContext { .. } => {
            "证书与地址中的主机名不符".to_owned()
        }
        _ => "证书无效".to_owned(),
    }
}

/// Resolves names on the caller's thread. ureq's own starts a thread that may outlive the call, and
/// so the library's code; the system bounds how long a name takes.
#[derive(Debug)]
struct HereResolver;

impl Resolver for HereResolver {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let unbounded = NextTimeout {
            after: time::Duration::NotHappening,
            ..timeout
        };
        let resolved = DefaultResolver::default().resolve(uri, config, unbounded);
        // The system has many ways to say that it does not know a name.
        resolved.map_err(|error| match error {
            Error::Io(_) => Error::HostNotFound,
            other => other,
        })
    }
}
