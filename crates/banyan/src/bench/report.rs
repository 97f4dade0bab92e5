//! ORG_MDL_001 in batches of 100, sealed, over HTTP, until every batch is judged; beside raw
//! inserts of the same rows into the same table.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use axum::Router;
use banyan_protocol::envelope::Sealing;
use banyan_protocol::wire::{LocalTime, Scalar as _};
use banyan_store::db::StoreError;
use banyan_store::ids::BatchId;
use banyan_store::ids::ItemId;
use banyan_store::overdue::items::{self, Item, State};
use banyan_store::vault::Vault;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use super::people::{self, ITEM_NAME, People, Person};
use super::place::Place;
use super::platform::{Hospital, Platform, runtime};
use super::table::{Figure, Table, Target};
use super::wire_load::{self, Connection, Prepared};
use super::{Options, cores, median, number};
use crate::terminal;

/// Hospitals that report at once, and callers of the raw insert.
const HOSPITALS: usize = 16;
const PATH: &str = "/umdl/reportOverdueData";
/// As many as a message may hold.
const ITEMS: u64 = 100;
/// Items of one person in a message.
const EACH: u64 = 2;
/// Batches of each hospital in the warm-up.
const WARM_UP: u64 = 6;
/// Nobody is called there: callbacks are held back in this measurement.
const NOWHERE: &str = "http://127.0.0.1:9/umdl/callback";

pub(super) fn measure(options: &Options, table: &mut Table) -> Result<()> {
    let place = Place::new(options)?;
    let people = People::of(options.items);
    let platform = Platform::start(&place, HOSPITALS, Some(people), Router::new())?;
    let callers = runtime("banyan-callers", (cores() / 2).max(1))?;
    let held = platform.block_on(platform.pause_callbacks(&platform.hospitals))?;
    ensure!(held, "回调未能暂停");
    let mut bench = Bench {
        platform: &platform,
        callers: &callers,
        batches: 0,
        rows: 0,
    };
    let seconds = number(options.seconds);
    let bar = terminal::progress(u64::from(options.rounds), "上报");
    let mut report_rate = bench.report(WARM_UP)?.judged;
    let mut raw_rate = bench.raw(WARM_UP)?;
    let (mut reports, mut raws) = (Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        raws.push(bench.raw(batches_for(raw_rate, seconds))?);
        reports.push(bench.report(batches_for(report_rate, seconds))?);
        raw_rate = median(&raws);
        report_rate = reports.last().map_or(report_rate, |rates| rates.judged);
        bar.inc(1);
    }
    bar.finish_and_clear();
    let expected = people.items() + (bench.batches + bench.rows) * ITEMS;
    bench.check(expected)?;

    let of =
        |figure: &dyn Fn(&Rates) -> f64| median(&reports.iter().map(figure).collect::<Vec<_>>());
    let ratios: Vec<_> = reports
        .iter()
        .zip(&raws)
        .map(|(report, raw)| report.judged / raw)
        .collect();
    table.add(
        Figure::new(
            "上报 ORG_MDL_001 至判定完成",
            "条/秒",
            of(&|rates| rates.judged),
        )
        .ratio(median(&ratios))
        .target(Target::RatioAtLeast(0.6)),
    );
    table.add(Figure::new(
        "其中受理（应答 success）",
        "条/秒",
        of(&|rates| rates.accepted),
    ));
    table.add(Figure::new(
        "受理一批 p99",
        "毫秒",
        of(&|rates| rates.p99_ms),
    ));
    table.add(Figure::new("直接批量写库（参照）", "条/秒", median(&raws)));
    table.note(format!(
        "上报：{HOSPITALS} 家医院并发，每批 {ITEMS} 条（每人 {EACH} 条，实名）；回调暂停；参照为同一张表、同样的行、{HOSPITALS} 个并发、每事务 {ITEMS} 行；终了核对记录共 {expected} 条"
    ));
    Ok(())
}

/// How many batches of each hospital fill a round.
fn batches_for(rate: f64, seconds: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rate is a positive number of items"
    )]
    let items = (rate * seconds) as u64;
    (items / ITEMS / HOSPITALS as u64).max(1)
}

