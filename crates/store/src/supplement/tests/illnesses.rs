//! Who had what, who says so, and who may know.

use super::super::past_illness::{self, Imported, Line, Says, Source};
use super::*;

fn named(cert_no: &str, name: &str) -> Named {
    Named::new(&vault(), cert_no, name)
}

fn line(cert_no: &str, name: &str, service_id: &str, category: &str, says: Says) -> Line {
    Line {
        named: named(cert_no, name),
        service_id: service_id.to_owned(),
        category: category.to_owned(),
        says,
    }
}

async fn import(db: &Db, lines: Vec<Line>, now_ms: i64) -> Vec<Imported> {
    db.write(move |tx| past_illness::import(tx, &lines, "operator", now_ms))
        .await
        .map_err(|error: StoreError| error)
        .unwrap()
}

async fn known(db: &Db, cert_no: &str, name: &str, services: &[&str]) -> Vec<String> {
    past_illness::of(db, &named(cert_no, name), services)
        .await
        .unwrap()
        .categories
}

crate::on_both_engines! {
    async fn a_service_is_told_what_is_for_it_or_for_all(db: &TestDb) {
        use Says::Had;
        let outcomes = import(db, vec![
            line("E1", "张三", "", "高血压", Had),
            line("E1", "张三", "100005", "恶性肿瘤", Had),
            line("E1", "张三", "100005", "恶性肿瘤", Had),
            line("E1", "张三", "100002", "糖尿病", Had),
        ], 1).await;
        assert_eq!(outcomes, [Imported::Added, Imported::Added, Imported::Known, Imported::Added]);
        assert_eq!(known(db, "e1", "张 三", &["100005"]).await, ["恶性肿瘤", "高血压"]);
        assert_eq!(known(db, "E1", "张三", &["100002", "100005"]).await, ["恶性肿瘤", "糖尿病", "高血压"]);
        assert_eq!(known(db, "E1", "张三", &[]).await, ["高血压"]);
        assert_eq!(known(db, "E2", "张三", &["100005"]).await, [""; 0]);
        assert_eq!(past_illness::count(db).await.unwrap(), 3);
    }

    async fn a_slip_in_a_number_tells_nobody_about_a_stranger(db: &TestDb) {
        import(db, vec![line("E1", "张三", "", "高血压", Says::Had), line("E2", "", "", "糖尿病", Says::Had)], 1).await;
        let answer = past_illness::of(db, &named("E1", "李四"), &[]).await.unwrap();
        assert_eq!((answer.categories.len(), answer.other_name), (0, true));
        assert_eq!(known(db, "E2", "李四", &[]).await, ["糖尿病"], "it came without a name");
    }

    async fn a_case_tells_its_own_service_and_stops_when_it_says_something_else(db: &TestDb) {
        let cases = [case("A", "1", "E1", "恶性肿瘤"), case("A", "2", "E1", "恶性肿瘤")];
        keep(db, 1, 10, &cases, 100).await;
        assert_eq!(known(db, "E1", "张三", &[SERVICE]).await, ["恶性肿瘤"]);
        assert_eq!(known(db, "E1", "张三", &["100002"]).await, [""; 0]);
        // One of its two sources is corrected; the other still says so.
        keep(db, 1, 20, &[case("A", "1", "E1", "")], 200).await;
        assert_eq!(known(db, "E1", "张三", &[SERVICE]).await, ["恶性肿瘤"]);
        // The other one was somebody else's.
        keep(db, 1, 30, &[case("A", "2", "E2", "恶性肿瘤")], 300).await;
        assert_eq!(known(db, "E1", "张三", &[SERVICE]).await, [""; 0]);
        assert_eq!(known(db, "E2", "张三", &[SERVICE]).await, ["恶性肿瘤"]);
        let history = past_illness::history(db, &named("E1", "").person).await.unwrap();
        let ended: Vec<_> = history.iter().map(|entry| (entry.source, &*entry.by_whom, entry.at_ms, entry.ended.clone())).collect();
        assert_eq!(ended, [
            (Source::Case(10), "channel-1", 100, Some((200, "channel-1".to_owned()))),
            (Source::Case(11), "channel-1", 100, Some((300, "channel-1".to_owned()))),
        ]);
    }

    async fn what_an_operator_denies_no_case_brings_back(db: &TestDb) {
        use Says::{Had, HadNot};
        keep(db, 1, 10, &[case("A", "1", "E1", "恶性肿瘤")], 100).await;
        import(db, vec![line("E1", "张三", "", "恶性肿瘤", Had)], 150).await;
        let outcomes = import(db, vec![line("E1", "", "", "恶性肿瘤", HadNot), line("E1", "", "", "恶性肿瘤", HadNot)], 200).await;
        assert_eq!(outcomes, [Imported::Ended, Imported::NothingToEnd]);
        keep(db, 1, 20, &[case("B", "1", "E1", "恶性肿瘤")], 300).await;
        assert_eq!(known(db, "E1", "张三", &[SERVICE]).await, [""; 0]);
        let history = past_illness::history(db, &named("E1", "").person).await.unwrap();
        assert_eq!(history.len(), 2);
        assert!(history.iter().all(|entry| entry.ended == Some((200, "operator".to_owned()))));
        // Until an operator says otherwise.
        import(db, vec![line("E1", "张三", "", "恶性肿瘤", Had)], 400).await;
        assert_eq!(known(db, "E1", "张三", &[SERVICE]).await, ["恶性肿瘤"]);
        keep(db, 1, 30, &[case("C", "1", "E1", "恶性肿瘤")], 500).await;
        let standing = past_illness::history(db, &named("E1", "").person).await.unwrap();
        assert_eq!(standing.iter().filter(|entry| entry.ended.is_none()).count(), 2);
    }

    async fn a_denial_for_one_service_leaves_the_others(db: &TestDb) {
        use Says::{Had, HadNot};
        // In one file, in the file's order.
        let outcomes = import(db, vec![
            line("E1", "", "100002", "糖尿病", Had),
            line("E1", "", SERVICE, "糖尿病", Had),
            line("E1", "", SERVICE, "糖尿病", HadNot),
            line("E1", "", SERVICE, "糖尿病", HadNot),
            line("E1", "", SERVICE, "高血压", Had),
        ], 1).await;
        assert_eq!(outcomes, [Imported::Added, Imported::Added, Imported::Ended, Imported::NothingToEnd, Imported::Added]);
        assert_eq!(known(db, "E1", "张三", &["100002"]).await, ["糖尿病"]);
        assert_eq!(known(db, "E1", "张三", &[SERVICE]).await, ["高血压"]);
        keep(db, 1, 10, &[case("A", "1", "E1", "糖尿病")], 100).await;
        assert_eq!(known(db, "E1", "张三", &[SERVICE]).await, ["高血压"]);
    }

    async fn a_denial_for_one_service_does_not_reach_what_is_for_all(db: &TestDb) {
        use Says::{Had, HadNot};
        keep(db, 1, 10, &[case("A", "1", "E1", "糖尿病")], 100).await;
        let outcomes = import(db, vec![
            line("E1", "", "", "糖尿病", Had),
            line("E1", "", SERVICE, "糖尿病", HadNot),
            line("E1", "", "100002", "糖尿病", HadNot),
        ], 200).await;
        assert_eq!(outcomes, [Imported::Added, Imported::StandsForAll, Imported::StandsForAll]);
        assert_eq!(known(db, "E1", "张三", &[SERVICE]).await, ["糖尿病"]);
        assert_eq!(import(db, vec![line("E1", "", "", "糖尿病", HadNot)], 300).await, [Imported::Ended]);
        assert_eq!(known(db, "E1", "张三", &[SERVICE]).await, [""; 0]);
    }

    async fn a_category_that_is_no_more_is_corrected_where_it_stands(db: &TestDb) {
        use Says::{Had, HadNot, HadNotAsItStands};
        import(db, vec![line("E1", "", "", "老分类", Had)], 100).await;
        let outcomes = import(db, vec![
            line("E1", "", "", "老分类", HadNotAsItStands),
            line("E1", "", "", "老分雷", HadNotAsItStands),
            line("E1", "", "", "高血压", HadNot),
        ], 200).await;
        assert_eq!(outcomes, [Imported::Ended, Imported::NoCategory, Imported::NothingToEnd]);
        assert_eq!(known(db, "E1", "张三", &[]).await, [""; 0]);
        assert_eq!(crate::testing::number(db, "SELECT COUNT(*) FROM past_illness_denied").await, 2);
    }
}

