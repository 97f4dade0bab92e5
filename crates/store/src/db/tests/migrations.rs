//! The schema moves forward, once, whoever starts first.

use crate::db::{Db, DbSettings, MigrationText, StoreError};
use crate::on_both_engines;

use super::{TABLES, add};

const MORE: &[MigrationText] = &[
    TABLES[0],
    (
        "V0002__labels",
        "CREATE TABLE labels (id BIGINT PRIMARY KEY, picture BLOB NOT NULL)",
    ),
];

on_both_engines! { @tell_unmigrated
    async fn migrations_run_once_and_forward(db: &TestDb) {
        assert_eq!(db.migrate_with(TABLES).await.unwrap(), ["V1__notes"]);
        assert!(db.migrate_with(TABLES).await.unwrap().is_empty());
        assert_eq!(db.migrate_with(MORE).await.unwrap(), ["V2__labels"]);
        // An older program beside a newer one.
        assert!(db.migrate_with(TABLES).await.unwrap().is_empty());
        add(db, 1, "a").await.unwrap();
    }

    async fn a_changed_migration_is_refused(db: &TestDb) {
        db.migrate_with(TABLES).await.unwrap();
        let changed = db.migrate_with(&[("V0001__notes", "CREATE TABLE other (id BIGINT)")]).await;
        assert!(matches!(changed, Err(StoreError::Sql(_))), "{changed:?}");
    }

    async fn a_failing_migration_leaves_nothing(db: &TestDb) {
        let half = "CREATE TABLE half (id BIGINT); CREATE TABLE half (id BIGINT);";
        let list: &[MigrationText] = &[("V0001__half", half)];
        assert!(db.migrate_with(list).await.is_err());
        assert!(db.query_opt("SELECT id FROM half", &[], super::number).await.is_err());
        db.migrate_with(TABLES).await.unwrap();
    }

    async fn programs_that_start_together_take_turns(db: &TestDb) {
        let mut starts = Vec::new();
        for _ in 0..6 {
            let settings = DbSettings::new(&*db.url);
            starts.push(tokio::spawn(async move {
                let db = Db::open(&settings).await?;
                let applied = db.migrate_with(MORE).await;
                db.close().await;
                applied
            }));
        }
        let mut applied = Vec::new();
        for start in starts {
            applied.extend(start.await.unwrap().unwrap());
        }
        assert_eq!(applied, ["V1__notes", "V2__labels"]);
    }
}
