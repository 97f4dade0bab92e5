//! What is removed when its time is over, and what cases say under another table of diagnoses.

use super::super::learning::{Again, Derived, Learnt, derive_again};
use super::super::past_illness::{self, Line, Says};
use super::super::walks::{self, Walk};
use super::super::{Pruned, claims};
use super::*;
use crate::testing::number;

async fn prune(db: &Db, before_ms: i64, after: i64, limit: i64) -> Pruned {
    db.write(move |tx| cases::prune(tx, before_ms, after, limit))
        .await
        .map_err(|error: StoreError| error)
        .unwrap()
}

/// The case with this id read again, and what it means now.
fn again(case_id: i64, version: i64, case: &Case, categories: &[&str]) -> Again {
    Again {
        case_id,
        version,
        learnt: Learnt {
            named: case.named,
            service_id: case.service_id.clone(),
            categories: categories.iter().map(|one| (*one).to_owned()).collect(),
        },
        by_whom: "channel-1".to_owned(),
    }
}

async fn derive(db: &Db, cases: Vec<Again>, now_ms: i64) -> Derived {
    db.write(move |tx| derive_again(tx, &cases, "2", now_ms))
        .await
        .map_err(|error: StoreError| error)
        .unwrap()
}

async fn say(db: &Db, cert_no: &str, category: &str, says: Says, now_ms: i64) {
    let line = Line {
        named: Named::new(&vault(), cert_no, "张三"),
        service_id: String::new(),
        category: category.to_owned(),
        says,
    };
    db.write(move |tx| past_illness::import(tx, std::slice::from_ref(&line), "wang", now_ms))
        .await
        .map_err(|error: StoreError| error)
        .unwrap();
}

async fn known(db: &Db, cert_no: &str) -> Vec<String> {
    let named = Named::new(&vault(), cert_no, "张三");
    past_illness::of(db, &named, &[SERVICE])
        .await
        .unwrap()
        .categories
}

