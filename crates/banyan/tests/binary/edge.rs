//! `banyan edge` as a hospital runs it: killed, on a full disk, badly set up.

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use banyan_client::{HostGuard, HttpClient, HttpSettings};
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::{Mutex, watch};

use crate::disk::{DISK, Filler, on_small_disk};
use crate::eventually;
use crate::partner::Partner;
use crate::place::{Place, Server, banyan};
use crate::process::run;
use crate::random_below;
use crate::stopping::try_get_with;

const ORG_ID: &str = "H35019940009";
const KEY: &str = "the-key-of-the-test";

/// The edge of a hospital, as a service manager starts it.
fn edge(place: &Place, hospital: &Partner, platform: &str, data_dir: &str) -> Command {
    let mut command = banyan(place.path());
    command
        .arg("edge")
        .env("BANYAN_EDGE_LISTEN", "127.0.0.1:0")
        .env("BANYAN_EDGE_PLATFORM_URL", platform)
        .env("BANYAN_EDGE_ORG_ID", ORG_ID)
        .env("BANYAN_EDGE_ORG_NAME", "前置机测试医院")
        .env("BANYAN_EDGE_APP_ID", &hospital.app_id)
        .env("BANYAN_EDGE_SECRET", &hospital.secret)
        .env("BANYAN_EDGE_API_KEYS", format!("[\"{KEY}\"]"))
        .env("BANYAN_EDGE_DATA_DIR", data_dir)
        .env("BANYAN_EDGE_SENDING_AT_ONCE", "true")
        // Its address changes with every start: outcomes are asked for.
        .env("BANYAN_EDGE_SENDING_FOLLOW_UP_AFTER_MS", "500");
    command
}

/// A HIS that is told where its edge is.
#[derive(Clone)]
struct His {
    http: HttpClient,
    edge: watch::Sender<Option<String>>,
}

impl His {
    fn new() -> Self {
        let settings = HttpSettings {
            call_timeout: Duration::from_secs(10),
            ..HttpSettings::default()
        };
        Self {
            http: HttpClient::new(&settings).unwrap(),
            edge: watch::Sender::new(None),
        }
    }

    /// The answer, where there is one at all.
    async fn say(&self, path: &str, body: &Value) -> Option<Value> {
        let edge = self.edge.borrow().clone()?;
        let url = format!("{edge}{path}").parse().unwrap();
        let body = Bytes::from(body.to_string());
        let reply = self
            .http
            .post_with_key(&url, body, Some(KEY), &HostGuard::Anywhere)
            .await
            .ok()?;
        serde_json::from_slice(&reply.body).ok()
    }

    /// Whether it was acknowledged.
    async fn is_taken(&self, path: &str, body: &Value) -> bool {
        let said = self.say(path, body).await;
        said.is_some_and(|said| said["respCode"] == "000000")
    }

    /// How many debts of this prefix the platform keeps, as the edge knows.
    async fn item(&self, org_trace_id: &str) -> Option<Value> {
        let edge = self.edge.borrow().clone()?;
        let path = format!("/v1/overdue/items/{org_trace_id}");
        let key = format!("authorization: Bearer {KEY}\r\n");
        let (status, text) = try_get_with(&edge, &path, &key).await;
        (status == 200).then(|| serde_json::from_str(&text).unwrap())
    }
}

