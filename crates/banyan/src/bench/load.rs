//! Filling a database with records, fast: many rows a transaction, no index kept up to date
//! meanwhile.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use banyan_store::db::{Db, StoreError};
use banyan_store::ids::{BatchId, Ids, PartnerId};
use banyan_store::overdue::items;
use banyan_store::vault::Vault;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::people::People;
use super::place::Place;
use crate::terminal;

/// Rows in a transaction.
const CHUNK: u64 = 20_000;
/// Transactions prepared or under way at once: one waits while another is written.
const AT_ONCE: usize = 4;

/// Loads everybody's records, spread over these hospitals.
pub(super) async fn load(
    place: &Place,
    db: &Db,
    vault: &Vault,
    people: People,
    hospitals: &[PartnerId],
    now_ms: i64,
) -> Result<()> {
    let indexes = items::indexes(db).await.context("列出索引")?;
    anyhow::ensure!(!indexes.is_empty(), "欠费记录表没有索引");
    let drops: Vec<_> = indexes
        .iter()
        .map(|(name, _)| format!("DROP INDEX {name}"))
        .collect();
    run(place, db, drops).await.context("删除索引")?;

    let ids = Ids::new(db.clone());
    let hospitals: Arc<[PartnerId]> = hospitals.into();
    let bar = terminal::progress(people.items(), "装入记录");
    stream::iter((0..people.items()).step_by(usize::try_from(CHUNK)?))
        .map(|from| {
            let to = (from + CHUNK).min(people.items());
            let (ids, vault, hospitals) = (ids.clone(), vault.clone(), hospitals.clone());
            async move {
                let first = ids.take(usize::try_from(to - from)?).await?.start;
                let made = tokio::task::spawn_blocking(move || {
                    (from..to)
                        .zip(first..)
                        .map(|(n, id)| people.item(n, id, &vault, &hospitals))
                        .collect::<Vec<_>>()
                });
                let made = made.await?;
                db.write(move |tx| {
                    let rows: Vec<_> = made.iter().collect();
                    items::insert(tx, &rows, BatchId(0), now_ms)
                })
                .await?;
                anyhow::Ok(to - from)
            }
        })
        .buffer_unordered(AT_ONCE)
        .try_for_each(|loaded| {
            bar.inc(loaded);
            async { Ok(()) }
        })
        .await
        .context("装入记录")?;
    bar.finish_and_clear();

    let spinner = terminal::spinner("重建索引");
    let creates = indexes.into_iter().map(|(_, create)| create).collect();
    run(place, db, creates).await.context("重建索引")?;
    // What PostgreSQL's own maintenance does sooner or later, done before the measurement.
    place.on_postgres("VACUUM ANALYZE overdue_item").await?;
    spinner.finish_and_clear();
    Ok(())
}

async fn run(place: &Place, db: &Db, statements: Vec<String>) -> Result<()> {
    if place.on_postgres(&statements.join(";")).await? {
        return Ok(());
    }
    for statement in statements {
        db.write(move |tx| tx.execute(&statement, &[]).map(|_| ()))
            .await
            .map_err(|error: StoreError| anyhow::anyhow!("{error}"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use banyan_store::db::DbSettings;
    use clap::Parser as _;

    use super::super::platform::{prepare, runtime};
    use super::*;

    #[derive(clap::Parser)]
    struct Bench {
        #[command(flatten)]
        options: super::super::Options,
    }

    #[test]
    fn the_records_have_the_indexes_of_the_migrations_again() {
        let options = Bench::parse_from(["bench"]).options;
        let runtime = runtime("loading", 1).unwrap();
        let made_by = |people| {
            let place = Place::new(&options).unwrap();
            runtime.block_on(async {
                prepare(&place, 1, people).await.unwrap();
                let db = Db::open(&DbSettings::new(&*place.url)).await.unwrap();
                items::indexes(&db).await.unwrap()
            })
        };
        let mut of_migrations = made_by(None);
        let mut after_loading = made_by(Some(People::of(100)));
        of_migrations.sort();
        after_loading.sort();
        assert!(!of_migrations.is_empty());
        assert_eq!(after_loading, of_migrations);
    }
}