/// What a round of reports came to, in items a second.
struct Rates {
    accepted: f64,
    judged: f64,
    p99_ms: f64,
}

struct Bench<'a> {
    platform: &'a Platform,
    callers: &'a Runtime,
    /// Batches reported so far.
    batches: u64,
    /// Batches of raw rows inserted so far.
    rows: u64,
}

impl Bench<'_> {
    fn report(&mut self, each: u64) -> Result<Rates> {
        let vault = &self.platform.app.vault;
        let first = self.batches;
        let requests = self
            .platform
            .hospitals
            .iter()
            .zip(0..)
            .map(|(hospital, place)| {
                let from = first + place * each;
                let requests = wire_load::prepare(from, each, |batch| {
                    report(hospital, vault, NOWHERE, batch, ITEMS)
                });
                (requests, 1)
            })
            .collect();
        let batches = first..first + each * HOSPITALS as u64;
        self.batches = batches.end;
        register(self.platform, batches, ITEMS)?;
        let began = Instant::now();
        let mut latencies_ms = send(self.platform, self.callers, requests)?;
        let accepted = began.elapsed().as_secs_f64();
        self.platform.block_on(self.platform.all_judged())?;
        let judged = began.elapsed().as_secs_f64();
        latencies_ms.sort_by(f64::total_cmp);
        let slow = latencies_ms.len() * 99 / 100;
        let items = number(each * ITEMS * HOSPITALS as u64);
        Ok(Rates {
            accepted: items / accepted,
            judged: items / judged,
            p99_ms: latencies_ms.get(slow).copied().unwrap_or_default(),
        })
    }

    /// Rows a second.
    fn raw(&mut self, each: u64) -> Result<f64> {
        let app = &self.platform.app;
        let now_ms = app.now_ms();
        let total = each * HOSPITALS as u64;
        let first_id = self
            .platform
            .block_on(app.ids.take(usize::try_from(total * ITEMS)?))?
            .start;
        let first = self.rows;
        let parts: Vec<_> = std::thread::scope(|scope| {
            let workers: Vec<_> = self
                .platform
                .hospitals
                .iter()
                .zip(0..)
                .map(|(hospital, place)| {
                    scope.spawn(move || {
                        let batches = place * each..(place + 1) * each;
                        batches
                            .map(|batch| rows(hospital, &app.vault, first, batch, first_id))
                            .collect::<Vec<_>>()
                    })
                })
                .collect();
            workers
                .into_iter()
                .map(|worker| worker.join().unwrap_or_default())
                .collect()
        });
        self.rows += total;
        let began = Instant::now();
        let mut callers = JoinSet::new();
        for batches in parts {
            let db = app.db.clone();
            let insert = async move {
                for batch in batches {
                    db.write(move |tx| {
                        let rows: Vec<_> = batch.iter().collect();
                        items::insert(tx, &rows, BatchId(0), now_ms)
                    })
                    .await?;
                }
                Ok::<_, StoreError>(())
            };
            callers.spawn_on(insert, self.platform.handle());
        }
        self.platform.block_on(async {
            while let Some(done) = callers.join_next().await {
                done??;
            }
            anyhow::Ok(())
        })?;
        Ok(number(total * ITEMS) / began.elapsed().as_secs_f64())
    }

    /// Everything reported is there, and nothing twice.
    fn check(&self, expected: u64) -> Result<()> {
        let counted = self
            .platform
            .block_on(items::count(&self.platform.app.db))
            .map_err(|error: StoreError| anyhow::anyhow!("{error}"))?;
        ensure!(
            i64::try_from(expected) == Ok(counted),
            "应有 {expected} 条记录，实有 {counted}"
        );
        Ok(())
    }
}

/// Requests of each hospital, and how many of them it has under way at once.
pub(super) type Sendings = Vec<(Arc<Vec<Prepared>>, usize)>;

