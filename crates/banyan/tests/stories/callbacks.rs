//! Callbacks to hospitals that misbehave: nothing is lost, nothing has two effects, nobody else
//! waits.

use std::sync::Arc;
use std::time::Duration;

use banyan::province::HOSPITALS;
use banyan_client::{HttpClient, HttpSettings};
use banyan_platform::work::callbacks::{BREAKER_FAILURES, GIVE_UP_AFTER_MS, RETRY_DELAYS_MS};
use banyan_sandbox::{Fault, HospitalSetup, SimulatedHospital};
use banyan_store::on_both_engines;

use crate::telling::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, Story, meddle, until_number};

const WAITING: &str = "SELECT COUNT(*) FROM job WHERE kind = 2 AND state = 0";
const DUE: &str = "SELECT due_ms FROM job WHERE kind = 2";
const TRIES: &str = "SELECT attempts FROM job WHERE kind = 2";
const STATE: &str = "SELECT state FROM job WHERE kind = 2";
/// What the story's clock may tick while a notice is tried.
const TICKS_MS: i64 = 200;

/// Reports as many debts of different citizens, each in a batch of its own.
async fn report_many(story: &Story, place: usize, count: usize) {
    let hospital = story.hospital(place);
    for citizen in &story.citizens[..count] {
        let number = hospital.owe(Some(citizen), story.debt("诊查费", 100));
        hospital.report(&[&number]).await.unwrap();
    }
}

/// Every notice came, and changed the hospital's ledger once.
#[track_caller]
fn all_told_once(hospital: &SimulatedHospital, count: usize) {
    let told = hospital.received();
    assert_eq!(told.len(), count);
    for told in told {
        assert_eq!(
            (told.effects, told.contradictions),
            (1, 0),
            "{}",
            told.notify_id
        );
    }
}

