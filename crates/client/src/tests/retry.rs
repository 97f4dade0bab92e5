//! What may pass is tried again, boundedly; what stays is not.

use std::sync::atomic::{AtomicUsize, Ordering};

use banyan_protocol::ambient::{Clock, Randomness, SeededRandomness};
use tokio::time::Instant;

use super::*;
use crate::{Retry, RetryPolicy, call_typed_with_retry, call_with_retry};

const POLICY: RetryPolicy = RetryPolicy {
    attempts: 5,
    first_delay: Duration::from_millis(100),
    factor: 3,
    max_delay: Duration::from_millis(500),
    jitter: 0.0,
};

/// A clock that never shows the same time twice.
#[derive(Debug)]
struct Ticking(ManualClock);

impl Clock for Ticking {
    fn now_ms(&self) -> i64 {
        self.0.advance_ms(1);
        self.0.now_ms()
    }
}

async fn ask_again(server: &Server, attempts: u32) -> Result<Answer, CallFault> {
    let policy = RetryPolicy {
        attempts,
        first_delay: Duration::from_millis(1),
        ..POLICY
    };
    let retry = Retry {
        policy: &policy,
        randomness: &SeededRandomness::new(1),
    };
    let url = server.url("/");
    let clock = Ticking(clock());
    let guard = listed("loopback");
    call_with_retry(
        &client(),
        &url,
        &guard,
        &credentials(),
        &clock,
        retry,
        QUESTION,
    )
    .await
}

/// Gives these answers in turn, then settles.
async fn saying_first(answers: &[(u16, String)]) -> Server {
    let answers = answers.to_vec();
    let place = AtomicUsize::new(0);
    Server::answering(move |_| {
        let answer = answers.get(place.fetch_add(1, Ordering::SeqCst)).cloned();
        answer.unwrap_or_else(|| (200, settled()))
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn waits_grow_up_to_their_limit_and_attempts_end() {
    // A name without addresses fails without a socket, so that only waiting takes time.
    let http = client();
    http.resolver().pretend("his.example.cn", &[]);
    let url = url::Url::parse("http://his.example.cn/").unwrap();
    let guard = listed("his.example.cn");
    for (attempts, waited_ms) in [(0, 0), (1, 0), (2, 100), (3, 400), (4, 900), (5, 1400)] {
        let retry = Retry {
            policy: &RetryPolicy { attempts, ..POLICY },
            randomness: &SeededRandomness::new(1),
        };
        let begun = Instant::now();
        let outcome = call_with_retry(
            &http,
            &url,
            &guard,
            &credentials(),
            &clock(),
            retry,
            QUESTION,
        )
        .await;
        assert_eq!(outcome.unwrap_err().kind(), "connect");
        // Tokio's timer counts whole milliseconds and may round each wait up by one.
        let waited = begun.elapsed().as_millis();
        assert!(
            (waited_ms..=waited_ms + 5).contains(&waited),
            "{attempts}: {waited}"
        );
    }
}

#[tokio::test]
async fn what_passes_is_tried_again_and_sealed_anew() {
    let server = saying_first(&[
        (503, "<html>".to_owned()),
        (200, sealed_answer(ResultCode::RateLimited, "限流", None)),
        (200, "<html>".to_owned()),
    ])
    .await;
    let answer = ask_again(&server, 5).await;
    assert_eq!(answer, Ok(Answer::Done(r#"{"state":"1"}"#.to_owned())));
    let seen = server.seen();
    assert_eq!(seen.len(), 4);
    for (place, request) in seen.iter().enumerate() {
        assert_eq!(opened(&request.body), QUESTION);
        assert!(
            seen.iter()
                .skip(place + 1)
                .all(|other| other.body != request.body)
        );
    }
}

#[tokio::test]
async fn the_last_outcome_is_the_outcome() {
    let limited = (200, sealed_answer(ResultCode::RateLimited, "限流", None));
    let server = saying_first(&vec![limited; 9]).await;
    let answer = ask_again(&server, 3).await;
    assert!(matches!(answer, Ok(Answer::Refused { code, .. }) if code == "-6"));
    assert_eq!(server.seen().len(), 3);
}

#[tokio::test]
async fn what_stays_is_not_tried_again() {
    for stays in [
        (200, sealed_answer(ResultCode::BadParameter, "orgId", None)),
        (404, "<html>".to_owned()),
        (302, String::new()),
        (200, settled().replace("成功", "失败")),
    ] {
        let server = saying_first(std::slice::from_ref(&stays)).await;
        let outcome = ask_again(&server, 5).await;
        assert!(!matches!(outcome, Ok(Answer::Done(_))), "{stays:?}");
        assert_eq!(server.seen().len(), 1, "{stays:?}");
    }
}

#[tokio::test]
async fn messages_are_tried_again_too() {
    let server = saying_first(&[(502, String::new())]).await;
    let policy = RetryPolicy {
        first_delay: Duration::from_millis(1),
        ..POLICY
    };
    let retry = Retry {
        policy: &policy,
        randomness: &SeededRandomness::new(1),
    };
    let (url, guard) = (server.url("/"), listed("loopback"));
    let reply: Result<SettlementReply, _> = call_typed_with_retry(
        &client(),
        &url,
        &guard,
        &credentials(),
        &clock(),
        retry,
        &question(),
    )
    .await;
    assert!(reply.is_ok());
}

#[test]
fn jitter_stays_within_its_share() {
    #[derive(Debug)]
    struct Always(u8);
    impl Randomness for Always {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0);
        }
    }
    let policy = RetryPolicy {
        jitter: 0.2,
        ..POLICY
    };
    let ms =
        |policy: RetryPolicy, failed, byte| policy.delay_after(failed, &Always(byte)).as_millis();
    assert_eq!((ms(policy, 1, 0), ms(policy, 1, 255)), (80, 120));
    assert_eq!((ms(policy, 9, 0), ms(policy, 9, 255)), (400, 500));
    assert_eq!(ms(policy, u32::MAX, 255), 500);
    for jitter in [f64::NAN, -1.0] {
        assert_eq!(ms(RetryPolicy { jitter, ..POLICY }, 1, 255), 100);
    }
    let jitter = f64::INFINITY;
    assert_eq!(ms(RetryPolicy { jitter, ..POLICY }, 1, 0), 0);
    let endless = RetryPolicy {
        max_delay: Duration::MAX,
        first_delay: Duration::MAX,
        ..policy
    };
    assert_eq!(endless.delay_after(2, &Always(255)), Duration::MAX);
}
