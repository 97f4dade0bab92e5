//! 申诉: a citizen contests a record, the hospital is asked, an operator decides.

use banyan_platform::settings::AppealedItems;
use banyan_sandbox::Fault;
use banyan_store::ids::AppealId;
use banyan_store::on_both_engines;
use banyan_store::overdue::appeals;
use futures_util::future::join_all;
use serde_json::json;

use crate::partners_voice::http;
use crate::telling::{DAY_MS, HOUR_MS, MINUTE_MS, Story};
use crate::visit::{code_of, come_in};

fn id_of(path: &str) -> AppealId {
    AppealId(path.rsplit('/').next().unwrap().parse().unwrap())
}

/// What the registration window of another hospital is told: may he be treated first, and which
/// records are contested.
async fn window(story: &Story, citizen: usize) -> (String, Option<serde_json::Value>) {
    let reply = story
        .hospital(2)
        .query(&story.citizens[citizen], false)
        .await
        .unwrap();
    let appealed = reply
        .extData
        .and_then(|data| data.0.get("appealed").cloned());
    (reply.next.code().to_owned(), appealed)
}

on_both_engines! {
    async fn an_appeal_is_filed_once_asked_about_and_can_be_taken_back(db: &TestDb) {
        let story = Story::begin(db).await;
        let citizen = &story.citizens[0];
        let (_, trace_id) = story.owe(0, Some(citizen), 1_250).await;
        let visit = come_in(&story, citizen).await;
        assert_eq!(window(&story, 0).await, ("0".to_owned(), None));
        let path = visit.appealed(&trace_id, "paid", "三月一日在收费窗口\r\n用现金缴的").await;
        assert_eq!(window(&story, 0).await, ("0".to_owned(), Some(json!([trace_id]))));
        let progress = visit.page(&path).await;
        for shown in ["申诉已提交", "正在核实", "已经缴清", "三月一日在收费窗口\n用现金缴的", "13800000000", "诊查费", "12.50"] {
            assert!(progress.contains(shown), "{shown}: {progress}");
        }
        assert!(visit.list().await.contains("申诉核实中"));

        // A second time, from the same form or another, leads to the same appeal.
        let waiting = appeals::waiting(&story.app.db).await.unwrap();
        story.app.meters.appeals(&waiting, waiting.oldest_ms.unwrap() + 90_000);
        story.app.meters.reads_waiting(Some(1_000), 43_000);
        let metrics = http(story.platform(), "GET", "/metrics", &[], b"").await.text();
        assert!(metrics.contains("banyan_oldest_waiting_read_age_seconds 42"), "{metrics}");
        assert!(metrics.contains("banyan_appeals_open 1") && metrics.contains("banyan_oldest_appeal_age_seconds 90"), "{metrics}");
        let again = visit.get(&format!("/h5/overdue/item/{trace_id}/appeal")).await;
        assert_eq!((again.status, again.header("location")), (303, Some(&*path)));
        story.settle().await;
        let progress = visit.page(&path).await;
        assert!(progress.contains("医院答复这笔费用仍未结清"), "{progress}");

        let withdraw = format!("{path}/withdraw");
        let withdrawn = visit.submit(&path, &withdraw, &[]).await;
        assert_eq!((withdrawn.status, withdrawn.header("location")), (303, Some(&*path)));
        let progress = visit.page(&path).await;
        assert!(progress.contains("您撤回了申诉") && !progress.contains("/withdraw"), "{progress}");
        assert_eq!(window(&story, 0).await, ("0".to_owned(), None));
        let anew = visit.appealed(&trace_id, "other", "再想一想").await;
        assert_ne!(anew, path);
        let all = visit.page("/h5/overdue/appeals").await;
        assert!(all.contains(&path) && all.contains(&anew) && all.contains("已撤回"), "{all}");
        story.end().await;
    }

    async fn pressed_many_times_at_once_it_is_one(db: &TestDb) {
        let story = Story::begin(db).await;
        let citizen = &story.citizens[0];
        let (_, trace_id) = story.owe(0, Some(citizen), 1_250).await;
        let visit = come_in(&story, citizen).await;
        let path = format!("/h5/overdue/item/{trace_id}/appeal");
        let code = code_of(&visit.page(&path).await, &path);
        let fields = [("code", &*code), ("reason", "paid"), ("contact", "13800000000")];
        let filed = join_all((0..8).map(|_| visit.send(&path, &fields))).await;
        assert!(filed.iter().all(|filed| filed.status == 303));
        let mut led: Vec<_> = filed.iter().map(|filed| filed.header("location").unwrap().replace("?filed=1", "")).collect();
        led.dedup();
        assert_eq!(led.len(), 1, "{led:?}");
        assert_eq!(story.number("SELECT COUNT(*) FROM overdue_appeal").await, 1);
        assert_eq!(story.number("SELECT COUNT(*) FROM job WHERE kind = 10").await, 1);
        story.end().await;
    }

    async fn a_hospital_that_confirms_settles_it_and_a_silent_one_is_asked_again(db: &TestDb) {
        let story = Story::begin(db).await;
        let citizen = &story.citizens[0];
        let (number, trace_id) = story.owe(0, Some(citizen), 1_250).await;
        let hospital = story.hospital(0);
        hospital.pay_locally(&number).unwrap();
        hospital.set_fault(Fault::Status(500));
        let visit = come_in(&story, citizen).await;
        let path = visit.appealed(&trace_id, "paid", "").await;
        story.settle().await;
        assert!(visit.page(&path).await.contains("医院暂未答复，平台会再次询问"));
        story.after(MINUTE_MS + 1_000).await;
        assert_eq!(story.number("SELECT COUNT(*) FROM journal WHERE interface = 'ORG_001'").await, 2);
        hospital.set_fault(Fault::None);
        story.after(11 * MINUTE_MS).await;
        let progress = visit.page(&path).await;
        assert!(progress.contains("已登记为缴清，申诉随之了结") && progress.contains("已了结"), "{progress}");
        assert_eq!(progress.matches("医院暂未答复").count(), 1, "said once");
        assert_eq!(window(&story, 0).await, ("1".to_owned(), None));
        assert_eq!(story.number("SELECT COUNT(*) FROM job WHERE kind = 10").await, 0);
        story.end().await;
    }

    async fn what_the_hospital_updates_ends_the_appeal(db: &TestDb) {
        let story = Story::begin(db).await;
        let citizen = &story.citizens[0];
        let (paid, paid_trace) = story.owe(0, Some(citizen), 100).await;
        let (revoked, revoked_trace) = story.owe(0, Some(citizen), 200).await;
        let visit = come_in(&story, citizen).await;
        let first = visit.appealed(&paid_trace, "paid", "").await;
        let second = visit.appealed(&revoked_trace, "wrong_amount", "").await;
        story.hospital(0).pay(&paid).await.unwrap();
        story.hospital(0).revoke(&revoked).await.unwrap();
        story.settle().await;
        assert!(visit.page(&first).await.contains("已登记为缴清，申诉随之了结"));
        assert!(visit.page(&second).await.contains("已由医院撤销，申诉随之了结"));
        assert_eq!(story.number("SELECT COUNT(*) FROM overdue_item WHERE appealed <> 0").await, 0);
        let late = story.desk().reject_appeal(id_of(&first), "晚了").await.unwrap_err().to_string();
        assert!(late.contains("已结束"), "{late}");
        story.end().await;
    }

    async fn what_was_upheld_does_not_come_back_with_the_next_report(db: &TestDb) {
        let story = Story::begin(db).await;
        let (citizen, hospital) = (&story.citizens[0], story.hospital(0));
        let (number, wrong) = story.owe(0, Some(citizen), 100).await;
        let visit = come_in(&story, citizen).await;
        let appeal = visit.appealed(&wrong, "not_me", "").await;
        story.desk().uphold_appeal(id_of(&appeal), "经核实，记录有误。").await.unwrap();
        story.settle().await;
        // The hospital's program knows nothing of it and reports what it has.
        let again = || async {
            hospital.reopen_locally(&number).unwrap();
            hospital.report(&[&number]).await.unwrap();
            story.settle().await;
            hospital.entry(&number).unwrap().errors
        };
        let errors = again().await;
        assert!(format!("{errors:?}").contains("申诉已核实成立"), "{errors:?}");
        assert_eq!(story.number("SELECT COUNT(*) FROM overdue_item WHERE state = 0").await, 0);
        story.end().await;
    }

    async fn an_operator_upholds_or_rejects_and_the_citizen_reads_why(db: &TestDb) {
        let story = Story::begin(db).await;
        let citizen = &story.citizens[0];
        let (_, wrong) = story.owe(0, Some(citizen), 100).await;
        let (_, right) = story.owe(1, Some(citizen), 200).await;
        let visit = come_in(&story, citizen).await;
        let upheld = visit.appealed(&wrong, "not_me", "那天我不在福州").await;
        let rejected = visit.appealed(&right, "wrong_amount", "").await;
        story.settle().await;
        let desk = story.desk();
        let open = desk.appeals(false, 10).await.unwrap();
        assert_eq!(open.iter().map(|appeal| appeal.id).collect::<Vec<_>>(), [id_of(&upheld), id_of(&rejected)]);
        let shown = desk.show_appeal(id_of(&upheld)).await.unwrap();
        assert_eq!((&*shown.text, &*shown.contact), ("那天我不在福州", "13800000000"));
        assert!(visit.page(&upheld).await.contains("工作人员查看了您提交的内容"), "he sees that somebody looked");
        desk.uphold_appeal(id_of(&upheld), "经医院核实，系登记有误，记录已撤销。").await.unwrap();
        desk.reject_appeal(id_of(&rejected), "医院收费系统显示金额无误 <b>200</b>").await.unwrap();
        let twice = desk.uphold_appeal(id_of(&rejected), "再议").await.unwrap_err().to_string();
        assert!(twice.contains("已结束"), "{twice}");
        assert!(desk.uphold_appeal(AppealId(1), "没有").await.is_err());
        assert!(desk.reject_appeal(id_of(&rejected), "  ").await.is_err(), "an answer says something");

        let page = visit.page(&upheld).await;
        assert!(page.contains("申诉成立") && page.contains("经医院核实，系登记有误"), "{page}");
        let page = visit.page(&rejected).await;
        assert!(page.contains("申诉未成立") && page.contains("&#60;b&#62;200"), "{page}");
        let record = visit.page(&format!("/h5/overdue/item/{wrong}")).await;
        assert!(record.contains("申诉成立，记录撤销") && record.contains("已撤销"), "{record}");
        let list = visit.list().await;
        assert!(list.contains("2.00") && !list.contains("申诉核实中"), "{list}");
        assert_eq!(window(&story, 0).await, ("0".to_owned(), None));
        let anew = visit.appealed(&right, "other", "有新的收据").await;
        assert_ne!(anew, rejected);
        for (action, count) in [("appeal.show", 1), ("appeal.uphold", 1), ("appeal.reject", 1)] {
            let sql: &'static str = match action {
                "appeal.show" => "SELECT COUNT(*) FROM operator_audit WHERE action = 'appeal.show'",
                "appeal.uphold" => "SELECT COUNT(*) FROM operator_audit WHERE action = 'appeal.uphold'",
                _ => "SELECT COUNT(*) FROM operator_audit WHERE action = 'appeal.reject'",
            };
            assert_eq!(story.number(sql).await, count, "{action}");
        }
        assert_eq!(story.number("SELECT COUNT(*) FROM overdue_change WHERE cause = 'appeal' AND to_state = 2").await, 1);
        story.end().await;
    }

    async fn other_people_s_records_and_appeals_are_not_there(db: &TestDb) {
        let story = Story::begin(db).await;
        let (citizen, other) = (&story.citizens[0], &story.citizens[1]);
        let (_, mine) = story.owe(0, Some(citizen), 100).await;
        let (_, his) = story.owe(0, Some(other), 100).await;
        let (_, nobodys) = story.owe(0, None, 100).await;
        let (visit, thief) = (come_in(&story, citizen).await, come_in(&story, other).await);
        let own = format!("/h5/overdue/item/{his}/appeal");
        let code = code_of(&thief.page(&own).await, &own);
        for trace_id in [&mine, &nobodys] {
            let path = format!("/h5/overdue/item/{trace_id}/appeal");
            assert_eq!(thief.get(&path).await.status, 404);
            // The code of his own record's form opens no other record.
            let tried = thief.send(&path, &[("code", &code), ("reason", "paid"), ("contact", "13800000000")]).await;
            assert_eq!(tried.status, 403);
        }
        let path = visit.appealed(&mine, "paid", "只有我能看").await;
        assert_eq!(thief.get(&path).await.status, 404);
        assert_eq!(thief.send(&format!("{path}/withdraw"), &[("code", &code)]).await.status, 403);
        assert_eq!(story.number("SELECT COUNT(*) FROM overdue_appeal WHERE state = 0").await, 1);
        assert!(!thief.page("/h5/overdue/appeals").await.contains(&path));
        story.end().await;
    }

    async fn what_is_wrong_in_a_form_is_said_beside_it(db: &TestDb) {
        let story = Story::begin(db).await;
        let citizen = &story.citizens[0];
        let (_, trace_id) = story.owe(0, Some(citizen), 100).await;
        let visit = come_in(&story, citizen).await;
        let path = format!("/h5/overdue/item/{trace_id}/appeal");
        let long = "字".repeat(501);
        let wrong = visit.submit(&path, &path, &[("reason", "bribe"), ("text", &long), ("contact", "call me")]).await;
        assert_eq!(wrong.status, 422);
        let html = wrong.text();
        for said in ["还没有提交", "请选择申诉原因", "说明最多 500 字", "请填写手机号码", &long, "value=\"call me\""] {
            assert!(html.contains(said), "{said}: {html}");
        }
        let bare = visit.submit(&path, &path, &[("reason", "other"), ("contact", "13800000000")]).await;
        assert!(bare.status == 422 && bare.text().contains("请写明情况"));
        let control = visit.submit(&path, &path, &[("reason", "paid"), ("text", "a\u{0}b"), ("contact", "13800000000")]).await;
        assert_eq!(control.status, 422);
        assert_eq!(story.number("SELECT COUNT(*) FROM overdue_appeal").await, 0);
        story.end().await;
    }

    async fn nobody_appeals_without_end(db: &TestDb) {
        let story = Story::begin(db).await;
        let citizen = &story.citizens[0];
        let hospital = story.hospital(0);
        let numbers: Vec<_> = (0..11).map(|_| hospital.owe(Some(citizen), story.debt("诊查费", 100))).collect();
        hospital.report(&numbers.iter().map(String::as_str).collect::<Vec<_>>()).await.unwrap();
        story.settle().await;
        let visit = come_in(&story, citizen).await;
        let traces: Vec<_> = numbers.iter().map(|number| hospital.entry(number).unwrap().trace_id.unwrap()).collect();
        for trace_id in &traces[..10] {
            visit.appealed(trace_id, "paid", "").await;
        }
        let eleventh = visit.appeal(&traces[10], "paid", "").await;
        assert_eq!(eleventh.status, 429);
        assert!(eleventh.text().contains("申诉已经很多"));
        for _ in 0..4 {
            visit.appeal(&traces[10], "paid", "").await;
        }
        let hammered = visit.appeal(&traces[10], "paid", "").await;
        assert!(hammered.status == 429 && hammered.text().contains("操作太频繁"));
        assert_eq!(story.number("SELECT COUNT(*) FROM overdue_appeal").await, 10);
        story.end().await;
    }

    async fn contested_records_can_be_set_aside(db: &TestDb) {
        let story = Story::begin_with(db, |settings| {
            settings.overdue.next.appealed = AppealedItems::SetAside;
        })
        .await;
        let citizen = &story.citizens[0];
        let (_, trace_id) = story.owe(0, Some(citizen), 100).await;
        let visit = come_in(&story, citizen).await;
        visit.appealed(&trace_id, "paid", "").await;
        assert_eq!(window(&story, 0).await, ("1".to_owned(), Some(json!([trace_id]))));
        story.owe(1, Some(citizen), 100).await;
        assert_eq!(window(&story, 0).await, ("0".to_owned(), Some(json!([trace_id]))));
        story.end().await;
    }

    async fn ended_appeals_go_after_their_time_and_open_ones_stay(db: &TestDb) {
        let story = Story::begin_with(db, |settings| settings.retention.appeal_days = 30).await;
        let citizen = &story.citizens[0];
        let (_, one) = story.owe(0, Some(citizen), 100).await;
        let (_, two) = story.owe(1, Some(citizen), 100).await;
        let visit = come_in(&story, citizen).await;
        let path = visit.appealed(&one, "paid", "").await;
        visit.appealed(&two, "paid", "").await;
        visit.submit(&path, &format!("{path}/withdraw"), &[]).await;
        story.after(29 * DAY_MS).await;
        assert_eq!(story.number("SELECT COUNT(*) FROM overdue_appeal").await, 2);
        story.after(DAY_MS + 2 * HOUR_MS).await;
        assert_eq!(story.number("SELECT COUNT(*) FROM overdue_appeal WHERE state = 0").await, 1);
        assert_eq!(story.number("SELECT COUNT(*) FROM overdue_appeal").await, 1);
        story.end().await;
    }
}
