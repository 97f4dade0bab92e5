//! Who somebody is: insured patients by their number, contradictions, and what the overdue registry
//! makes of them.

use banyan_platform::health_card::authorise::{self, Claimed};
use banyan_platform::health_card::identity::Stated;
use banyan_protocol::catalogue::Interface;
use banyan_sandbox::Citizen;
use banyan_store::ids::ReviewId;
use banyan_store::on_both_engines;
use serde_json::{Value, json};

use crate::health_card::STRANGER;
use crate::telling::{
    DAY_MS, Story, item, items_of, person, query, reason, report, told_of, update,
};

fn insured(story: &Story, citizen: &Citizen) -> Value {
    json!({
        "orgId": story.hospital(0).org_id(), "type": "01", "psnNo": citizen.psn_no,
        "idNo": citizen.id_no, "idType": citizen.id_type, "userName": citizen.user_name,
        "insuplcAdmdvs": "350100",
    })
}

fn stranger(psn_no: &str) -> Value {
    let Stated {
        id_type,
        id_no,
        user_name,
        ..
    } = STRANGER;
    json!({
        "orgId": "H35019900001", "type": "2", "psnNo": psn_no,
        "idNo": id_no, "idType": id_type, "userName": user_name,
    })
}

/// A message with one member changed.
fn with(mut message: Value, member: &str, value: &str) -> Value {
    message[member] = json!(value);
    message
}

