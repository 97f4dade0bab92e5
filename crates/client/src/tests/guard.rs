//! A call reaches the hosts that its guard permits, and no other: by name, by address, or by a
//! connection that somebody else left open.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::*;
use crate::HostRefused;

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

async fn server() -> Server {
    Server::answering(|_| (200, settled())).await
}

async fn post(
    http: &HttpClient,
    server: &Server,
    host: &str,
    guard: &HostGuard,
) -> Result<u16, CallFault> {
    let url = url::Url::parse(&format!("http://{host}:{}/", server.address.port())).unwrap();
    http.post(&url, "{}".into(), guard)
        .await
        .map(|reply| reply.status)
}

#[tokio::test]
async fn a_listed_name_may_not_stand_for_this_machine() {
    let server = server().await;
    let http = client();
    let refused = post(&http, &server, "localhost", &listed("localhost")).await;
    assert!(
        matches!(
            refused,
            Err(CallFault::Forbidden(HostRefused::SpecialAddress { .. }))
        ),
        "{refused:?}"
    );
    assert_eq!(server.connections(), 0);
    for entries in ["loopback", "localhost 127.0.0.0/8 ::1"] {
        assert_eq!(
            post(&http, &server, "localhost", &listed(entries)).await,
            Ok(200)
        );
    }
}

#[tokio::test]
async fn an_open_connection_serves_only_those_who_could_have_opened_it() {
    let server = server().await;
    let http = client();
    assert_eq!(
        post(&http, &server, "localhost", &listed("loopback")).await,
        Ok(200)
    );
    assert_eq!(
        post(&http, &server, "127.0.0.1", &listed("loopback")).await,
        Ok(200)
    );
    let open = server.connections();
    for (host, entries) in [
        ("localhost", "localhost"),
        ("localhost", "his.example.cn"),
        ("127.0.0.1", "localhost"),
        ("127.0.0.1", "127.0.0.1:1"),
        ("127.0.0.1", ""),
    ] {
        let refused = post(&http, &server, host, &listed(entries)).await;
        assert!(
            matches!(refused, Err(CallFault::Forbidden(_))),
            "{host} {entries}"
        );
    }
    assert_eq!((server.connections(), server.seen().len()), (open, 2));
}

#[tokio::test]
async fn a_name_that_is_pointed_elsewhere_is_refused_though_its_connection_is_open() {
    let server = server().await;
    let http = client();
    let guard = listed("his.example.cn 127.0.0.1");
    http.resolver().pretend("his.example.cn", &[HERE]);
    assert_eq!(
        post(&http, &server, "his.example.cn", &guard).await,
        Ok(200)
    );
    http.resolver()
        .pretend("his.example.cn", &[Ipv4Addr::new(127, 0, 0, 2).into()]);
    let refused = post(&http, &server, "his.example.cn", &guard).await;
    assert!(
        matches!(refused, Err(CallFault::Forbidden(_))),
        "{refused:?}"
    );
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_name_that_moved_is_followed_at_once() {
    let server = server().await;
    let http = client();
    let guard = listed("his.example.cn loopback");
    http.resolver().pretend("his.example.cn", &[HERE]);
    assert_eq!(
        post(&http, &server, "his.example.cn", &guard).await,
        Ok(200)
    );
    // Nobody listens there, and the connection to the old address must not answer for it.
    let moved = Ipv4Addr::new(127, 0, 0, 2).into();
    http.resolver().pretend("his.example.cn", &[moved]);
    let post = post(&http, &server, "his.example.cn", &guard).await;
    assert_eq!(post.unwrap_err().kind(), "connect");
}

#[tokio::test]
async fn one_forbidden_address_among_many_is_enough() {
    let server = server().await;
    let http = client();
    let guard = listed("his.example.cn 127.0.0.1");
    let metadata = Ipv4Addr::new(169, 254, 169, 254);
    for addresses in [
        [HERE, metadata.into()],
        [metadata.into(), HERE],
        [HERE, metadata.to_ipv6_mapped().into()],
        [HERE, Ipv6Addr::LOCALHOST.into()],
    ] {
        http.resolver().pretend("his.example.cn", &addresses);
        let refused = post(&http, &server, "his.example.cn", &guard).await;
        assert!(
            matches!(refused, Err(CallFault::Forbidden(_))),
            "{addresses:?}"
        );
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn the_connection_goes_to_the_checked_address_under_the_name() {
    let server = server().await;
    let http = client();
    http.resolver().pretend("his.example.cn", &[HERE]);
    let guard = listed("his.example.cn loopback");
    assert_eq!(
        post(&http, &server, "HIS.example.cn", &guard).await,
        Ok(200)
    );
    let host = server.seen()[0].headers.get("host").cloned().unwrap();
    assert_eq!(host, format!("his.example.cn:{}", server.address.port()));
}

#[tokio::test]
async fn a_dead_address_is_passed_over_and_remembered() {
    let server = server().await;
    let http = client();
    // The server listens on 127.0.0.1 alone.
    let dead = Ipv4Addr::new(127, 0, 0, 2).into();
    http.resolver().pretend("his.example.cn", &[dead, HERE]);
    let guard = listed("his.example.cn loopback");
    for _ in 0..3 {
        assert_eq!(
            post(&http, &server, "his.example.cn", &guard).await,
            Ok(200)
        );
    }
    let resolved = http.resolver().resolve("his.example.cn").await.unwrap();
    assert_eq!(resolved.addresses().collect::<Vec<_>>(), [HERE, dead]);
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn whoever_may_not_be_called_is_not_even_looked_up() {
    let http = client();
    let url = url::Url::parse("http://nobody.invalid/").unwrap();
    let post = http
        .post(&url, "{}".into(), &listed("his.example.cn"))
        .await;
    assert!(matches!(
        post,
        Err(CallFault::Forbidden(HostRefused::NotListed { .. }))
    ));
    let post = http.post(&url, "{}".into(), &HostGuard::Anywhere).await;
    assert_eq!(post.unwrap_err().kind(), "connect");
}

#[tokio::test]
async fn user_info_is_never_sent() {
    let server = server().await;
    let refused = post(
        &client(),
        &server,
        "user:word@127.0.0.1",
        &HostGuard::Anywhere,
    )
    .await;
    assert_eq!(
        refused,
        Err(CallFault::Forbidden(HostRefused::NotWebAddress))
    );
}
