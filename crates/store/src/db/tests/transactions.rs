//! What is kept, what is not, and who else is touched.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use crate::db::settings::Checkpoints;
use crate::db::{Db, DbSettings, Engine, StoreError, Tx};
use crate::on_both_engines;
use crate::testing::open_unmigrated;

use super::{add, count, notes, number};

on_both_engines! { @tell_unmigrated
    async fn a_write_is_kept_and_another_connection_sees_it(db: &TestDb) {
        notes(db).await;
        add(db, 1, "kept").await.unwrap();
        let other = Db::open(&DbSettings::new(&*db.url)).await.unwrap();
        assert_eq!(count(&other).await, 1);
        other.close().await;
    }

    async fn an_error_of_the_closure_rolls_back(db: &TestDb) {
        #[derive(Debug, PartialEq)]
        enum Mine { No, Store(StoreError) }
        impl From<StoreError> for Mine {
            fn from(error: StoreError) -> Self { Self::Store(error) }
        }
        notes(db).await;
        let outcome = db
            .write(|tx| {
                tx.execute("INSERT INTO notes (id) VALUES (1)", &[])?;
                Err::<(), _>(Mine::No)
            })
            .await;
        assert_eq!(outcome, Err(Mine::No));
        assert_eq!(count(db).await, 0);
    }

    async fn a_closure_sees_its_own_writes(db: &TestDb) {
        notes(db).await;
        let seen = db
            .write(|tx| {
                tx.execute("INSERT INTO notes (id) VALUES (7)", &[])?;
                tx.query("SELECT id FROM notes", &[], number)
            })
            .await;
        assert_eq!(seen, Ok(vec![7]));
    }

    async fn the_same_key_twice_is_a_conflict(db: &TestDb) {
        notes(db).await;
        add(db, 1, "a").await.unwrap();
        let (by_id, by_body) = (add(db, 1, "b").await, add(db, 2, "a").await);
        let (id_name, body_name) = match db.engine() {
            Engine::Sqlite => ("notes.id", "notes.body"),
            Engine::Postgres => ("notes_pkey", "notes_body"),
        };
        assert_eq!(by_id, Err(StoreError::Conflict { constraint: id_name.to_owned() }));
        assert_eq!(by_body, Err(StoreError::Conflict { constraint: body_name.to_owned() }));
    }

    /// PostgreSQL can only roll back after an error, so SQLite does the same.
    async fn a_swallowed_error_still_rolls_back(db: &TestDb) {
        notes(db).await;
        add(db, 1, "a").await.unwrap();
        let outcome = db
            .write(|tx| {
                tx.execute("INSERT INTO notes (id) VALUES (2)", &[])?;
                let _ignored = tx.execute("INSERT INTO notes (id) VALUES (1)", &[]);
                Ok::<_, StoreError>(())
            })
            .await;
        assert!(outcome.as_ref().is_err_and(StoreError::is_conflict), "{outcome:?}");
        assert_eq!(count(db).await, 1);
    }

    async fn a_panic_rolls_back_and_the_next_write_works(db: &TestDb) {
        notes(db).await;
        let outcome: Result<(), StoreError> = db
            .write(|tx| {
                tx.execute("INSERT INTO notes (id) VALUES (1)", &[])?;
                panic!("on purpose")
            })
            .await;
        assert_eq!(outcome, Err(StoreError::Panicked));
        add(db, 2, "after").await.unwrap();
        assert_eq!(count(db).await, 1);
        let outcome: Result<(), StoreError> = db.scan(|_| panic!("on purpose")).await;
        assert_eq!(outcome, Err(StoreError::Panicked));
        db.ping().await.unwrap();
    }

    /// Of 90 at once a third fails and a third panics; those between are kept.
    async fn neighbours_of_failing_writes_are_kept(db: &TestDb) {
        notes(db).await;
        let writes = (0..90_i64).map(|id| {
            let db = db.db.clone();
            tokio::spawn(async move {
                db.write(move |tx| {
                    tx.execute("INSERT INTO notes (id) VALUES ($1)", &[id.into()])?;
                    match id % 3 {
                        0 => Ok(()),
                        1 => Err(StoreError::Corrupt("on purpose".to_owned())),
                        _ => panic!("on purpose"),
                    }
                })
                .await
            })
        });
        let outcomes = futures_util::future::join_all(writes.collect::<Vec<_>>()).await;
        for (id, outcome) in outcomes.into_iter().enumerate() {
            match (id % 3, outcome.unwrap()) {
                (0, Ok(())) | (1, Err(StoreError::Corrupt(_))) | (2, Err(StoreError::Panicked)) => {}
                (_, other) => panic!("{id}: {other:?}"),
            }
        }
        let kept = db.query("SELECT id FROM notes ORDER BY id", &[], number).await.unwrap();
        assert_eq!(kept, (0..90).step_by(3).collect::<Vec<_>>());
    }

    async fn a_scan_reads_one_snapshot_and_cannot_write(db: &TestDb) {
        notes(db).await;
        add(db, 1, "a").await.unwrap();
        let (started, wait_started) = tokio::sync::oneshot::channel();
        let (go, wait_go) = std::sync::mpsc::channel();
        let scan = {
            let db = db.db.clone();
            tokio::spawn(async move {
                db.scan(move |tx| {
                    let before = tx.query("SELECT id FROM notes", &[], number)?;
                    started.send(()).unwrap();
                    wait_go.recv().unwrap();
                    let after = tx.query("SELECT id FROM notes", &[], number)?;
                    Ok::<_, StoreError>((before, after))
                })
                .await
            })
        };
        wait_started.await.unwrap();
        add(db, 2, "b").await.unwrap();
        go.send(()).unwrap();
        assert_eq!(scan.await.unwrap(), Ok((vec![1], vec![1])));
        let refused = db
            .scan(|tx| tx.execute("INSERT INTO notes (id) VALUES (9)", &[]))
            .await;
        assert!(refused.is_err());
        assert_eq!(count(db).await, 2);
    }

    /// Both take the two rows in opposite order, and on PostgreSQL each waits with its first until the
    /// other has its own: there is no way but the deadlock, and the one that is ended is run again.
    /// SQLite runs one after the other.
    async fn a_deadlock_is_run_again(db: &TestDb) {
        notes(db).await;
        add(db, 1, "a").await.unwrap();
        add(db, 2, "b").await.unwrap();
        let runs = Arc::new(AtomicU32::new(0));
        let both_hold = Arc::new(Barrier::new(2));
        let writes = [(1, 2), (2, 1)].map(|(first, second)| {
            let (db, runs) = (db.db.clone(), Arc::clone(&runs));
            let both_hold = Arc::clone(&both_hold);
            let mut meets = db.engine() == Engine::Postgres;
            tokio::spawn(async move {
                db.write(move |tx| {
                    let sql = "UPDATE notes SET mark = COALESCE(mark, 0) + 1 WHERE id = $1";
                    runs.fetch_add(1, Ordering::SeqCst);
                    tx.execute(sql, &[first.into()])?;
                    if std::mem::take(&mut meets) {
                        both_hold.wait();
                    }
                    tx.execute(sql, &[second.into()])
                })
                .await
            })
        });
        for write in writes {
            write.await.unwrap().unwrap();
        }
        let marks = db.query("SELECT mark FROM notes", &[], number).await;
        assert_eq!(marks, Ok(vec![2, 2]));
        let wanted = if db.engine() == Engine::Postgres { 3 } else { 2 };
        assert_eq!(runs.load(Ordering::SeqCst), wanted);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_writes_share_commits_on_sqlite() {
    let db = open_unmigrated(Engine::Sqlite, |_| {}).await;
    notes(&db).await;
    let before = db.write_counts();
    let writers = (0..64_i64).map(|writer| {
        let db = db.db.clone();
        tokio::spawn(async move {
            for turn in 0..20 {
                db.write(move |tx| {
                    tx.execute(
                        "INSERT INTO notes (id) VALUES ($1)",
                        &[(writer * 20 + turn).into()],
                    )
                })
                .await
                .unwrap();
            }
        })
    });
    futures_util::future::join_all(writers.collect::<Vec<_>>()).await;
    let after = db.write_counts();
    let (writes, commits) = (after.writes - before.writes, after.commits - before.commits);
    assert_eq!(writes, 1_280);
    assert!(
        commits * 4 < writes,
        "{commits} commits for {writes} writes"
    );
    assert_eq!(count(&db).await, 1_280);
    db.close().await;
}

/// A violation that SQLite notices only at COMMIT takes the group along: all are told, nothing is
/// kept, and the writer lives on.
#[tokio::test(flavor = "multi_thread")]
async fn a_failed_commit_is_told_to_the_whole_group_on_sqlite() {
    let db = open_unmigrated(Engine::Sqlite, |_| {}).await;
    db.migrate_with(&[(
        "V0001__children",
        "CREATE TABLE notes (id BIGINT PRIMARY KEY, body TEXT);
         CREATE TABLE children (id BIGINT PRIMARY KEY,
             note BIGINT REFERENCES notes (id) DEFERRABLE INITIALLY DEFERRED);",
    )])
    .await
    .unwrap();
    let (started, wait_started) = tokio::sync::oneshot::channel();
    let (go, wait_go) = std::sync::mpsc::channel::<()>();
    let mut started = Some(started);
    let first = spawn_write(&db, move |tx| {
        if let Some(started) = started.take() {
            started.send(()).unwrap();
        }
        wait_go.recv().unwrap();
        tx.execute("INSERT INTO notes (id) VALUES (1)", &[])
    });
    wait_started.await.unwrap();
    let orphan = spawn_write(&db, |tx| {
        tx.execute("INSERT INTO children (id, note) VALUES (1, 404)", &[])
    });
    tokio::time::sleep(Duration::from_millis(20)).await;
    go.send(()).unwrap();
    // The first took longer than a group's work, so that it was committed alone; what follows is
    // one group or two, by the scheduler's mood.
    assert_eq!(first.await.unwrap(), Ok(1));
    assert!(matches!(orphan.await.unwrap(), Err(StoreError::Sql(_))));
    add(&db, 2, "after").await.unwrap();
    assert_eq!(count(&db).await, 2);
    db.close().await;
}

/// A full disk: SQLite rolls back by itself, and nobody is told that a lost write was kept.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_loses_nothing_that_was_promised_on_sqlite() {
    let db = open_unmigrated(Engine::Sqlite, |_| {}).await;
    notes(&db).await;
    let limit = |sql: &'static str| {
        let db = db.db.clone();
        async move { db.write(move |tx| tx.query(sql, &[], number)).await }
    };
    limit("PRAGMA max_page_count = 40").await.unwrap();
    let writes = (0..200_i64).map(|id| {
        spawn_write(&db, move |tx| {
            tx.execute(
                "INSERT INTO notes (id, seal) VALUES ($1, $2)",
                &[id.into(), vec![1; 3_000].into()],
            )
        })
    });
    let outcomes = futures_util::future::join_all(writes.collect::<Vec<_>>()).await;
    let mut promised = Vec::new();
    for (id, outcome) in (0..).zip(outcomes) {
        match outcome.unwrap() {
            Ok(_) => promised.push(id),
            Err(StoreError::Unavailable(_)) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
    assert!(promised.len() < 200);
    let kept = db
        .query("SELECT id FROM notes ORDER BY id", &[], number)
        .await;
    assert_eq!(kept, Ok(promised));
    limit("PRAGMA max_page_count = 100000").await.unwrap();
    add(&db, 1_000, "there is room again").await.unwrap();
    db.close().await;
}

/// Handlers run in spawned tasks and borrow what they look for.
#[tokio::test(flavor = "multi_thread")]
async fn reads_can_be_spawned() {
    let db = open_unmigrated(Engine::Sqlite, |_| {}).await;
    notes(&db).await;
    add(&db, 1, "found").await.unwrap();
    let reader = db.db.clone();
    let found = tokio::spawn(async move {
        let wanted = "found".to_owned();
        let sql = "SELECT id FROM notes WHERE body = $1";
        let all = reader.query(sql, &[(&wanted).into()], number).await?;
        let one = reader
            .query_opt(sql, &[wanted.as_str().into()], |row| row.get::<i64>(0))
            .await?;
        Ok::<_, StoreError>((all, one))
    });
    assert_eq!(found.await.unwrap(), Ok((vec![1], Some(1))));
    db.close().await;
}

fn spawn_write<T: Send + 'static>(
    db: &Db,
    f: impl FnMut(&mut Tx<'_>) -> Result<T, StoreError> + Send + 'static,
) -> tokio::task::JoinHandle<Result<T, StoreError>> {
    let db = db.clone();
    tokio::spawn(async move { db.write(f).await })
}

/// A reader stays in its snapshot for a moment; what another program commits is seen all the same,
/// and the reader does not keep the log from being emptied.
#[tokio::test]
async fn a_reader_s_snapshot_does_not_last_on_sqlite() {
    let db = open_unmigrated(Engine::Sqlite, |_| ()).await;
    notes(&db).await;
    assert_eq!(count(&db).await, 0);
    let path = db.url.strip_prefix("sqlite:").unwrap();
    let other = rusqlite::Connection::open(path).unwrap();
    other
        .execute_batch("PRAGMA busy_timeout = 5000; INSERT INTO notes (id) VALUES (1)")
        .unwrap();
    let patience = Duration::from_secs(10);
    let seen = async {
        while count(&db).await != 1 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(patience, seen).await.unwrap();
    // Nobody reads now: the snapshot that is open is ended for want of use.
    let emptied = tokio::task::spawn_blocking(move || {
        let began = std::time::Instant::now();
        while began.elapsed() < patience {
            let busy: i64 = other
                .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))
                .unwrap();
            if busy == 0 {
                return true;
            }
        }
        false
    });
    assert!(emptied.await.unwrap());
    db.close().await;
}

/// Readers that never pause do not keep the log from being begun anew.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn the_log_is_begun_anew_while_others_read_on_sqlite() {
    let db = open_unmigrated(Engine::Sqlite, |settings| {
        settings.checkpoints = Checkpoints::OwnThread { backstop_pages: 64 };
    })
    .await;
    notes(&db).await;
    let over = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..2)
        .map(|_| {
            let (db, over) = (db.db.clone(), over.clone());
            tokio::spawn(async move {
                while !over.load(Ordering::Relaxed) {
                    count(&db).await;
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    for id in 0..1_000_i64 {
        db.write(move |tx| {
            let body = vec![7; 12_000];
            let values = [id.into(), body.into()];
            tx.execute("INSERT INTO notes (id, seal) VALUES ($1, $2)", &values)
        })
        .await
        .unwrap();
    }
    over.store(true, Ordering::Relaxed);
    for reader in readers {
        reader.await.unwrap();
    }
    let path = db.url.strip_prefix("sqlite:").unwrap();
    let log = std::fs::metadata(format!("{path}-wal")).unwrap().len();
    // Some 16 MB went through it.
    assert!(log < 4_000_000, "{log}");
    db.close().await;
}
