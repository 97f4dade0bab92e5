//! A listener that serves a router until it is stopped.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use hyper_util::rt::TokioTimer;
use rustls::ServerConfig;
use serde::Deserialize;
use tokio::task::JoinHandle;

/// Calls under way get this long when the server stops.
const GRACE: Duration = Duration::from_secs(20);
/// A client that takes longer to send its headers is not a client.
const HEADER_TIMEOUT: Duration = Duration::from_secs(15);

/// Certificate files in PEM.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The certificate with its chain.
    pub certificate_file: PathBuf,
    /// Its private key.
    pub key_file: PathBuf,
}

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum ServingError {
    /// The address can't be listened on.
    #[error("无法监听 {0}：{1}")]
    Listen(SocketAddr, std::io::Error),
    /// The certificate or its key.
    #[error("证书或私钥文件有误：{0}")]
    Certificate(std::io::Error),
}

/// A router at work.
#[derive(Debug)]
pub struct Serving {
    address: SocketAddr,
    handle: Handle<SocketAddr>,
    task: JoinHandle<std::io::Result<()>>,
}

impl Serving {
    /// Serves on a socket that listens already, so that its port is known beforehand; `wanted` is
    /// the address that the errors name.
    ///
    /// # Errors
    /// See [`ServingError`].
    pub async fn start(
        routes: Router,
        listener: TcpListener,
        wanted: SocketAddr,
        tls: Option<&Tls>,
    ) -> Result<Self, ServingError> {
        let failed = |error| ServingError::Listen(wanted, error);
        listener.set_nonblocking(true).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let handle = Handle::new();
        let routes = routes.into_make_service();
        let task = match tls {
            None => {
                let mut server = axum_server::from_tcp(listener)
                    .map_err(failed)?
                    .handle(handle.clone());
                bound_http(server.http_builder());
                tokio::spawn(server.http1_only().serve(routes))
            }
            Some(tls) => {
                let config = certificate(tls).await?;
                let mut server = axum_server::from_tcp_rustls(listener, config)
                    .map_err(failed)?
                    .handle(handle.clone());
                bound_http(server.http_builder());
                tokio::spawn(server.http1_only().serve(routes))
            }
        };
        Ok(Self {
            address,
            handle,
            task,
        })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more connections, answers what came in, and closes.
    pub async fn stop(self) {
        self.handle.graceful_shutdown(Some(GRACE));
        match self.task.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "the server ended badly"),
            Err(error) => tracing::error!(%error, "the server ended badly"),
        }
    }
}

/// HTTP/1.1 alone, which is what everybody here speaks: while a server waits to see which version it
/// is, no time limit holds, and one connection of HTTP/2 may have hundreds of bodies under way.
fn bound_http(
    builder: &mut hyper_util::server::conn::auto::Builder<hyper_util::rt::TokioExecutor>,
) {
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT);
}

async fn certificate(tls: &Tls) -> Result<RustlsConfig, ServingError> {
    // An error means that a provider is installed already, which is as well.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let config = RustlsConfig::from_pem_file(&tls.certificate_file, &tls.key_file)
        .await
        .map_err(ServingError::Certificate)?;
    let mut inner = ServerConfig::clone(&config.get_inner());
    inner.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(RustlsConfig::from_config(Arc::new(inner)))
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;

    use super::*;

    async fn serving() -> Serving {
        let routes = Router::new().route("/", get(async || "here"));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        Serving::start(routes, listener, address, None)
            .await
            .unwrap()
    }

    /// What comes back for these bytes until the server closes.
    async fn answered(serving: &Serving, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(serving.address()).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    #[tokio::test]
    async fn http_1_is_spoken_and_nothing_else() {
        let serving = serving().await;
        let one = answered(
            &serving,
            b"GET / HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n",
        )
        .await;
        assert!(
            one.starts_with("HTTP/1.1 200 OK") && one.ends_with("here"),
            "{one}"
        );
        let two = answered(&serving, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
        assert!(two.is_empty() || two.starts_with("HTTP/1.1 4"), "{two}");
        serving.stop().await;
    }

    /// The clock runs ahead while nothing else happens.
    #[tokio::test(start_paused = true)]
    async fn whoever_says_nothing_is_not_waited_for() {
        let serving = serving().await;
        for begun in [&b""[..], b"P", b"GET / HTTP/1.1\r\nhos"] {
            let answer = answered(&serving, begun).await;
            assert!(!answer.contains("200 OK"), "{answer}");
        }
        serving.stop().await;
    }
}
