//! What the door of `/fjs/api` lets in, and what it says to the rest.

use std::collections::BTreeSet;

use banyan_platform::settings::EnvironmentSetting;
use banyan_protocol::catalogue::{Interface, Route};
use banyan_store::db::{StoreError, Tx};
use banyan_store::on_both_engines;
use banyan_store::supplement::Named;
use banyan_store::supplement::past_illness::{self, Line, Says};
use serde_json::{Value, json};

use super::insurer::{Insurer, Wanted, cases, channel, done, example, new_insurer, refused};
use crate::partners_voice::http;
use crate::telling::{HOUR_MS, MINUTE_MS, Story};

const ASK: Interface = Interface::Ci00030001;

/// As the document prints it, whatever it is worth as JSON.
fn printed(name: &str) -> String {
    let path = format!(
        "{}/../../fixtures/printed/{name}.json",
        env!("CARGO_MANIFEST_DIR")
    );
    std::fs::read_to_string(path).expect("a printed example")
}

on_both_engines! {
    async fn the_documents_own_examples_pass_as_printed(db: &TestDb) {
        let story = Story::begin(db).await;
        let tolerant = Insurer::register(&story, Wanted::default()).await;
        for (funid, name) in [
            ("CI00.03.00.01", "ci00_03_00_01.request"),
            ("CI00.03.00.03", "ci00_03_00_03.request"),
            ("XY00.00.00.03", "xy00_00_00_03.request"),
        ] {
            done(&tolerant.say_text(funid, &printed(name)).await);
        }
        assert_eq!(story.number("SELECT COUNT(*) FROM supplement_claim WHERE claim_fen IS NULL").await, 2);
        assert_eq!(story.number("SELECT COUNT(*) FROM journal WHERE purpose LIKE 'warn 8: claimsInfo[0].closeTime%'").await, 1);
        // As printed it lacks a comma, and is told where.
        let broken = tolerant.say_text("XY00.00.00.03", &printed("xy00_00_00_03.as_printed")).await;
        refused(&broken, "000105", "");
        assert!(broken.message.contains("第 65 行"), "{}", broken.message);
        // The inner object alone is as good.
        let inner: Value = serde_json::from_str(&printed("ci00_03_00_01.request")).unwrap();
        done(&tolerant.say_text("CI00.03.00.01", &inner["data"].to_string()).await);
        // A strict channel is held to the tables.
        let strict = Insurer::register(&story, Wanted { strict: true, ..Wanted::default() }).await;
        let answered = strict.say_text("CI00.03.00.03", &printed("ci00_03_00_03.request")).await;
        refused(&answered, "000105", "claimsInfo[0].closeTime");
        done(&strict.say_text("CI00.03.00.01", &printed("ci00_03_00_01.request")).await);
        done(&strict.say_text("XY00.00.00.03", &printed("xy00_00_00_03.request")).await);
        assert_eq!(story.number("SELECT COUNT(*) FROM supplement_claim").await, 2);
        story.end().await;
    }

    async fn an_answer_is_that_of_the_document_as_printed(db: &TestDb) {
        let story = Story::begin(db).await;
        let insurer = Insurer::register(&story, Wanted::default()).await;
        let line = Line {
            named: Named::new(&story.app.vault, "350429198202075037", "张三"),
            service_id: String::new(),
            category: "恶性肿瘤".to_owned(),
            says: Says::Had,
        };
        let import = move |tx: &mut Tx<'_>| past_illness::import(tx, std::slice::from_ref(&line), "wang", 5);
        story.app.db.write(import).await.map_err(|error: StoreError| error).unwrap();
        let answered = insurer.say_text("CI00.03.00.01", &printed("ci00_03_00_01.request")).await;
        let shown: Value = serde_json::from_str(&printed("ci00_03_00_01.reply")).unwrap();
        let mut said = json!({ "code": answered.code, "message": answered.message, "type": answered.kind, "data": answered.data });
        // Beside what the example shows stands what the table names; `docs/decisions.md` says why.
        let illness = said["data"]["past_illness"][0].as_object_mut().unwrap();
        assert_eq!(illness.remove("illness_name"), Some(json!("恶性肿瘤")));
        assert_eq!(said, shown);
        story.end().await;
    }

    async fn whoever_is_no_channel_is_unknown(db: &TestDb) {
        let story = Story::begin(db).await;
        let hospital = &story.description.hospitals[0];
        for app_id in ["nobody", &hospital.app_id] {
            let message = json!({ "chs_fjs_appid": app_id, "chs_fjs_appsecret": hospital.secret, "chs_fjs_funid": "CI00.03.00.01" });
            let reply = http(story.platform(), "POST", "/fjs/api", &[], message.to_string().as_bytes()).await;
            let heard: Value = serde_json::from_slice(&reply.body).unwrap();
            assert_eq!((&heard["code"], &heard["type"]), (&json!("000001"), &json!("error")), "{heard}");
        }
        // And a channel is no hospital.
        let insurer = Insurer::register(&story, Wanted::default()).await;
        let voice = story.voice_of(&insurer.app_id, insurer.secret.expose());
        voice.say(Interface::OrgMdl005, &json!({})).await.refused("-4", "");
        story.end().await;
    }

    async fn what_is_no_message_is_answered_in_the_shape_of_an_answer(db: &TestDb) {
        let story = Story::begin_with(db, |settings| settings.inbound.max_insurer_body_bytes = 5_000).await;
        for path in ["/fjs/api", "/fjs/oauth/code", "/fjs/oauth/token"] {
            for (body, status) in [(b"<html>".to_vec(), 200), (b"{}".to_vec(), 200), (vec![b' '; 20_000], 413)] {
                let reply = http(story.platform(), "POST", path, &[], &body).await;
                let heard: Value = serde_json::from_slice(&reply.body).unwrap();
                assert_eq!(reply.status, status, "{path}");
                let members: BTreeSet<&str> = heard.as_object().unwrap().keys().map(String::as_str).collect();
                assert_eq!(members, ["chs_fjs_timestamp", "code", "data", "message", "type"].into());
                assert_eq!(heard["code"], "000105", "{heard}");
            }
        }
        story.end().await;
    }

    async fn a_tampered_message_is_refused(db: &TestDb) {
        let story = Story::begin(db).await;
        let insurer = Insurer::register(&story, Wanted::default()).await;
        for interface in Interface::ALL.into_iter().filter(|interface| interface.spec().route == Route::Funid) {
            let good: Value = serde_json::from_str(&insurer.sealed(interface.code(), &example(interface))).unwrap();
            let other = if interface == ASK { "CI00.03.00.03" } else { "CI00.03.00.01" };
            for (member, value) in [("chs_fjs_funid", json!(other)), ("chs_fjs_timestamp", json!(good["chs_fjs_timestamp"].as_i64().unwrap() + 1)), ("chs_fjs_note", json!("x"))] {
                let mut tampered = good.clone();
                tampered[member] = value;
                refused(&insurer.send(&tampered.to_string()).await, "000102", "");
            }
            let text = good["chs_fjs_encdata"].as_str().unwrap();
            for place in [0, text.len() / 2] {
                let letter = if text.as_bytes()[place] == b'A' { "B" } else { "A" };
                let mut tampered = good.clone();
                let mut data = text.to_owned();
                data.replace_range(place..=place, letter);
                tampered["chs_fjs_encdata"] = json!(data);
                let answered = insurer.send(&tampered.to_string()).await;
                assert!(["000101", "000102"].contains(&&*answered.code), "{}", answered.code);
            }
        }
        for table in ["SELECT COUNT(*) FROM supplement_case", "SELECT COUNT(*) FROM supplement_claim"] {
            assert_eq!(story.number(table).await, 0);
        }
        story.end().await;
    }

    async fn of_twenty_copies_one_passes_and_an_old_message_does_not(db: &TestDb) {
        let story = Story::begin(db).await;
        let insurer = Insurer::register(&story, Wanted::default()).await;
        let sealed = insurer.sealed("XY00.00.00.03", &cases(3));
        let copies: Vec<_> = (0..20)
            .map(|_| {
                let (insurer, sealed) = (insurer.clone(), sealed.clone());
                tokio::spawn(async move { insurer.send(&sealed).await.code })
            })
            .collect();
        let mut codes = Vec::new();
        for copy in copies {
            codes.push(copy.await.unwrap());
        }
        assert_eq!(codes.iter().filter(|code| **code == "0").count(), 1, "{codes:?}");
        assert_eq!(codes.iter().filter(|code| **code == "010010").count(), 19, "{codes:?}");
        let old = insurer.sealed(ASK.code(), &example(ASK));
        story.clock.advance_ms(11 * MINUTE_MS);
        refused(&insurer.send(&old).await, "010010", "");
        let ahead = { let mut ahead = insurer.clone(); ahead.clock = crate::telling::StoryClock::new(); ahead.clock.advance_ms(HOUR_MS); ahead };
        refused(&insurer.send(&ahead.sealed(ASK.code(), &example(ASK))).await, "010010", "");
        story.end().await;
    }

    async fn an_unknown_code_or_topic_is_told_what_there_is_in_a_test_environment(db: &TestDb) {
        let story = Story::begin(db).await;
        let insurer = Insurer::register(&story, Wanted::default()).await;
        let answered = insurer.say_text("XY99", "{\"data\":{}}").await;
        refused(&answered, "000105", "chs_fjs_funid");
        assert!(answered.message.contains("CI00.03.00.01、CI00.03.00.03"), "{}", answered.message);
        // A code of another envelope is none here.
        refused(&insurer.say_text("ORG_MDL_002", "{\"data\":{}}").await, "000105", "chs_fjs_funid");
        let answered = insurer.say(Interface::Xy00000003, &json!({ "topic": "hmbOther", "hmbList": [] })).await;
        refused(&answered, "000105", "topic");
        assert!(answered.message.contains("hmbExtInfo、hmbYyxInfo"), "{}", answered.message);
        story.end().await;
    }

    async fn production_lists_nothing_and_takes_no_plain_channel(db: &TestDb) {
        let story = Story::begin_with(db, |settings| settings.environment = EnvironmentSetting::Production).await;
        let insurer = Insurer::register(&story, Wanted::default()).await;
        let answered = insurer.say_text("XY99", "{\"data\":{}}").await;
        refused(&answered, "000105", "chs_fjs_funid");
        assert!(!answered.message.contains("CI00"), "{}", answered.message);
        let answered = insurer.say(Interface::Xy00000003, &json!({ "topic": "hmbOther", "hmbList": [] })).await;
        refused(&answered, "000105", "topic");
        assert!(!answered.message.contains("hmbExtInfo"), "{}", answered.message);
        let plain = Insurer::register(&story, Wanted { level: 1, ..Wanted::default() }).await;
        refused(&plain.say(ASK, &example(ASK)).await, "-4", "");
        story.end().await;
    }

    async fn nobody_calls_what_was_not_granted_or_names_a_service_not_his(db: &TestDb) {
        let story = Story::begin(db).await;
        let insurer = Insurer::register(&story, Wanted { services: &["100002"], ..Wanted::default() }).await;
        for (interface, path) in [
            (Interface::Ci00030001, "serviceId"),
            (Interface::Ci00030003, "claimsInfo[0].serviceId"),
            (Interface::Ci00020007, "service_id"),
            (Interface::Xy00000003, "hmbList[0].serviceId"),
        ] {
            refused(&insurer.say(interface, &example(interface)).await, "-4", path);
        }
        let mut new = new_insurer();
        new.grants = Some(Vec::new());
        let issued = story.desk().add_insurer(new, channel(Wanted::default())).await.unwrap();
        story.renew().await;
        let mut nothing = insurer.clone();
        nothing.app_id = issued.app_id;
        nothing.secret = banyan_protocol::envelope::Secret::parse(&issued.secret).unwrap();
        nothing.fetch_token().await;
        for interface in Interface::ALL.into_iter().filter(|interface| interface.spec().route == Route::Funid) {
            let answered = nothing.say(interface, &example(interface)).await;
            refused(&answered, "-4", "");
            assert!(answered.message.contains(interface.code()), "{}", answered.message);
        }
        story.end().await;
    }

    async fn a_switched_off_channel_is_unknown_and_a_rotated_secret_overlaps(db: &TestDb) {
        let story = Story::begin(db).await;
        let insurer = Insurer::register(&story, Wanted::default()).await;
        let new = story.desk().rotate(&insurer.app_id, HOUR_MS).await.unwrap();
        story.renew().await;
        done(&insurer.say(ASK, &example(ASK)).await);
        let mut rotated = insurer.clone();
        rotated.secret = banyan_protocol::envelope::Secret::parse(&new.secret).unwrap();
        done(&rotated.say(ASK, &example(ASK)).await);
        story.desk().set_active(&insurer.app_id, false).await.unwrap();
        story.renew().await;
        refused(&rotated.say(ASK, &example(ASK)).await, "000001", "");
        story.end().await;
    }
}