/// Has every hospital send its requests, one after the other on each of its connections; gives
/// the latencies in milliseconds.
pub(super) fn send(platform: &Platform, callers: &Runtime, requests: Sendings) -> Result<Vec<f64>> {
    let address = platform.address();
    callers.block_on(async {
        let mut hospitals = JoinSet::new();
        for (requests, connections) in requests {
            for place in 0..connections {
                let requests = requests.clone();
                hospitals.spawn(async move {
                    let mut connection = Connection::open(address).await?;
                    let mut latencies_ms = Vec::with_capacity(requests.len());
                    for request in requests.iter().skip(place).step_by(connections) {
                        let sent = Instant::now();
                        let body = connection.call(&request.bytes).await?;
                        latencies_ms.push(sent.elapsed().as_secs_f64() * 1e3);
                        let text = String::from_utf8_lossy(body);
                        ensure!(text.contains("\"respCode\":\"000000\""), "应答有误：{text}");
                    }
                    anyhow::Ok(latencies_ms)
                });
            }
        }
        let mut all = Vec::new();
        while let Some(hospital) = hospitals.join_next().await {
            all.extend(hospital?.context("上报")?);
        }
        Ok(all)
    })
}

/// Gives health cards to everybody whom these batches name, so many items each.
pub(super) fn register(platform: &Platform, batches: Range<u64>, items: u64) -> Result<()> {
    let numbers = batches.flat_map(|batch| {
        (0..items)
            .step_by(usize::try_from(EACH).unwrap_or(1))
            .map(move |first| batch * ITEMS + first)
    });
    let persons: Vec<_> = numbers.map(person).collect();
    platform.block_on(people::register(&platform.app, &persons))
}

/// A sealed report of so many items, each new to the platform.
pub(super) fn report(
    hospital: &Hospital,
    vault: &Vault,
    notify_url: &str,
    batch: u64,
    items: u64,
) -> Prepared {
    let persons: Vec<Value> = (0..items)
        .step_by(usize::try_from(EACH).unwrap_or(1))
        .map(|first| {
            let who = person(batch * ITEMS + first);
            let items: Vec<Value> = (first..(first + EACH).min(items))
                .map(|place| item(batch * ITEMS + place))
                .collect();
            json!({
                "idNo": who.id_no,
                "idType": "01",
                "userName": who.name,
                "ehealthCardId": vault.ehealth_card_id("01", &who.id_no),
                "mobilePhone": who.mobile,
                "userType": "02",
                "itemList": items,
            })
        })
        .collect();
    let business = json!({
        "orgId": hospital.org_id,
        "orgName": hospital.name,
        "notifyUrl": notify_url,
        "orgRequestId": format!("bench-{batch}"),
        "unsettleList": persons,
    })
    .to_string();
    let now_ms = crate::commands::real_world().clock.now_ms();
    let body = Sealing::call(&hospital.app_id, now_ms, &business).seal(&hospital.secret);
    Prepared {
        bytes: wire_load::request(PATH, &body),
        subject: batch,
    }
}

fn item(n: u64) -> Value {
    let content = people::content(n, 0);
    json!({
        "orgTraceId": format!("r-{n:012}"),
        "medType": content.med_type,
        "feeType": content.fee_type,
        "itemName": ITEM_NAME,
        "amount": format!("{}.{:02}", n % 900 + 1, n % 100),
        "actualTime": LocalTime::from_epoch_ms(content.actual_ms).render(),
    })
}

/// The rows that a batch of reports would become.
fn rows(hospital: &Hospital, vault: &Vault, first: u64, batch: u64, first_id: i64) -> Vec<Item> {
    (0..ITEMS)
        .map(|place| {
            let n = (first + batch) * ITEMS + place;
            let offset = i64::try_from(batch * ITEMS + place).unwrap_or(0);
            Item {
                id: ItemId(first_id + offset),
                partner: hospital.id,
                org_trace_id: format!("w-{n:012}"),
                owner: people::owner(&person(n / EACH), vault),
                content: people::content(n, i64::try_from(n % 90_000 + 1).unwrap_or(1)),
                state: State::Unpaid,
            }
        })
        .collect()
}

/// Somebody, scattered over ten million.
fn person(n: u64) -> Person {
    Person::of(n.wrapping_mul(982_451_653) % 10_000_000)
}

/// How long a measurement may wait for what must come.
pub(super) const PATIENCE: Duration = Duration::from_secs(120);
