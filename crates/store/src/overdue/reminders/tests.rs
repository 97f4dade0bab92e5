//! The walk over all debtors: in pieces, each once, taken over where it stood.

use super::*;
use crate::ids::{BatchId, ItemId};
use crate::overdue::items::{self, Cause, Change, Item, State};
use crate::queue::JobEnd;
use crate::testing::{TestDb, debt, number};
use banyan_protocol::ambient::DAY_MS;

const CHANNEL: PartnerId = PartnerId(9);

fn person(number: u8) -> PersonCode {
    PersonCode([number; 32])
}

/// A record of this person, unpaid, reported at `at_ms`.
fn item(id: i64, hospital: i64, whose: u8, fen: i64) -> Item {
    let mut item = debt(id, person(whose));
    item.partner = PartnerId(hospital);
    item.owner.sealed = Some(vec![whose]);
    item.content.amount_fen = fen;
    item.content.actual_ms = id;
    item
}

async fn keep(db: &TestDb, records: Vec<Item>, at_ms: i64) {
    db.write(move |tx| {
        let all: Vec<&Item> = records.iter().collect();
        items::insert(tx, &all, BatchId(1), at_ms)
    })
    .await
    .unwrap();
}

async fn begun(db: &TestDb, now_ms: i64) -> Walk {
    db.write(move |tx| begin(tx, now_ms, now_ms - DAY_MS / 2))
        .await
        .unwrap()
}

/// Reminders for everybody of the piece who has none that waits.
fn for_all(piece: &Piece, first: i64) -> Vec<NewReminder> {
    let debtors = piece.debtors.iter().filter(|debtor| {
        let last = debtor.last;
        last.is_none_or(|last| !last.waits)
    });
    debtors
        .zip((first..).step_by(2))
        .map(|(debtor, id)| NewReminder {
            id: debtor.last.map_or(id, |last| last.id),
            job: JobId(id + 1),
            person: debtor.person,
        })
        .collect()
}

async fn left(db: &TestDb, walk: &Walk, piece: &Piece, first: i64, now_ms: i64) -> bool {
    let (walk, piece, new) = (walk.clone(), piece.clone(), for_all(piece, first));
    db.write(move |tx| {
        leave(
            tx,
            &walk,
            &piece,
            &new,
            Some(CHANNEL),
            now_ms - DAY_MS,
            now_ms,
        )
    })
    .await
    .unwrap()
}

