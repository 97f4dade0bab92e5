//! No reply outgrows its limit, no call outlasts its timeout.

use std::time::Instant;

use tokio::io::AsyncWriteExt as _;

use super::server::read_request;
use super::*;
use crate::ConnectFault;

fn small() -> HttpClient {
    HttpClient::new(&HttpSettings {
        max_reply_bytes: 1000,
        ..settings()
    })
    .unwrap()
}

#[tokio::test]
async fn a_reply_may_be_as_long_as_the_limit_and_no_longer() {
    for (length, fits) in [
        (0, true),
        (999, true),
        (1000, true),
        (1001, false),
        (100_000, false),
    ] {
        let server = Server::answering(move |_| (200, "x".repeat(length))).await;
        let reply = small()
            .post(&server.url("/"), "{}".into(), &HostGuard::Anywhere)
            .await;
        match reply {
            Ok(reply) => assert!(fits && reply.body.len() == length),
            Err(fault) => assert!(!fits && fault == CallFault::TooLarge, "{fault:?}"),
        }
    }
}

#[tokio::test]
async fn a_reply_without_a_length_is_bounded_too() {
    let chunks = |count: usize| {
        move |mut stream: tokio::net::TcpStream| async move {
            read_request(&mut stream).await;
            let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
            stream.write_all(head).await.unwrap();
            for _ in 0..count {
                let piece = format!("1f4\r\n{}\r\n", "x".repeat(500));
                if stream.write_all(piece.as_bytes()).await.is_err() {
                    return;
                }
                tokio::task::yield_now().await;
            }
            let _ = stream.write_all(b"0\r\n\r\n").await;
            // Stays open, as a kept-alive connection does.
            std::future::pending::<()>().await;
        }
    };
    let post = async |server: &Server| {
        small()
            .post(&server.url("/"), "{}".into(), &HostGuard::Anywhere)
            .await
    };
    let exact = Server::raw(chunks(2)).await;
    assert_eq!(post(&exact).await.unwrap().body, "x".repeat(1000));
    let endless = Server::raw(chunks(usize::MAX)).await;
    assert_eq!(post(&endless).await, Err(CallFault::TooLarge));

    let until_closed = Server::saying(b"HTTP/1.0 200 OK\r\n\r\n{\"state\":\"1\"}").await;
    assert_eq!(post(&until_closed).await.unwrap().body, r#"{"state":"1"}"#);
}

#[tokio::test]
async fn an_endless_head_is_bounded() {
    let server = Server::raw(|mut stream| async move {
        read_request(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nx: ").await;
        while stream.write_all(&[b'y'; 4096]).await.is_ok() {}
    })
    .await;
    let fault = ask(&client(), &server).await.unwrap_err();
    assert_eq!(fault.kind(), "http", "{fault}");
}

#[tokio::test]
async fn a_server_that_hangs_costs_the_timeout_and_no_more() {
    let hasty = HttpClient::new(&HttpSettings {
        call_timeout: Duration::from_millis(100),
        ..settings()
    })
    .unwrap();
    let silent = Server::raw(|stream| async move {
        let _open = stream;
        std::future::pending::<()>().await;
    })
    .await;
    let half = Server::raw(|mut stream| async move {
        read_request(&mut stream).await;
        let half = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf";
        stream.write_all(half).await.unwrap();
        std::future::pending::<()>().await;
    })
    .await;
    for server in [silent, half] {
        let begun = Instant::now();
        let fault = ask(&hasty, &server).await.unwrap_err();
        assert_eq!(fault, CallFault::Timeout);
        assert!(fault.is_retryable());
        assert!(begun.elapsed() < Duration::from_secs(5));
    }
}

#[tokio::test]
async fn nobody_listening_is_no_connection() {
    let vacant = {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    };
    let url = url::Url::parse(&format!("http://{vacant}/")).unwrap();
    let post = client().post(&url, "{}".into(), &HostGuard::Anywhere).await;
    let fault = post.unwrap_err();
    assert!(
        matches!(&fault, CallFault::Connect(ConnectFault::Unreached { address, .. }) if *address == vacant),
        "{fault:?}"
    );
    assert!(fault.is_retryable());
    assert_eq!(fault.blame(), crate::Blame::Line);
}

#[tokio::test]
async fn what_is_no_http_is_a_broken_exchange() {
    for reply in [
        &b"SSH-2.0-OpenSSH_9.2\r\n"[..],
        b"",
        b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    ] {
        let server = Server::saying(reply).await;
        let fault = ask(&client(), &server).await.unwrap_err();
        assert_eq!(fault.kind(), "http", "{fault}");
        assert!(!fault.to_string().contains("OpenSSH"), "{fault}");
        assert_eq!(server.connections(), 1, "what was sent is not sent again");
    }
}
