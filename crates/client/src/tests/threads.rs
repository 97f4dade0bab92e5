//! The blocking client, in threads without a runtime.

use banyan_protocol::ambient::SeededRandomness;
use tokio::runtime::Runtime;

use super::*;
use crate::blocking::Client;
use crate::{Retry, RetryPolicy};

fn blocking() -> Client {
    Client::new(&settings()).unwrap()
}

#[test]
fn the_same_calls_without_async() {
    let elsewhere = Runtime::new().unwrap();
    let server = elsewhere.block_on(Server::answering(|_| (200, settled())));
    let client = blocking();
    let (url, guard) = (server.url("/"), listed("loopback"));
    for _ in 0..10 {
        let answer = client.call(&url, &guard, &credentials(), &clock(), QUESTION);
        assert_eq!(answer, Ok(Answer::Done(r#"{"state":"1"}"#.to_owned())));
    }
    let reply: Result<SettlementReply, _> =
        client.call_typed(&url, &guard, &credentials(), &clock(), &question());
    assert!(reply.is_ok());
    let retry = Retry {
        policy: &RetryPolicy::default(),
        randomness: &SeededRandomness::new(1),
    };
    let answer = client.call_with_retry(&url, &guard, &credentials(), &clock(), retry, QUESTION);
    assert!(answer.is_ok());
    assert_eq!(client.post(&url, "{}".into(), &guard).unwrap().status, 200);
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_connection_that_was_closed_between_calls_is_not_used() {
    let elsewhere = Runtime::new().unwrap();
    let server = elsewhere.block_on(super::pool::forgetful());
    let client = blocking();
    for calls in 1..=5 {
        let (url, guard) = (server.url("/"), listed("loopback"));
        client
            .call(&url, &guard, &credentials(), &clock(), QUESTION)
            .unwrap();
        assert_eq!(server.connections(), calls);
        // Nothing drives the client's runtime meanwhile.
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn threads_share_a_client() {
    let elsewhere = Runtime::new().unwrap();
    let server = elsewhere.block_on(Server::answering(|_| (200, settled())));
    let client = blocking();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..20 {
                    let (url, guard) = (server.url("/"), listed("loopback"));
                    client.post(&url, "{}".into(), &guard).unwrap();
                }
            });
        }
    });
    assert_eq!(server.seen().len(), 80);
}