crate::on_both_engines! {
    async fn a_person_is_one_row_over_all_hospitals(db: &TestDb) {
        let mut paid = item(5, 1, 2, 500);
        paid.state = State::Paid;
        let mut nameless = item(6, 1, 2, 600);
        nameless.owner.real_name = false;
        keep(db, vec![item(1, 1, 1, 100), item(2, 2, 1, 250), paid, nameless, item(7, 1, 3, 1)], 1_000).await;
        keep(db, vec![item(3, 2, 1, 50)], 2_000).await;
        let walk = begun(db, 10_000).await;
        let piece = next_piece(db, &walk, 100).await.unwrap();
        assert_eq!(piece.debtors.iter().map(|debtor| debtor.person).collect::<Vec<_>>(), [person(1), person(3)]);
        let debts = Debts { items: 3, amount_fen: 400, hospitals: 2, oldest_ms: 1, since_ms: 1_000, newest_ms: 2_000 };
        assert_eq!(piece.debtors[0], Debtor { person: person(1), debts, last: None });

        assert!(left(db, &walk, &piece, 50, 10_000).await);
        assert_eq!(under_way(db).await.unwrap(), None, "it was the last piece");
        let (whose, owed_now, sealed) = owed(db, 50, JobId(51)).await.unwrap().unwrap();
        assert_eq!((whose, owed_now, sealed), (person(1), debts, vec![1]));
        assert!(owed(db, 50, JobId(53)).await.unwrap().is_none(), "a later one took its place");
    }

    async fn each_piece_is_done_once_whoever_walks(db: &TestDb) {
        keep(db, (0..30).map(|n| item(n, 1, u8::try_from(n).unwrap(), 100)).collect(), 1_000).await;
        let walk = begun(db, 10_000).await;
        let piece = next_piece(db, &walk, 12).await.unwrap();
        assert_eq!(piece.debtors.len(), 12);
        // Two nodes have read the same piece; then one of them dies, and a third takes over.
        assert!(left(db, &walk, &piece, 1_000, 10_001).await);
        assert!(!left(db, &walk, &piece, 2_000, 10_002).await);
        let second = begun(db, 10_003).await;
        let piece = next_piece(db, &second, 12).await.unwrap();
        assert_eq!(piece.debtors[0].person, person(12), "it goes on where it stood");
        assert!(left(db, &second, &piece, 3_000, 10_004).await);
        let third = under_way(db).await.unwrap().unwrap();
        let piece = next_piece(db, &third, 12).await.unwrap();
        assert!(left(db, &third, &piece, 4_000, 10_005).await);
        assert_eq!(under_way(db).await.unwrap(), None);
        assert_eq!(number(db, "SELECT COUNT(*) FROM overdue_reminder").await, 30);
        assert_eq!(number(db, "SELECT COUNT(*) FROM job WHERE kind = 7 AND lane = 9 AND due_ms > 10000").await, 30);

        // A walk that somebody began long ago is begun anew, and whoever walked it is too late.
        let old = begun(db, 20_000).await;
        let piece = next_piece(db, &old, 12).await.unwrap();
        let new = begun(db, 20_000 + DAY_MS).await;
        assert_ne!(old, new);
        assert!(!left(db, &old, &piece, 5_000, 20_001).await);
        let waiting = next_piece(db, &new, 100).await.unwrap();
        assert!(waiting.debtors.iter().all(|debtor| debtor.last.unwrap().waits));
        assert!(left(db, &new, &waiting, 6_000, 20_002).await);
        assert_eq!(number(db, "SELECT COUNT(*) FROM job").await, 30);
    }

    async fn a_piece_is_bounded_by_unpaid_records_and_not_by_debtors(db: &TestDb) {
        let mut records: Vec<Item> = (0..20).map(|n| item(n, 1, 1, 100)).collect();
        for record in &mut records {
            record.owner.real_name = false;
        }
        records.push(item(20, 1, 2, 100));
        let mut paid = item(21, 1, 3, 100);
        paid.state = State::Paid;
        records.push(paid);
        keep(db, records, 1_000).await;
        let walk = begun(db, 10_000).await;
        let piece = next_piece(db, &walk, 5).await.unwrap();
        assert!(piece.debtors.is_empty());
        assert!(left(db, &walk, &piece, 50, 10_000).await);
        let walk = under_way(db).await.unwrap().unwrap();
        let piece = next_piece(db, &walk, 5).await.unwrap();
        assert_eq!(piece.debtors.len(), 1);
    }

    async fn what_was_told_is_counted_until_something_changes(db: &TestDb) {
        keep(db, vec![item(1, 1, 1, 100), item(2, 1, 1, 100)], 1_000).await;
        let walk = begun(db, 10_000).await;
        let piece = next_piece(db, &walk, 100).await.unwrap();
        left(db, &walk, &piece, 50, 10_000).await;
        let tell = |at_ms| async move {
            let (_, debts, _) = owed(db, 50, JobId(51)).await.unwrap().unwrap();
            db.write(move |tx| {
                queue::end(tx, JobKind::Reminder, &[(JobId(51), JobEnd::Done)], at_ms)?;
                note_told(tx, 50, &debts, at_ms)
            })
            .await
            .unwrap();
        };
        let last = |now_ms| async move {
            let walk = begun(db, now_ms).await;
            next_piece(db, &walk, 100).await.unwrap().debtors[0].last.unwrap()
        };
        tell(11_000).await;
        tell(12_000).await;
        let twice = Last { id: 50, waits: false, made_ms: 10_000, told_ms: Some(12_000), times: 2, unchanged: true };
        assert_eq!(last(13_000).await, twice);
        let paid = Change { id: 90, item: ItemId(1), from: State::Unpaid, to: State::Paid, cause: Cause::Update, batch: None };
        db.write(move |tx| items::change_state(tx, &paid, 14_000)).await.unwrap();
        assert_eq!(last(15_000).await, Last { unchanged: false, ..twice });
        tell(16_000).await;
        assert_eq!(last(17_000).await, Last { told_ms: Some(16_000), times: 1, ..twice });

        // Who owes nothing any more is forgotten when his last reminder is old enough.
        let paid = Change { id: 91, item: ItemId(2), ..paid };
        db.write(move |tx| items::change_state(tx, &paid, 18_000)).await.unwrap();
        assert!(owed(db, 50, JobId(51)).await.unwrap().is_none());
        for (now_ms, rows) in [(10_000 + DAY_MS, 1), (10_001 + DAY_MS, 0)] {
            let walk = begun(db, now_ms + 20_000).await;
            let piece = next_piece(db, &walk, 100).await.unwrap();
            left(db, &walk, &piece, 70, now_ms).await;
            assert_eq!(number(db, "SELECT COUNT(*) FROM overdue_reminder").await, rows);
        }
        assert!(!any(db).await.unwrap());
    }
}
