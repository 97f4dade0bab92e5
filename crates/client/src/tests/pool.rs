//! Connections are kept, and never taken for living when they are dead.

use tokio::io::AsyncWriteExt as _;

use super::server::read_request;
use super::*;

#[tokio::test]
async fn a_hundred_calls_share_a_connection() {
    let server = Server::answering(|_| (200, settled())).await;
    let http = client();
    for _ in 0..100 {
        ask(&http, &server).await.unwrap();
    }
    assert_eq!(server.connections(), 1);
    let by_name = url::Url::parse(&format!("http://localhost:{}/", server.address.port())).unwrap();
    let guard = listed("loopback");
    for _ in 0..100 {
        let post = http.post(&by_name, "{}".into(), &guard).await;
        assert_eq!(post.unwrap().status, 200);
    }
    assert_eq!(
        server.connections(),
        2,
        "another host is another connection"
    );
}

#[tokio::test]
async fn calls_at_the_same_time_have_connections_of_their_own() {
    let server = Server::answering(|_| (200, settled())).await;
    let http = client();
    let calls = (0..16).map(|_| {
        let (http, url) = (http.clone(), server.url("/"));
        tokio::spawn(async move { http.post(&url, "{}".into(), &HostGuard::Anywhere).await })
    });
    for call in calls.collect::<Vec<_>>() {
        assert_eq!(call.await.unwrap().unwrap().status, 200);
    }
    assert!((1..=16).contains(&server.connections()));
}

/// Answers one request on each connection, then closes it without having said so, a little later
/// so that the connection is back in the pool by then.
pub(super) async fn forgetful() -> Server {
    Server::raw(|mut stream| async move {
        read_request(&mut stream).await;
        let body = settled();
        let reply = format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(reply.as_bytes()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(5)).await;
    })
    .await
}

#[tokio::test]
async fn a_connection_that_the_server_closed_is_not_used_again() {
    let server = forgetful().await;
    let http = client();
    for calls in 1..=5 {
        ask(&http, &server).await.unwrap();
        assert_eq!(server.connections(), calls);
        // Long enough for the server's goodbye to cross the loopback.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
