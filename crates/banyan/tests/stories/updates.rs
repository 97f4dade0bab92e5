//! Updates that can't be: each is named with its reason, and nothing is changed.

use banyan_protocol::catalogue::Interface;
use banyan_store::on_both_engines;
use serde_json::json;

use crate::telling::{Story, item, items_of, person, reason, report, told_of, update};

const UNPAID: &str = "SELECT COUNT(*) FROM overdue_item WHERE state = 0";

on_both_engines! {
    async fn before_the_report_was_judged_there_is_nothing_to_update(db: &TestDb) {
        let story = Story::begin(db).await;
        let (hospital, voice) = (story.hospital(0), story.voice(0));
        let citizen = &story.citizens[0];
        // Lanes are judged in the order of arrival, so the update must come first to be too early.
        let early = update(hospital, "early", Some(citizen), &[("i-1", "100001", "1")]);
        voice.say(Interface::OrgMdl003, &early).await.done();
        voice.say(Interface::OrgMdl001, &report(hospital, "b-1", person(citizen), &[item("i-1", "1")])).await.done();
        story.settle().await;
        assert!(reason(&told_of(hospital, "early")[0], "i-1").contains("未找到"));
        assert_eq!(story.number(UNPAID).await, 1);
        story.end().await;
    }

    async fn each_fault_is_named_and_nothing_changes(db: &TestDb) {
        let story = Story::begin(db).await;
        let (hospital, voice) = (story.hospital(0), story.voice(0));
        let (citizen, other) = (&story.citizens[0], &story.citizens[1]);
        let (mine, trace) = story.owe(0, Some(citizen), 100).await;
        let (second, second_trace) = story.owe(0, Some(citizen), 200).await;
        let (foreign, foreign_trace) = story.owe(1, Some(citizen), 300).await;
        let before = story.number("SELECT COUNT(*) FROM overdue_change").await;

        for (batch, who, number, trace_id, state, why) in [
            ("unknown", Some(citizen), "never-reported", &*trace, "1", "未找到"),
            ("foreign", Some(citizen), &*foreign, &*foreign_trace, "1", "未找到"),
            ("foreign-trace", Some(citizen), &*mine, &*foreign_trace, "1", "traceId"),
            ("crossed", Some(citizen), &*mine, &*second_trace, "2", "traceId"),
            ("no-number", Some(citizen), &*mine, "abc", "1", "traceId"),
            ("nobody", None, &*mine, &*trace, "1", "实名记录须提供"),
            ("somebody-else", Some(other), &*mine, &*trace, "1", "证件信息与该记录不符"),
        ] {
            let message = update(hospital, batch, who, &[(number, trace_id, state)]);
            voice.say(Interface::OrgMdl003, &message).await.done();
            story.settle().await;
            let told = &told_of(hospital, batch)[0];
            assert!(items_of(told).is_empty(), "{batch}");
            let said = reason(told, number);
            assert!(said.contains(why), "{batch}: {said}");
        }
        // One bad item does not hold up its neighbour.
        let mixed = [(&*mine, "1", "1"), (&*second, &*second_trace, "1")];
        voice.say(Interface::OrgMdl003, &update(hospital, "mixed", Some(citizen), &mixed)).await.done();
        story.settle().await;
        let told = &told_of(hospital, "mixed")[0];
        assert!(reason(told, &mine).contains("traceId"));
        assert_eq!(items_of(told), [(second, second_trace, "1".to_owned())]);
        assert_eq!(story.number(UNPAID).await, 2, "mine and the foreign one");
        assert_eq!(story.number("SELECT COUNT(*) FROM overdue_change").await, before + 1);
        story.end().await;
    }

    async fn states_never_go_back(db: &TestDb) {
        let story = Story::begin(db).await;
        let (hospital, voice) = (story.hospital(0), story.voice(0));
        let citizen = &story.citizens[0];
        let (paid, paid_trace) = story.owe(0, Some(citizen), 100).await;
        let (revoked, revoked_trace) = story.owe(0, Some(citizen), 100).await;
        hospital.pay(&paid).await.unwrap();
        hospital.revoke(&revoked).await.unwrap();
        story.settle().await;
        for (batch, number, trace_id, state, why) in [
            ("1-to-2", &paid, &paid_trace, "2", "不可再变更"),
            ("1-to-0", &paid, &paid_trace, "0", "不可改回欠费"),
            ("2-to-1", &revoked, &revoked_trace, "1", "不可再变更"),
            ("2-to-0", &revoked, &revoked_trace, "0", "不可改回欠费"),
        ] {
            let message = update(hospital, batch, Some(citizen), &[(&**number, &**trace_id, state)]);
            voice.say(Interface::OrgMdl003, &message).await.done();
            story.settle().await;
            assert!(reason(&told_of(hospital, batch)[0], number).contains(why), "{batch}");
        }
        // Twice in one message is once in its outcome.
        let twice = [(&*paid, &*paid_trace, "1"), (&*paid, &*paid_trace, "1")];
        voice.say(Interface::OrgMdl003, &update(hospital, "twice", Some(citizen), &twice)).await.done();
        story.settle().await;
        assert_eq!(items_of(&told_of(hospital, "twice")[0]).len(), 1);
        // The same again is no fault.
        let again = update(hospital, "again", Some(citizen), &[(&*paid, &*paid_trace, "1")]);
        voice.say(Interface::OrgMdl003, &again).await.done();
        voice.say(Interface::OrgMdl001, &report(hospital, "paid", person(citizen), &[item(&paid, "1")])).await.done();
        story.settle().await;
        assert_eq!(items_of(&told_of(hospital, "again")[0])[0].2, "1");
        assert!(reason(&told_of(hospital, "paid")[0], &paid).contains("已缴清"));
        assert_eq!(story.number("SELECT COUNT(*) FROM overdue_item WHERE state = 1").await, 1);
        assert_eq!(story.number("SELECT COUNT(*) FROM overdue_item WHERE state = 2").await, 1);
        story.end().await;
    }

    async fn state_0_is_for_giving_a_name_only(db: &TestDb) {
        let story = Story::begin(db).await;
        let (hospital, voice) = (story.hospital(0), story.voice(0));
        let citizen = &story.citizens[0];
        let (nameless, trace) = story.owe(0, None, 100).await;
        let (named, named_trace) = story.owe(0, Some(citizen), 100).await;
        let mut half = update(hospital, "half", Some(citizen), &[(&*nameless, &*trace, "0")]);
        half.as_object_mut().unwrap().remove("ehealthCardId");
        for (batch, number, message) in [
            ("no-name", &nameless, update(hospital, "no-name", None, &[(&*nameless, &*trace, "0")])),
            ("half", &nameless, half),
        ] {
            voice.say(Interface::OrgMdl003, &message).await.done();
            story.settle().await;
            assert!(reason(&told_of(hospital, batch)[0], number).contains("完整实名信息"), "{batch}");
        }
        assert_eq!(story.number("SELECT COUNT(*) FROM overdue_item WHERE real_name = 0").await, 1);
        // On a real-name item state 0 says nothing new, which is no fault and no change.
        let idle = update(hospital, "idle", Some(citizen), &[(&*named, &*named_trace, "0")]);
        voice.say(Interface::OrgMdl003, &idle).await.done();
        story.settle().await;
        assert_eq!(items_of(&told_of(hospital, "idle")[0]), [(named, named_trace, "0".to_owned())]);
        assert_eq!(story.number("SELECT COUNT(*) FROM overdue_change").await, 0);
        story.end().await;
    }

    async fn nobody_speaks_for_another_hospital(db: &TestDb) {
        let story = Story::begin(db).await;
        let (hospital, other) = (story.hospital(0), story.voice(1));
        let citizen = &story.citizens[0];
        let (mine, trace) = story.owe(0, Some(citizen), 100).await;
        let message = update(hospital, "b-1", Some(citizen), &[(&*mine, &*trace, "1")]);
        other.say(Interface::OrgMdl003, &message).await.refused("000105", "orgId");
        let message = report(hospital, "b-2", person(citizen), &[item("x", "1")]);
        other.say(Interface::OrgMdl001, &message).await.refused("000105", "orgId");
        // 闽政通 is no hospital, and was not granted to report.
        story.mzt_voice().say(Interface::OrgMdl001, &message).await.refused("-4", "");
        let mut unknown = crate::telling::query(citizen);
        unknown["orgId"] = json!("H35019999999");
        other.say(Interface::OrgMdl002, &unknown).await.refused("000105", "orgId");
        assert_eq!(story.number("SELECT COUNT(*) FROM overdue_batch").await, 1);
        assert_eq!(story.number(UNPAID).await, 1);
        story.end().await;
    }
}
