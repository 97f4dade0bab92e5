//! The outbox on a real file: what is formed, refused, divided, and pulled forward.

use std::sync::Arc;

use banyan_protocol::ambient::{SeededRandomness, SharedRandomness};
use banyan_protocol::overdue::org_mdl_001::ReportRequest;
use banyan_protocol::wire::{self, Scalar, WebAddress};
use banyan_store::vault::{MasterKey, Vault};
use tempfile::TempDir;

use super::Outbox;
use super::forming::{Latest, Sender};
use super::items::Stage;
use super::messages::{Blamed, Step};
use super::taking::Moment;
use crate::rows::{Row, Taken};

const NOW_MS: i64 = 1_772_337_600_000;
const AT_ONCE: Moment = Moment {
    now_ms: NOW_MS,
    report_due_ms: NOW_MS,
};

async fn outbox() -> (Outbox, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let random: SharedRandomness = Arc::new(SeededRandomness::new(1));
    let key = MasterKey::parse(&MasterKey::generate(&random)).unwrap();
    let outbox = Outbox::open(folder.path(), Vault::new(&key, random)).await;
    (outbox.unwrap(), folder)
}

fn sender() -> Sender {
    Sender {
        org_id: Scalar::parse("H1").unwrap(),
        org_name: Scalar::parse("医院").unwrap(),
        notify_url: WebAddress::parse("http://127.0.0.1:1/umdl/callback").unwrap(),
    }
}

fn debts(count: usize) -> Vec<Row> {
    (0..count)
        .map(|number| {
            let row = format!(
                r#"{{"userType":"01","orgTraceId":"T{number}","medType":"11","feeType":"01",
                "itemName":"诊查费","amount":"1.00","actualTime":"2026-03-01 09:30:00"}}"#
            );
            Row::Report(wire::read(&row).unwrap())
        })
        .collect()
}

async fn stage(outbox: &Outbox, trace: &str) -> Stage {
    outbox.item(trace).await.unwrap().unwrap().stage
}

/// A platform that refuses every message with T3 in it, for its content.
async fn send_all(outbox: &Outbox, refuses: &str) -> usize {
    let mut sent = 0;
    loop {
        let due = outbox.due(Step::Send, NOW_MS, 10).await.unwrap();
        if due.is_empty() {
            return sent;
        }
        for message in due {
            sent += 1;
            let json = outbox.content(message.id).await.unwrap();
            let request: ReportRequest = wire::read(&json).unwrap();
            assert_eq!(request.orgRequestId.as_str(), message.name);
            if json.contains(&format!("\"{refuses}\"")) {
                let blamed = outbox
                    .refused(message.id, &sender(), "不合格", NOW_MS)
                    .await
                    .unwrap();
                let alone = request.persons().len() == 1;
                assert!(blamed == Blamed::Divided || alone);
            } else {
                outbox
                    .accepted(message.id, NOW_MS, NOW_MS + 1)
                    .await
                    .unwrap();
            }
        }
    }
}

#[tokio::test]
async fn the_one_bad_item_is_found_and_takes_nobody_along() {
    let (outbox, _folder) = outbox().await;
    let taken = outbox.take(debts(100), AT_ONCE).await.unwrap().taken;
    assert!(taken.iter().all(|taken| *taken == Taken::New));
    assert_eq!(outbox.form(&sender(), NOW_MS, 10).await.unwrap(), 1);
    let sent = send_all(&outbox, "T3").await;
    assert!(
        (10..=20).contains(&sent),
        "{sent} messages to find one of a hundred"
    );
    assert_eq!(stage(&outbox, "T3").await, Stage::Refused);
    let bad = outbox.item("T3").await.unwrap().unwrap();
    assert_eq!(bad.fault.as_deref(), Some("不合格"));
    for number in (0..100).filter(|number| *number != 3) {
        let stage = stage(&outbox, &format!("T{number}")).await;
        assert_eq!(stage, Stage::Reporting, "T{number}");
    }
    // Corrected, it goes out again.
    outbox.take(debts(4), AT_ONCE).await.unwrap();
    assert_eq!(outbox.form(&sender(), NOW_MS, 10).await.unwrap(), 1);
    send_all(&outbox, "nothing").await;
    assert_eq!(stage(&outbox, "T3").await, Stage::Reporting);
}

#[tokio::test]
async fn a_name_that_was_taken_is_given_up_for_another() {
    let (outbox, _folder) = outbox().await;
    outbox.take(debts(1), AT_ONCE).await.unwrap();
    outbox.form(&sender(), NOW_MS, 10).await.unwrap();
    let first = outbox.due(Step::Send, NOW_MS, 10).await.unwrap();
    // Somebody used the name for something else.
    let blamed = outbox
        .refused(first[0].id, &sender(), "同号内容不同", NOW_MS)
        .await;
    assert_eq!(blamed.unwrap(), Blamed::Divided);
    let second = outbox.due(Step::Send, NOW_MS, 10).await.unwrap();
    assert_eq!((first.len(), second.len()), (1, 1));
    assert_ne!(first[0].name, second[0].name);
    assert_eq!(stage(&outbox, "T0").await, Stage::Reporting);
}

#[tokio::test]
async fn items_go_out_a_hundred_at_a_time_and_each_once() {
    let (outbox, _folder) = outbox().await;
    outbox.take(debts(250), AT_ONCE).await.unwrap();
    assert_eq!(outbox.form(&sender(), NOW_MS, 10).await.unwrap(), 3);
    assert_eq!(outbox.form(&sender(), NOW_MS, 10).await.unwrap(), 0);
    let due = outbox.due(Step::Send, NOW_MS, 10).await.unwrap();
    let counts: Vec<i64> = due.iter().map(|message| message.item_count).collect();
    assert_eq!(counts, [100, 100, 50]);
    assert_eq!(
        outbox.content(due[0].id).await.unwrap(),
        outbox.content(due[0].id).await.unwrap(),
        "a message is the same however often it is sent"
    );
}

#[tokio::test]
async fn what_waits_for_a_night_that_lies_too_far_off_is_pulled_forward() {
    let (outbox, _folder) = outbox().await;
    let later = Moment {
        now_ms: NOW_MS,
        report_due_ms: NOW_MS + 40 * 86_400_000,
    };
    outbox.take(debts(1), later).await.unwrap();
    assert_eq!(outbox.form(&sender(), NOW_MS, 10).await.unwrap(), 0);
    outbox
        .pull_forward(Latest {
            night_ms: NOW_MS,
            retry_ms: NOW_MS,
            question_ms: NOW_MS,
        })
        .await
        .unwrap();
    assert_eq!(outbox.form(&sender(), NOW_MS, 10).await.unwrap(), 1);
}
