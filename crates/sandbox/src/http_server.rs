//! A small HTTP server: a path and a body in, a status and a body out, or the connection closed.
//!
//! It stands on hyper rather than axum because a simulated fault must be able to close a
//! connection without an answer, which no axum handler can, and because a receiver that a
//! benchmark measures against should cost little.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use banyan_protocol::envelope::CONTENT_TYPE;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{self, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use url::Url;

/// A hundred items with every field full make about 100 KB.
const MAX_BODY_BYTES: usize = 2 * 1024 * 1024;
/// Further callers wait in the system's queue.
const MAX_CONNECTIONS: usize = 4096;
/// How long the answers under way may take when the server stops.
const GRACE: Duration = Duration::from_millis(500);

/// Whoever answers.
pub(crate) trait Answering: Send + Sync + 'static {
    /// Answers one request.
    fn answer(&self, path: &str, body: Bytes) -> impl Future<Output = Reply> + Send;
}

/// Whoever takes whole requests, for whom path and body are not enough.
pub(crate) trait Handling: Send + Sync + 'static {
    /// Handles one request.
    fn handle(
        &self,
        request: Request<Incoming>,
    ) -> impl Future<Output = Result<Response<Full<Bytes>>, Closed>> + Send;
}

/// An answer.
pub(crate) enum Reply {
    /// With this HTTP status.
    Http { status: u16, body: String },
    /// A page for people.
    Page(String),
    /// None: the connection ends.
    Close,
}

impl Reply {
    pub(crate) fn ok(body: String) -> Self {
        Self::Http { status: 200, body }
    }
}

/// A server that runs until it is stopped or dropped.
#[derive(Debug)]
pub(crate) struct HttpServer {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl HttpServer {
    pub(crate) async fn start<H: Handling>(
        listen: SocketAddr,
        handling: Arc<H>,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(accept(listener, handling, stopped));
        Ok(Self {
            address,
            stop,
            task: Mutex::new(Some(task)),
        })
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// This server at this path.
    pub(crate) fn url(&self, path: &str) -> Result<Url, url::ParseError> {
        Url::parse(&format!("http://{}{path}", self.address))
    }

    /// Lets the answers under way end, then closes.
    pub(crate) async fn stop(&self) {
        self.stop.send_replace(true);
        let task = self
            .task
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(task) = task {
            // It ends by itself within the grace; a panic in it has been reported already.
            let _ = task.await;
        }
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

async fn accept<H: Handling>(
    listener: TcpListener,
    handling: Arc<H>,
    stopped: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    let mut stopping = std::pin::pin!(stops(stopped.clone()));
    loop {
        let has_room = connections.len() < MAX_CONNECTIONS;
        tokio::select! {
            () = stopping.as_mut() => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept(), if has_room => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(serve(stream, Arc::clone(&handling), stopped.clone()));
                }
                Err(error) => {
                    // Out of file descriptors, mostly: some come back when connections end.
                    tracing::warn!(%error, "a connection was not accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
        }
    }
    drop(listener);
    let all = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(GRACE, all).await.is_err() {
        connections.shutdown().await;
    }
}

async fn serve<H: Handling>(stream: TcpStream, handling: Arc<H>, stopped: watch::Receiver<bool>) {
    // Without it small answers wait for the other side's delayed acknowledgement.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| handling.handle(request));
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        // How a connection ended is the caller's to notice.
        _ = connection.as_mut() => return,
        () = stops(stopped) => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

/// Closes the connection: hyper does so on a service's error.
#[derive(Debug, thiserror::Error)]
#[error("closed without an answer")]
pub(crate) struct Closed;

impl<A: Answering> Handling for A {
    async fn handle(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Closed> {
        let (head, body) = request.into_parts();
        let body = whole(body).await?;
        match self.answer(head.uri.path(), body).await {
            Reply::Close => Err(Closed),
            Reply::Http { status, body } => Ok(response(status, CONTENT_TYPE, body)),
            Reply::Page(html) => Ok(response(200, "text/html; charset=utf-8", html)),
        }
    }
}

/// All of a body, where it is no longer than it may be.
pub(crate) async fn whole(body: Incoming) -> Result<Bytes, Closed> {
    let collected = Limited::new(body, MAX_BODY_BYTES).collect().await;
    collected.map(|body| body.to_bytes()).map_err(|_| Closed)
}

fn response(status: u16, content_type: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// Sleeps until the stop is said, or whoever could say it is gone.
pub(crate) async fn stops(mut stop: watch::Receiver<bool>) {
    // Both ends of the wait mean the same.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Sleeps until the value is what is wanted; for ever where nobody can change it any more.
pub(crate) async fn until<T>(mut value: watch::Receiver<T>, wanted: impl FnMut(&T) -> bool) {
    if value.wait_for(wanted).await.is_err() {
        let never: Infallible = std::future::pending().await;
        match never {}
    }
}
