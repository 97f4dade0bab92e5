//! Stories of the `Db`, told on both engines.

mod bench;
mod failures;
mod look_ups;
mod migrations;
mod transactions;
mod values;

use super::{Row, StoreError, Val};
use crate::testing::TestDb;

/// A small table to play with.
const TABLES: &[super::MigrationText] = &[(
    "V0001__notes",
    "CREATE TABLE notes (id BIGINT PRIMARY KEY, body TEXT, seal BLOB, mark BIGINT);
     CREATE UNIQUE INDEX notes_body ON notes (body);",
)];

async fn notes(db: &TestDb) {
    db.migrate_with(TABLES).await.unwrap();
}

async fn add(db: &TestDb, id: i64, body: &'static str) -> Result<(), StoreError> {
    db.write(move |tx| {
        tx.execute(
            "INSERT INTO notes (id, body) VALUES ($1, $2)",
            &[id.into(), body.into()],
        )
        .map(drop)
    })
    .await
}

async fn count(db: &super::Db) -> i64 {
    db.query_opt("SELECT COUNT(*) FROM notes", &[], |row| row.get(0))
        .await
        .unwrap()
        .unwrap()
}

fn number(row: &Row<'_>) -> Result<i64, StoreError> {
    row.get(0)
}

fn numbers(range: std::ops::Range<i64>) -> Vec<Vec<Val<'static>>> {
    range.map(|id| vec![id.into()]).collect()
}