on_both_engines! {
    async fn an_insured_patient_is_found_by_his_number(db: &TestDb) {
        let story = Story::begin(db).await;
        let (citizen, voice) = (&story.citizens[5], story.voice(0));
        let asked = insured(&story, citizen);
        let found = voice.say(Interface::OrgEhc004, &asked).await.done();
        assert_eq!(
            (&found["ehealthCardId"], &found["userName"], &found["mobilePhone"]),
            (&json!(citizen.ehealth_card_id), &json!(citizen.user_name), &json!(citizen.mobile_phone))
        );
        assert_eq!(found["cardNo"].as_str().unwrap().len(), 12);
        for spelling in ["1", "02", "2"] {
            voice.say(Interface::OrgEhc004, &with(asked.clone(), "type", spelling)).await.done();
        }
        voice.say(Interface::OrgEhc004, &with(asked.clone(), "type", "3")).await.refused("000105", "type");
        voice.say(Interface::OrgEhc004, &with(asked.clone(), "orgId", "H35019900002")).await.refused("000105", "orgId");
        voice.say(Interface::OrgEhc004, &with(asked, "idNo", "359999198503120026")).await.refused("000105", "idNo");

        // Somebody new: registered by the hospital's word, and his number from then on leads to him.
        let registered = story.number("SELECT COUNT(*) FROM person").await;
        let first = voice.say(Interface::OrgEhc004, &stranger("n-1")).await.done();
        assert_eq!((&first["userSex"], &first["birthday"]), (&json!("2"), &json!("19850312")));
        assert!(first.get("mobilePhone").is_none());
        let again = voice.say(Interface::OrgEhc004, &stranger("n-2")).await.done();
        assert_eq!(again, first, "another agency's number of the same person");
        assert_eq!(story.number("SELECT COUNT(*) FROM person").await, registered + 1);
        crate::telling::until_number(&story.app.db, "SELECT COUNT(*) FROM journal WHERE interface = 'ORG_EHC_004' AND person IS NOT NULL AND result = '000000'", 6).await;
        story.end().await;
    }

    async fn what_contradicts_is_refused_and_waits_for_people(db: &TestDb) {
        let story = Story::begin(db).await;
        let (citizen, other, voice) = (&story.citizens[5], &story.citizens[6], story.voice(0));
        let asked = insured(&story, citizen);
        let renamed = with(asked.clone(), "userName", "改名的人");
        for _ in 0..3 {
            let refused = voice.say(Interface::OrgEhc004, &renamed).await;
            refused.refused("000105", "userName");
            assert!(!refused.message.contains(&citizen.user_name) && refused.message.contains("人工核实"));
        }
        let taken = with(asked.clone(), "psnNo", &other.psn_no);
        voice.say(Interface::OrgEhc004, &taken).await.refused("000105", "psnNo");
        let nobody = with(stranger("x"), "psnNo", &other.psn_no);
        voice.say(Interface::OrgEhc004, &nobody).await.refused("000105", "psnNo");
        assert_eq!(story.number("SELECT COUNT(*) FROM person").await, 200, "who contradicts is not registered");
        voice.say(Interface::OrgEhc004, &asked).await.done();

        let desk = story.desk();
        let open = desk.open_reviews().await.unwrap();
        assert_eq!(open.len(), 3);
        assert_eq!((open[0].review.times, open[0].review.source.as_str()), (3, story.hospital(0).app_id()));
        assert!(open[0].claimed.contains("改名"));
        assert!(!open[1].registered.contains(&other.id_no) && open[1].registered.contains('*'));

        // The man did change his name.
        let id = open[0].review.id;
        desk.take_claim(id).await.unwrap();
        assert!(desk.take_claim(id).await.is_err(), "decided once");
        let found = voice.say(Interface::OrgEhc004, &renamed).await.done();
        assert_eq!((&found["userName"], &found["ehealthCardId"]), (&json!("改名的人"), &json!(citizen.ehealth_card_id)));
        voice.say(Interface::OrgEhc004, &asked).await.refused("000105", "userName");
        // The number stays where it is for one claim; the other's claimant is not even registered.
        desk.keep_registered(open[1].review.id).await.unwrap();
        assert!(desk.take_claim(open[2].review.id).await.is_err());
        voice.say(Interface::OrgEhc004, &taken).await.refused("000105", "userName");
        assert!(desk.keep_registered(ReviewId(1)).await.is_err());

        let card = desk.person(&citizen.ehealth_card_id).await.unwrap();
        assert_eq!(card.masked_name, "＊＊＊人");
        assert!(desk.person(&"0".repeat(64)).await.is_err() && desk.person("x").await.is_err());
        assert_eq!(story.number("SELECT COUNT(*) FROM operator_audit WHERE action LIKE 'person.%'").await, 4);
        let left = story.number("SELECT COUNT(*) FROM name_review WHERE state = 'open'").await;
        assert_eq!(story.number("SELECT COUNT(*) FROM name_review").await, left + 2);
        story.settle().await;
        story.after(181 * DAY_MS).await;
        assert_eq!(story.number("SELECT COUNT(*) FROM name_review").await, left, "what was decided is forgotten");
        story.end().await;
    }

    async fn a_name_that_somebody_gave_himself_keeps_no_hospital_away(db: &TestDb) {
        let story = Story::begin(db).await;
        let (hospital, voice) = (story.hospital(0), story.voice(0));
        let token = crate::health_card::link(&story, 0, "false name").await;
        let false_name = Stated { user_name: "假名字", ..STRANGER };
        assert!(matches!(authorise::claim(&story.app, &token, &false_name).await.unwrap(), Some(Claimed::Right { .. })));
        let owes = |number: &str| json!({
            "idNo": STRANGER.id_no, "idType": "01", "userName": STRANGER.user_name, "userType": "01",
            "ehealthCardId": story.app.vault.ehealth_card_id("01", STRANGER.id_no), "itemList": [item(number, "1")],
        });
        voice.say(Interface::OrgMdl001, &report(hospital, "b-1", owes("true-1"), &[item("true-1", "1")])).await.done();
        story.settle().await;
        assert_eq!(items_of(&told_of(hospital, "b-1")[0]).len(), 1);
        assert_eq!(story.desk().open_reviews().await.unwrap().len(), 1, "and people look at it");
        story.end().await;
    }

    async fn a_debt_is_only_real_name_where_the_person_is_registered(db: &TestDb) {
        let story = Story::begin(db).await;
        let (hospital, voice) = (story.hospital(0), story.voice(0));
        let citizen = &story.citizens[0];
        let index = story.app.vault.ehealth_card_id("01", STRANGER.id_no);
        let unknown = |items: &[Value]| json!({
            "idNo": STRANGER.id_no, "idType": "01", "userName": STRANGER.user_name,
            "ehealthCardId": index, "userType": "01", "itemList": items,
        });
        let mut renamed = person(citizen);
        renamed["userName"] = json!("别的名字");
        let mut message = report(hospital, "b-1", renamed, &[item("renamed", "1"), item("renamed-2", "1")]);
        let mut good = person(citizen);
        good["itemList"] = json!([item("good", "1")]);
        let list = message["unsettleList"].as_array_mut().unwrap();
        list.push(unknown(&[item("unknown", "2")]));
        list.push(good);
        voice.say(Interface::OrgMdl001, &message).await.done();
        story.settle().await;
        let told = &told_of(hospital, "b-1")[0];
        assert!(reason(told, "renamed").contains("姓名") && reason(told, "renamed-2").contains("姓名"));
        assert!(reason(told, "unknown").contains("尚未登记"));
        assert_eq!(items_of(told).len(), 1);
        let open = story.desk().open_reviews().await.unwrap();
        assert_eq!((open.len(), open[0].review.times, open[0].review.source.as_str()), (1, 1, hospital.app_id()));

        // Found by his number, the same person may be reported.
        voice.say(Interface::OrgEhc004, &stranger("n-1")).await.done();
        let mut later = report(hospital, "b-2", person(citizen), &[]);
        later["unsettleList"] = json!([unknown(&[item("unknown", "2")])]);
        voice.say(Interface::OrgMdl001, &later).await.done();
        let anonymous = json!({"userType": "01"});
        voice.say(Interface::OrgMdl001, &report(hospital, "b-3", anonymous, &[item("nameless", "1")])).await.done();
        story.settle().await;
        assert_eq!(items_of(&told_of(hospital, "b-2")[0]).len(), 1);

        // A name for an anonymous record is checked in the same way.
        let (_, trace_id, _) = items_of(&told_of(hospital, "b-3")[0]).remove(0);
        let mut naming = update(hospital, "b-4", Some(citizen), &[("nameless", &trace_id, "0")]);
        naming["userName"] = json!("别的名字");
        voice.say(Interface::OrgMdl003, &naming).await.done();
        story.settle().await;
        assert!(reason(&told_of(hospital, "b-4")[0], "nameless").contains("姓名"));
        assert_eq!(story.desk().open_reviews().await.unwrap()[0].review.times, 2);

        // Asking needs no look-up: the index is the identity's own, whatever the name.
        let mut asked = query(citizen);
        asked["userName"] = json!("别的名字");
        voice.say(Interface::OrgMdl002, &asked).await.done();
        story.end().await;
    }
}
