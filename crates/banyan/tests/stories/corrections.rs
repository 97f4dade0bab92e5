//! 更正回执: whoever was shown a debt that was then revoked is told once, if he wishes to be.

use banyan_platform::admin::Edit;
use banyan_platform::web::{Extras, Server};
use banyan_platform::work::Worker;
use banyan_protocol::catalogue::Interface;
use banyan_protocol::dictionaries::NotifyType;
use banyan_sandbox::{Fault, Received, SimulatedHospital};
use banyan_store::db::Engine;
use banyan_store::ids::PartnerId;
use banyan_store::journal::{Direction, Entry};
use banyan_store::on_both_engines;
use banyan_store::spool::Spool;
use banyan_store::testing::tell;
use serde_json::json;

use crate::telling::{
    DAY_MS, MINUTE_MS, SECOND_MS, Story, eventually, ext, new_hospital, query, second_node,
    until_number,
};

const FOUND: &str = "SELECT COUNT(*) FROM job WHERE kind = 9";

/// The corrections that a hospital was told, oldest first.
fn corrections(hospital: &SimulatedHospital) -> Vec<Received> {
    let mut told = hospital.received();
    told.retain(|told| told.request.notifyType == NotifyType::Correct);
    told
}

/// Lets whom to tell be found: entries of reads are written behind, in real time.
pub(crate) async fn found(story: &Story) {
    eventually("somebody finds out whom to tell", async || {
        story.after(11 * SECOND_MS).await;
        story.number(FOUND).await == 0
    })
    .await;
}

async fn wishes(story: &Story, app_id: &str) {
    let edit = Edit {
        corrections: Some(true),
        ..Edit::default()
    };
    story.desk().edit(app_id, edit).await.unwrap();
    story.renew().await;
}