fn debt(org_trace_id: &str) -> Value {
    json!({ "items": [{
        "userType": "01", "orgTraceId": org_trace_id, "medType": "11", "feeType": "01",
        "itemName": "诊查费", "amount": "1.00", "actualTime": "2026-03-01 09:30:00",
    }] })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_his_was_told_is_kept_survives_kill_9() {
    let place = Place::sqlite();
    let hospital = place.add_hospital(ORG_ID);
    let platform = place.serve();
    let his = His::new();
    let acknowledged = Arc::new(Mutex::new(BTreeSet::new()));
    let settled = Arc::new(Mutex::new(BTreeSet::new()));
    let over = Arc::new(AtomicBool::new(false));
    let mut callers = Vec::new();
    for caller in 0..3 {
        let (his, acknowledged) = (his.clone(), Arc::clone(&acknowledged));
        let (settled, over) = (Arc::clone(&settled), Arc::clone(&over));
        callers.push(tokio::spawn(async move {
            let mut number = 0;
            while !over.load(Ordering::Relaxed) {
                let trace = format!("K{caller}-{number}");
                // Whoever gets no answer says it again.
                while !his.is_taken("/v1/overdue/report", &debt(&trace)).await {
                    if over.load(Ordering::Relaxed) {
                        return;
                    }
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                acknowledged.lock().await.insert(trace.clone());
                if number % 5 == 4 {
                    let trace = format!("K{caller}-{}", number - 4);
                    let body = json!({ "items": [{ "orgTraceId": trace }] });
                    if his.is_taken("/v1/overdue/settle", &body).await {
                        settled.lock().await.insert(trace);
                    }
                }
                number += 1;
            }
        }));
    }
    for _ in 0..3 {
        let program = Server::start(&mut edge(&place, &hospital, &platform.url, "edge"));
        his.edge.send_replace(Some(program.url.clone()));
        let before = acknowledged.lock().await.len();
        let moment = before + 20 + usize::try_from(random_below(60)).unwrap();
        eventually("debts are taken", async || {
            (acknowledged.lock().await.len() >= moment).then_some(())
        })
        .await;
        his.edge.send_replace(None);
        program.program.kill();
    }
    let program = Server::start(&mut edge(&place, &hospital, &platform.url, "edge"));
    his.edge.send_replace(Some(program.url.clone()));
    over.store(true, Ordering::Relaxed);
    for caller in callers {
        caller.await.unwrap();
    }
    let settled = settled.lock().await;
    let mut traces = BTreeSet::new();
    for trace in acknowledged.lock().await.iter() {
        let is_settled = settled.contains(trace);
        let item = eventually(
            "each debt and settlement reaches the platform",
            async || {
                let item = his.item(trace).await?["data"].take();
                // A settlement that got no answer may be kept nonetheless.
                let is_there = item["stage"] == "kept" && item["platformState"] == item["state"];
                let is_as_said = !is_settled || item["state"] == "1";
                (is_as_said && (is_there || item["stage"] == "withdrawn")).then_some(item)
            },
        )
        .await;
        if item["stage"] == "kept" {
            assert!(traces.insert(item["traceId"].as_str().unwrap().to_owned()));
        }
    }
    eprintln!(
        "{} acknowledged, {} at the platform, {} settled",
        acknowledged.lock().await.len(),
        traces.len(),
        settled.len()
    );
    assert!(!settled.is_empty(), "nothing was settled");
    let log = program.program.stop();
    assert_eq!(log.code, Some(0), "{}", log.err);
    assert!(!log.err.contains(&hospital.secret) && !log.err.contains(KEY));
    // What was said last and never answered may be there besides; nothing is there twice.
    let there = place.number("SELECT COUNT(*) FROM overdue_item").await;
    let missing = usize::try_from(there).unwrap() - traces.len();
    assert!(missing <= 3, "{missing} unheard of");
    assert_eq!(platform.program.stop().code, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_said_and_nothing_false_is_promised() {
    let place = Place::sqlite();
    let hospital = place.add_hospital(ORG_ID);
    let platform = place.serve();
    let command = edge(&place, &hospital, &platform.url, DISK);
    let Some(mut command) = on_small_disk(&command, place.path(), "16m", "true") else {
        return;
    };
    let program = Server::start(&mut command);
    let filler = Filler::of(&program.program, place.path());
    let his = His::new();
    his.edge.send_replace(Some(program.url.clone()));
    let mut taken = Vec::new();
    let mut refused = Vec::new();
    for number in 0..2_000 {
        if number == 20 {
            filler.fill();
        }
        let trace = format!("D{number}");
        let said = his.say("/v1/overdue/report", &debt(&trace)).await.unwrap();
        if said["respCode"] == "000000" {
            taken.push(trace);
        } else {
            assert_eq!(said["respCode"], "000002", "{said}");
            assert!(said["respMsg"].as_str().unwrap().contains("磁盘"), "{said}");
            refused.push(trace);
            if refused.len() == 5 {
                break;
            }
        }
    }
    assert_eq!(refused.len(), 5, "the disk never fills");
    filler.make_room();
    for trace in &refused {
        eventually("it goes on when there is room", async || {
            let is_taken = his.is_taken("/v1/overdue/report", &debt(trace)).await;
            is_taken.then_some(())
        })
        .await;
    }
    for trace in taken.iter().chain(&refused) {
        eventually("each reaches the platform", async || {
            let item = his.item(trace).await?;
            (item["data"]["stage"] == "kept").then_some(())
        })
        .await;
    }
    assert_eq!(program.program.stop().code, Some(0));
    let there = place.number("SELECT COUNT(*) FROM overdue_item").await;
    assert_eq!(usize::try_from(there).unwrap(), taken.len() + refused.len());
}

#[test]
fn what_is_missing_or_wrong_is_named() {
    let place = Place::sqlite();
    let hospital = Partner::new(ORG_ID, "the-app", "a-secret-of-the-test");
    for (variable, value, names) in [
        ("BANYAN_EDGE_ORG_ID", "", "org_id"),
        ("BANYAN_EDGE_SECRET", "short", "secret"),
        ("BANYAN_EDGE_API_KEYS", "[]", "api_keys"),
        ("BANYAN_EDGE_PLATFORM_URL", "platform", "platform_url"),
        (
            "BANYAN_EDGE_SENDING_WINDOW_FROM",
            "2 o'clock",
            "sending.window_from",
        ),
        ("BANYAN_EDGE_LISTEN", "somewhere", "BANYAN_EDGE_LISTEN"),
        ("BANYAN_EDGE_AWAY_RULE", "maybe", "BANYAN_EDGE_AWAY_RULE"),
    ] {
        let mut command = edge(&place, &hospital, "http://127.0.0.1:9", "edge");
        let said = run(command.env(variable, value)).failure();
        assert!(said.contains(names), "{variable}: {said}");
        assert!(!said.contains("a-secret-of-the-test"), "{said}");
    }
    // Two on the same folder: the second one says so.
    let mut command = edge(&place, &hospital, "http://127.0.0.1:9", "edge");
    let first = Server::start(&mut command);
    let said = run(&mut edge(&place, &hospital, "http://127.0.0.1:9", "edge")).failure();
    assert!(said.contains("另一台前置机"), "{said}");
    assert_eq!(first.program.stop().code, Some(0));
    // A lost key is not replaced silently.
    std::fs::remove_file(place.path().join("edge/edge.key")).unwrap();
    let said = run(&mut edge(&place, &hospital, "http://127.0.0.1:9", "edge")).failure();
    assert!(said.contains("备份"), "{said}");
}
