//! What must hold against mishaps and mischief: found by reading the code, kept by these.

use banyan_platform::directory::{Directory, Rules};
use banyan_platform::settings::MetricsToken;
use banyan_protocol::catalogue::Interface;
use banyan_protocol::crypto::{base64, sm3};
use banyan_sandbox::Fault;
use banyan_store::on_both_engines;
use banyan_store::vault::Place;
use serde_json::json;

use crate::partners_voice::{cipher, http, path, string_to_sign};
use crate::telling::{MINUTE_MS, Story, item, items_of, meddle, person, query, report, told_of};

on_both_engines! {
    async fn our_own_answers_are_no_requests(db: &TestDb) {
        let story = Story::begin(db).await;
        let voice = story.voice(0);
        // A stranger who knows the appId gets an answer that is signed with the hospital's secret,
        // and sends it back.
        let mut members = voice.members();
        members.insert("sign".to_owned(), "AAAA".to_owned());
        let at = path(Interface::OrgMdl002);
        let junk = json!(members).to_string();
        let signed = http(story.platform(), "POST", at, &[], junk.as_bytes()).await;
        assert!(signed.text().contains("\"sign\""));
        let reflected = voice.post(at, signed.text().as_bytes()).await;
        reflected.refused("000105", "respCode");
        // A message without business data takes nothing from the rate or the guard either.
        let empty = voice.seal_with(&voice.members(), b"");
        voice.post(at, empty.as_bytes()).await;
        assert_eq!(story.number("SELECT COUNT(*) FROM journal").await, 0);
        story.end().await;
    }

    async fn an_address_that_grows_when_parsed_is_called_all_the_same(db: &TestDb) {
        let story = Story::begin(db).await;
        let (hospital, voice) = (story.hospital(0), story.voice(0));
        let citizen = &story.citizens[0];
        let mut message = report(hospital, "b-1", person(citizen), &[item("t-1", "1.00")]);
        let address = message["notifyUrl"].as_str().unwrap().to_owned();
        let long = format!("{address}?院区={}", "东".repeat(100 - address.chars().count() - 4));
        message["notifyUrl"] = json!(long);
        voice.say(Interface::OrgMdl001, &message).await.done();
        story.settle().await;
        assert_eq!(told_of(hospital, "b-1").len(), 1);
        assert_eq!(story.number("SELECT COUNT(*) FROM job WHERE state = 2").await, 0);
        story.end().await;
    }

    async fn a_hospital_that_is_switched_off_is_told_nothing_until_it_is_back(db: &TestDb) {
        let story = Story::begin(db).await;
        let (hospital, desk) = (story.hospital(0), story.desk());
        let number = hospital.owe(Some(&story.citizens[0]), story.debt("诊查费", 100));
        hospital.report(&[&number]).await.unwrap();
        desk.set_active(hospital.app_id(), false).await.unwrap();
        story.renew().await;
        story.settle().await;
        story.after(10 * MINUTE_MS).await;
        assert_eq!(hospital.received().len(), 0);
        assert_eq!(story.number("SELECT COUNT(*) FROM job WHERE state = 0").await, 1, "it waits");
        desk.set_active(hospital.app_id(), true).await.unwrap();
        story.renew().await;
        story.settle().await;
        assert_eq!(hospital.received().len(), 1);
        story.end().await;
    }

    async fn a_notice_that_can_not_be_made_stands_in_nobody_s_way(db: &TestDb) {
        let story = Story::begin(db).await;
        let hospital = story.hospital(0);
        hospital.set_fault(Fault::Status(500));
        for place in 0..3 {
            let number = hospital.owe(Some(&story.citizens[place]), story.debt("诊查费", 100));
            hospital.report(&[&number]).await.unwrap();
        }
        story.settle().await;
        meddle(&story.app.db, "UPDATE overdue_batch SET outcome = '?' WHERE id = (SELECT MIN(id) FROM overdue_batch)").await;
        hospital.set_fault(Fault::None);
        story.after(MINUTE_MS).await;
        let taken = hospital.received().iter().filter(|told| told.effects == 1).count();
        assert_eq!(taken, 2);
        assert_eq!(story.number("SELECT COUNT(*) FROM job WHERE state = 2").await, 1);
        story.end().await;
    }

    async fn a_batch_that_can_not_be_read_is_set_aside_and_can_be_judged_again(db: &TestDb) {
        let story = Story::begin(db).await;
        let hospital = story.hospital(0);
        for place in 0..2 {
            let number = hospital.owe(Some(&story.citizens[place]), story.debt("诊查费", 100));
            hospital.report(&[&number]).await.unwrap();
        }
        // The first batch's content is put away, as a torn page would do, and found again later.
        let db = &story.app.db;
        meddle(db, "UPDATE overdue_batch SET outcome = notify_url, content = NULL WHERE id = (SELECT MIN(id) FROM overdue_batch)").await;
        story.clock.advance_ms(MINUTE_MS);
        story.settle().await;
        assert_eq!(story.number("SELECT COUNT(*) FROM overdue_item").await, 1, "the next one is judged");
        assert_eq!(story.number("SELECT COUNT(*) FROM job WHERE kind = 1 AND state = 2").await, 1);
        assert_eq!(story.desk().retry_batches().await.unwrap(), 1);
        story.settle().await;
        assert_eq!(story.number("SELECT COUNT(*) FROM job WHERE kind = 1 AND state = 2").await, 1, "it is as it was");
        story.end().await;
    }

    async fn a_batch_that_is_no_longer_at_hand_is_judged_by_what_is_kept(db: &TestDb) {
        let story = Story::begin(db).await;
        let (hospital, voice) = (story.hospital(0), story.voice(0));
        let message = |batch: &str| {
            report(hospital, batch, person(&story.citizens[0]), &[item(batch, "7.5")])
        };
        for batch in ["packed", "plain"] {
            voice.say(Interface::OrgMdl001, &message(batch)).await.done();
        }
        // The versions before this one kept the text as it was.
        let plain = story.app.vault.seal(Place::BatchContent, message("plain").to_string().as_bytes());
        story.app.db.write(move |tx| {
            tx.execute("UPDATE overdue_batch SET content = $1 WHERE org_request_id = 'plain'", &[(&plain).into()])
        }).await.unwrap();
        story.clock.advance_ms(MINUTE_MS);
        story.settle().await;
        for batch in ["packed", "plain"] {
            let told = told_of(hospital, batch);
            assert_eq!((told.len(), items_of(&told[0]).len()), (1, 1), "{batch}");
        }
        assert_eq!(story.number("SELECT COUNT(*) FROM overdue_item WHERE amount_fen = 750").await, 2);
        story.end().await;
    }

    async fn a_hospital_is_called_in_its_own_dialect_by_a_node_that_never_heard_it(db: &TestDb) {
        let story = Story::begin(db).await;
        let voice = story.voice(0);
        let business = query(&story.citizens[0]).to_string();
        let members = voice.members();
        let mut message = json!(members);
        let text = string_to_sign(&members, Some(("data", &business)), &voice.secret);
        message["sign"] = json!(base64::encode(&sm3::digest(text.as_bytes())));
        let encrypted = cipher(&voice.secret).encrypt_ecb(business.as_bytes());
        message["encryptData"] = json!(base64::encode(&encrypted));
        let at = path(Interface::OrgMdl002);
        // What another node knows.
        let app = &story.app;
        let rules = Rules { loopback_hosts: true, freshness_ms: MINUTE_MS, replay_capacity: 8 };
        let other = Directory::open(app.db.clone(), app.vault.clone(), rules, app.now_ms()).await.unwrap();
        let heard = || other.by_org_id(story.hospital(0).org_id()).unwrap().dialect().index();
        assert_eq!(heard(), 0);
        voice.post(at, message.to_string().as_bytes()).await.done();
        assert_eq!(story.number("SELECT COUNT(*) FROM partner WHERE dialect = 1").await, 1);
        other.renew(app.now_ms()).await.unwrap();
        assert_eq!(heard(), 1, "a node that ran already learns it");

        // What it speaks within the minute is written down as soon as the minute is over.
        voice.say(Interface::OrgMdl002, &query(&story.citizens[0])).await.done();
        assert_eq!(story.number("SELECT COUNT(*) FROM partner WHERE dialect = 1").await, 1);
        story.clock.advance_ms(MINUTE_MS);
        voice.say(Interface::OrgMdl002, &query(&story.citizens[0])).await.done();
        assert_eq!(story.number("SELECT COUNT(*) FROM partner WHERE dialect = 1").await, 0);
        story.end().await;
    }
}

on_both_engines! {
    async fn the_figures_can_be_kept_from_strangers(db: &TestDb) {
        let story = Story::begin_with(db, |settings| {
            settings.metrics_token = Some(MetricsToken("figures".to_owned()));
        })
        .await;
        let ask = |authorization: &'static str| {
            let story = &story;
            async move {
                let headers = [("authorization", authorization)];
                http(story.platform(), "GET", "/metrics", &headers, b"").await.status
            }
        };
        assert_eq!(http(story.platform(), "GET", "/metrics", &[], b"").await.status, 401);
        assert_eq!(ask("Bearer wrong").await, 401);
        assert_eq!(ask("Bearer figures").await, 200);
        story.end().await;
    }
}
