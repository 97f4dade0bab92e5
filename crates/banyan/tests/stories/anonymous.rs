//! Patients without a name: their debts stay with their own hospital until a name is given.

use banyan_protocol::catalogue::Interface;
use banyan_store::on_both_engines;
use serde_json::{Value, json};

use crate::telling::{Story, item, items_of, person, query, reason, report, told_of, update};

/// A person whose health-card index the hospital does not know.
fn without_index(citizen: &banyan_sandbox::Citizen) -> Value {
    let mut person = person(citizen);
    person.as_object_mut().unwrap().remove("ehealthCardId");
    person
}

async fn next(voice: &crate::partners_voice::Voice, citizen: &banyan_sandbox::Citizen) -> Value {
    voice
        .say(Interface::OrgMdl002, &query(citizen))
        .await
        .done()["next"]
        .clone()
}

on_both_engines! {
    async fn only_their_own_hospital_sees_them_until_they_have_a_name(db: &TestDb) {
        let story = Story::begin(db).await;
        let (hospital, voice) = (story.hospital(0), story.voice(0));
        let citizen = &story.citizens[0];
        let mut message = report(hospital, "b-1", without_index(citizen), &[item("named", "1")]);
        // Nobody at all: absent, and as languages without null write it.
        let nobody = json!({"userType": "01", "itemList": [item("nobody", "2")]});
        let empty = json!({
            "idNo": "", "idType": "", "userName": "", "ehealthCardId": "", "mobilePhone": "",
            "userType": "01", "itemList": [item("empty", "3")],
        });
        message["unsettleList"].as_array_mut().unwrap().extend([nobody, empty]);
        voice.say(Interface::OrgMdl001, &message).await.done();
        story.settle().await;
        let told = &told_of(hospital, "b-1")[0];
        let items = items_of(told);
        assert_eq!(items.len(), 3);
        let rows = &told.request.reportResultList;
        assert!(rows[1].idNo.0.is_none() && rows[1].userName.0.is_none());
        assert_eq!(story.number("SELECT COUNT(*) FROM overdue_item WHERE real_name = 0").await, 3);
        assert_eq!(
            story.number("SELECT COUNT(*) FROM overdue_item WHERE person IS NULL AND person_sealed IS NULL").await,
            2
        );

        assert_eq!(next(&voice, citizen).await, "0", "its own hospital");
        assert_eq!(next(&story.voice(1), citizen).await, "1", "another hospital");
        assert_eq!(story.mzt.query(citizen).await.unwrap().next.code(), "1", "闽政通");

        let updates: Vec<_> = items.iter().map(|(number, trace, _)| (&**number, &**trace, "0")).collect();
        voice.say(Interface::OrgMdl003, &update(hospital, "b-2", Some(citizen), &updates)).await.done();
        story.settle().await;
        let told = &told_of(hospital, "b-2")[0];
        assert_eq!(items_of(told), items, "their numbers and state stay");
        let seen = story.voice(1).say(Interface::OrgMdl002, &query(citizen)).await.done();
        assert_eq!(seen["next"], "0");
        assert_eq!(seen["itemList"].as_array().unwrap().len(), 3);
        assert_eq!(story.mzt.query(citizen).await.unwrap().next.code(), "0");
        assert_eq!(story.number("SELECT COUNT(*) FROM overdue_change WHERE cause = 'real_name'").await, 3);
        story.end().await;
    }

    async fn an_index_that_is_not_his_is_found_out(db: &TestDb) {
        let story = Story::begin(db).await;
        let (hospital, voice) = (story.hospital(0), story.voice(0));
        let (citizen, other) = (&story.citizens[0], &story.citizens[1]);
        let mut wrong = person(citizen);
        wrong["ehealthCardId"] = json!(other.ehealth_card_id);
        let mut nameless = person(citizen);
        nameless.as_object_mut().unwrap().remove("userName");
        let mut message = report(hospital, "b-1", wrong, &[item("wrong", "1")]);
        nameless["itemList"] = json!([item("nameless", "1")]);
        let mut good = person(citizen);
        good["itemList"] = json!([item("good", "1")]);
        message["unsettleList"].as_array_mut().unwrap().extend([nameless, good]);
        voice.say(Interface::OrgMdl001, &message).await.done();
        let anonymous = json!({"userType": "01"});
        voice.say(Interface::OrgMdl001, &report(hospital, "b-2", anonymous, &[item("later", "1")])).await.done();
        story.settle().await;
        let told = &told_of(hospital, "b-1")[0];
        assert!(reason(told, "wrong").contains("ehealthCardId"));
        assert!(reason(told, "nameless").contains("实名患者须同时提供"));
        assert_eq!(items_of(told).len(), 1, "the good one is kept");

        let (_, trace_id, _) = items_of(&told_of(hospital, "b-2")[0]).remove(0);
        let mut named = update(hospital, "b-3", Some(citizen), &[("later", &trace_id, "0")]);
        named["ehealthCardId"] = json!(other.ehealth_card_id);
        voice.say(Interface::OrgMdl003, &named).await.done();
        story.settle().await;
        assert!(reason(&told_of(hospital, "b-3")[0], "later").contains("ehealthCardId"));
        assert_eq!(story.number("SELECT COUNT(*) FROM overdue_item WHERE real_name = 0").await, 1);

        let mut asked = query(citizen);
        asked["ehealthCardId"] = json!(other.ehealth_card_id);
        voice.say(Interface::OrgMdl002, &asked).await.refused("000105", "ehealthCardId");
        story.end().await;
    }

    async fn a_name_that_comes_by_a_second_report_is_not_silently_dropped(db: &TestDb) {
        let story = Story::begin(db).await;
        let (hospital, voice) = (story.hospital(0), story.voice(0));
        let citizen = &story.citizens[0];
        let first = report(hospital, "b-1", without_index(citizen), &[item("i-1", "1")]);
        voice.say(Interface::OrgMdl001, &first).await.done();
        let second = report(hospital, "b-2", person(citizen), &[item("i-1", "1")]);
        voice.say(Interface::OrgMdl001, &second).await.done();
        story.settle().await;
        let told = &told_of(hospital, "b-2")[0];
        let refused = items_of(told).is_empty() && !reason(told, "i-1").is_empty();
        let named = next(&story.voice(1), citizen).await == "0";
        assert!(refused || named, "it is taken as if it had a name now, and nobody else sees it");
        story.end().await;
    }

    async fn whoever_names_somebody_by_a_second_report_is_told_how_to(db: &TestDb) {
        let story = Story::begin(db).await;
        let (hospital, voice) = (story.hospital(0), story.voice(0));
        let (nobody, citizen) = (json!({"userType": "01"}), person(&story.citizens[0]));
        voice.say(Interface::OrgMdl001, &report(hospital, "b-1", nobody, &[item("i-1", "1")])).await.done();
        voice.say(Interface::OrgMdl001, &report(hospital, "b-2", citizen, &[item("i-1", "1")])).await.done();
        story.settle().await;
        let why = reason(&told_of(hospital, "b-2")[0], "i-1");
        assert!(why.contains("ORG_MDL_003"), "{why}");
        story.end().await;
    }

    async fn emergencies_are_outside_the_scheme(db: &TestDb) {
        let story = Story::begin(db).await;
        let hospital = story.hospital(0);
        story.voice(0).say(Interface::OrgMdl001, &emergencies(&story)).await.done();
        story.settle().await;
        let told = &told_of(hospital, "b-1")[0];
        for number in ["i-13", "i-24"] {
            assert!(reason(told, number).contains("急诊"));
        }
        assert_eq!(items_of(told)[0].0, "i-11");
        assert_eq!(story.number("SELECT COUNT(*) FROM overdue_item").await, 1);
        story.end().await;
    }

    async fn emergencies_are_kept_where_the_province_wants_them(db: &TestDb) {
        let story = Story::begin_with(db, |settings| settings.overdue.emergency_excluded = false).await;
        story.voice(0).say(Interface::OrgMdl001, &emergencies(&story)).await.done();
        story.settle().await;
        assert_eq!(items_of(&told_of(story.hospital(0), "b-1")[0]).len(), 3);
        story.end().await;
    }
}

fn emergencies(story: &Story) -> Value {
    let items = ["11", "13", "24"].map(|med_type| {
        let mut item = item(&format!("i-{med_type}"), "1");
        item["medType"] = json!(med_type);
        item
    });
    report(story.hospital(0), "b-1", person(&story.citizens[0]), &items)
}
