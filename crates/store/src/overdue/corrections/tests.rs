//! Who was shown a record that was revoked.

use super::*;
use crate::ids::BatchId;
use crate::journal::{self, Direction, Entry};
use crate::overdue::items::{self, Item, State};
use crate::queue::JobEnd;
use crate::testing::{TestDb, debt, number};

const HOSPITAL: PartnerId = PartnerId(1);
const SUCCESS: &str = "000000";
const QUERY: &str = "ORG_MDL_002";

fn record(real_name: bool) -> Item {
    let mut record = debt(7, PersonCode([3; 32]));
    record.owner.sealed = Some(vec![1, 2, 3]);
    record.owner.real_name = real_name;
    record.content.amount_fen = 1_250;
    record
}

fn change(id: i64, from: State, to: State, cause: Cause) -> Change {
    Change {
        id,
        item: ItemId(7),
        from,
        to,
        cause,
        batch: None,
    }
}

async fn keep(db: &TestDb, record: Item, at_ms: i64) {
    db.write(move |tx| items::insert(tx, &[&record], BatchId(1), at_ms))
        .await
        .unwrap();
}

/// Revokes the record, and notes it; gives whether it was noted.
async fn revoke(db: &TestDb, id: i64, at_ms: i64) -> bool {
    let change = change(id, State::Unpaid, State::Revoked, Cause::Update);
    db.write(move |tx| -> Result<bool, StoreError> {
        assert!(items::change_state(tx, &change, at_ms)?);
        note_revoked(tx, &change, JobId(id + 1_000), at_ms)
    })
    .await
    .unwrap()
}

async fn asked(db: &TestDb, id: i64, partner: i64, at_ms: i64, change: fn(&mut Entry)) {
    let mut entry = Entry {
        id,
        at_ms,
        partner: PartnerId(partner),
        interface: "ORG_MDL_002".into(),
        direction: Direction::Received,
        result: SUCCESS.into(),
        person: Some(PersonCode([3; 32])),
        purpose: None,
        subject: None,
        digest: None,
    };
    change(&mut entry);
    db.write(move |tx| journal::append(tx, std::slice::from_ref(&entry)))
        .await
        .unwrap();
}

async fn found(db: &TestDb, revocation: i64, from_ms: i64) -> Vec<(i64, i64)> {
    let revocation = revocation_of(db, revocation).await;
    let askers = askers(db, &revocation, QUERY, SUCCESS, "H1", from_ms);
    let askers = askers.await.unwrap().into_iter();
    askers
        .map(|asker| (asker.partner.0, asker.asked_ms))
        .collect()
}

async fn revocation_of(db: &TestDb, id: i64) -> Revocation {
    revocation(db, id).await.unwrap().unwrap()
}

crate::on_both_engines! {
    async fn whoever_saw_it_is_found_and_nobody_else(db: &TestDb) {
        keep(db, record(true), 1_000).await;
        asked(db, 1, 2, 999, |_| {}).await;
        asked(db, 2, 3, 1_500, |_| {}).await;
        asked(db, 3, 3, 1_600, |_| {}).await;
        asked(db, 4, 4, 1_500, |entry| entry.result = "000105".into()).await;
        asked(db, 5, 5, 1_500, |entry| entry.direction = Direction::Sent).await;
        asked(db, 6, 6, 1_500, |entry| entry.person = Some(PersonCode([4; 32]))).await;
        asked(db, 7, 7, 1_500, |entry| entry.subject = Some("H2".to_owned())).await;
        asked(db, 8, 8, 1_500, |entry| entry.subject = Some("H1".to_owned())).await;
        asked(db, 9, HOSPITAL.0, 1_500, |_| {}).await;
        asked(db, 11, 11, 1_500, |entry| entry.interface = "ORG_MDL_004".into()).await;
        // While the revocation was being written, and well after it.
        asked(db, 10, 10, 2_000 + SEEN_MS, |_| {}).await;
        asked(db, 12, 12, 2_001 + SEEN_MS, |_| {}).await;
        assert!(revoke(db, 100, 2_000).await);
        assert_eq!(found(db, 100, 0).await, [(3, 1_600), (8, 1_500), (10, 2_000 + SEEN_MS)]);
        assert_eq!(found(db, 100, 1_550).await, [(3, 1_600), (10, 2_000 + SEEN_MS)]);
        assert_eq!(number(db, "SELECT COUNT(*) FROM job WHERE kind = 9 AND lane = 1 AND subject = 100 AND due_ms = 12000").await, 1);
    }

    async fn an_anonymous_record_was_shown_to_nobody(db: &TestDb) {
        keep(db, record(false), 1_000).await;
        assert!(!revoke(db, 100, 2_000).await);
        assert_eq!(number(db, "SELECT COUNT(*) FROM job").await, 0);
    }

    async fn a_record_that_was_reported_anew_is_looked_at_from_then_on(db: &TestDb) {
        keep(db, record(true), 1_000).await;
        asked(db, 1, 2, 1_500, |_| {}).await;
        revoke(db, 100, 2_000).await;
        let mut anew = record(true);
        anew.content.amount_fen = 99;
        anew.owner.person = Some(PersonCode([3; 32]));
        db.write(move |tx| {
            let change = change(101, State::Revoked, State::Unpaid, Cause::ReportedAnew);
            items::report_anew(tx, &change, &anew, BatchId(2), 30_000)
        })
        .await
        .unwrap();
        asked(db, 2, 3, 35_000, |_| {}).await;
        revoke(db, 102, 40_000).await;
        assert_eq!(found(db, 100, 0).await, [(2, 1_500)]);
        assert_eq!(found(db, 102, 0).await, [(3, 35_000)]);
        let (first, second) = (revocation_of(db, 100).await, revocation_of(db, 102).await);
        assert_eq!((first.amount_fen, second.amount_fen), (1_250, 99), "each as it stood");
    }

    async fn each_partner_is_told_once_of_a_revocation(db: &TestDb) {
        keep(db, record(true), 1_000).await;
        revoke(db, 100, 2_000).await;
        let tell = |id| async move {
            let new = NewCorrection {
                id,
                job: JobId(id + 1),
                asker: Asker { partner: PartnerId(2), asked_ms: 1_500 },
            };
            db.write(move |tx| leave(tx, 100, &[new], 12_000)).await.unwrap();
        };
        tell(200).await;
        tell(300).await;
        assert_eq!(number(db, "SELECT COUNT(*) FROM job WHERE kind = 8 AND lane = 2 AND subject = 200").await, 1);
        assert_eq!(number(db, "SELECT COUNT(*) FROM job WHERE kind = 8").await, 1);
        let (about, asked_ms) = correction(db, 200).await.unwrap().unwrap();
        assert_eq!((about.id, about.item, asked_ms), (100, ItemId(7), 1_500));
        assert!(correction(db, 300).await.unwrap().is_none());

        let pruned = || async { db.write(|tx| prune(tx, 100_000, 10)).await.unwrap() };
        assert_eq!(pruned().await, 0, "what waits is kept");
        db.write(|tx| -> Result<(), StoreError> {
            queue::end(tx, JobKind::Revocation, &[(JobId(1_100), JobEnd::Done)], 12_000)?;
            queue::end(tx, JobKind::Correction, &[(JobId(201), JobEnd::Done)], 13_000)?;
            note_told(tx, 200, 13_000)
        })
        .await
        .unwrap();
        assert_eq!(pruned().await, 2);
        assert!(revocation(db, 100).await.unwrap().is_none());
    }
}
