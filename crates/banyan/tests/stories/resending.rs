//! Operators send callbacks again; and callbacks go to registered hosts only.

use banyan_platform::admin::Resend;
use banyan_protocol::catalogue::Interface;
use banyan_protocol::wire::{Scalar as _, WebAddress};
use banyan_sandbox::Fault;
use banyan_store::on_both_engines;
use serde_json::json;

use crate::telling::{
    DAY_MS, HOUR_MS, Platform, Story, ext, item, new_hospital, number, person, report, told_of,
};

on_both_engines! {
    async fn one_notice_or_a_window_of_them_is_sent_again(db: &TestDb) {
        let story = Story::begin(db).await;
        let (hospital, voice) = (story.hospital(0), story.voice(0));
        for (place, batch) in ["b-0", "b-1", "b-2", "b-3"].into_iter().enumerate() {
            let message = report(hospital, batch, person(&story.citizens[0]), &[item(batch, "1")]);
            voice.say(Interface::OrgMdl001, &message).await.done();
            story.settle().await;
            assert_eq!(hospital.received().len(), place + 1);
            story.clock.advance_ms(HOUR_MS);
        }
        let counts = || ["b-0", "b-1", "b-2", "b-3"].map(|batch| told_of(hospital, batch)[0].count);
        let desk = story.desk();
        let notify_id = ext(&told_of(hospital, "b-1")[0], "notifyId");
        let notify_id: i64 = notify_id.as_str().unwrap().parse().unwrap();
        assert_eq!(desk.resend(Resend::Some(vec![notify_id])).await.unwrap(), 1);
        story.settle().await;
        assert_eq!(counts(), [1, 2, 1, 1]);

        let now_ms = story.clock.shows_ms();
        let window = |app_id: &str| Resend::Window {
            app_id: app_id.to_owned(),
            from_ms: now_ms - 3 * HOUR_MS - HOUR_MS / 2,
            to_ms: now_ms - HOUR_MS - HOUR_MS / 2,
            delivered: true,
        };
        assert_eq!(desk.resend(window(hospital.app_id())).await.unwrap(), 2);
        assert_eq!(desk.resend(window(story.hospital(1).app_id())).await.unwrap(), 0);
        assert!(desk.resend(window("nobody")).await.is_err());
        assert_eq!(desk.resend(Resend::Some(vec![1])).await.unwrap(), 0);
        story.settle().await;
        assert_eq!(counts(), [1, 3, 2, 1]);
        for told in hospital.received() {
            assert_eq!((told.effects, told.contradictions), (1, 0));
        }
        assert_eq!(
            story.number("SELECT COUNT(*) FROM operator_audit WHERE actor = 'story' AND action = 'callback.resend'").await,
            4
        );
        story.end().await;
    }

    async fn what_was_given_up_can_be_sent_again(db: &TestDb) {
        let story = Story::begin(db).await;
        let hospital = story.hospital(0);
        hospital.set_fault(Fault::Status(500));
        let number = hospital.owe(Some(&story.citizens[0]), story.debt("诊查费", 100));
        hospital.report(&[&number]).await.unwrap();
        story.settle().await;
        story.after(9 * DAY_MS).await;
        assert_eq!(story.number("SELECT COUNT(*) FROM job WHERE state = 2").await, 1);
        hospital.set_fault(Fault::None);
        // An operator may be on holiday.
        story.after(60 * DAY_MS).await;
        let notify_id = story.number("SELECT id FROM job WHERE state = 2").await;
        story.desk().resend(Resend::Some(vec![notify_id])).await.unwrap();
        story.settle().await;
        let told = hospital.received();
        assert_eq!((told.len(), told[0].effects), (1, 1));
        assert!(hospital.entry(&number).unwrap().is_open());
        story.end().await;
    }

    async fn only_registered_hosts_are_called(db: &TestDb) {
        let platform = Platform::open(db, |_| {}).await;
        let mut hospital = new_hospital("H35019900009");
        hospital.base_url = Some(WebAddress::parse("http://his.hospital.example:8080/bus").unwrap());
        hospital.hosts = vec!["127.0.0.1:8999".to_owned()];
        let voice = platform.add_partner(hospital).await;
        let send = |url: &'static str, batch: &'static str| {
            let message = json!({
                "orgId": "H35019900009", "orgName": "榕树医院", "notifyUrl": url,
                "orgRequestId": batch,
            });
            let voice = voice.clone();
            async move { voice.say(Interface::OrgMdl001, &message).await }
        };
        for elsewhere in [
            "http://evil.example/umdl/callback",
            "http://his.hospital.example:8081/umdl/callback",
            "http://his.hospital.example.evil.example:8080/",
            "http://127.0.0.1:8998/umdl/callback",
            "http://169.254.169.254/latest/meta-data",
            "http://[::1]:8999/",
            "http://localhost:8999/",
            "http://0x7f000001:8998/",
        ] {
            send(elsewhere, "b-0").await.refused("000105", "notifyUrl");
        }
        assert_eq!(number(&platform.app.db, "SELECT COUNT(*) FROM overdue_batch").await, 0);
        for registered in [
            "http://his.hospital.example:8080/bus/umdl/callback",
            "http://HIS.Hospital.Example:8080/anywhere?x=1",
        ] {
            let batch = if registered.contains("bus") { "b-1" } else { "b-2" };
            send(registered, batch).await.done();
        }
        send("http://127.0.0.1:8999/umdl/callback", "b-3").await.done();
        assert_eq!(number(&platform.app.db, "SELECT COUNT(*) FROM overdue_batch").await, 3);
        platform.end().await;
    }
}
