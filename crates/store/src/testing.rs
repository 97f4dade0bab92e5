//! A database of its own for each test story, told on both engines.
//!
//! Write `on_both_engines! { async fn a_debt_is_reported(db: &TestDb) { .. } }` and get the tests
//! `a_debt_is_reported::sqlite` and `a_debt_is_reported::postgres`. PostgreSQL is the server that
//! `BANYAN_TEST_POSTGRES` names, where databases may be made; `cargo xtask test` starts one.
#![expect(
    clippy::panic,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "this is a test's scaffold: it fails by panicking, and says why"
)]

use std::future::Future;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use tokio_postgres::NoTls;

use crate::db::{Db, DbSettings, Engine};
use crate::ids::{ItemId, PartnerId};
use crate::overdue::items::{Content, Item, Owner, State};
use crate::vault::PersonCode;

/// A fresh database, gone when this is dropped.
pub struct TestDb {
    /// The database, open and migrated.
    pub db: Db,
    /// Where it is, for a second [`Db`] or a process beside this one.
    pub url: String,
    _place: Place,
}

impl std::ops::Deref for TestDb {
    type Target = Db;

    fn deref(&self) -> &Db {
        &self.db
    }
}

/// A record of hospital 1 to play with: unpaid and real-name, one yuan.
#[must_use]
pub fn debt(id: i64, person: PersonCode) -> Item {
    Item {
        id: ItemId(id),
        partner: PartnerId(1),
        org_trace_id: format!("i-{id}"),
        owner: Owner {
            person: Some(person),
            sealed: None,
            real_name: true,
        },
        content: Content {
            user_type: "01".to_owned(),
            med_type: "11".to_owned(),
            fee_type: "01".to_owned(),
            item_name: "诊查费".to_owned(),
            amount_fen: 100,
            actual_ms: 1,
        },
        state: State::Unpaid,
    }
}

/// The number that a statement answers with.
///
/// # Panics
/// If it answers with none.
pub async fn number(db: &Db, sql: &'static str) -> i64 {
    db.query_opt(sql, &[], |row| row.get(0))
        .await
        .expect("it can be counted")
        .expect("a row")
}

/// Opens a fresh database with all migrations applied.
///
/// # Panics
/// If it cannot be made.
pub async fn open(engine: Engine) -> TestDb {
    let test = open_unmigrated(engine, |_| {}).await;
    test.db.migrate().await.expect("the migrations apply");
    test
}

/// Opens a fresh, empty database with settings of one's own.
///
/// # Panics
/// If it cannot be made.
pub async fn open_unmigrated(engine: Engine, adjust: impl FnOnce(&mut DbSettings)) -> TestDb {
    let (url, place) = match engine {
        Engine::Sqlite => {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let url = format!("sqlite:{}", folder.path().join("banyan.db").display());
            (url, Place::Folder { _folder: folder })
        }
        Engine::Postgres => {
            let server = server().expect("BANYAN_TEST_POSTGRES=skip leaves no PostgreSQL to open");
            let name = unique_name();
            command(&server, &format!("CREATE DATABASE {name}")).await;
            (
                with_database(&server, &name),
                Place::Database { server, name },
            )
        }
    };
    let mut settings = DbSettings::new(&*url);
    // Many tests run side by side, on a server with about a hundred connections.
    settings.pg_write_connections = 4;
    settings.pg_read_connections = 1;
    adjust(&mut settings);
    let db = Db::open(&settings).await.expect("the database opens");
    TestDb {
        db,
        url,
        _place: place,
    }
}

/// Tells a story on one engine: opens a fresh migrated database, runs, closes.
///
/// # Panics
/// If the story does, or if PostgreSQL is wanted and `BANYAN_TEST_POSTGRES` is not set.
pub fn tell(engine: Engine, story: impl AsyncFnOnce(&TestDb)) {
    if engine == Engine::Postgres && server().is_none() {
        eprintln!("PostgreSQL is skipped: BANYAN_TEST_POSTGRES=skip");
        return;
    }
    in_runtime(async {
        let test = open(engine).await;
        story(&test).await;
        test.db.close().await;
    });
}

/// The same, with an empty database: for stories about the `Db` itself.
#[cfg(test)]
pub(crate) fn tell_unmigrated(engine: Engine, story: impl AsyncFnOnce(&TestDb)) {
    if engine == Engine::Postgres && is_skipped() {
        return;
    }
    in_runtime(async {
        let test = open_unmigrated(engine, |_| {}).await;
        story(&test).await;
        test.db.close().await;
    });
}

/// Makes two tests of a story, one for each engine.
#[macro_export]
macro_rules! on_both_engines {
    (@$tell:ident $($(#[$note:meta])* async fn $story:ident($db:ident: &TestDb) $body:block)+) => {$(
        $(#[$note])*
        async fn $story($db: &$crate::testing::TestDb) $body

        mod $story {
            #[test]
            fn sqlite() {
                $crate::testing::$tell($crate::db::Engine::Sqlite, super::$story);
            }

            #[test]
            fn postgres() {
                $crate::testing::$tell($crate::db::Engine::Postgres, super::$story);
            }
        }
    )+};
    ($($stories:tt)+) => {
        $crate::on_both_engines! { @tell $($stories)+ }
    };
}

enum Place {
    Folder { _folder: TempDir },
    Database { server: String, name: String },
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Self::Database { server, name } = self {
            let (server, name) = (server.clone(), name.clone());
            // A runtime of its own: a story that panicked is dropped within its runtime.
            let dropped = std::thread::spawn(move || {
                let drop_it = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
                in_runtime(command(&server, &drop_it));
            });
            if dropped.join().is_err() {
                eprintln!("a test's database stayed behind");
            }
        }
    }
}

/// Whether PostgreSQL is to be left out.
#[cfg(test)]
pub(crate) fn is_skipped() -> bool {
    server().is_none()
}

/// The server that tests use; `None` if it is to be skipped.
fn server() -> Option<String> {
    match std::env::var("BANYAN_TEST_POSTGRES") {
        Ok(skip) if skip == "skip" => None,
        Ok(url) if !url.is_empty() => Some(url),
        _ => panic!(
            "BANYAN_TEST_POSTGRES is not set: run `cargo xtask test`, which starts a PostgreSQL, \
             or set it to `skip`"
        ),
    }
}

fn unique_name() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    // Process numbers come round again after a crash left a database behind.
    let random = std::collections::hash_map::RandomState::new();
    let random = std::hash::BuildHasher::hash_one(&random, number);
    format!("banyan_test_{}_{number}_{random:x}", process::id())
}

/// The server's URL with another database.
fn with_database(server: &str, name: &str) -> String {
    let mut url = url::Url::parse(server).expect("BANYAN_TEST_POSTGRES is a URL");
    url.set_path(&format!("/{name}"));
    url.into()
}

async fn command(server: &str, sql: &str) {
    let (client, driver) = tokio_postgres::connect(server, NoTls)
        .await
        .expect("BANYAN_TEST_POSTGRES can be reached");
    let driver = tokio::spawn(driver);
    // Databases are copied from a template that nobody else may use meanwhile.
    for _ in 0..100 {
        match client.batch_execute(sql).await {
            Ok(()) => break,
            Err(error) if error.code().is_some_and(|code| code.code() == "55006") => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Err(error) => panic!("{sql}: {error:?}"),
        }
    }
    drop(client);
    let _ended = driver.await;
}

/// Runs a future to its end in a runtime of its own.
pub(crate) fn in_runtime<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime starts")
        .block_on(future)
}