on_both_engines! {
    async fn whoever_was_shown_it_and_wishes_to_know_is_told_once(db: &TestDb) {
        let story = Story::begin(db).await;
        let citizen = &story.citizens[0];
        // The second hospital wishes it from the beginning, the third does not.
        let [reporter, wishing, silent] = [0, 1, 2].map(|place| story.hospital(place));
        wishes(&story, reporter.app_id()).await;
        wishes(&story, &story.description.mzt.app_id).await;
        let (mistake, trace_id) = story.owe(0, Some(citizen), 1_250).await;
        let (paid, _) = story.owe(0, Some(citizen), 700).await;
        for hospital in [reporter, wishing, silent] {
            hospital.query(citizen, false).await.unwrap();
        }
        story.mzt.entry_link(citizen).await.unwrap();
        story.clock.advance_ms(MINUTE_MS);
        reporter.revoke(&mistake).await.unwrap();
        reporter.pay(&paid).await.unwrap();
        story.settle().await;
        found(&story).await;

        let told = corrections(wishing);
        assert_eq!(told.len(), 1);
        let said = json!(told[0].request.extData.as_ref().unwrap().0);
        assert_eq!(said, json!({
            "notifyId": said["notifyId"], "idType": "01", "idNo": citizen.id_no, "traceId": trace_id, "amount": "12.50",
            "sourceOrgId": reporter.org_id(), "sourceOrgName": "榕城第一医院（沙箱）",
            "revokedTime": said["revokedTime"], "askedTime": "2026-03-02 10:00:00",
        }));
        assert!(said["revokedTime"].as_str().unwrap() >= "2026-03-02 10:01:00");
        assert_eq!((told[0].request.orgId.as_str(), told[0].count), (wishing.org_id(), 1));
        assert_eq!((corrections(reporter).len(), corrections(silent).len()), (0, 0));
        assert!(story.mzt_inbox.arrived().is_empty(), "who opened the citizen's list for him saw none of it");

        // Whatever comes later, nobody hears it twice.
        story.after(2 * DAY_MS).await;
        assert_eq!(corrections(wishing).len(), 1);
        assert_eq!(story.number("SELECT COUNT(*) FROM overdue_correction WHERE told_ms IS NOT NULL").await, 1);
        assert_eq!(story.number("SELECT COUNT(*) FROM overdue_revocation").await, 1);
        let metrics = crate::partners_voice::http(story.platform(), "GET", "/metrics", &[], b"").await.text();
        assert!(metrics.contains("banyan_notices_total{kind=\"correction\",outcome=\"taken\"} 1"), "{metrics}");
        story.end().await;
    }

    async fn who_was_not_shown_it_is_not_told(db: &TestDb) {
        let story = Story::begin(db).await;
        let citizen = &story.citizens[0];
        let (reporter, wishing) = (story.hospital(0), story.hospital(1));
        // Before it was reported, about the asker's own records alone, and about somebody else.
        wishing.query(citizen, false).await.unwrap();
        story.clock.advance_ms(SECOND_MS);
        let (mistake, _) = story.owe(0, Some(citizen), 100).await;
        let (nameless, _) = story.owe(0, None, 100).await;
        wishing.query(citizen, true).await.unwrap();
        wishing.query(&story.citizens[1], false).await.unwrap();
        reporter.revoke(&mistake).await.unwrap();
        reporter.revoke(&nameless).await.unwrap();
        story.settle().await;
        found(&story).await;
        wishing.query(citizen, false).await.unwrap();
        story.after(DAY_MS).await;
        assert_eq!(corrections(wishing).len(), 0);

        // And what was shown too long ago is forgotten.
        let (old, _) = story.owe(0, Some(citizen), 100).await;
        wishing.query(citizen, false).await.unwrap();
        story.after(91 * DAY_MS).await;
        reporter.revoke(&old).await.unwrap();
        story.settle().await;
        found(&story).await;
        assert_eq!(corrections(wishing).len(), 0);
        story.end().await;
    }

    async fn a_record_that_is_reported_anew_and_revoked_again_is_told_again(db: &TestDb) {
        let story = Story::begin(db).await;
        let citizen = &story.citizens[0];
        let (reporter, wishing) = (story.hospital(0), story.hospital(1));
        let (number, _) = story.owe(0, Some(citizen), 100).await;
        wishing.query(citizen, false).await.unwrap();
        reporter.revoke(&number).await.unwrap();
        story.settle().await;
        found(&story).await;
        assert_eq!(corrections(wishing).len(), 1);

        let anew = || async {
            story.clock.advance_ms(SECOND_MS);
            reporter.reopen_locally(&number).unwrap();
            reporter.report(&[&number]).await.unwrap();
            story.settle().await;
        };
        anew().await;
        reporter.revoke(&number).await.unwrap();
        story.settle().await;
        found(&story).await;
        assert_eq!(corrections(wishing).len(), 1, "this time it was shown to nobody");

        anew().await;
        wishing.query(citizen, false).await.unwrap();
        reporter.revoke(&number).await.unwrap();
        story.settle().await;
        found(&story).await;
        let told = corrections(wishing);
        assert_eq!(told.len(), 2);
        assert_ne!(told[0].notify_id, told[1].notify_id);
        story.end().await;
    }

    async fn a_revocation_that_is_found_by_night_is_told_too(db: &TestDb) {
        let story = Story::begin(db).await;
        let citizen = &story.citizens[0];
        let (mistake, trace_id) = story.owe(0, Some(citizen), 100).await;
        let (paid, _) = story.owe(0, Some(citizen), 100).await;
        story.hospital(1).query(citizen, false).await.unwrap();
        story.hospital(0).revoke_locally(&mistake).unwrap();
        story.hospital(0).pay_locally(&paid).unwrap();
        story.after(DAY_MS).await;
        found(&story).await;
        let told = corrections(story.hospital(1));
        assert_eq!(told.iter().map(|told| ext(told, "traceId")).collect::<Vec<_>>(), [json!(trace_id)]);
        story.end().await;
    }

    async fn a_partner_that_is_down_is_told_when_it_is_back(db: &TestDb) {
        let story = Story::begin(db).await;
        let citizen = &story.citizens[0];
        let wishing = story.hospital(1);
        let (mistake, _) = story.owe(0, Some(citizen), 100).await;
        wishing.query(citizen, false).await.unwrap();
        wishing.set_fault(Fault::Status(503));
        // Its own batches fail with it: one breaker for all that it is told.
        for citizen in &story.citizens[1..7] {
            let number = wishing.owe(Some(citizen), story.debt("诊查费", 100));
            wishing.report(&[&number]).await.unwrap();
        }
        story.hospital(0).revoke(&mistake).await.unwrap();
        story.settle().await;
        found(&story).await;
        let waiting = "SELECT COUNT(*) FROM job WHERE kind IN (2, 8) AND state = 0";
        assert_eq!(story.number(waiting).await, 7);
        assert_eq!(story.number("SELECT COUNT(*) FROM lane_lease WHERE failures >= 5").await, 1);
        wishing.set_fault(Fault::None);
        for _ in 0..30 {
            story.after(2 * MINUTE_MS).await;
        }
        assert_eq!(story.number(waiting).await, 0);
        assert_eq!(corrections(wishing)[0].count, 1);
        story.end().await;
    }

    async fn who_wishes_no_more_is_told_no_more(db: &TestDb) {
        let story = Story::begin(db).await;
        let citizen = &story.citizens[0];
        let wishing = story.hospital(1);
        let (mistake, _) = story.owe(0, Some(citizen), 100).await;
        wishing.query(citizen, false).await.unwrap();
        wishing.set_fault(Fault::Status(503));
        story.hospital(0).revoke(&mistake).await.unwrap();
        story.settle().await;
        found(&story).await;
        assert_eq!(story.number("SELECT COUNT(*) FROM job WHERE kind = 8 AND state = 0").await, 1);
        let edit = Edit { corrections: Some(false), ..Edit::default() };
        story.desk().edit(wishing.app_id(), edit).await.unwrap();
        story.renew().await;
        wishing.set_fault(Fault::None);
        story.after(DAY_MS).await;
        assert_eq!(story.number("SELECT COUNT(*) FROM job WHERE kind = 8 AND state = 0").await, 0);
        assert_eq!(corrections(wishing).iter().map(|told| told.effects).sum::<u32>(), 0);
        story.end().await;
    }

    async fn to_be_told_one_needs_an_address(db: &TestDb) {
        let story = Story::begin(db).await;
        let mut hospital = new_hospital("H35019900008");
        hospital.corrections = true;
        let refused = story.desk().add_partner(hospital).await.unwrap_err();
        assert!(refused.to_string().contains("--base-url"), "{refused}");
        let voice = story.add_partner(new_hospital("H35019900008")).await;
        let edit = Edit { corrections: Some(true), ..Edit::default() };
        assert!(story.desk().edit(&voice.app_id, edit).await.is_err());
        let partners = story.desk().partners().await.unwrap();
        let wishing: Vec<_> = partners.iter().filter(|partner| partner.profile.corrections).collect();
        assert_eq!(wishing.len(), 1, "the sandbox's second hospital");
        story.end().await;
    }
}

