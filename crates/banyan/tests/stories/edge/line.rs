//! Whatever the line does: each item reaches the platform exactly once in effect.

use std::collections::BTreeMap;

use banyan_sandbox::{LinePlan, MessageLine};
use banyan_store::on_both_engines;
use serde_json::json;

use super::place::{EdgeAt, platform, row};
use crate::telling::{MINUTE_MS, Story};

const BAD_LINE: LinePlan = LinePlan {
    lose_request_percent: 15,
    lose_reply_percent: 15,
    duplicate_percent: 15,
    hold_percent: 20,
    hold_ms: 1..40,
    delay_ms: 0..5,
    is_silent: false,
};

/// A whole province's night for one hospital; on one engine, for it takes a while.
#[test]
fn a_hundred_thousand_items_arrive_in_a_night() {
    banyan_store::testing::tell(banyan_store::db::Engine::Sqlite, async |db| {
        const CALLS: usize = 100;
        const EACH: usize = 1_000;
        let story = Story::begin(db).await;
        let edge = EdgeAt::begin(&story).await;
        for call in 0..CALLS {
            let rows: Vec<_> = (0..EACH)
                .map(|n| {
                    let citizen = story.citizens.get(n % 400);
                    row(&format!("N{call}-{n}"), citizen, "1.00")
                })
                .collect();
            edge.report(&rows, false).await;
        }
        edge.settle(&story).await;
        assert_eq!(edge.at_platform(&story, 0).await, 0, "all of it waits");
        let status = edge.get("/v1/status").await.data;
        assert_eq!(status["waitingItems"], CALLS * EACH);
        edge.night(&story).await;
        let status = edge.get("/v1/status").await.data;
        for waiting in [
            "waitingItems",
            "unsentMessages",
            "awaitedMessages",
            "refusedItems",
        ] {
            assert_eq!(status[waiting], 0, "{waiting}");
        }
        let there = usize::try_from(edge.at_platform(&story, 0).await).unwrap();
        assert_eq!(there, CALLS * EACH);
        let twice = "SELECT COUNT(*) FROM (SELECT partner_id, org_trace_id FROM overdue_item \
                     GROUP BY partner_id, org_trace_id HAVING COUNT(*) > 1) AS twice";
        assert_eq!(story.number(twice).await, 0);
        edge.stopped().await;
        story.end().await;
    });
}

