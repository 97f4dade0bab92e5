//! What the platform asks of the hospital and tells it.

use std::sync::Arc;

use banyan_protocol::catalogue::Interface;
use banyan_store::on_both_engines;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::Mutex;

use super::place::{EdgeAt, ORG_ID, platform, row};
use crate::telling::Story;

/// A HIS that answers how debts stand, as it is told to.
struct His {
    url: String,
    answer: Arc<Mutex<(u16, String)>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl His {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/settlement", listener.local_addr().unwrap());
        let answer = Arc::new(Mutex::new((200, r#"{"state":"0"}"#.to_owned())));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (says, hears) = (Arc::clone(&answer), Arc::clone(&asked));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut text = vec![0; 4096];
                let length = stream.read(&mut text).await.unwrap_or(0);
                hears
                    .lock()
                    .await
                    .push(String::from_utf8_lossy(&text[..length]).into_owned());
                let (status, body) = says.lock().await.clone();
                let reply = format!(
                    "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                    body.len()
                );
                let _ = stream.write_all(reply.as_bytes()).await;
            }
        });
        Self { url, answer, asked }
    }

    async fn says(&self, status: u16, body: &str) {
        *self.answer.lock().await = (status, body.to_owned());
    }
}

/// The platform's own call to the edge, by the hospital's secret.
async fn ask(edge: &EdgeAt, interface: Interface, business: &Value) -> (String, Value) {
    let mut voice = edge.voice.clone();
    voice.platform = edge.server().address();
    let heard = voice.say(interface, business).await;
    (heard.code, heard.business)
}

on_both_engines! {
    async fn the_ledger_answers_for_the_his(db: &TestDb) {
        let story = Story::begin(db).await;
        let edge = EdgeAt::begin(&story).await;
        edge.report(&[row("T1", None, "1.00")], true).await;
        edge.settle(&story).await;
        let question = |trace: &str| json!({ "orgId": ORG_ID, "orgTraceId": trace, "traceId": "1" });
        assert_eq!(ask(&edge, Interface::Org001, &question("T1")).await, ("000000".to_owned(), json!({ "state": "0" })));
        edge.post("/v1/overdue/settle", &json!({ "items": [{ "orgTraceId": "T1" }] })).await;
        assert_eq!(ask(&edge, Interface::Org001, &question("T1")).await.1, json!({ "state": "1" }));
        assert_eq!(ask(&edge, Interface::Org001, &question("T9")).await.0, "000105");
        let mut other = question("T1");
        other["orgId"] = "H35019900001".into();
        assert_eq!(ask(&edge, Interface::Org001, &other).await.0, "000105");
        edge.stopped().await;
        story.end().await;
    }

    async fn a_his_that_can_be_asked_has_the_word(db: &TestDb) {
        let story = Story::begin(db).await;
        let his = His::start().await;
        let edge = EdgeAt::begin_with(&story, &platform(&story), |settings| {
            settings.his.settlement_url = Some(his.url.clone());
            settings.his.settlement_key = Some(banyan_edge::settings::Hidden("his-key".to_owned()));
        }).await;
        edge.report(&[row("T1", None, "1.00"), row("T2", None, "2.00")], true).await;
        edge.settle(&story).await;
        let question = |trace: &str| json!({ "orgId": ORG_ID, "orgTraceId": trace, "traceId": "1" });
        his.says(200, r#"{"state":1}"#).await;
        assert_eq!(ask(&edge, Interface::Org001, &question("T1")).await.1, json!({ "state": "1" }));
        let heard = his.asked.lock().await.join("\n");
        assert!(heard.contains("Bearer his-key") && heard.contains(r#"{"orgTraceId":"T1"}"#), "{heard}");
        assert_eq!(edge.item("T1").await["state"], "1", "the ledger learned it");
        edge.settle(&story).await;
        assert_eq!(edge.item("T1").await["platformState"], "1", "and says so, for the answer may be lost");
        // It forgot: the ledger remembers. It fails: no answer is better than a wrong one.
        his.says(404, "").await;
        assert_eq!(ask(&edge, Interface::Org001, &question("T2")).await.1, json!({ "state": "0" }));
        for (status, body) in [(500, ""), (200, "<html>"), (200, r#"{"state":"7"}"#)] {
            his.says(status, body).await;
            assert_eq!(ask(&edge, Interface::Org001, &question("T2")).await.0, "-3", "{status} {body}");
            assert_eq!(edge.light("his").await.0, "bad");
        }
        his.says(200, r#"{"state":"0"}"#).await;
        assert_eq!(ask(&edge, Interface::Org001, &question("T2")).await.1, json!({ "state": "0" }));
        assert_eq!(edge.light("his").await.0, "good");
        edge.stopped().await;
        story.end().await;
    }

    async fn a_notice_counts_once_and_is_kept(db: &TestDb) {
        let story = Story::begin(db).await;
        let edge = EdgeAt::begin(&story).await;
        edge.report(&[row("T1", None, "1.00")], true).await;
        edge.server().settle().await.unwrap();
        let number = edge.item("T1").await;
        assert_eq!(number["stage"], "reporting");
        let notice = json!({
            "orgId": ORG_ID, "orgName": "榕树医院", "notifyType": "REPORT",
            "reportResultList": [{ "idNo": "", "userName": "", "itemList": [{ "orgTraceId": "T1", "traceId": "77", "state": "0" }] }],
            "updateResultList": [], "extData": { "notifyId": "n1" },
        });
        for _ in 0..3 {
            assert_eq!(ask(&edge, Interface::Org002, &notice).await, ("000000".to_owned(), json!({ "state": "success" })));
        }
        let kept = edge.get("/v1/notices").await.data;
        assert_eq!(kept["items"].as_array().unwrap().len(), 1);
        assert_eq!(kept["items"][0]["content"]["extData"]["notifyId"], "n1");
        assert_eq!(edge.item("T1").await["traceId"], "77");
        // A batch that the edge never sent is acknowledged all the same: its sender may be the HIS.
        let mut foreign = notice.clone();
        foreign["extData"] = json!({ "notifyId": "n2", "orgRequestId": "somebody-else" });
        foreign["reportResultList"][0]["itemList"][0]["orgTraceId"] = "unheard-of".into();
        assert_eq!(ask(&edge, Interface::Org002, &foreign).await.0, "000000");
        // Nobody without the secret is heard.
        let mut forger = edge.voice.clone();
        forger.secret.push('x');
        forger.platform = edge.server().address();
        let heard = forger.say(Interface::Org002, &foreign).await;
        assert_eq!(heard.code, "000102");
        edge.stopped().await;
        story.end().await;
    }
}
