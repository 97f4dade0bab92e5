//! Full, closed, killed.

use std::time::Duration;

use crate::db::{Engine, StoreError, Tx};
use crate::on_both_engines;
use crate::testing::{in_runtime, is_skipped, open_unmigrated};

use super::{add, count, notes, number};

on_both_engines! { @tell_unmigrated
    async fn after_close_everything_says_closed(db: &TestDb) {
        notes(db).await;
        add(db, 1, "a").await.unwrap();
        db.close().await;
        db.close().await;
        assert_eq!(add(db, 2, "b").await, Err(StoreError::Closed));
        let read = db.query_opt("SELECT id FROM notes", &[], number).await;
        assert_eq!(read, Err(StoreError::Closed));
        let scan = db.scan(|tx| tx.query("SELECT id FROM notes", &[], number)).await;
        assert_eq!(scan, Err(StoreError::Closed));
        assert_eq!(db.ping().await, Err(StoreError::Closed));
    }

    /// What is under way when the database closes is still kept.
    async fn closing_finishes_what_was_begun(db: &TestDb) {
        notes(db).await;
        let (started, wait_started) = tokio::sync::oneshot::channel();
        let mut started = Some(started);
        let writer = db.db.clone();
        let slow = tokio::spawn(async move {
            writer
                .write(move |tx| {
                    tell_once(&mut started);
                    std::thread::sleep(Duration::from_millis(200));
                    tx.execute("INSERT INTO notes (id) VALUES (1)", &[])
                })
                .await
        });
        wait_started.await.unwrap();
        db.close().await;
        assert_eq!(slow.await.unwrap(), Ok(1));
        let again = crate::db::Db::open(&crate::db::DbSettings::new(&*db.url)).await.unwrap();
        assert_eq!(count(&again).await, 1);
        again.close().await;
    }

    async fn a_broken_statement_is_told(db: &TestDb) {
        notes(db).await;
        let read = db.query_opt("SELECT nothing FROM notes", &[], number).await;
        assert!(matches!(&read, Err(StoreError::Sql(why)) if why.contains("nothing")), "{read:?}");
        let write = db.write(|tx| tx.execute("INSERT INTO nowhere (id) VALUES (1)", &[])).await;
        assert!(matches!(&write, Err(StoreError::Sql(why)) if why.contains("nowhere")), "{write:?}");
    }
}

fn tell_once(started: &mut Option<tokio::sync::oneshot::Sender<()>>) {
    if let Some(started) = started.take() {
        started.send(()).unwrap();
    }
}

/// One writes (one connection on PostgreSQL), one may wait, the next is told that we are busy.
async fn a_full_queue_says_busy(engine: Engine) {
    if engine == Engine::Postgres && is_skipped() {
        return;
    }
    let db = open_unmigrated(engine, |settings| {
        settings.write_queue = 1;
        settings.pg_write_connections = 1;
        settings.queue_timeout_ms = 100;
    })
    .await;
    notes(&db).await;
    let (started, wait_started) = tokio::sync::oneshot::channel();
    let (go, wait_go) = std::sync::mpsc::channel::<()>();
    let mut started = Some(started);
    let slow = {
        let db = db.db.clone();
        tokio::spawn(async move {
            db.write(move |_: &mut Tx<'_>| {
                tell_once(&mut started);
                wait_go.recv().unwrap();
                Ok::<_, StoreError>(())
            })
            .await
        })
    };
    wait_started.await.unwrap();
    let queued = {
        let db = db.db.clone();
        tokio::spawn(async move { db.write(|_| Ok::<_, StoreError>(())).await })
    };
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(add(&db, 1, "a").await, Err(StoreError::Busy));
    go.send(()).unwrap();
    assert_eq!(slow.await.unwrap(), Ok(()));
    let queued = queued.await.unwrap();
    assert!(
        matches!(queued, Ok(()) | Err(StoreError::Busy)),
        "{queued:?}"
    );
    add(&db, 2, "b").await.unwrap();
    db.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_says_busy_on_sqlite() {
    a_full_queue_says_busy(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_pool_says_busy_on_postgres() {
    a_full_queue_says_busy(Engine::Postgres).await;
}

/// An operator ends all our sessions; the next read and the next write work again.
#[test]
fn killed_connections_are_replaced_on_postgres() {
    if is_skipped() {
        return;
    }
    in_runtime(async {
        let db = open_unmigrated(Engine::Postgres, |_| {}).await;
        notes(&db).await;
        for id in 0..5_i64 {
            db.write(move |tx| tx.execute("INSERT INTO notes (id) VALUES ($1)", &[id.into()]))
                .await
                .unwrap();
            assert_eq!(count(&db).await, id + 1);
            let killed = db
                .write(|tx| {
                    tx.query(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                         WHERE datname = current_database() AND pid <> pg_backend_pid()",
                        &[],
                        |row| row.get::<bool>(0),
                    )
                })
                .await
                .unwrap();
            assert!(killed.iter().any(|killed| *killed));
            db.ping().await.unwrap();
            // The session that killed is itself ended from within.
            let suicide = db
                .write(|tx| {
                    tx.query("SELECT pg_terminate_backend(pg_backend_pid())", &[], |_| {
                        Ok(())
                    })
                })
                .await;
            assert!(
                matches!(suicide, Err(StoreError::Unavailable(_))),
                "{suicide:?}"
            );
        }
        assert_eq!(count(&db).await, 5);
        db.close().await;
    });
}

/// Another program holds SQLite's file: a write gives up in time, and reads go on.
#[tokio::test(flavor = "multi_thread")]
async fn a_locked_file_times_out_on_sqlite() {
    let db = open_unmigrated(Engine::Sqlite, |settings| settings.busy_timeout_ms = 100).await;
    notes(&db).await;
    add(&db, 1, "a").await.unwrap();
    let path = db.url.strip_prefix("sqlite:").unwrap();
    let intruder = rusqlite::Connection::open(path).unwrap();
    intruder.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert_eq!(add(&db, 2, "b").await, Err(StoreError::Timeout));
    assert_eq!(count(&db).await, 1);
    intruder.execute_batch("ROLLBACK").unwrap();
    add(&db, 2, "b").await.unwrap();
    db.close().await;
}

#[tokio::test]
async fn urls_that_cannot_be_are_refused() {
    for url in [
        "",
        "mysql://x",
        "sqlite:",
        "sqlite::memory:",
        "postgres://h/d?nonsense=1",
    ] {
        let refused = crate::db::Db::open(&crate::db::DbSettings::new(url)).await;
        assert!(
            matches!(refused, Err(StoreError::Sql(_))),
            "{url}: {refused:?}"
        );
    }
    let missing = "postgres://h/d?sslmode=verify-full&sslrootcert=/nowhere";
    let refused = crate::db::Db::open(&crate::db::DbSettings::new(missing)).await;
    assert!(matches!(&refused, Err(StoreError::Sql(why)) if why.contains("sslrootcert")));
    let folder = crate::db::Db::open(&crate::db::DbSettings::new("sqlite:/nowhere/x.db")).await;
    assert!(
        matches!(folder, Err(StoreError::Unavailable(_))),
        "{folder:?}"
    );
    let server = crate::db::Db::open(&crate::db::DbSettings::new("postgres://127.0.0.1:1/d")).await;
    assert!(
        matches!(server, Err(StoreError::Unavailable(_))),
        "{server:?}"
    );
}
