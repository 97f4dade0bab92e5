//! Appeals on both engines.

use super::*;
use crate::db::Db;
use crate::ids::BatchId;
use crate::on_both_engines;
use crate::overdue::items::unpaid_of_person;
use crate::testing::debt;

const HE: PersonCode = PersonCode([7; 32]);
const SHE: PersonCode = PersonCode([8; 32]);
const BOUNDS: Bounds = Bounds {
    open: 2,
    filed: 3,
    since_ms: 0,
};

async fn owe(db: &Db, id: i64, person: PersonCode) {
    let item = debt(id, person);
    db.write(move |tx| items::insert(tx, &[&item], BatchId(1), 1))
        .await
        .unwrap();
}

async fn appeal(db: &Db, id: i64, item: i64, person: PersonCode, now_ms: i64) -> Filed {
    let new = NewAppeal {
        id: AppealId(id),
        item: ItemId(item),
        person,
        reason: Reason::Paid,
        text_sealed: vec![1],
        contact_sealed: vec![2],
    };
    db.write(move |tx| file(tx, &new, BOUNDS, now_ms))
        .await
        .unwrap()
}

async fn is_marked(db: &Db, item: i64) -> bool {
    let unpaid = unpaid_of_person(db, &HE, PartnerId(1), None, 10)
        .await
        .unwrap();
    unpaid
        .iter()
        .any(|listed| listed.id == ItemId(item) && listed.appealed)
}

async fn standing(db: &Db, id: i64) -> Standing {
    by_id(db, AppealId(id)).await.unwrap().unwrap().standing
}

async fn pay(db: &Db, item: i64, now_ms: i64) -> bool {
    let change = Change {
        id: 900 + item,
        item: ItemId(item),
        from: State::Unpaid,
        to: State::Paid,
        cause: Cause::Update,
        batch: None,
    };
    db.write(move |tx| items::change_state(tx, &change, now_ms))
        .await
        .unwrap()
}

