//! Migrations: forward only, run at start, by one process at a time.
//!
//! One text for both engines: it writes BIGINT, TEXT and BLOB; BLOB becomes BYTEA for PostgreSQL,
//! and a BIGINT that is the primary key INTEGER for SQLite. A migration runs in one transaction,
//! together with its entry in the history. Expand first and contract a release later, for an older
//! node may still be running beside this one; for the same reason a history that is ahead of this
//! program is no error. An applied migration whose text has changed since is.

use std::fs::File;
use std::path::PathBuf;

use refinery::{Migration, Report, Runner};

use super::StoreError;
use super::postgres::Postgres;
use super::sqlite::{Sqlite, on_blocking_pool};

/// A migration's name, `V0001__name`, and its text.
pub type MigrationText = (&'static str, &'static str);

/// All migrations, in the order of their numbers.
pub(super) const MIGRATIONS: &[MigrationText] = &[
    (
        "V0001__id_block",
        include_str!("../../migrations/V0001__id_block.sql"),
    ),
    (
        "V0002__partner",
        include_str!("../../migrations/V0002__partner.sql"),
    ),
    (
        "V0003__overdue",
        include_str!("../../migrations/V0003__overdue.sql"),
    ),
    (
        "V0004__job",
        include_str!("../../migrations/V0004__job.sql"),
    ),
    (
        "V0005__journal",
        include_str!("../../migrations/V0005__journal.sql"),
    ),
    (
        "V0006__vault_check",
        include_str!("../../migrations/V0006__vault_check.sql"),
    ),
    (
        "V0007__health_card",
        include_str!("../../migrations/V0007__health_card.sql"),
    ),
    (
        "V0008__appeals",
        include_str!("../../migrations/V0008__appeals.sql"),
    ),
    (
        "V0009__notices",
        include_str!("../../migrations/V0009__notices.sql"),
    ),
    (
        "V0010__look_up",
        include_str!("../../migrations/V0010__look_up.sql"),
    ),
    (
        "V0011__supplement",
        include_str!("../../migrations/V0011__supplement.sql"),
    ),
    (
        "V0012__credential",
        include_str!("../../migrations/V0012__credential.sql"),
    ),
    (
        "V0013__supplement_walks",
        include_str!("../../migrations/V0013__supplement_walks.sql"),
    ),
    (
        "V0014__journal_waiting",
        include_str!("../../migrations/V0014__journal_waiting.sql"),
    ),
    (
        "V0015__unpaid",
        include_str!("../../migrations/V0015__unpaid.sql"),
    ),
    (
        "V0016__supplement_said",
        include_str!("../../migrations/V0016__supplement_said.sql"),
    ),
    (
        "V0017__supplement_digest",
        include_str!("../../migrations/V0017__supplement_digest.sql"),
    ),
];

/// Two programs that start together on one PostgreSQL wait for one another here. Any fixed number
/// will do; this one is "banyan" in ASCII.
const LOCK_KEY: i64 = 0x6261_6E79_616E;

pub(super) async fn on_sqlite(
    sqlite: &Sqlite,
    list: &[MigrationText],
) -> Result<Vec<String>, StoreError> {
    let runner = runner(list, integer_keys)?;
    let mut connection = sqlite.connect()?;
    // SQLite's own lock ends with each transaction; this one spans them, and ends with the process.
    let mut lock_path = sqlite.path().as_os_str().to_owned();
    lock_path.push(".migrate-lock");
    let lock_path = PathBuf::from(lock_path);
    on_blocking_pool(move || {
        let locked = File::create(lock_path).and_then(|lock| lock.lock().map(|()| lock));
        let lock = locked
            .map_err(|error| StoreError::Unavailable(format!("the migration lock: {error}")))?;
        let report = runner.run(&mut connection).map_err(failed)?;
        drop(lock);
        Ok(names(&report))
    })
    .await?
}

pub(super) async fn on_postgres(
    postgres: &Postgres,
    list: &[MigrationText],
) -> Result<Vec<String>, StoreError> {
    let runner = runner(list, blob_to_bytea)?;
    let mut client = postgres.connect().await?;
    client
        .execute("SELECT pg_advisory_lock($1)", &[&LOCK_KEY])
        .await?;
    let report = runner.run_async(&mut client).await;
    // Dropping the connection would free it too, but a little later.
    client
        .execute("SELECT pg_advisory_unlock($1)", &[&LOCK_KEY])
        .await?;
    Ok(names(&report.map_err(failed)?))
}

fn runner(list: &[MigrationText], dialect: impl Fn(&str) -> String) -> Result<Runner, StoreError> {
    let migrations: Result<Vec<_>, _> = list
        .iter()
        .map(|(name, sql)| Migration::unapplied(name, &dialect(sql)))
        .collect();
    Ok(Runner::new(&migrations.map_err(failed)?)
        .set_abort_divergent(true)
        .set_abort_missing(false))
}

fn names(report: &Report) -> Vec<String> {
    let applied = report.applied_migrations().iter();
    applied.map(ToString::to_string).collect()
}

fn failed(error: refinery::Error) -> StoreError {
    // The engine's own words, which name tables and columns; a migration holds nobody's data.
    let mut text = format!("migration: {error}");
    let mut cause = std::error::Error::source(&error);
    while let Some(inner) = cause {
        text.push_str(&format!(": {inner}"));
        cause = inner.source();
    }
    StoreError::Sql(text)
}

/// Only a key of the type INTEGER is the row's own number on SQLite; one of any other type is a
/// second tree beside the table.
fn integer_keys(sql: &str) -> String {
    sql.replace("BIGINT PRIMARY KEY", "INTEGER PRIMARY KEY")
}

/// The word BLOB, in any case, becomes BYTEA.
fn blob_to_bytea(sql: &str) -> String {
    let mut text = String::with_capacity(sql.len() + 64);
    let mut word = String::new();
    for letter in sql.chars() {
        if letter.is_alphanumeric() || letter == '_' {
            word.push(letter);
            continue;
        }
        text.push_str(translated(&word));
        word.clear();
        text.push(letter);
    }
    text.push_str(translated(&word));
    text
}

fn translated(word: &str) -> &str {
    if word.eq_ignore_ascii_case("BLOB") {
        "BYTEA"
    } else {
        word
    }
}
