//! Connecting to the address that was checked, and to no other.
//!
//! The pool of connections is keyed by scheme and authority. The authority that we give it is
//! `<address>@<host>:<port>`, the address in hexadecimal: so connections are pooled by host and
//! address, the connector learns which address was checked, and `Host`, the TLS server name and
//! the certificate's name are still those of the host, because all three leave user info out.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::Uri;
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower_service::Service;
use url::{Position, Url};

use crate::{ConnectFault, HostRefused};

/// The target of a call to `url` over this checked address.
pub(crate) fn checked_target(url: &Url, port: u16, address: IpAddr) -> Result<Uri, HostRefused> {
    let host = url.host_str().ok_or(HostRefused::NotWebAddress)?;
    let path = &url[Position::BeforePath..Position::AfterQuery];
    let mut target = String::with_capacity(host.len() + path.len() + 56);
    target.push_str(url.scheme());
    target.push_str("://");
    let written = match address {
        IpAddr::V4(v4) => write!(target, "{:08x}@{host}:{port}{path}", v4.to_bits()),
        IpAddr::V6(v6) => write!(target, "{:032x}@{host}:{port}{path}", v6.to_bits()),
    };
    written.map_err(|_| HostRefused::NotWebAddress)?;
    Uri::from_maybe_shared(Bytes::from(target)).map_err(|_| HostRefused::NotWebAddress)
}

/// The address that [`checked_target`] wrote into the target.
fn checked_address(target: &Uri) -> Result<SocketAddr, ConnectFault> {
    let address = |text: &str| -> Option<IpAddr> {
        match text.len() {
            8 => u32::from_str_radix(text, 16)
                .ok()
                .map(|bits| Ipv4Addr::from_bits(bits).into()),
            32 => u128::from_str_radix(text, 16)
                .ok()
                .map(|bits| Ipv6Addr::from_bits(bits).into()),
            _ => None,
        }
    };
    target
        .authority()
        .and_then(|authority| authority.as_str().split_once('@'))
        .and_then(|(text, _)| address(text))
        .zip(target.port_u16())
        .map(SocketAddr::from)
        .ok_or(ConnectFault::Unchecked)
}

/// Why there is no connection to send over.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum DialFault {
    #[error("{0}")]
    Connect(ConnectFault),
    #[error("{0}")]
    Tls(String),
}

/// Connects within a time limit, with TLS where the scheme asks for it.
#[derive(Debug, Clone)]
pub(crate) struct Connector {
    https: HttpsConnector<Dial>,
    limit: Duration,
}

impl Connector {
    pub(crate) fn new(tls: Arc<rustls::ClientConfig>, limit: Duration) -> Self {
        Self {
            https: HttpsConnector::from((Dial, tls)),
            limit,
        }
    }
}

type Connecting<T> = Pin<Box<dyn Future<Output = Result<T, DialFault>> + Send>>;

impl Service<Uri> for Connector {
    type Response = MaybeHttpsStream<TokioIo<TcpStream>>;
    type Error = DialFault;
    type Future = Connecting<Self::Response>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), DialFault>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, target: Uri) -> Self::Future {
        let address = checked_address(&target);
        let connecting = self.https.call(target);
        let limit = self.limit;
        Box::pin(async move {
            let address = address.map_err(DialFault::Connect)?;
            match tokio::time::timeout(limit, connecting).await {
                Ok(Ok(stream)) => Ok(stream),
                // What is not Dial's own error comes from the handshake after it.
                Ok(Err(error)) => Err(match error.downcast::<DialFault>() {
                    Ok(fault) => *fault,
                    Err(other) => DialFault::Tls(other.to_string()),
                }),
                Err(_) => Err(DialFault::Connect(ConnectFault::Slow {
                    address,
                    after: limit,
                })),
            }
        })
    }
}

/// Opens the TCP connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dial;

impl Service<Uri> for Dial {
    type Response = TokioIo<TcpStream>;
    type Error = DialFault;
    type Future = Connecting<Self::Response>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), DialFault>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, target: Uri) -> Self::Future {
        Box::pin(async move {
            let address = checked_address(&target).map_err(DialFault::Connect)?;
            let unreached = |error: std::io::Error| {
                DialFault::Connect(ConnectFault::Unreached {
                    address,
                    reason: error.to_string(),
                })
            };
            let stream = TcpStream::connect(address).await.map_err(unreached)?;
            // A request is written at once and then waited for: Nagle could only delay it.
            stream.set_nodelay(true).map_err(unreached)?;
            Ok(TokioIo::new(stream))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_carries_its_checked_address_and_keeps_its_host() {
        for (url, address, host) in [
            (
                "http://his.example.cn/a%20b?c=d|e",
                "10.1.2.3",
                "his.example.cn",
            ),
            ("https://his.example.cn", "fd00::1", "his.example.cn"),
            ("https://[fd00::1]:8443/x", "fd00::1", "[fd00::1]"),
            ("http://10.1.2.3/", "10.1.2.3", "10.1.2.3"),
        ] {
            let url = Url::parse(url).unwrap();
            let address: IpAddr = address.parse().unwrap();
            let port = url.port_or_known_default().unwrap();
            let target = checked_target(&url, port, address).unwrap();
            assert_eq!(target.host(), Some(host));
            assert_eq!(target.scheme_str(), Some(url.scheme()));
            assert_eq!(
                target.path_and_query().unwrap().as_str(),
                &url[Position::BeforePath..]
            );
            assert_eq!(checked_address(&target), Ok(SocketAddr::new(address, port)));
        }
    }

    #[test]
    fn what_was_not_checked_is_not_dialled() {
        for target in [
            "http://his.example.cn:80/",
            "http://10.1.2.3:80/",
            "http://0a010203@his.example.cn/",
            "http://someone@his.example.cn:80/",
        ] {
            let target = Uri::from_static(target);
            assert_eq!(checked_address(&target), Err(ConnectFault::Unchecked));
        }
    }
}