on_both_engines! {
    async fn one_open_appeal_stands_against_a_record(db: &TestDb) {
        owe(db, 1, HE).await;
        assert_eq!(appeal(db, 10, 1, SHE, 5).await, Filed::Unknown, "it is not hers");
        assert_eq!(appeal(db, 10, 99, HE, 5).await, Filed::Unknown);
        assert_eq!(appeal(db, 10, 1, HE, 5).await, Filed::New(PartnerId(1)));
        assert!(is_marked(db, 1).await);
        assert_eq!(appeal(db, 11, 1, HE, 6).await, Filed::Already(AppealId(10)));
        assert_eq!(waiting(db).await.unwrap(), Waiting { open: 1, oldest_ms: Some(5) });

        assert!(!db.write(|tx| withdraw(tx, AppealId(10), &SHE, 7)).await.unwrap());
        assert!(db.write(|tx| withdraw(tx, AppealId(10), &HE, 7)).await.unwrap());
        assert!(!db.write(|tx| withdraw(tx, AppealId(10), &HE, 8)).await.unwrap());
        assert!(!is_marked(db, 1).await);
        assert_eq!(appeal(db, 12, 1, HE, 9).await, Filed::New(PartnerId(1)), "he may think again");
        let steps: Vec<_> = steps(db, AppealId(10)).await.unwrap().iter().map(|step| (step.at_ms, step.step)).collect();
        assert_eq!(steps, [(5, Step::Filed), (7, Step::Withdrawn)]);
        assert_eq!(of_person(db, &HE, 0, 10).await.unwrap().len(), 2);
        assert_eq!(of_person(db, &HE, 1, 10).await.unwrap()[0].id, AppealId(10));
        assert!(of_item(db, &SHE, ItemId(1), 10).await.unwrap().is_empty());
        assert!(one_of_person(db, &SHE, AppealId(10)).await.unwrap().is_none());
    }

    async fn nobody_files_without_end(db: &TestDb) {
        for item in 1..=4 {
            owe(db, item, HE).await;
        }
        assert_eq!(appeal(db, 11, 1, HE, 5).await, Filed::New(PartnerId(1)));
        assert_eq!(appeal(db, 12, 2, HE, 5).await, Filed::New(PartnerId(1)));
        assert_eq!(appeal(db, 13, 3, HE, 5).await, Filed::TooMany, "two are open");
        assert!(db.write(|tx| withdraw(tx, AppealId(11), &HE, 6)).await.unwrap());
        assert_eq!(appeal(db, 13, 3, HE, 7).await, Filed::New(PartnerId(1)));
        assert!(db.write(|tx| withdraw(tx, AppealId(12), &HE, 8)).await.unwrap());
        assert_eq!(appeal(db, 14, 4, HE, 9).await, Filed::TooMany, "three were filed");
        assert!(!is_marked(db, 4).await);
    }

    async fn the_record_s_own_end_ends_it(db: &TestDb) {
        owe(db, 1, HE).await;
        appeal(db, 10, 1, HE, 5).await;
        assert!(pay(db, 1, 6).await);
        assert_eq!(standing(db, 10).await, Standing::Settled);
        assert_eq!(steps(db, AppealId(10)).await.unwrap().last().unwrap().step, Step::SettledPaid);
        assert_eq!(appeal(db, 11, 1, HE, 7).await, Filed::NotUnpaid);
        let late = db.write(|tx| decide(tx, AppealId(10), Decision::Reject, &[3], "op", 8)).await.unwrap();
        assert_eq!(late, Decided::NotOpen(Standing::Settled));
        assert!(!db.write(|tx| note(tx, AppealId(10), Step::Viewed, 9)).await.unwrap());
    }

    async fn an_upheld_appeal_revokes_its_record_and_a_rejected_one_leaves_it(db: &TestDb) {
        owe(db, 1, HE).await;
        owe(db, 2, HE).await;
        appeal(db, 11, 1, HE, 5).await;
        appeal(db, 12, 2, HE, 5).await;
        let uphold = Decision::Uphold {
            change: 700,
            revocation_job: JobId(701),
        };
        assert_eq!(db.write(move |tx| decide(tx, AppealId(11), uphold, &[3], "op", 6)).await.unwrap(), Decided::Done);
        assert_eq!(db.write(|tx| decide(tx, AppealId(12), Decision::Reject, &[4], "op", 6)).await.unwrap(), Decided::Done);
        assert_eq!(db.write(|tx| decide(tx, AppealId(99), Decision::Reject, &[4], "op", 6)).await.unwrap(), Decided::Unknown);
        assert_eq!((standing(db, 11).await, standing(db, 12).await), (Standing::Upheld, Standing::Rejected));
        let left: Vec<_> = unpaid_of_person(db, &HE, PartnerId(1), None, 10).await.unwrap()
            .iter().map(|item| (item.id, item.appealed)).collect();
        assert_eq!(left, [(ItemId(2), false)]);
        let history = crate::overdue::own::history(db, ItemId(1), 10).await.unwrap();
        assert_eq!((history[0].to, history[0].cause), (State::Revoked, Cause::Appeal));
        assert_eq!(steps(db, AppealId(11)).await.unwrap().len(), 2, "upheld, not settled besides");
        assert_eq!(by_id(db, AppealId(12)).await.unwrap().unwrap().answer_sealed, Some(vec![4]));
    }

    async fn a_step_is_noted_once_and_what_ended_long_ago_goes(db: &TestDb) {
        owe(db, 1, HE).await;
        owe(db, 2, HE).await;
        appeal(db, 11, 1, HE, 5).await;
        appeal(db, 12, 2, HE, 5).await;
        assert!(db.write(|tx| note(tx, AppealId(11), Step::HospitalSilent, 6)).await.unwrap());
        assert!(!db.write(|tx| note(tx, AppealId(11), Step::HospitalSilent, 7)).await.unwrap());
        assert!(pay(db, 1, 10).await);
        assert_eq!(db.write(|tx| prune(tx, 10, 5)).await.unwrap(), 0);
        assert_eq!(db.write(|tx| prune(tx, 11, 5)).await.unwrap(), 1);
        assert!(by_id(db, AppealId(11)).await.unwrap().is_none());
        assert!(steps(db, AppealId(11)).await.unwrap().is_empty());
        assert_eq!(standing(db, 12).await, Standing::Open, "what is open stays, however old");
        assert_eq!(recent(db, false, 5).await.unwrap().len(), 1);
        assert!(recent(db, true, 5).await.unwrap().is_empty());
    }
}
