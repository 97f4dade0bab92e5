//! Measurements, run by hand:
//! `cargo test --release -p banyan-store bench -- --ignored --nocapture --test-threads 1`

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::db::settings::Checkpoints;
use crate::db::{ColumnType, Engine, Insert, StoreError, Val};
use crate::testing::{in_runtime, open_unmigrated};

const CALLERS: u64 = 16;
const BATCH: usize = 100;

#[test]
#[ignore = "a measurement of a minute and a half"]
fn who_should_checkpoint() {
    for round in 0..3 {
        for plan in [
            Checkpoints::Writer { pages: 16_384 },
            Checkpoints::OwnThread {
                backstop_pages: 65_536,
            },
            Checkpoints::OwnThread {
                backstop_pages: 16_384,
            },
        ] {
            println!("round {round}, {plan:?}: {}", in_runtime(ingest(plan)));
        }
    }
}

async fn ingest(plan: Checkpoints) -> String {
    let db = open_unmigrated(Engine::Sqlite, |settings| settings.checkpoints = plan).await;
    db.migrate_with(&[(
        "V0001__debts",
        "CREATE TABLE debts (id BIGINT PRIMARY KEY, org TEXT NOT NULL, person BLOB NOT NULL,
             amount_fen BIGINT NOT NULL, made_ms BIGINT NOT NULL, body BLOB NOT NULL);
         CREATE INDEX debts_org ON debts (org, made_ms);
         CREATE INDEX debts_person ON debts (person);
         CREATE INDEX debts_made ON debts (made_ms);
         CREATE UNIQUE INDEX debts_key ON debts (org, person, made_ms);",
    )])
    .await
    .unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let start = Instant::now();
    let callers = (0..CALLERS).map(|caller| {
        let (db, stop) = (db.db.clone(), Arc::clone(&stop));
        tokio::spawn(async move {
            let mut took = Vec::new();
            let mut seed = caller + 1;
            while !stop.load(Ordering::Relaxed) {
                let rows: Vec<_> = (0..BATCH).map(|_| debt(&mut seed)).collect();
                let begun = Instant::now();
                db.write(move |tx| {
                    let insert = Insert {
                        table: "debts",
                        columns: &[
                            ("id", ColumnType::I64),
                            ("org", ColumnType::Text),
                            ("person", ColumnType::Blob),
                            ("amount_fen", ColumnType::I64),
                            ("made_ms", ColumnType::I64),
                            ("body", ColumnType::Blob),
                        ],
                        tail: "",
                    };
                    tx.insert_rows(&insert, &rows)
                })
                .await?;
                took.push(begun.elapsed());
            }
            Ok::<_, StoreError>(took)
        })
    });
    let callers: Vec<_> = callers.collect();
    tokio::time::sleep(Duration::from_secs(10)).await;
    stop.store(true, Ordering::Relaxed);
    let mut took = Vec::new();
    for caller in callers {
        took.extend(caller.await.unwrap().unwrap());
    }
    let seconds = start.elapsed().as_secs_f64();
    took.sort();
    let items = (took.len() * BATCH) as f64;
    let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize].as_millis();
    let wal = std::fs::metadata(format!("{}-wal", db.url.strip_prefix("sqlite:").unwrap()))
        .map_or(0, |log| log.len() / 1_048_576);
    let counts = db.write_counts();
    let text = format!(
        "{:.0} items/s, write p50 {} ms, p99 {} ms, max {} ms, log {wal} MB, {} writes in {} commits",
        items / seconds,
        at(0.5),
        at(0.99),
        at(1.0),
        counts.writes,
        counts.commits
    );
    db.close().await;
    text
}

/// A row of about 300 bytes, with keys that scatter over the indexes.
fn debt(seed: &mut u64) -> Vec<Val<'static>> {
    let mut next = || {
        // splitmix64, by the caller's number and its count
        *seed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = *seed;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    };
    let id = next() >> 1;
    let person: Vec<u8> = (0..4).flat_map(|_| next().to_be_bytes()).collect();
    vec![
        i64::try_from(id).unwrap_or(0).into(),
        format!("3501{:04}", next() % 500).into(),
        person.into(),
        100.into(),
        i64::try_from(1_700_000_000_000 + next() % 10_000_000_000)
            .unwrap_or(0)
            .into(),
        vec![7_u8; 160].into(),
    ]
}
