//! The server: listens, serves HTTP or HTTPS, works, and stops without dropping anything.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use hyper_util::rt::TokioTimer;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::router;
use crate::app::App;
use crate::settings::Tls;
use crate::work::Worker;

/// Calls under way get this long when the server stops.
const GRACE: Duration = Duration::from_secs(20);
/// A client that takes longer to send its headers is not a client.
const HEADER_TIMEOUT: Duration = Duration::from_secs(15);

/// A platform that serves.
#[derive(Debug)]
pub struct Server {
    app: App,
    address: SocketAddr,
    handle: Handle<SocketAddr>,
    serving: JoinHandle<std::io::Result<()>>,
    working: JoinHandle<()>,
    stop: watch::Sender<bool>,
}

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The address can't be listened on.
    #[error("无法监听 {0}：{1}")]
    Listen(SocketAddr, std::io::Error),
    /// The certificate or its key.
    #[error("证书或私钥文件有误：{0}")]
    Certificate(std::io::Error),
}

/// What a server does beside serving the platform's own paths.
#[derive(Debug, Clone)]
pub struct Extras {
    /// Whether the worker runs by itself; a story may prefer to say when.
    pub worker: bool,
    /// Paths besides: a benchmark's echo.
    pub routes: Router<App>,
}

impl Default for Extras {
    fn default() -> Self {
        Self {
            worker: true,
            routes: Router::new(),
        }
    }
}

impl Server {
    /// Serves `app` on a socket that listens already, so that its port is known beforehand.
    ///
    /// # Errors
    /// See [`ServerError`].
    pub async fn start(app: App, listener: std::net::TcpListener) -> Result<Self, ServerError> {
        Self::start_with(app, listener, Extras::default()).await
    }

    /// Serves `app` in another way than usual.
    ///
    /// # Errors
    /// See [`ServerError`].
    pub async fn start_with(
        app: App,
        listener: std::net::TcpListener,
        extras: Extras,
    ) -> Result<Self, ServerError> {
        let wanted = app.settings.listen;
        let failed = |error| ServerError::Listen(wanted, error);
        listener.set_nonblocking(true).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let handle = Handle::new();
        let routes = router(&app, extras.routes).into_make_service();
        let serving = match &app.settings.tls {
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
        let (stop, stopped) = watch::channel(false);
        let worker = Worker::new(app.clone());
        let working = tokio::spawn(async move {
            if extras.worker {
                worker.run(stopped).await;
            }
        });
        Ok(Self {
            app,
            address,
            handle,
            serving,
            working,
            stop,
        })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The platform that it serves.
    #[must_use]
    pub const fn app(&self) -> &App {
        &self.app
    }

    /// Answers what came in, finishes what is under way, and closes.
    pub async fn stop(self) {
        self.handle.graceful_shutdown(Some(GRACE));
        match self.serving.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "the server ended badly"),
            Err(error) => tracing::error!(%error, "the server ended badly"),
        }
        self.stop.send_replace(true);
        if let Err(error) = self.working.await {
            tracing::error!(%error, "the worker ended badly");
        }
        self.app.close().await;
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

async fn certificate(tls: &Tls) -> Result<RustlsConfig, ServerError> {
    // An error means that a provider is installed already, which is as well.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    RustlsConfig::from_pem_file(&tls.certificate_file, &tls.key_file)
        .await
        .map_err(ServerError::Certificate)
}
