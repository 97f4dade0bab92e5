//! Servers of the tests.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use url::Url;

/// A request as the server saw it.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) line: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// A server on a loopback port of its own; it ends with the test's runtime.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) address: SocketAddr,
    connections: Arc<AtomicUsize>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    /// Answers each request with what the closure makes of it.
    pub(super) async fn answering(
        answer: impl Fn(&Seen) -> (u16, String) + Send + Sync + 'static,
    ) -> Self {
        Self::start(None, Arc::new(answer)).await
    }

    /// The same over TLS.
    pub(super) async fn answering_tls(
        tls: TlsAcceptor,
        answer: impl Fn(&Seen) -> (u16, String) + Send + Sync + 'static,
    ) -> Self {
        Self::start(Some(tls), Arc::new(answer)).await
    }

    /// Hands each connection to the closure.
    pub(super) async fn raw<F: Future<Output = ()> + Send>(
        talk: impl Fn(TcpStream) -> F + Clone + Send + Sync + 'static,
    ) -> Self {
        let (server, listener) = Self::bound().await;
        let connections = Arc::clone(&server.connections);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                connections.fetch_add(1, Ordering::SeqCst);
                let talk = talk.clone();
                tokio::spawn(async move { talk(stream).await });
            }
        });
        server
    }

    /// Says these bytes after each request, then closes.
    pub(super) async fn saying(reply: &'static [u8]) -> Self {
        Self::raw(move |mut stream| async move {
            read_request(&mut stream).await;
            // A client that has had enough may be gone already.
            let _ = stream.write_all(reply).await;
            let _ = stream.shutdown().await;
        })
        .await
    }

    pub(super) fn url(&self, path: &str) -> Url {
        Url::parse(&format!("http://{}{path}", self.address)).unwrap()
    }

    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    async fn bound() -> (Self, TcpListener) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            address: listener.local_addr().unwrap(),
            connections: Arc::default(),
            seen: Arc::default(),
        };
        (server, listener)
    }

    async fn start(tls: Option<TlsAcceptor>, answer: Arc<Answering>) -> Self {
        let (server, listener) = Self::bound().await;
        let connections = Arc::clone(&server.connections);
        let seen = Arc::clone(&server.seen);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                connections.fetch_add(1, Ordering::SeqCst);
                let (tls, answer, seen) = (tls.clone(), Arc::clone(&answer), Arc::clone(&seen));
                tokio::spawn(async move {
                    match tls {
                        // A client that does not trust us breaks the handshake off.
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(stream, answer, seen).await;
                            }
                        }
                        None => serve(stream, answer, seen).await,
                    }
                });
            }
        });
        server
    }
}

type Answering = dyn Fn(&Seen) -> (u16, String) + Send + Sync;

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    answer: Arc<Answering>,
    seen: Arc<Mutex<Vec<Seen>>>,
) {
    let service = service_fn(|request: Request<Incoming>| {
        let (answer, seen) = (Arc::clone(&answer), Arc::clone(&seen));
        async move {
            let (head, body) = request.into_parts();
            let request = Seen {
                line: format!("{} {} {:?}", head.method, head.uri, head.version),
                headers: head.headers,
                body: body.collect().await.unwrap().to_bytes(),
            };
            let (status, text) = answer(&request);
            seen.lock().unwrap().push(request);
            let mut response = Response::new(Full::new(Bytes::from(text)));
            *response.status_mut() = status.try_into().unwrap();
            if status == 302 {
                let elsewhere = hyper::header::HeaderValue::from_static("/elsewhere");
                response.headers_mut().insert("location", elsewhere);
            }
            Ok::<_, Infallible>(response)
        }
    });
    // The client closes when it likes.
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// Reads up to the end of a JSON body.
pub(super) async fn read_request(stream: &mut TcpStream) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = stream.read(&mut buffer).await.unwrap_or(0);
        if read == 0 || buffer.get(read - 1) == Some(&b'}') {
            return;
        }
    }
}