on_both_engines! {
    async fn a_notice_is_tried_by_the_schedule_and_then_given_up(db: &TestDb) {
        let story = Story::begin(db).await;
        let hospital = story.hospital(0);
        hospital.set_fault(Fault::Status(500));
        let began_ms = story.clock.shows_ms();
        report_many(&story, 0, 1).await;
        story.settle().await;
        // The faults played would count the questions by night too.
        let mut tries = 1;
        loop {
            assert_eq!(story.number(TRIES).await, tries);
            if story.number(STATE).await != 0 {
                break;
            }
            let now_ms = story.clock.shows_ms();
            let place = usize::try_from(tries - 1).unwrap().min(RETRY_DELAYS_MS.len() - 1);
            let (due_ms, delay_ms) = (story.number(DUE).await, RETRY_DELAYS_MS[place]);
            let waits_ms = due_ms - now_ms;
            let jitter_ms = delay_ms / 10 + TICKS_MS;
            assert!((waits_ms - delay_ms).abs() <= jitter_ms, "try {tries}: {waits_ms} is not about {delay_ms}");
            // A moment before, nobody tries.
            story.clock.reach_ms(due_ms - TICKS_MS);
            story.settle().await;
            assert_eq!(story.number(TRIES).await, tries);
            story.clock.reach_ms(due_ms);
            story.settle().await;
            tries += 1;
        }
        let age_ms = story.clock.shows_ms() - began_ms;
        assert!((GIVE_UP_AFTER_MS..GIVE_UP_AFTER_MS + 12 * HOUR_MS).contains(&age_ms), "{age_ms}");
        assert_eq!(GIVE_UP_AFTER_MS, 8 * DAY_MS);
        assert_eq!(story.number(STATE).await, 2, "given up, and still on record");
        assert!((23..=30).contains(&tries), "{tries}");
        hospital.set_fault(Fault::None);
        story.after(20 * DAY_MS).await;
        assert_eq!(hospital.received()[0].effects, 0);
        story.end().await;
    }

    async fn what_waited_while_a_hospital_was_switched_off_has_all_its_time(db: &TestDb) {
        let story = Story::begin(db).await;
        let hospital = story.hospital(0);
        hospital.set_fault(Fault::Status(500));
        report_many(&story, 0, 1).await;
        story.settle().await;
        assert_eq!(story.number(WAITING).await, 1);
        let desk = story.desk();
        desk.set_active(hospital.app_id(), false).await.unwrap();
        story.renew().await;
        story.after(GIVE_UP_AFTER_MS + DAY_MS).await;
        assert_eq!(story.number(WAITING).await, 1, "nobody is called who is switched off");

        desk.set_active(hospital.app_id(), true).await.unwrap();
        story.renew().await;
        // It takes the hospital a while to be up again: that is a failure like any other.
        story.settle().await;
        assert_eq!((story.number(TRIES).await, story.number(STATE).await), (2, 0));
        hospital.set_fault(Fault::None);
        story.after(DAY_MS).await;
        all_told_once(hospital, 1);
        story.end().await;
    }

    async fn without_a_secret_of_ours_the_hospital_is_not_blamed(db: &TestDb) {
        let story = Story::begin(db).await;
        let hospital = story.hospital(0);
        report_many(&story, 0, 6).await;
        // No operator's act leads here: it is what a database looks like that was restored in part.
        meddle(&story.app.db, "DELETE FROM partner_secret").await;
        meddle(&story.app.db, "UPDATE partner_revision SET revision = revision + 1").await;
        story.renew().await;
        story.settle().await;
        assert_eq!(story.number("SELECT COUNT(*) FROM job WHERE kind = 2 AND attempts = 1").await, 6);
        assert_eq!(story.number("SELECT COALESCE(MAX(failures), 0) FROM lane_lease").await, 0, "the breaker does not count it");
        until_number(&story.app.db, "SELECT COUNT(*) FROM journal WHERE interface = 'ORG_002' AND result = 'no_secret'", 6).await;
        assert!(hospital.received().is_empty());
        story.end().await;
    }

    async fn a_refusal_is_kept_by_its_code(db: &TestDb) {
        let story = Story::begin(db).await;
        story.hospital(0).set_fault(Fault::Refuse);
        report_many(&story, 0, 1).await;
        story.settle().await;
        until_number(&story.app.db, "SELECT COUNT(*) FROM journal WHERE interface = 'ORG_002' AND result = '000002'", 1).await;
        story.end().await;
    }

    async fn whatever_a_hospital_answers_its_notice_has_one_effect(db: &TestDb) {
        let story = Story::begin_with(db, |settings| settings.outbound.call_timeout_ms = 700).await;
        let hospital = story.hospital(0);
        for (count, fault) in [
            Fault::Hang,
            Fault::Status(500),
            Fault::Status(302),
            Fault::Garbage,
            Fault::WrongSignature,
            Fault::FailState,
            Fault::Refuse,
            Fault::CloseConnection,
        ]
        .into_iter()
        .enumerate()
        {
            hospital.set_fault(fault);
            report_many(&story, 0, 1).await;
            story.settle().await;
            assert_eq!(hospital.faults_played(), 1, "{fault:?}");
            assert_eq!(story.number(WAITING).await, 1, "{fault:?} is no acknowledgement");
            story.after(6 * SECOND_MS).await;
            assert_eq!(hospital.faults_played(), 2, "{fault:?} again");
            hospital.set_fault(Fault::None);
            story.after(MINUTE_MS).await;
            assert_eq!(story.number(WAITING).await, 0, "{fault:?} is over");
            all_told_once(hospital, count + 1);
        }
        // These are answers by the guide's own examples, from a partner that may give them.
        for fault in [Fault::PlainEnvelope, Fault::BareObject, Fault::Delay(Duration::from_millis(50))] {
            hospital.set_fault(fault);
            report_many(&story, 0, 1).await;
            story.settle().await;
            assert_eq!(story.number(WAITING).await, 0, "{fault:?}");
        }
        assert_eq!(story.number("SELECT COUNT(*) FROM job WHERE kind = 2 AND state = 1").await, 11);
        story.end().await;
    }

    async fn a_hospital_that_is_down_for_three_days_hears_everything_once(db: &TestDb) {
        const BATCHES: usize = 20;
        let story = Story::begin(db).await;
        let hospital = story.hospital(0);
        report_many(&story, 0, BATCHES).await;
        hospital.stop().await;
        story.settle().await;
        for _ in 0..72 {
            story.after(HOUR_MS).await;
        }
        assert_eq!(story.number(WAITING).await, 20);
        let back = restart(&story).await;
        for _ in 0..12 {
            story.after(HOUR_MS).await;
        }
        assert_eq!(story.number(WAITING).await, 0);
        all_told_once(&back, BATCHES);
        assert!(back.received().iter().all(|told| told.count == 1));
        back.stop().await;
        story.end().await;
    }

    async fn a_hanging_hospital_delays_nobody_else(db: &TestDb) {
        let story = Story::begin(db).await;
        let patience = Duration::from_secs(5);
        story.hospital(0).set_fault(Fault::Hang);
        for place in 0..3 {
            report_many(&story, place, 10).await;
        }
        let told = |told: &[banyan_sandbox::Received]| told.iter().map(|told| told.effects).sum::<u32>() == 10;
        tokio::join!(story.settle(), async {
            assert!(story.hospital(0).wait_for_faults(1, patience).await);
            assert!(story.hospital(1).wait_for(told, patience).await);
            assert!(story.hospital(2).wait_for(told, patience).await);
            assert!(story.hospital(0).faults_played() >= 1, "it hangs still");
            story.hospital(0).set_fault(Fault::None);
        });
        for _ in 0..40 {
            story.after(30 * SECOND_MS).await;
        }
        for place in 0..3 {
            all_told_once(story.hospital(place), 10);
        }
        story.end().await;
    }

    async fn a_dead_hospital_is_paused_and_loses_nothing(db: &TestDb) {
        const BATCHES: usize = 30;
        let story = Story::begin(db).await;
        let hospital = story.hospital(0);
        hospital.set_fault(Fault::Status(503));
        report_many(&story, 0, BATCHES).await;
        story.settle().await;
        let first = hospital.faults_played();
        let at_once = u64::try_from(story.app.settings.outbound.per_hospital).unwrap();
        assert!((u64::from(BREAKER_FAILURES)..=u64::from(BREAKER_FAILURES) + at_once).contains(&first), "{first}");
        story.settle().await;
        assert_eq!(hospital.faults_played(), first, "the pause holds");
        // Of all that is due, one notice is tried a pause.
        for tried in 1..=4 {
            let pause_ms = story.number("SELECT paused_until_ms FROM lane_lease WHERE kind = 2").await - story.clock.shows_ms();
            assert!(pause_ms <= 10 * MINUTE_MS);
            story.after(pause_ms + SECOND_MS).await;
            assert_eq!(hospital.faults_played(), first + tried);
        }
        assert_eq!(story.number(WAITING).await, 30);
        hospital.set_fault(Fault::None);
        for _ in 0..60 {
            story.after(2 * MINUTE_MS).await;
        }
        assert_eq!(story.number(WAITING).await, 0);
        all_told_once(hospital, BATCHES);
        story.end().await;
    }
}

/// The first hospital's server again, at its old place with its old ledger.
async fn restart(story: &Story) -> SimulatedHospital {
    let access = &story.description.hospitals[0];
    let callback: url::Url = access.callback_url.parse().unwrap();
    let ledger = format!("hospitals/{}.jsonl", HOSPITALS[0].0);
    let setup = HospitalSetup {
        org_id: access.org_id.clone(),
        org_name: access.org_name.clone(),
        app_id: access.app_id.clone(),
        secret: access.secret.clone(),
        listen: callback.socket_addrs(|| None).unwrap()[0],
        platform_url: story.description.platform.parse().unwrap(),
        ledger_file: Some(story.folder.path().join(ledger)),
    };
    let http = HttpClient::new(&HttpSettings::default()).unwrap();
    SimulatedHospital::start(setup, Arc::new(story.clock.clone()), http)
        .await
        .unwrap()
}