on_both_engines! {
    async fn each_item_arrives_once_in_effect(db: &TestDb) {
        let story = Story::begin(db).await;
        let line = MessageLine::start(story.platform(), 7).await.unwrap();
        line.set_plan(BAD_LINE);
        let mut edge = EdgeAt::begin_with(&story, &line.through(&platform(&story)), |settings| {
            settings.sending.call_timeout_ms = 500;
            settings.sending.follow_up_after_ms = MINUTE_MS;
        }).await;
        let mut wanted: BTreeMap<String, &str> = BTreeMap::new();
        for round in 0..12 {
            let rows: Vec<_> = (0..10).map(|n| {
                let citizen = story.citizens.get((round * 10 + n) % 50).filter(|_| n % 3 != 0);
                row(&format!("T{round}-{n}"), citizen, "1.00")
            }).collect();
            for row in &rows {
                wanted.insert(row["orgTraceId"].as_str().unwrap().to_owned(), "0");
            }
            // The HIS is not sure either, and says half of it twice.
            edge.report(&rows, true).await;
            edge.report(&rows[..5], true).await;
            if round > 2 {
                for (n, (path, state)) in [("settle", "1"), ("revoke", "2")].into_iter().enumerate() {
                    let trace = format!("T{}-{n}", round - 2);
                    let said = edge.post(&format!("/v1/overdue/{path}"), &json!({ "items": [{ "orgTraceId": trace }] })).await;
                    assert_eq!(said.code, "000000", "{said:?}");
                    wanted.insert(trace, state);
                }
            }
            edge.settle(&story).await;
            story.clock.advance_ms(MINUTE_MS);
            if round == 6 {
                edge.stop().await;
                edge.start().await;
            }
        }
        // It clears up, and what is due is done.
        line.set_plan(LinePlan::default());
        for _ in 0..40 {
            line.settle().await;
            story.clock.advance_ms(6 * MINUTE_MS);
            edge.settle(&story).await;
        }
        let counts = line.counts();
        assert!(counts.lost_requests > 0 && counts.lost_replies > 0 && counts.duplicated > 0 && counts.held > 0, "{counts:?}");
        let mut traces = std::collections::BTreeSet::new();
        for (org_trace_id, state) in &wanted {
            let item = edge.item(org_trace_id).await;
            // What was settled before it was reported is not reported at all.
            if item["stage"] == "withdrawn" {
                assert_eq!(item["traceId"], serde_json::Value::Null);
                continue;
            }
            assert_eq!((item["stage"].as_str(), item["platformState"].as_str()), (Some("kept"), Some(*state)), "{item}");
            assert!(traces.insert(item["traceId"].as_str().unwrap().to_owned()), "{item}");
        }
        let at_platform = edge.at_platform(&story, 0).await + edge.at_platform(&story, 1).await + edge.at_platform(&story, 2).await;
        assert_eq!(usize::try_from(at_platform).unwrap(), traces.len());
        for (state, code) in [(0, "0"), (1, "1"), (2, "2")] {
            let kept = wanted.values().filter(|wanted| **wanted == code).count();
            let there = usize::try_from(edge.at_platform(&story, state).await).unwrap();
            assert!(there <= kept, "{there} of {kept} in state {code}");
        }
        assert_eq!(edge.light("outbox").await.0, "good");
        edge.stopped().await;
        line.stop().await;
        story.end().await;
    }

    async fn while_the_platform_is_away_a_rule_answers_and_writes_wait(db: &TestDb) {
        let story = Story::begin(db).await;
        let line = MessageLine::start(story.platform(), 1).await.unwrap();
        let away = LinePlan { lose_request_percent: 100, ..LinePlan::default() };
        let edge = EdgeAt::begin_with(&story, &line.through(&platform(&story)), |settings| {
            settings.sending.call_timeout_ms = 2_000;
            settings.away.rule = banyan_edge::settings::AwayRule::Allow;
        }).await;
        let citizen = &story.citizens[0];
        let mut body = super::place::at_the_window(citizen);
        body["ehealthCardId"] = citizen.ehealth_card_id.as_str().into();
        assert_eq!(edge.post("/v1/overdue/query", &body).await.data["source"], "platform");
        line.set_plan(away);
        for _ in 0..4 {
            let said = edge.post("/v1/overdue/query", &body).await;
            assert_eq!((&*said.code, said.data["next"].as_str(), said.data["source"].as_str()), ("000000", Some("1"), Some("rule")), "{said:?}");
        }
        // By now nobody waits for the line, nor for an index that nobody can ask for.
        let unknown = super::place::at_the_window(&story.citizens[1]);
        assert_eq!(edge.post("/v1/overdue/query", &unknown).await.data["source"], "rule");
        let taken = line.counts().taken;
        assert_eq!(edge.post("/v1/overdue/query", &body).await.data["source"], "rule");
        assert_eq!(line.counts().taken, taken);
        assert_eq!(edge.light("network").await.0, "bad");
        edge.report(&[row("T1", None, "1.00")], true).await;
        story.clock.advance_ms(MINUTE_MS);
        edge.settle(&story).await;
        assert_eq!(edge.item("T1").await["stage"], "reporting");
        line.set_plan(LinePlan::default());
        story.clock.advance_ms(6 * MINUTE_MS);
        edge.settle(&story).await;
        assert_eq!(edge.item("T1").await["stage"], "kept");
        assert_eq!(edge.light("network").await.0, "good");
        edge.stopped().await;
        line.stop().await;
        story.end().await;
    }

    async fn a_callback_that_never_comes_is_asked_about(db: &TestDb) {
        let story = Story::begin(db).await;
        let edge = EdgeAt::begin_with(&story, &platform(&story), |settings| {
            settings.sending.follow_up_after_ms = MINUTE_MS;
            // Nobody listens there: the platform's callbacks fail.
            settings.public_url = Some("http://127.0.0.1:9".to_owned());
        }).await;
        let rows: Vec<_> = (0..250).map(|n| row(&format!("T{n}"), None, "1.00")).collect();
        edge.report(&rows, true).await;
        edge.settle(&story).await;
        assert_eq!(edge.item("T249").await["stage"], "reporting");
        story.clock.advance_ms(2 * MINUTE_MS);
        edge.settle(&story).await;
        assert_eq!((edge.item("T0").await["stage"].as_str(), edge.item("T249").await["stage"].as_str()), (Some("kept"), Some("kept")));
        assert_eq!(edge.at_platform(&story, 0).await, 250);
        edge.stopped().await;
        story.end().await;
    }
}
