//! The server: serves the platform's paths, works, and stops without dropping anything.

use std::net::SocketAddr;

use axum::Router;
use banyan_web::{Serving, ServingError};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::router;
use crate::app::App;
use crate::work::Worker;

/// A platform that serves.
#[derive(Debug)]
pub struct Server {
    app: App,
    serving: Serving,
    working: JoinHandle<()>,
    stop: watch::Sender<bool>,
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
    /// See [`ServingError`].
    pub async fn start(app: App, listener: std::net::TcpListener) -> Result<Self, ServingError> {
        Self::start_with(app, listener, Extras::default()).await
    }

    /// Serves `app` in another way than usual.
    ///
    /// # Errors
    /// See [`ServingError`].
    pub async fn start_with(
        app: App,
        listener: std::net::TcpListener,
        extras: Extras,
    ) -> Result<Self, ServingError> {
        let routes = router(&app, extras.routes);
        let (wanted, tls) = (app.settings.listen, app.settings.tls.as_ref());
        let serving = Serving::start(routes, listener, wanted, tls).await?;
        let (stop, stopped) = watch::channel(false);
        let worker = Worker::new(app.clone());
        let working = tokio::spawn(async move {
            if extras.worker {
                worker.run(stopped).await;
            }
        });
        Ok(Self {
            app,
            serving,
            working,
            stop,
        })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.serving.address()
    }

    /// The platform that it serves.
    #[must_use]
    pub const fn app(&self) -> &App {
        &self.app
    }

    /// Answers what came in, finishes what is under way, and closes.
    pub async fn stop(self) {
        self.serving.stop().await;
        self.stop.send_replace(true);
        if let Err(error) = self.working.await {
            tracing::error!(%error, "the worker ended badly");
        }
        self.app.close().await;
    }
}
