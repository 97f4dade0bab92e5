//! Taking in an operator's file of persons, and finding somebody among them while others are
//! registered.

use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use axum::Router;
use banyan_platform::admin::Desk;
use banyan_platform::app::App;
use banyan_store::db::StoreError;
use banyan_store::health_card::{Registered, insured, persons, register};
use banyan_store::ids::HealthCardPersonId;

use super::people::{Person, scattered};
use super::place::Place;
use super::platform::Platform;
use super::table::{Figure, Table, Target};
use super::{Options, number};
use crate::commands::person::import;
use crate::commands::table_file::Wanted;
use crate::terminal;

/// Registrations a second while persons are looked up.
const REGISTRATIONS: u64 = 500;

pub(super) fn measure(options: &Options, table: &mut Table) -> Result<()> {
    let place = Place::new(options)?;
    let platform = Platform::start(&place, 1, None, Router::new())?;
    let file = place.folder().join("persons.csv");
    write_file(&file, options.items)?;
    let desk = Desk::of(&platform.app, "bench");
    let wanted = Wanted::new(&file, None, None);
    let began = Instant::now();
    let counts = platform.block_on(import::run(&desk, &wanted))?;
    let rate = number(options.items) / began.elapsed().as_secs_f64();
    ensure!(
        counts.new == options.items && counts.total() == options.items,
        "导入结果有误：{counts:?}"
    );
    table.add(Figure::new("导入名册", "人/秒", rate).target(Target::ValueAtLeast(15_000.0)));

    let found = platform.block_on(look_ups(&platform.app, options))?;
    for (name, latencies_ms) in [
        ("按主索引查人", &found.by_index_ms),
        ("按人员编号查人", &found.by_number_ms),
    ] {
        table.add(Figure::new(
            format!("{name} p50"),
            "毫秒",
            at(latencies_ms, 50),
        ));
        table.add(
            Figure::new(format!("{name} p99"), "毫秒", at(latencies_ms, 99))
                .target(Target::ValueAtMost(20.0)),
        );
    }
    table.add(Figure::new("其间登记", "次/秒", found.registered_rate));
    table.add(Figure::new(
        "登记一人 p99",
        "毫秒",
        at(&found.register_ms, 99),
    ));
    table.note(format!(
        "人员：{} 人，各有人员编号，自 CSV 文件导入（含读文件、核对、加密、写库落盘）；查人 {} 次并逐一核对",
        options.items,
        found.by_index_ms.len() + found.by_number_ms.len()
    ));
    Ok(())
}

fn write_file(path: &Path, persons: u64) -> Result<()> {
    let bar = terminal::progress(persons, "生成名册");
    let mut file = BufWriter::new(std::fs::File::create(path).context("生成名册")?);
    writeln!(file, "idType,idNo,userName,mobilePhone,psnNo")?;
    for n in 0..persons {
        let person = Person::of(n);
        let psn_no = Person::psn_no(n);
        let Person {
            id_no,
            name,
            mobile,
        } = &person;
        writeln!(file, "01,{id_no},{name},{mobile},{psn_no}")?;
        if n % 10_000 == 0 {
            bar.set_position(n);
        }
    }
    file.flush()?;
    bar.finish_and_clear();
    Ok(())
}

/// Latencies, sorted.
#[derive(Default)]
struct Found {
    by_index_ms: Vec<f64>,
    by_number_ms: Vec<f64>,
    register_ms: Vec<f64>,
    registered_rate: f64,
}

async fn look_ups(app: &App, options: &Options) -> Result<Found> {
    let longest = Duration::from_secs(options.seconds * u64::from(options.rounds));
    let stop = Arc::new(AtomicBool::new(false));
    let began = Instant::now();
    let registering = tokio::spawn(keep_registering(app.clone(), options.items, stop.clone()));
    let mut found = Found::default();
    let mut n = 0;
    let looked = async {
        while began.elapsed() < longest {
            let who = scattered(n, options.items);
            let person = Person::of(who);
            let sent = Instant::now();
            let by_index = if n % 2 == 0 {
                let index = app.vault.card_index("01", &person.id_no);
                persons::by_index(&app.db, &app.vault, &index).await?
            } else {
                let code = app.vault.insured_code(&Person::psn_no(who));
                insured::person(&app.db, &app.vault, &code).await?
            };
            let took_ms = sent.elapsed().as_secs_f64() * 1e3;
            let found_him = by_index.is_some_and(|found| found.identity.id_no == person.id_no);
            ensure!(found_him, "第 {who} 人没有找到");
            if n % 2 == 0 {
                found.by_index_ms.push(took_ms);
            } else {
                found.by_number_ms.push(took_ms);
            }
            n += 1;
            // Others want the processor too: this measures a look-up, not how many fit.
            if n % 64 == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        Ok(())
    }
    .await;
    stop.store(true, Ordering::Relaxed);
    found.register_ms = registering.await??;
    looked?;
    found.registered_rate = number(found.register_ms.len() as u64) / began.elapsed().as_secs_f64();
    for latencies in [
        &mut found.by_index_ms,
        &mut found.by_number_ms,
        &mut found.register_ms,
    ] {
        latencies.sort_by(f64::total_cmp);
    }
    Ok(found)
}

/// Registers new persons at an even pace, each in a transaction of its own; gives the latencies in
/// milliseconds.
async fn keep_registering(app: App, first: u64, stop: Arc<AtomicBool>) -> Result<Vec<f64>> {
    let mut pace = tokio::time::interval(Duration::from_millis(20));
    let mut under_way = tokio::task::JoinSet::new();
    let mut latencies_ms = Vec::new();
    let mut next = first;
    while !stop.load(Ordering::Relaxed) {
        pace.tick().await;
        for _ in 0..REGISTRATIONS / 50 {
            under_way.spawn(register_one(app.clone(), next));
            next += 1;
        }
        while let Some(done) = under_way.try_join_next() {
            latencies_ms.push(done??);
        }
    }
    while let Some(done) = under_way.join_next().await {
        latencies_ms.push(done??);
    }
    Ok(latencies_ms)
}

async fn register_one(app: App, who: u64) -> Result<f64> {
    let began = Instant::now();
    let id = HealthCardPersonId(app.person_ids.next().await?);
    let claim = Person::of(who).claim(&app, id, Some(Person::psn_no(who)));
    let (vault, now_ms) = (app.vault.clone(), app.now_ms());
    let registered = app
        .db
        .write(move |tx| -> Result<_, StoreError> { register(tx, &vault, &claim, "bench", now_ms) })
        .await?;
    match registered {
        Registered::New(_) => Ok(began.elapsed().as_secs_f64() * 1e3),
        other => Err(anyhow!("登记有误：{other:?}")),
    }
}

/// The value below which so many in a hundred lie.
fn at(sorted: &[f64], percent: usize) -> f64 {
    let place = sorted.len() * percent / 100;
    sorted
        .get(place)
        .or(sorted.last())
        .copied()
        .unwrap_or_default()
}
