//! A listener that serves a router until it is stopped.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::time::Duration;

use axum::Router;
use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use hyper_util::rt::TokioTimer;
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
                tokio::spawn(server.serve(routes))
            }
            Some(tls) => {
                let config = certificate(tls).await?;
                let mut server = axum_server::from_tcp_rustls(listener, config)
                    .map_err(failed)?
                    .handle(handle.clone());
                bound_http(server.http_builder());
                tokio::spawn(server.serve(routes))
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
    RustlsConfig::from_pem_file(&tls.certificate_file, &tls.key_file)
        .await
        .map_err(ServingError::Certificate)
}
