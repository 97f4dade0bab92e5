//! A debt's life: reported, judged, seen at every register window, settled or revoked.

use std::sync::{Arc, Mutex};

use banyan_protocol::catalogue::Interface;
use banyan_protocol::dictionaries::NotifyType;
use banyan_store::on_both_engines;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::partners_voice::{RawReply, Voice};
use crate::telling::{Story, ext, item, items_of, person, query, report, told_of, until_number};

on_both_engines! {
    async fn it_is_seen_everywhere_until_it_is_settled(db: &TestDb) {
        let story = Story::begin(db).await;
        let (here, elsewhere) = (story.hospital(0), story.voice(1));
        let citizen = &story.citizens[0];
        let ask = || async { elsewhere.say(Interface::OrgMdl002, &query(citizen)).await.done() };

        let number = here.owe(Some(citizen), story.debt("诊查费", 1_250));
        here.report(&[&number]).await.unwrap();
        let batch = here.entry(&number).unwrap().org_request_id.unwrap();
        assert_eq!(ask().await["next"], "1", "nothing is decided while the hospital waits");
        assert_eq!(story.number("SELECT COUNT(*) FROM overdue_batch WHERE state = 0").await, 1);

        story.settle().await;
        let told = told_of(here, &batch);
        assert_eq!(told.len(), 1);
        let notice = &told[0].request;
        assert_eq!((notice.orgId.as_str(), notice.notifyType), (here.org_id(), NotifyType::Report));
        assert!(!ext(&told[0], "notifyId").as_str().unwrap().is_empty());
        assert_eq!(ext(&told[0], "errors"), json!(null));
        let row = &notice.reportResultList[0];
        assert_eq!(row.idNo.0.as_ref().unwrap().expose().as_str(), citizen.id_no);
        assert!(notice.updateResultList.is_empty());
        let [(told_number, trace_id, state)] = &items_of(&told[0])[..] else { panic!() };
        assert_eq!((told_number, &**state), (&number, "0"));
        assert!(!trace_id.is_empty());

        let debts = ask().await;
        assert_eq!(debts["next"], "0");
        let debt = &debts["itemList"][0];
        assert_eq!(
            (&debt["amount"], &debt["orgId"], &debt["state"], &debt["itemName"]),
            (&json!("12.50"), &json!(here.org_id()), &json!("0"), &json!("诊查费"))
        );
        assert!(debt["actualTime"].as_str().unwrap().starts_with("2026-03-01 "));
        assert_eq!(
            story.number("SELECT COUNT(*) FROM overdue_batch WHERE state = 1 AND content IS NULL").await,
            1,
            "the message has done its duty"
        );

        here.pay(&number).await.unwrap();
        assert_eq!(ask().await["next"], "0", "an update is judged like a report");
        story.settle().await;
        let update = here.entry(&number).unwrap().org_request_id.unwrap();
        let told = told_of(here, &update);
        assert_eq!(told[0].request.notifyType, NotifyType::Update);
        assert!(told[0].request.reportResultList.is_empty());
        assert_eq!(items_of(&told[0]), [(number.clone(), trace_id.clone(), "1".to_owned())]);
        let debts = ask().await;
        assert_eq!((&debts["next"], &debts["itemList"]), (&json!("1"), &json!([])));

        assert_eq!(story.number("SELECT COUNT(*) FROM overdue_item WHERE state = 1").await, 1);
        assert_eq!(
            story.number("SELECT COUNT(*) FROM overdue_change WHERE cause = 'update' AND from_state = 0 AND to_state = 1").await,
            1
        );
        until_number(
            &story.app.db,
            "SELECT COUNT(*) FROM journal WHERE interface = 'ORG_MDL_002' AND person IS NOT NULL AND purpose = '01101'",
            4,
        )
        .await;
        assert_eq!(
            story.number("SELECT COUNT(*) FROM journal WHERE interface = 'ORG_002' AND direction = 1 AND result = 'success'").await,
            2
        );
        story.end().await;
    }

    async fn it_keeps_its_number_when_it_is_reported_anew(db: &TestDb) {
        let story = Story::begin(db).await;
        let hospital = story.hospital(0);
        let citizen = &story.citizens[1];
        let (number, trace_id) = story.owe(0, Some(citizen), 300).await;
        hospital.revoke(&number).await.unwrap();
        story.settle().await;
        let reply = story.hospital(1).query(citizen, false).await.unwrap();
        assert_eq!(reply.next.code(), "1");

        // The mistake was in the amount.
        let voice = story.voice(0);
        let anew = report(hospital, "anew", person(citizen), &[item(&number, "4")]);
        voice.say(Interface::OrgMdl001, &anew).await.done();
        story.settle().await;
        let told = told_of(hospital, "anew");
        assert_eq!(items_of(&told[0]), [(number, trace_id, "0".to_owned())]);
        let reply = story.hospital(1).query(citizen, false).await.unwrap();
        assert_eq!((reply.next.code(), reply.itemList[0].amount.fen()), ("0", 400));
        assert_eq!(story.number("SELECT COUNT(*) FROM overdue_item").await, 1);
        assert_eq!(
            story.number("SELECT COUNT(*) FROM overdue_change WHERE cause = 'reported_anew' AND from_state = 2 AND to_state = 0").await,
            1
        );
        story.end().await;
    }

    async fn its_notice_is_sealed_by_the_guide_s_own_rule(db: &TestDb) {
        let story = Story::begin(db).await;
        let (hospital, voice) = (story.hospital(0), story.voice(0));
        let line = Line::tapped().await;
        let mut message = report(hospital, "tapped", person(&story.citizens[2]), &[item("t-1", "0.1")]);
        message["notifyUrl"] = json!(line.url);
        voice.say(Interface::OrgMdl001, &message).await.done();
        story.settle().await;
        let heard = line.heard();
        assert_eq!(heard.len(), 1);
        assert!(heard[0].headers.contains("POST /told"));
        assert_eq!(heard[0].header("x-api-sign-version"), Some("2.0.0"));
        assert_eq!(heard[0].header("content-type"), Some("application/json; charset=utf-8"));
        let notice = hear(&voice, &heard[0]);
        assert_eq!(notice.0["encryptType"], "SM4");
        assert_eq!(notice.0["signType"], "SM3");
        assert!(notice.0.get("data").is_none() && notice.0.get("param").is_none());
        assert_eq!(notice.1["reportResultList"][0]["itemList"][0]["orgTraceId"], "t-1");
        assert_eq!(story.number("SELECT COUNT(*) FROM job WHERE kind = 2 AND state = 1").await, 1);
        story.end().await;
    }
}