/// On PostgreSQL several write at once.
#[test]
fn a_denial_and_a_case_at_the_same_moment_and_the_denial_holds() {
    crate::testing::tell(crate::db::Engine::Postgres, async |db| {
        let said = [case("A", "1", "E1", "恶性肿瘤")];
        let origin = Origin {
            by_whom: "channel-1",
            map_version: "1",
        };
        let ready = cases::ready(&vault(), PartnerId(1), 100, origin, 10..11, &said).unwrap();
        let (learnt, hears_learnt) = tokio::sync::oneshot::channel();
        let (denied, hears_denied) = std::sync::mpsc::channel::<()>();
        let mut learnt = Some(learnt);
        let learning = db.write(move |tx| -> Result<(), StoreError> {
            cases::keep(tx, &ready, 100)?;
            if let Some(learnt) = learnt.take() {
                let _heard = learnt.send(());
            }
            // Whoever may deny now does so at once; whoever must wait for this transaction can't, and
            // is waited for in vain.
            let _either = hears_denied.recv_timeout(std::time::Duration::from_millis(500));
            Ok(())
        });
        let denying = async {
            hears_learnt.await.unwrap();
            import(db, vec![line("E1", "", "", "恶性肿瘤", Says::HadNot)], 200).await;
            let _gone = denied.send(());
        };
        let (learning, ()) = futures_util::future::join(learning, denying).await;
        learning.unwrap();
        assert_eq!(known(db, "E1", "张三", &[SERVICE]).await, [""; 0]);
    });
}
