//! What the platform says of a message counts for the debts that are in it now, and what was said
//! last is never lost, whatever came before or besides.

use banyan_platform::admin::Edit;
use banyan_protocol::catalogue::Interface;
use banyan_protocol::wire::{Scalar as _, WebAddress};
use banyan_store::on_both_engines;
use serde_json::{Value, json};

use super::place::{EdgeAt, ORG_ID, at_the_window, platform, row};
use crate::telling::{DAY_MS, MINUTE_MS, Story};

fn items(trace: &str) -> Value {
    json!({ "items": [{ "orgTraceId": trace }] })
}

/// The message that a debt went out in last.
async fn message_of(edge: &EdgeAt, batch: &Value) -> String {
    let path = format!("/v1/overdue/batches/{}", batch.as_str().unwrap());
    let view = edge.get(&path).await.data;
    view["orgRequestIds"][0].as_str().unwrap().to_owned()
}

/// A callback of the platform, said by hand.
async fn tell(edge: &EdgeAt, message: &str, list: Value, errors: Value) {
    let mut voice = edge.voice.clone();
    voice.platform = edge.server().address();
    let notice = json!({
        "orgId": ORG_ID, "orgName": "榕树医院", "notifyType": "REPORT",
        "reportResultList": list, "updateResultList": [],
        "extData": { "notifyId": format!("by-hand-{message}"), "orgRequestId": message, "errors": errors },
    });
    let heard = voice.say(Interface::Org002, &notice).await;
    assert_eq!(heard.code, "000000", "{heard:?}");
}

fn taken_as(trace: &str, trace_id: &str, state: &str) -> Value {
    json!([{ "idNo": "", "userName": "", "itemList": [{ "orgTraceId": trace, "traceId": trace_id, "state": state }] }])
}