crate::on_both_engines! {
    async fn what_is_old_goes_with_all_its_versions_and_what_it_said(db: &TestDb) {
        let old: Vec<Case> = (0..5).map(|n| case(&format!("A{n}"), "1", &format!("E{n}"), "恶性肿瘤")).collect();
        keep(db, 1, 10, &old, 100).await;
        say(db, "E0", "高血压", Says::Had, 100).await;
        // One was changed later, one of the old ones has a past.
        keep(db, 1, 20, &[case("A1", "1", "E1", "糖尿病")], 900).await;
        keep(db, 1, 30, &[case("A2", "1", "E2", "糖尿病")], 200).await;
        keep(db, 1, 40, &[case("B", "1", "E9", "恶性肿瘤")], 900).await;

        assert_eq!(prune(db, 100, 0, 2).await, Pruned { next: None, records: 0 }, "nothing is older");
        let first = prune(db, 500, 0, 2).await;
        assert_eq!(first, Pruned { next: Some(11), records: 1 });
        assert_eq!(known(db, "E0").await, ["高血压"], "an operator said so");
        assert_eq!(known(db, "E1").await, ["糖尿病"]);
        let rest = prune(db, 500, 11, 100).await;
        assert_eq!(rest, Pruned { next: None, records: 3 });
        assert_eq!(number(db, "SELECT COUNT(*) FROM supplement_case").await, 2);
        assert_eq!(number(db, "SELECT COUNT(*) FROM supplement_past").await, 1, "that of the changed one");
        assert_eq!(known(db, "E2").await, [""; 0]);
        assert_eq!(known(db, "E9").await, ["恶性肿瘤"]);
        // Sent again, it is new.
        let kept = keep(db, 1, 50, &old[..1], 950).await;
        assert_eq!(kept[0].id, 50);
    }

    async fn ended_entries_go_when_they_are_old(db: &TestDb) {
        for (n, at_ms) in [(0, 100), (1, 200), (2, 300)] {
            let cert_no = format!("E{n}");
            say(db, &cert_no, "高血压", Says::Had, at_ms).await;
            say(db, &cert_no, "高血压", Says::HadNot, at_ms).await;
        }
        let prune = |limit| db.write(move |tx| past_illness::prune_ended(tx, 300, limit));
        let gone = [prune(1).await.unwrap(), prune(9).await.unwrap(), prune(9).await.unwrap()];
        assert_eq!(gone, [1, 1, 0]);
        assert_eq!(number(db, "SELECT COUNT(*) FROM past_illness_ended").await, 1);
        assert_eq!(number(db, "SELECT COUNT(*) FROM past_illness_denied").await, 3, "they go on keeping cases away");
    }

    async fn another_table_ends_adds_and_leaves_the_rest(db: &TestDb) {
        let first = [case("A", "1", "E1", "恶性肿瘤"), case("B", "1", "E2", "高血压"), case("C", "1", "E3", ""), case("D", "1", "E4", "高血压")];
        keep(db, 1, 10, &first, 100).await;
        say(db, "E1", "恶性肿瘤", Says::Had, 150).await;
        say(db, "E3", "脑卒中", Says::HadNot, 150).await;
        // D changed after it was read.
        keep(db, 1, 20, &[case("D", "1", "E4", "糖尿病")], 180).await;
        let read = || vec![
            again(10, 1, &first[0], &["肿瘤"]),
            again(11, 1, &first[1], &["高血压"]),
            again(12, 1, &first[2], &["脑卒中", "冠心病"]),
            again(13, 1, &first[3], &["高血压"]),
        ];
        assert_eq!(derive(db, read(), 200).await, Derived { added: 2, ended: 1 });
        assert_eq!(known(db, "E1").await, ["恶性肿瘤", "肿瘤"], "an operator said the one, the case the other");
        assert_eq!(known(db, "E2").await, ["高血压"]);
        assert_eq!(known(db, "E3").await, ["冠心病"], "the other was denied");
        assert_eq!(known(db, "E4").await, ["糖尿病"]);
        assert_eq!(derive(db, read(), 300).await, Derived::default(), "once is enough");

        let person = Named::new(&vault(), "E1", "").person;
        let history = past_illness::history(db, &person).await.unwrap();
        let said: Vec<_> = history.iter().map(|entry| (&*entry.category, &*entry.map_version, entry.ended.clone())).collect();
        assert_eq!(said, [("恶性肿瘤", "", None), ("肿瘤", "2", None), ("恶性肿瘤", "1", Some((200, "map 2".to_owned())))]);
        assert!(history.iter().any(|entry| entry.by_whom == "channel-1" && entry.category == "肿瘤"));
    }

    async fn a_walk_goes_on_only_from_where_it_stands(db: &TestDb) {
        assert_eq!(walks::read(db, "w").await.unwrap(), None);
        let at = |goal: &str, after| Walk { goal: goal.to_owned(), after, ..Walk::default() };
        let put = |walk: Walk| db.write(move |tx| walks::put(tx, "w", &walk, 1));
        put(at("a", 0)).await.map_err(|error: StoreError| error).unwrap();
        let advance = |from: Walk, to: Walk| async move {
            db.write(move |tx| walks::advance(tx, "w", &from, &to, 2)).await.map_err(|error: StoreError| error).unwrap()
        };
        assert!(advance(at("a", 0), at("a", 5)).await);
        assert!(!advance(at("a", 0), at("a", 7)).await, "somebody else was faster");
        put(at("b", 0)).await.map_err(|error: StoreError| error).unwrap();
        assert!(!advance(at("a", 5), at("a", 9)).await, "it has another goal");
        let done = Walk { done: true, walked: 9, added: 2, ended: 1, ..at("b", 9) };
        assert!(advance(at("b", 0), done.clone()).await);
        assert_eq!(walks::read(db, "w").await.unwrap(), Some(done));
        assert_eq!(number(db, "SELECT COUNT(*) FROM supplement_claim").await, 0);
        let none = db.write(|tx| claims::prune(tx, 100, 0, 10)).await.map_err(|error: StoreError| error).unwrap();
        assert_eq!(none, Pruned { next: None, records: 0 });
    }
}
