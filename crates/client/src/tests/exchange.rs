//! What is sealed arrives, and what is answered opens.

use banyan_protocol::dictionaries::ItemState;
use banyan_protocol::envelope::{EnvelopeFault, ReplyFault};

use super::*;

#[tokio::test]
async fn a_sealed_call_brings_the_sealed_answer() {
    let server = Server::answering(|_| (200, settled())).await;
    let reply = ask_typed(&client(), &server).await.unwrap();
    assert_eq!(reply.state, ItemState::from_code("1").unwrap());

    let seen = &server.seen()[0];
    assert_eq!(seen.line, "POST /qmdl/getOverdueResult HTTP/1.1");
    let header = |name: &str| seen.headers.get(name).unwrap().to_str().unwrap();
    assert_eq!(header("host"), server.address.to_string());
    assert_eq!(header("content-type"), "application/json; charset=utf-8");
    assert_eq!(header("x-api-sign-version"), "2.0.0");
    assert!(!seen.headers.contains_key("authorization"));
    assert_eq!(opened(&seen.body), QUESTION);
    let envelope = Envelope::parse(&seen.body).unwrap();
    assert_eq!(envelope.get("appId"), Some("province"));
    assert_eq!(envelope.get("timestamp"), Some(&*NOW_MS.to_string()));
}

#[tokio::test]
async fn the_query_of_an_address_is_kept() {
    let server = Server::answering(|_| (200, settled())).await;
    let url = server.url("/a%20b/c?d=e&f=%E4%B8%AD#fragment");
    let guard = HostGuard::Anywhere;
    call(&client(), &url, &guard, &credentials(), &clock(), QUESTION)
        .await
        .unwrap();
    assert_eq!(
        server.seen()[0].line,
        "POST /a%20b/c?d=e&f=%E4%B8%AD HTTP/1.1"
    );
}

#[tokio::test]
async fn plain_and_bare_answers_are_taken_from_whom_we_said() {
    let plain = r#"{"param":{"state":"1"},"respMsg":"成功","signType":"plain","version":"1.0.0","encryptType":"plain","respCode":"000000"}"#;
    for answer in [plain, r#"{"state":"1"}"#] {
        let server = Server::answering(move |_| (200, answer.to_owned())).await;
        let lenient = Credentials {
            accepted: AcceptedReplies {
                plain_and_bare: true,
            },
            manner: Manner::PLAIN,
            ..credentials()
        };
        let taken = ask_as(&client(), &server, &lenient).await;
        assert_eq!(taken, Ok(Answer::Done(r#"{"state":"1"}"#.to_owned())));
        let sent = String::from_utf8(server.seen()[0].body.to_vec()).unwrap();
        assert!(sent.contains(r#""data":{"orgId":"H35000000001""#), "{sent}");

        let refused = ask(&client(), &server).await;
        assert!(
            matches!(refused, Err(CallFault::NotOpened(_))),
            "{refused:?}"
        );
    }
}

#[tokio::test]
async fn an_answer_with_a_wrong_signature_is_not_taken() {
    let server = Server::answering(|_| (200, settled().replace("成功", "失败"))).await;
    let fault = ask(&client(), &server).await.unwrap_err();
    let wrong = ReplyFault::NotOpened(EnvelopeFault::BadSignature);
    assert_eq!(fault, CallFault::NotOpened(wrong));
    assert!(!fault.is_retryable());
    assert_eq!(fault.to_string(), "the answer's signature is wrong");
}

#[tokio::test]
async fn a_refusal_is_one_whatever_the_status() {
    for status in [200, 404, 429, 503] {
        let server = Server::answering(move |_| {
            (
                status,
                sealed_answer(ResultCode::BadParameter, "orgId：不可缺少", None),
            )
        })
        .await;
        let expected = ("000105".to_owned(), "orgId：不可缺少".to_owned());
        let (code, message) = expected.clone();
        let answer = ask(&client(), &server).await;
        assert_eq!(answer, Ok(Answer::Refused { code, message }));
        let (code, message) = expected;
        let fault = ask_typed(&client(), &server).await.unwrap_err();
        assert_eq!(fault, CallFault::Refused { code, message });
        assert_eq!(fault.to_string(), r#"refused with code "000105""#);
    }
}

#[tokio::test]
async fn a_success_under_an_error_status_is_no_success() {
    let server = Server::answering(|_| (500, settled())).await;
    let fault = ask(&client(), &server).await.unwrap_err();
    assert_eq!(fault, CallFault::Status { status: 500 });
}

#[tokio::test]
async fn what_is_no_envelope_says_so() {
    let page = "<html><body>502 Bad Gateway</body></html>";
    let server = Server::answering(move |_| (500, page.to_owned())).await;
    let fault = ask(&client(), &server).await.unwrap_err();
    assert_eq!(fault, CallFault::Status { status: 500 });

    for garbage in [page, "", "[]", "null", "{\"a\":"] {
        let server = Server::answering(move |_| (200, garbage.to_owned())).await;
        let fault = ask(&client(), &server).await.unwrap_err();
        assert!(
            matches!(fault, CallFault::NotOpened(ReplyFault::NoEnvelope(_))),
            "{fault:?}"
        );
        assert!(fault.is_retryable());
    }
}

#[tokio::test]
async fn a_reply_of_another_shape_says_where() {
    let server = Server::answering(|_| {
        let other = Some(r#"{"state":"7"}"#);
        (200, sealed_answer(ResultCode::Success, "成功", other))
    })
    .await;
    let fault = ask_typed(&client(), &server).await.unwrap_err();
    assert_eq!(fault.kind(), "bad_reply");
    assert!(fault.to_string().ends_with(" at state"), "{fault}");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let server = Server::answering(|_| (302, settled())).await;
    let fault = ask(&client(), &server).await.unwrap_err();
    assert_eq!(fault, CallFault::Status { status: 302 });
    assert_eq!(server.seen().len(), 1);
}

#[test]
fn credentials_show_no_secret() {
    let shown = format!("{:?}", credentials());
    assert_eq!(shown, r#"Credentials { app_id: "province", .. }"#);
}

#[test]
fn calls_can_be_spawned() {
    fn assert_send<T: Send>(_: &T) {}
    let http = client();
    let url = url::Url::parse("http://his.example.cn/").unwrap();
    let (guard, credentials, clock) = (HostGuard::Anywhere, credentials(), clock());
    assert_send(&call(&http, &url, &guard, &credentials, &clock, QUESTION));
    let question = question();
    let typed =
        call_typed::<_, SettlementReply>(&http, &url, &guard, &credentials, &clock, &question);
    assert_send(&typed);
    let retry = crate::Retry {
        policy: &crate::RetryPolicy::default(),
        randomness: &banyan_protocol::ambient::SeededRandomness::new(1),
    };
    let again = crate::call_with_retry(&http, &url, &guard, &credentials, &clock, retry, QUESTION);
    assert_send(&again);
}