on_both_engines! {
    async fn old_news_undoes_nothing(db: &TestDb) {
        let story = Story::begin(db).await;
        let edge = EdgeAt::begin(&story).await;
        let mut bad = row("T1", None, "1.00");
        bad["medType"] = "13".into();
        let first = edge.report(&[bad], true).await.data["batchId"].clone();
        edge.settle(&story).await;
        assert_eq!(edge.item("T1").await["stage"], "refused");
        let old = message_of(&edge, &first).await;
        let second = edge.report(&[row("T1", None, "1.00")], true).await.data["batchId"].clone();
        edge.server().settle().await.unwrap();
        // The first message's callback is sent again while the second one is on its way.
        tell(&edge, &old, json!([]), json!([{ "orgTraceId": "T1", "reason": "急诊" }])).await;
        assert_eq!(edge.item("T1").await["stage"], "reporting");
        edge.settle(&story).await;
        let item = edge.item("T1").await;
        assert_eq!((item["stage"].as_str(), item["platformState"].as_str()), (Some("kept"), Some("0")));
        // It was revoked since; an answer about the report that was late says nothing new.
        let report = message_of(&edge, &second).await;
        edge.post("/v1/overdue/revoke", &items("T1")).await;
        edge.settle(&story).await;
        assert_eq!(edge.item("T1").await["platformState"], "2");
        tell(&edge, &report, taken_as("T1", item["traceId"].as_str().unwrap(), "0"), json!([])).await;
        assert_eq!(edge.item("T1").await["platformState"], "2");
        edge.stopped().await;
        story.end().await;
    }

    async fn what_is_over_does_not_come_back_by_repetition(db: &TestDb) {
        let story = Story::begin(db).await;
        let edge = EdgeAt::begin(&story).await;
        edge.report(&[row("T1", None, "1.00")], false).await;
        edge.post("/v1/overdue/settle", &items("T1")).await;
        let again = edge.report(&[row("T1", None, "1.00")], false).await;
        assert_eq!(again.data["repeated"], 1);
        edge.report(&[row("T2", None, "2.00")], true).await;
        edge.settle(&story).await;
        edge.post("/v1/overdue/revoke", &items("T2")).await;
        edge.settle(&story).await;
        assert_eq!(edge.report(&[row("T2", None, "2.00")], true).await.data["repeated"], 1);
        edge.night(&story).await;
        assert_eq!(edge.at_platform(&story, 0).await, 0);
        // Said again as urgent, what waits does not wait any more.
        edge.report(&[row("T3", None, "3.00")], false).await;
        edge.report(&[row("T3", None, "3.00")], true).await;
        edge.settle(&story).await;
        assert_eq!(edge.at_platform(&story, 0).await, 1);
        edge.stopped().await;
        story.end().await;
    }

    async fn an_update_that_is_refused_shows_stays_and_is_sent_again(db: &TestDb) {
        let story = Story::begin(db).await;
        let edge = EdgeAt::begin_with(&story, &platform(&story), |settings| settings.retention.item_days = 30).await;
        edge.report(&[row("T1", None, "1.00")], true).await;
        edge.settle(&story).await;
        let trace_id = edge.item("T1").await["traceId"].clone();
        // The hospital says past its edge that it was paid.
        let update = json!({
            "orgId": ORG_ID, "orgRequestId": "past-the-edge", "notifyUrl": edge.server().callback_url().as_str(),
            "itemList": [{ "orgTraceId": "T1", "traceId": trace_id, "state": "1" }],
        });
        edge.voice.say(Interface::OrgMdl003, &update).await.done();
        story.settle().await;
        edge.post("/v1/overdue/revoke", &items("T1")).await;
        edge.settle(&story).await;
        let refused = edge.item("T1").await;
        assert_eq!((refused["stage"].as_str(), refused["state"].as_str()), (Some("kept"), Some("2")));
        assert!(refused["reason"].as_str().unwrap().contains("已缴清"), "{refused}");
        assert_eq!(edge.light("outbox").await.0, "notice");
        story.clock.advance_ms(40 * DAY_MS);
        edge.settle(&story).await;
        assert_eq!(edge.item("T1").await["stage"], "kept", "what is not settled is not forgotten");
        assert_eq!(edge.post("/v1/overdue/revoke", &items("T1")).await.data["accepted"], 1);
        assert_eq!(edge.item("T1").await["reason"], Value::Null);
        edge.settle(&story).await;
        assert!(edge.item("T1").await["reason"].as_str().is_some(), "it was sent, and refused once more");
        edge.stopped().await;
        story.end().await;
    }

    async fn a_wrong_name_does_not_stay_with_the_debt(db: &TestDb) {
        let story = Story::begin(db).await;
        let edge = EdgeAt::begin(&story).await;
        let [right, wrong] = [&story.citizens[7], &story.citizens[8]];
        edge.report(&[row("T1", None, "1.00")], true).await;
        edge.settle(&story).await;
        let name = |index: &str| {
            let mut name = at_the_window(right);
            name["orgTraceId"] = "T1".into();
            name["ehealthCardId"] = index.into();
            json!({ "items": [name] })
        };
        edge.post("/v1/overdue/realname", &name(&wrong.ehealth_card_id)).await;
        edge.settle(&story).await;
        let item = edge.item("T1").await;
        assert!(item["reason"].as_str().is_some(), "{item}");
        let said = edge.post("/v1/overdue/realname", &name(&right.ehealth_card_id)).await;
        assert_eq!((&*said.code, said.data["accepted"].as_i64()), ("000000", Some(1)), "{said:?}");
        edge.settle(&story).await;
        assert_eq!(edge.item("T1").await["reason"], Value::Null);
        assert_eq!(story.hospital(1).query(right, false).await.unwrap().itemList.len(), 1);
        edge.post("/v1/overdue/settle", &items("T1")).await;
        edge.settle(&story).await;
        assert_eq!(edge.item("T1").await["platformState"], "1");
        edge.stopped().await;
        story.end().await;
    }

    async fn the_same_row_is_the_same_whatever_was_found_out_meanwhile(db: &TestDb) {
        let story = Story::begin(db).await;
        let edge = EdgeAt::begin(&story).await;
        let citizen = &story.citizens[6];
        let mut named = row("T1", Some(citizen), "1.00");
        named.as_object_mut().unwrap().remove("ehealthCardId");
        edge.report(&[named.clone()], true).await;
        edge.settle(&story).await;
        let mut insured = at_the_window(citizen);
        insured["psnNo"] = citizen.psn_no.as_str().into();
        assert_eq!(edge.post("/v1/health-card/lookup", &insured).await.code, "000000");
        assert_eq!(edge.report(&[named], true).await.data["repeated"], 1);
        edge.stopped().await;
        story.end().await;
    }

    async fn a_call_of_the_his_itself_is_taken_over_whole(db: &TestDb) {
        let story = Story::begin(db).await;
        let edge = EdgeAt::begin(&story).await;
        edge.report(&[row("T1", None, "1.00")], true).await;
        edge.settle(&story).await;
        edge.post("/v1/overdue/revoke", &items("T1")).await;
        edge.settle(&story).await;
        let trace_id = edge.item("T1").await["traceId"].clone();
        let again = json!({ "unsettleList": [{ "userType": "01", "itemList": [
            { "orgTraceId": "T1", "medType": "11", "feeType": "01", "itemName": "诊查费", "amount": "1.00", "actualTime": "2026-03-01 09:30:00" },
        ] }] });
        assert_eq!(edge.post("/v1/call/ORG_MDL_001", &again).await.code, "000000");
        edge.settle(&story).await;
        let item = edge.item("T1").await;
        assert_eq!((item["state"].as_str(), item["platformState"].as_str()), (Some("0"), Some("0")), "{item}");
        // An update of its own that the platform rejects is no settlement.
        let update = json!({ "itemList": [{ "orgTraceId": "T1", "traceId": "1", "state": "1" }] });
        assert_eq!(edge.post("/v1/call/ORG_MDL_003", &update).await.code, "000000");
        edge.settle(&story).await;
        let item = edge.item("T1").await;
        assert!(item["reason"].as_str().is_some(), "{item}");
        assert_eq!(edge.post("/v1/overdue/settle", &items("T1")).await.data["accepted"], 1);
        edge.settle(&story).await;
        let item = edge.item("T1").await;
        assert_eq!((item["platformState"].as_str(), &item["traceId"]), (Some("1"), &trace_id));
        edge.stopped().await;
        story.end().await;
    }

    async fn a_hospital_that_is_registered_otherwise_waits_and_loses_nothing(db: &TestDb) {
        let story = Story::begin(db).await;
        let edge = EdgeAt::begin_with(&story, &platform(&story), |settings| {
            settings.public_url = Some("http://10.9.9.9:8081".to_owned());
            settings.sending.presence_every_ms = DAY_MS;
        }).await;
        let register = async |base: &str| {
            let edit = Edit { base_url: Some(WebAddress::parse(base).ok()), ..Edit::default() };
            story.desk().edit(&edge.voice.app_id, edit).await.unwrap();
            story.renew().await;
        };
        register("http://10.1.1.1:1").await;
        let rows: Vec<_> = (0..20).map(|n| row(&format!("T{n}"), None, "1.00")).collect();
        edge.report(&rows, true).await;
        for _ in 0..3 {
            edge.settle(&story).await;
            story.clock.advance_ms(6 * MINUTE_MS);
        }
        assert_eq!((edge.item("T0").await["stage"].as_str(), edge.item("T19").await["stage"].as_str()), (Some("reporting"), Some("reporting")));
        let (level, text) = edge.light("key").await;
        assert_eq!(level, "bad");
        assert!(text.contains("notifyUrl"), "{text}");
        assert_ne!(edge.light("company").await.0, "bad", "nobody else was noticed");
        register("http://10.9.9.9:8081").await;
        for _ in 0..4 {
            story.clock.advance_ms(11 * MINUTE_MS);
            edge.server().settle().await.unwrap();
            story.settle().await;
        }
        assert_eq!(edge.at_platform(&story, 0).await, 20);
        edge.stopped().await;
        story.end().await;
    }
}