/// The envelope and the business JSON of a request, its signature checked.
fn hear(voice: &Voice, request: &RawReply) -> (serde_json::Value, serde_json::Value) {
    let heard = voice.hear(request);
    assert_eq!(heard.signed_as, Some("param"));
    (heard.envelope, heard.business)
}

/// A server that writes down what comes, and acknowledges it with the guide's bare object.
struct Line {
    url: String,
    heard: Arc<Mutex<Vec<RawReply>>>,
}

impl Line {
    async fn tapped() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/told", listener.local_addr().unwrap());
        let heard = Arc::<Mutex<Vec<RawReply>>>::default();
        let writes_down = heard.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut bytes = Vec::new();
                let request = loop {
                    let mut part = [0; 4096];
                    let count = stream.read(&mut part).await.unwrap();
                    bytes.extend_from_slice(&part[..count]);
                    if let Some(request) = whole(&bytes) {
                        break request;
                    }
                };
                writes_down.lock().unwrap().push(request);
                let bare = r#"{"state":"success"}"#;
                let reply = format!(
                    "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{bare}",
                    bare.len()
                );
                stream.write_all(reply.as_bytes()).await.unwrap();
            }
        });
        Self { url, heard }
    }

    fn heard(&self) -> Vec<RawReply> {
        std::mem::take(&mut *self.heard.lock().unwrap())
    }
}

fn whole(bytes: &[u8]) -> Option<RawReply> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let mut request = RawReply {
        status: 0,
        headers: String::from_utf8_lossy(&bytes[..end]).into_owned(),
        body: bytes[end + 4..].to_vec(),
    };
    let length: usize = request.header("content-length")?.parse().ok()?;
    request.body.truncate(length);
    (request.body.len() == length).then_some(request)
}
