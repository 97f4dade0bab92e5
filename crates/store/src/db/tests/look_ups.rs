//! What many look up at the same time.

use std::collections::HashSet;

use futures_util::future::join_all;

use crate::db::{Engine, StoreError, Val};
use crate::on_both_engines;
use crate::testing::{TestDb, in_runtime, is_skipped, open_unmigrated};

use super::{notes, number};

const MARKED: &str = "SELECT id, mark FROM notes WHERE mark = $1 AND body <> $2 ORDER BY id DESC";

/// Of mark 3 there are the notes 300, 301 and 302; of a mark that five divides there are none.
async fn three_of_each_mark(db: &TestDb) {
    notes(db).await;
    db.write(|tx| {
        for mark in (0..100_i64).filter(|mark| mark % 5 != 0) {
            for id in mark * 100..mark * 100 + 3 {
                tx.execute(
                    "INSERT INTO notes (id, body, mark) VALUES ($1, $2, $3)",
                    &[id.into(), format!("note {id}").into(), mark.into()],
                )?;
            }
        }
        Ok::<_, StoreError>(())
    })
    .await
    .unwrap();
}

async fn marked(db: &TestDb, mark: i64) -> Result<Vec<(i64, i64)>, StoreError> {
    db.look_up(MARKED, &[mark.into(), "a text".into()], |row| {
        Ok((row.get(0)?, row.get(1)?))
    })
    .await
}

fn of_mark(mark: i64) -> Vec<(i64, i64)> {
    let ids = (mark * 100..mark * 100 + 3).rev();
    match mark % 5 {
        0 => Vec::new(),
        _ => ids.map(|id| (id, mark)).collect(),
    }
}

on_both_engines! { @tell_unmigrated
    async fn each_gets_the_rows_that_he_asked_for(db: &TestDb) {
        three_of_each_mark(db).await;
        for _ in 0..3 {
            let all = join_all((0..100).map(|mark| marked(db, mark))).await;
            for (mark, found) in (0..).zip(all) {
                assert_eq!(found, Ok(of_mark(mark)));
            }
        }
    }

    async fn who_goes_away_leaves_nobody_waiting(db: &TestDb) {
        three_of_each_mark(db).await;
        let goes_away = |mark| async move {
            tokio::select! {
                biased;
                _ = marked(db, mark) => {}
                () = std::future::ready(()) => {}
            }
        };
        let (stays, (), ()) = tokio::join!(marked(db, 7), goes_away(3), goes_away(4));
        assert_eq!(stays, Ok(of_mark(7)));
        assert_eq!(marked(db, 8).await, Ok(of_mark(8)));
    }

    async fn what_is_refused_to_one_is_not_to_the_others(db: &TestDb) {
        three_of_each_mark(db).await;
        let wrong = |text: Val<'static>| async move {
            db.look_up(MARKED, &[1.into(), text], number).await
        };
        let (nul, null, right) =
            tokio::join!(wrong("\0".into()), wrong(Val::Null), marked(db, 6));
        assert!(matches!(nul, Err(StoreError::Sql(why)) if why.contains("U+0000")));
        assert!(matches!(null, Err(StoreError::Sql(why)) if why.contains("null")));
        assert_eq!(right, Ok(of_mark(6)));
    }

    async fn a_failing_statement_fails_for_all_and_the_next_is_asked(db: &TestDb) {
        let too_early = join_all((0..10).map(|mark| marked(db, mark))).await;
        assert!(too_early.iter().all(|found| matches!(found, Err(StoreError::Sql(_)))));
        three_of_each_mark(db).await;
        assert_eq!(marked(db, 9).await, Ok(of_mark(9)));
        db.close().await;
        assert_eq!(marked(db, 9).await, Err(StoreError::Closed));
    }
}

/// Rows of one statement have its time.
#[test]
fn on_postgres_they_share_statements() {
    if is_skipped() {
        return;
    }
    in_runtime(async {
        let db = open_unmigrated(Engine::Postgres, |_| {}).await;
        let ask = |number: i64| {
            let db = db.db.clone();
            async move {
                let sql = "SELECT $1::BIGINT, \
                           CAST(EXTRACT(EPOCH FROM statement_timestamp()) * 1000000 AS BIGINT)";
                db.look_up(sql, &[number.into()], |row| {
                    Ok((row.get::<i64>(0)?, row.get::<i64>(1)?))
                })
                .await
                .unwrap()
            }
        };
        let all = join_all((0..600).map(ask)).await;
        let mut times = HashSet::new();
        for (number, rows) in (0..).zip(all) {
            let [(answered, time)] = rows[..] else {
                panic!("{rows:?}");
            };
            assert_eq!(answered, number);
            times.insert(time);
        }
        // One goes alone; the rest go together, as many as one statement may hold.
        assert!(times.len() < 20, "{} statements", times.len());
        db.db.close().await;
    });
}
