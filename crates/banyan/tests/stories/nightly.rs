//! What happens by the clock: reconciliation by night, expiry, retention, sealing.

use banyan_protocol::catalogue::Interface;
use banyan_protocol::wire::LocalTime;
use banyan_sandbox::Fault;
use banyan_store::chain;
use banyan_store::ids::JobId;
use banyan_store::journal::{JOURNAL, OPERATOR_AUDIT};
use banyan_store::on_both_engines;
use banyan_store::queue::{self, JobKind, NewJob};
use serde_json::json;

use crate::telling::{
    DAY_MS, MINUTE_MS, SECOND_MS, Story, item, meddle, person, report, told_of, until_number,
};

/// Lets the next night pass; the reconciliation is at half past six.
async fn night(story: &Story) {
    let now_ms = story.clock.shows_ms();
    story
        .clock
        .reach_ms(LocalTime::next_daily_ms(now_ms, 6, 30) + SECOND_MS);
    story.settle().await;
}

on_both_engines! {
    async fn a_settlement_that_was_lost_is_found_by_night(db: &TestDb) {
        let story = Story::begin(db).await;
        let hospital = story.hospital(0);
        let citizen = &story.citizens[0];
        let (paid, _) = story.owe(0, Some(citizen), 100).await;
        let (open, _) = story.owe(0, Some(&story.citizens[1]), 100).await;
        let (mistake, _) = story.owe(1, Some(citizen), 100).await;
        hospital.pay_locally(&paid).unwrap();
        story.hospital(1).revoke_locally(&mistake).unwrap();
        assert_eq!(story.mzt.query(citizen).await.unwrap().itemList.len(), 2);

        night(&story).await;
        let reply = story.mzt.query(citizen).await.unwrap();
        assert_eq!((reply.next.code(), reply.itemList.len()), ("1", 0));
        assert_eq!(story.mzt.query(&story.citizens[1]).await.unwrap().next.code(), "0", "{open} is open still");
        assert_eq!(story.number("SELECT COUNT(*) FROM overdue_change WHERE cause = 'reconciled' AND to_state = 1").await, 1);
        assert_eq!(story.number("SELECT COUNT(*) FROM overdue_change WHERE cause = 'reconciled' AND to_state = 2").await, 1);
        until_number(&story.app.db, "SELECT COUNT(*) FROM journal WHERE interface = 'ORG_001' AND direction = 1", 3).await;

        // The hospital tells it after all: no fault, and no second change.
        hospital.tell(&paid).await.unwrap();
        story.settle().await;
        let batch = hospital.entry(&paid).unwrap().org_request_id.unwrap();
        assert_eq!(crate::telling::items_of(&told_of(hospital, &batch)[0])[0].2, "1");
        assert_eq!(story.number("SELECT COUNT(*) FROM overdue_change").await, 2);
        story.end().await;
    }

    async fn a_hospital_that_is_away_by_night_is_asked_the_next(db: &TestDb) {
        let story = Story::begin(db).await;
        let hospital = story.hospital(0);
        let citizen = &story.citizens[0];
        let (paid, _) = story.owe(0, Some(citizen), 100).await;
        let (elsewhere, _) = story.owe(1, Some(citizen), 100).await;
        hospital.pay_locally(&paid).unwrap();
        story.hospital(1).pay_locally(&elsewhere).unwrap();
        for fault in [Fault::Status(502), Fault::Garbage, Fault::WrongSignature, Fault::FailState, Fault::CloseConnection] {
            hospital.set_fault(fault);
            night(&story).await;
            assert!(hospital.faults_played() >= 1, "{fault:?}");
            assert_eq!(story.mzt.query(citizen).await.unwrap().itemList.len(), 1, "{fault:?}");
        }
        hospital.set_fault(Fault::None);
        night(&story).await;
        assert_eq!(story.mzt.query(citizen).await.unwrap().next.code(), "1");
        assert_eq!(story.number("SELECT COUNT(*) FROM job WHERE kind = 3").await, 0);
        story.end().await;
    }

    async fn a_night_that_is_broken_off_goes_on(db: &TestDb) {
        let story = Story::begin(db).await;
        let hospital = story.hospital(0);
        let citizen = &story.citizens[0];
        let (paid, _) = story.owe(0, Some(citizen), 100).await;
        hospital.pay_locally(&paid).unwrap();
        story.clock.advance_ms(DAY_MS);
        let lane = story.app.directory.by_org_id(hospital.org_id()).unwrap().id.0;
        let now_ms = story.app.now_ms();
        let night = NewJob { id: JobId(1), kind: JobKind::Reconcile, lane, subject: lane, due_ms: now_ms };
        story.app.db.write(move |tx| queue::leave(tx, &night, now_ms)).await.unwrap();
        story.app.stop_soon();
        story.settle().await;
        assert_eq!(story.number("SELECT COUNT(*) FROM job WHERE id = 1").await, 1, "it waits for the next start");

        let story = story.again_with(db, |_| {}).await;
        story.settle().await;
        assert_eq!(story.mzt.query(&story.citizens[0]).await.unwrap().next.code(), "1");
        assert_eq!(story.number("SELECT COUNT(*) FROM job WHERE id = 1").await, 0);
        story.end().await;
    }

    async fn records_that_a_hospital_has_lost_do_not_hide_the_others(db: &TestDb) {
        let story = Story::begin(db).await;
        let (hospital, voice) = (story.hospital(0), story.voice(0));
        // The oldest four are in no ledger: the hospital refuses every question about them.
        let lost: Vec<_> = (0..4).map(|n| item(&format!("lost-{n}"), "1")).collect();
        let message = report(hospital, "lost", person(&story.citizens[1]), &lost);
        voice.say(Interface::OrgMdl001, &message).await.done();
        story.settle().await;
        let (paid, _) = story.owe(0, Some(&story.citizens[0]), 100).await;
        hospital.pay_locally(&paid).unwrap();
        for _ in 0..3 {
            night(&story).await;
        }
        let reply = story.mzt.query(&story.citizens[0]).await.unwrap();
        assert_eq!(reply.next.code(), "1", "it is asked about within three nights");
        assert_eq!(story.mzt.query(&story.citizens[1]).await.unwrap().itemList.len(), 4);
        story.end().await;
    }

    async fn links_that_are_over_are_removed(db: &TestDb) {
        let story = Story::begin(db).await;
        story.settle().await;
        for citizen in &story.citizens[..3] {
            story.hospital(0).entry_link(citizen).await.unwrap();
        }
        story.after(9 * MINUTE_MS).await;
        assert_eq!(story.number("SELECT COUNT(*) FROM entry_link").await, 3);
        story.after(6 * MINUTE_MS).await;
        assert_eq!(story.number("SELECT COUNT(*) FROM entry_link").await, 0);
        story.end().await;
    }

    async fn retention_takes_what_is_done_and_leaves_what_was_not_delivered(db: &TestDb) {
        let story = Story::begin(db).await;
        story.hospital(1).set_fault(Fault::Status(500));
        for place in [0, 1] {
            let hospital = story.hospital(place);
            let message = report(hospital, "old", person(&story.citizens[place]), &[item("i-1", "1")]);
            story.voice(place).say(Interface::OrgMdl001, &message).await.done();
        }
        story.settle().await;
        let ask = |place: usize| {
            let message = json!({"orgId": story.hospital(place).org_id(), "orgRequestId": "old"});
            let voice = story.voice(place);
            async move { voice.say(Interface::OrgMdl005, &message).await }
        };
        // The platform itself was off for half a year, so that the one notice still waits.
        story.after(181 * DAY_MS).await;
        ask(0).await.refused("000105", "orgRequestId");
        ask(1).await.done();
        assert_eq!(story.number("SELECT COUNT(*) FROM job WHERE kind = 2 AND state = 1").await, 0);
        assert_eq!(story.number("SELECT COUNT(*) FROM overdue_batch").await, 1);
        assert_eq!(story.number("SELECT COUNT(*) FROM overdue_item WHERE state = 0").await, 2, "records stay");
        assert_eq!(story.mzt.query(&story.citizens[0]).await.unwrap().next.code(), "0");
        story.end().await;
    }

    async fn the_journal_is_sealed_and_shows_what_was_changed(db: &TestDb) {
        let story = Story::begin(db).await;
        let citizen = &story.citizens[0];
        story.owe(0, Some(citizen), 100).await;
        story.hospital(1).query(citizen, false).await.unwrap();
        until_number(&story.app.db, "SELECT COUNT(*) FROM journal WHERE interface = 'ORG_MDL_002'", 1).await;
        story.after(11 * SECOND_MS).await;
        assert_eq!(story.number("SELECT COUNT(*) FROM journal WHERE block IS NULL").await, 0);
        let (db, vault) = (&story.app.db, &story.app.vault);
        let whole = chain::verify(db, &JOURNAL, vault, |_| {}).await.unwrap();
        assert_eq!((whole.broken, whole.blocks), (None, 1));
        assert!(whole.entries >= 3, "{whole:?}");
        let audit = chain::verify(db, &OPERATOR_AUDIT, vault, |_| {}).await.unwrap();
        assert!(audit.broken.is_none() && audit.entries >= 4, "the partners were added: {audit:?}");

        // Somebody does not want to have looked.
        assert_eq!(meddle(db, "UPDATE journal SET purpose = '01304' WHERE interface = 'ORG_MDL_002'").await, 1);
        assert_eq!(chain::verify(db, &JOURNAL, vault, |_| {}).await.unwrap().broken, Some(1));
        meddle(db, "UPDATE journal SET purpose = '01101' WHERE interface = 'ORG_MDL_002'").await;
        assert_eq!(chain::verify(db, &JOURNAL, vault, |_| {}).await.unwrap().broken, None);
        meddle(db, "DELETE FROM operator_audit WHERE id = (SELECT MAX(id) FROM operator_audit)").await;
        assert_eq!(chain::verify(db, &OPERATOR_AUDIT, vault, |_| {}).await.unwrap().broken, Some(1));
        story.end().await;
    }
}