on_both_engines! {
    /// Entries of reads wait for a place in the journal, after a busy hour for long.
    async fn who_asked_a_moment_ago_is_told_although_it_is_not_in_the_journal_yet(db: &TestDb) {
        let story = Story::begin(db).await;
        let citizen = &story.citizens[0];
        let (mistake, _) = story.owe(0, Some(citizen), 100).await;
        let at_ms = story.clock.shows_ms();
        let busy: Vec<Entry> = (0..400)
            .map(|id| Entry {
                id: -1 - id,
                at_ms,
                partner: PartnerId(1),
                interface: "ORG_MDL_002".into(),
                direction: Direction::Received,
                result: "000000".into(),
                person: None,
                purpose: None,
                subject: None,
                digest: None,
            })
            .collect();
        let spool = Spool::open(&db.url, db.db.clone()).await.unwrap();
        for round in 0..20 {
            let mut entries = busy.clone();
            for entry in &mut entries {
                entry.id -= round * 400;
            }
            spool.put(&entries).await.unwrap();
        }
        story.hospital(1).query(citizen, false).await.unwrap();
        story.hospital(0).revoke(&mistake).await.unwrap();
        story.settle().await;
        story.after(11 * SECOND_MS).await;
        let noted =
            "SELECT COUNT(*) FROM journal WHERE interface = 'ORG_MDL_002' AND person IS NOT NULL";
        assert_eq!(story.number(noted).await, 0, "it waits behind the others");
        assert_eq!(
            story.number(FOUND).await,
            1,
            "and so nobody says that nobody asked"
        );
        found(&story).await;
        assert_eq!(story.number(noted).await, 1);
        assert_eq!(corrections(story.hospital(1)).len(), 1);
        spool.close().await;
        story.end().await;
    }
}

/// Each node writes its own reads behind; whoever looks for the askers finds those of all.
#[test]
fn who_asked_at_another_node_is_told_too_and_once() {
    tell(Engine::Postgres, async |db| {
        let story = Story::begin(db).await;
        let citizen = &story.citizens[0];
        let (mistake, _) = story.owe(0, Some(citizen), 100).await;
        let second = second_node(&story, db).await;
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let extras = Extras {
            worker: false,
            ..Extras::default()
        };
        let server = Server::start_with(second.clone(), listener, extras).await;
        let server = server.unwrap();
        let mut voice = story.voice(1);
        voice.platform = server.address();
        voice
            .say(Interface::OrgMdl002, &query(citizen))
            .await
            .done();
        story.hospital(0).revoke(&mistake).await.unwrap();
        story.settle().await;
        let worker = Worker::new(second.clone());
        // Entries of reads are written behind, in real time, and the ten seconds for which the finder
        // waits pass here at once; when the entry is there both go on for a while.
        let noted =
            "SELECT COUNT(*) FROM journal WHERE interface = 'ORG_MDL_002' AND person IS NOT NULL";
        until_number(&story.app.db, noted, 1).await;
        let both = async || {
            story.clock.advance_ms(11 * SECOND_MS);
            let (one, two) = tokio::join!(story.province.settle(), worker.settle());
            one.unwrap();
            two.unwrap();
            story.number(FOUND).await == 0
        };
        eventually("somebody finds out whom to tell", both).await;
        for _ in 0..3 {
            assert!(both().await);
        }
        let told = corrections(story.hospital(1));
        assert_eq!((told.len(), told[0].count), (1, 1));
        server.stop().await;
        story.end().await;
    });
}
