//! ORG_MDL_005: for whoever missed the callback.

use banyan_protocol::catalogue::Interface;
use banyan_store::on_both_engines;
use serde_json::{Value, json};

use crate::telling::{Story, item, person, report};

fn about(story: &Story, place: usize, batch: &str) -> Value {
    json!({"orgId": story.hospital(place).org_id(), "orgRequestId": batch})
}

on_both_engines! {
    async fn a_batch_can_be_asked_about_at_any_time(db: &TestDb) {
        let story = Story::begin(db).await;
        let (hospital, voice) = (story.hospital(0), story.voice(0));
        let citizen = &story.citizens[0];
        let mut bad = item("bad", "1");
        bad["medType"] = json!("13");
        let message = report(hospital, "b-1", person(citizen), &[item("good", "1"), bad]);
        voice.say(Interface::OrgMdl001, &message).await.done();

        let before = voice.say(Interface::OrgMdl005, &about(&story, 0, "b-1")).await.done();
        assert_eq!(before["reportResultList"], json!([]));
        assert_eq!(before["extData"], json!({"batchState": "received"}));
        assert_eq!(before["orgId"], hospital.org_id());

        story.settle().await;
        let after = voice.say(Interface::OrgMdl005, &about(&story, 0, "b-1")).await.done();
        let row = &after["reportResultList"][0];
        assert_eq!((&row["idNo"], &row["userName"]), (&json!(citizen.id_no), &json!(citizen.user_name)));
        assert_eq!((&row["itemList"][0]["orgTraceId"], &row["itemList"][0]["state"]), (&json!("good"), &json!("0")));
        assert_eq!(row["itemList"].as_array().unwrap().len(), 1);
        assert_eq!(after["extData"]["batchState"], "judged");
        assert_eq!(after["extData"]["errors"][0]["orgTraceId"], "bad");

        // It says how the records stand now, not how they stood then.
        let entry = hospital.results("b-1").await.unwrap();
        assert_eq!(entry.reportResultList.len(), 1);
        let trace_id = row["itemList"][0]["traceId"].as_str().unwrap();
        let paid = crate::telling::update(hospital, "b-2", Some(citizen), &[("good", trace_id, "1")]);
        voice.say(Interface::OrgMdl003, &paid).await.done();
        story.settle().await;
        for batch in ["b-1", "b-2"] {
            let now = voice.say(Interface::OrgMdl005, &about(&story, 0, batch)).await.done();
            assert_eq!(now["reportResultList"][0]["itemList"][0]["state"], "1", "{batch}");
        }

        voice.say(Interface::OrgMdl005, &about(&story, 0, "b-9")).await.refused("000105", "orgRequestId");
        let other = story.voice(1);
        let foreign = other.say(Interface::OrgMdl005, &about(&story, 1, "b-1")).await;
        let unknown = other.say(Interface::OrgMdl005, &about(&story, 1, "b-9")).await;
        foreign.refused("000105", "orgRequestId");
        assert_eq!(foreign.message, unknown.message, "that it exists elsewhere is not said");
        other.say(Interface::OrgMdl005, &about(&story, 0, "b-1")).await.refused("000105", "orgId");
        story.end().await;
    }
}
