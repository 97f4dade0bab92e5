//! Whose fault it is: the clock's, the key's, the company's; and what that costs.

use std::sync::Arc;

use banyan_edge::settings::Hidden;
use banyan_protocol::ambient::Clock;
use banyan_store::on_both_engines;

use super::place::{EdgeAt, ORG_ID, platform, row};
use crate::telling::{DAY_MS, HOUR_MS, MINUTE_MS, Story, StoryClock, new_hospital};

/// A clock that somebody set wrong.
#[derive(Debug)]
struct WrongClock(StoryClock, i64);

impl Clock for WrongClock {
    fn now_ms(&self) -> i64 {
        self.0.now_ms() + self.1
    }
}

on_both_engines! {
    async fn a_clock_that_is_a_day_off_is_said_and_made_up_for(db: &TestDb) {
        let story = Story::begin(db).await;
        for by_ms in [-DAY_MS, 3 * HOUR_MS] {
            let org_id = format!("H{}", by_ms.unsigned_abs());
            let voice = story.add_partner(new_hospital(&org_id)).await;
            let clock = Arc::new(WrongClock(story.clock.clone(), by_ms));
            let edge = EdgeAt::beside(&story, voice, &platform(&story), clock, |settings| {
                settings.org_id = org_id;
            }).await;
            edge.report(&[row("T1", None, "1.00")], true).await;
            edge.settle(&story).await;
            assert_eq!(edge.item("T1").await["stage"], "kept", "by {by_ms}");
            let (level, text) = edge.light("clock").await;
            assert_eq!(level, "notice");
            assert!(text.contains(if by_ms < 0 { "慢" } else { "快" }), "{text}");
            edge.stopped().await;
        }
        story.end().await;
    }

    async fn a_clock_that_is_set_back_keeps_nothing_waiting_longer_than_a_night(db: &TestDb) {
        let story = Story::begin(db).await;
        let edge = EdgeAt::begin(&story).await;
        story.clock.advance_ms(40 * DAY_MS);
        edge.report(&[row("T1", None, "1.00")], false).await;
        edge.settle(&story).await;
        // Somebody corrects the clock; the night that was meant lies forty days off.
        story.clock.advance_ms(-40 * DAY_MS);
        edge.settle(&story).await;
        edge.night(&story).await;
        assert_eq!(edge.item("T1").await["stage"], "kept");
        edge.stopped().await;
        story.end().await;
    }

    async fn a_wrong_key_keeps_everything_until_it_is_right(db: &TestDb) {
        let story = Story::begin(db).await;
        let mut edge = EdgeAt::begin(&story).await;
        let right = edge.settings.secret.clone();
        edge.stop().await;
        edge.settings.secret = Hidden(format!("{}x", right.0));
        edge.start().await;
        edge.report(&[row("T1", None, "1.00")], true).await;
        edge.settle(&story).await;
        assert_eq!(edge.light("key").await.0, "bad");
        assert_eq!((edge.light("network").await.0, edge.light("platform").await.0), ("good".to_owned(), "good".to_owned()));
        assert_eq!(edge.item("T1").await["stage"], "reporting");
        edge.stop().await;
        edge.settings.secret = right;
        edge.start().await;
        story.clock.advance_ms(6 * MINUTE_MS);
        edge.settle(&story).await;
        assert_eq!((edge.item("T1").await["stage"].as_str(), edge.light("key").await.0), (Some("kept"), "good".to_owned()));
        edge.stopped().await;
        story.end().await;
    }

    async fn what_is_not_granted_is_said_and_waits(db: &TestDb) {
        let story = Story::begin(db).await;
        let mut hospital = new_hospital(ORG_ID);
        hospital.grants = Some(vec![banyan_protocol::catalogue::Interface::OrgMdl002]);
        let voice = story.add_partner(hospital).await;
        let clock = Arc::new(story.clock.clone());
        let edge = EdgeAt::beside(&story, voice, &platform(&story), clock, |_| {}).await;
        edge.report(&[row("T1", None, "1.00")], true).await;
        edge.settle(&story).await;
        assert_eq!(edge.light("key").await.0, "notice");
        assert_eq!(edge.item("T1").await["stage"], "reporting");
        edge.stopped().await;
        story.end().await;
    }

    async fn two_edges_of_one_hospital_notice_each_other(db: &TestDb) {
        let story = Story::begin(db).await;
        let voice = story.add_partner(new_hospital(ORG_ID)).await;
        let begin = async |present: i64| {
            let clock = Arc::new(story.clock.clone());
            EdgeAt::beside(&story, voice.clone(), &platform(&story), clock, move |settings| {
                settings.sending.presence_every_ms = present;
            }).await
        };
        let mut one = begin(HOUR_MS).await;
        one.settle(&story).await;
        assert_eq!(one.light("company").await.0, "good");
        // The same edge again is no other.
        one.stop().await;
        one.start().await;
        one.settle(&story).await;
        assert_eq!(one.light("company").await.0, "good");
        let other = begin(HOUR_MS).await;
        other.settle(&story).await;
        assert_eq!(other.light("company").await.0, "bad", "it came second");
        // In the next hour the first one learns of it too, whoever is first then.
        story.clock.advance_ms(HOUR_MS);
        other.settle(&story).await;
        one.settle(&story).await;
        assert_eq!((one.light("company").await.0, other.light("company").await.0), ("bad".to_owned(), "good".to_owned()));
        story.clock.advance_ms(HOUR_MS);
        other.settle(&story).await;
        assert_eq!(other.light("company").await.0, "bad", "it looks back");
        // An hour after one of them is gone, the other is at peace.
        one.stopped().await;
        for _ in 0..2 {
            story.clock.advance_ms(HOUR_MS);
            other.settle(&story).await;
        }
        assert_eq!(other.light("company").await.0, "good");
        other.stopped().await;
        story.end().await;
    }
}
