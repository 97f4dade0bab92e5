//! Sending again: the same content has one effect however often it comes, another content under
//! a used number none.

use banyan_protocol::catalogue::Interface;
use banyan_store::on_both_engines;
use futures_util::future::join_all;

use crate::partners_voice::{http, path};
use crate::telling::{MINUTE_MS, Story, item, items_of, meddle, person, reason, report, told_of};

const COPIES: usize = 20;

on_both_engines! {
    async fn the_same_batch_has_one_effect_and_one_answer(db: &TestDb) {
        let story = Story::begin(db).await;
        let (hospital, voice) = (story.hospital(0), story.voice(0));
        let message = report(hospital, "b-1", person(&story.citizens[0]), &[item("i-1", "12.5")]);
        let first = voice.say(Interface::OrgMdl001, &message).await.done();
        story.settle().await;
        let second = voice.say(Interface::OrgMdl001, &message).await.done();
        // The same content is the same however a JSON library spaces it and writes its numbers.
        let spaced = serde_json::to_string_pretty(&message).unwrap().replace("12.5", "12.50");
        let third = voice.say_text(Interface::OrgMdl001, &spaced).await.done();
        assert_eq!((&first, &first), (&second, &third));
        assert_eq!(first["state"], "success");
        story.settle().await;
        let told = told_of(hospital, "b-1");
        assert_eq!((told.len(), told[0].count, told[0].effects), (1, 1, 1));
        assert_eq!(story.number("SELECT COUNT(*) FROM overdue_batch").await, 1);
        assert_eq!(story.number("SELECT COUNT(*) FROM overdue_item").await, 1);

        for other in [
            report(hospital, "b-1", person(&story.citizens[0]), &[item("i-1", "12.51")]),
            report(hospital, "b-1", person(&story.citizens[1]), &[item("i-1", "12.5")]),
            report(hospital, "b-1", person(&story.citizens[0]), &[item("i-2", "12.5")]),
        ] {
            voice.say(Interface::OrgMdl001, &other).await.refused("000105", "orgRequestId");
        }
        story.settle().await;
        assert_eq!(story.number("SELECT COUNT(*) FROM job WHERE kind = 2").await, 1);
        assert_eq!(story.number("SELECT amount_fen FROM overdue_item").await, 1_250);
        story.end().await;
    }

    async fn batches_that_wait_together_are_judged_as_if_each_were_alone(db: &TestDb) {
        let story = Story::begin(db).await;
        let (hospital, voice) = (story.hospital(0), story.voice(0));
        let who = person(&story.citizens[0]);
        let (paid, trace_id) = story.owe(0, None, 900).await;
        let send = async |batch: &str, items: &[serde_json::Value]| {
            let message = report(hospital, batch, who.clone(), items);
            voice.say(Interface::OrgMdl001, &message).await.done();
        };
        send("r-1", &[item("a", "1"), item("b", "2")]).await;
        let update = serde_json::json!({
            "orgId": hospital.org_id(), "orgRequestId": "u-1",
            "notifyUrl": hospital.callback_url().as_str(),
            "itemList": [{ "orgTraceId": paid, "traceId": trace_id, "state": "1" }],
        });
        voice.say(Interface::OrgMdl003, &update).await.done();
        send("r-2", &[item("a", "7"), item("c", "3"), item("c", "3")]).await;
        send("r-3", &[item("lost", "4")]).await;
        send("r-4", &[item("d", "5"), item("a", "1.00")]).await;
        meddle(&story.app.db, "UPDATE overdue_batch SET content = NULL WHERE org_request_id = 'r-3'").await;
        // By now what is kept is read, not what is still at hand.
        story.clock.advance_ms(MINUTE_MS);
        story.settle().await;
        let told = |batch: &str| {
            let told = told_of(hospital, batch);
            assert_eq!((told.len(), told[0].effects), (1, 1), "{batch}");
            told[0].clone()
        };
        assert_eq!(items_of(&told("r-1")).len(), 2);
        let state = hospital.entry(&paid).unwrap().confirmed_state;
        assert_eq!(state, Some(banyan_protocol::dictionaries::ItemState::Paid));
        let second = told("r-2");
        assert_eq!(items_of(&second).len(), 1, "c once");
        assert!(reason(&second, "a").contains("内容不同"));
        assert_eq!(told_of(hospital, "r-3").len(), 0);
        assert_eq!(story.number("SELECT COUNT(*) FROM job WHERE kind = 1 AND state = 2").await, 1, "set aside alone");
        assert_eq!(items_of(&told("r-4")).len(), 2);
        assert_eq!(items_of(&told("r-4"))[1], items_of(&told("r-1"))[0], "a is still the first one's");
        story.end().await;
    }

    async fn an_item_is_the_same_item_in_every_batch(db: &TestDb) {
        let story = Story::begin(db).await;
        let (hospital, voice) = (story.hospital(0), story.voice(0));
        let (one, other) = (person(&story.citizens[0]), person(&story.citizens[1]));
        let send = |batch: &'static str, who: &serde_json::Value, amount: &'static str| {
            let message = report(hospital, batch, who.clone(), &[item("i-1", amount)]);
            let voice = voice.clone();
            async move { voice.say(Interface::OrgMdl001, &message).await.done() }
        };
        send("b-1", &one, "10").await;
        send("b-2", &one, "10.00").await;
        send("b-3", &one, "11").await;
        send("b-4", &other, "10").await;
        story.settle().await;
        let first = items_of(&told_of(hospital, "b-1")[0]);
        assert_eq!(first, items_of(&told_of(hospital, "b-2")[0]), "no second record");
        for batch in ["b-3", "b-4"] {
            let told = &told_of(hospital, batch)[0];
            assert!(items_of(told).is_empty());
            assert!(reason(told, "i-1").contains("内容不同"), "{batch}");
        }
        assert_eq!(story.number("SELECT COUNT(*) FROM overdue_item WHERE amount_fen = 1000").await, 1);
        assert_eq!(story.number("SELECT COUNT(*) FROM overdue_item").await, 1);

        // Another hospital's numbers are its own.
        let message = report(story.hospital(1), "b-1", one, &[item("i-1", "7")]);
        story.voice(1).say(Interface::OrgMdl001, &message).await.done();
        story.settle().await;
        assert_eq!(story.number("SELECT COUNT(*) FROM overdue_item").await, 2);
        story.end().await;
    }

    async fn an_item_named_twice_in_a_message_counts_once(db: &TestDb) {
        let story = Story::begin(db).await;
        let (hospital, voice) = (story.hospital(0), story.voice(0));
        let who = || person(&story.citizens[0]);
        for batch in ["new", "known"] {
            let twice = [item("i-1", "1"), item("i-1", "1"), item("i-1", "2")];
            voice.say(Interface::OrgMdl001, &report(hospital, batch, who(), &twice)).await.done();
            story.settle().await;
            assert!(reason(&told_of(hospital, batch)[0], "i-1").contains("内容不同"), "{batch}");
        }
        assert_eq!(items_of(&told_of(hospital, "new")[0]).len(), 1);
        assert_eq!(story.number("SELECT amount_fen FROM overdue_item").await, 100);
        assert_eq!(story.number("SELECT COUNT(*) FROM overdue_change").await, 0);
        story.end().await;
    }

    async fn a_revoked_item_named_twice_in_a_message_is_reported_anew_once(db: &TestDb) {
        let story = Story::begin(db).await;
        let (hospital, voice) = (story.hospital(0), story.voice(0));
        let citizen = &story.citizens[0];
        let (number, trace_id) = story.owe(0, Some(citizen), 100).await;
        hospital.revoke(&number).await.unwrap();
        story.settle().await;
        let twice = [item(&number, "1"), item(&number, "2")];
        voice.say(Interface::OrgMdl001, &report(hospital, "twice", person(citizen), &twice)).await.done();
        story.settle().await;
        let told = &told_of(hospital, "twice")[0];
        assert_eq!(items_of(told), [(number.clone(), trace_id, "0".to_owned())], "it is told once");
        assert!(reason(told, &number).contains("内容不同"));
        assert_eq!(story.number("SELECT amount_fen FROM overdue_item").await, 100);
        assert_eq!(story.number("SELECT COUNT(*) FROM overdue_change WHERE cause = 'reported_anew'").await, 1);
        story.end().await;
    }

    async fn of_twenty_copies_of_one_message_one_passes(db: &TestDb) {
        let story = Story::begin(db).await;
        let (hospital, voice) = (story.hospital(0), story.voice(0));
        let message = report(hospital, "b-1", person(&story.citizens[0]), &[item("i-1", "1")]);
        let sealed = voice.seal(&message.to_string());
        let copies = (0..COPIES).map(|_| voice.post(path(Interface::OrgMdl001), sealed.as_bytes()));
        let heard = join_all(copies).await;
        let passed = heard.iter().filter(|heard| heard.code == "000000").count();
        assert_eq!(passed, 1);
        for copy in heard.iter().filter(|heard| heard.code != "000000") {
            copy.refused("010010", "");
            assert_eq!(copy.status, 200);
        }
        assert_eq!(story.number("SELECT COUNT(*) FROM overdue_batch").await, 1);
        let figures = http(story.platform(), "GET", "/metrics", &[], b"").await.text();
        let counted = figures.lines().find(|line| line.contains("result=\"010010\"")).unwrap();
        assert!(counted.ends_with(" 19"), "{counted}");
        story.end().await;
    }

    async fn twenty_callers_with_the_same_batch_all_succeed_and_it_counts_once(db: &TestDb) {
        let story = Story::begin(db).await;
        let (hospital, voice) = (story.hospital(0), story.voice(0));
        let message = report(hospital, "b-1", person(&story.citizens[0]), &[item("i-1", "1")]);
        let copies = (0..COPIES).map(|_| voice.say(Interface::OrgMdl001, &message));
        for heard in join_all(copies).await {
            assert_eq!(heard.done()["state"], "success");
        }
        story.settle().await;
        assert_eq!(story.number("SELECT COUNT(*) FROM overdue_batch").await, 1);
        assert_eq!(story.number("SELECT COUNT(*) FROM overdue_item").await, 1);
        let told = told_of(hospital, "b-1");
        assert_eq!((told.len(), told[0].count), (1, 1));
        story.end().await;
    }
}
