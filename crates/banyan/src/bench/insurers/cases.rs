//! XY00.00.00.03 (hmbExtInfo) in batches of 500, sealed, over HTTP; beside raw inserts of the same
//! rows into the same tables.

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use axum::Router;
use banyan_platform::app::App;
use banyan_protocol::catalogue::Interface;
use banyan_protocol::supplement::{MAX_ROWS_PER_CALL, fen};
use banyan_store::supplement::content::Content;
use banyan_store::supplement::{Named, cases};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use super::super::people::Person;
use super::super::place::Place;
use super::super::platform::{Platform, runtime};
use super::super::table::{Figure, Table, Target};
use super::super::wire_load::{self, Connection, Prepared};
use super::super::{Options, cores, median, number};
use super::{Insurer, SERVICES};
use crate::terminal;

/// Batches under way at once, and callers of the raw insert.
const CONNECTIONS: usize = 4;
/// As many as a message may hold.
const ROWS: u64 = MAX_ROWS_PER_CALL as u64;
/// Batches of the warm-up.
const WARM_UP: u64 = 8;
/// Requests are written beforehand, a megabyte and a half each: no more of them than this.
const MOST_BATCHES: u64 = 300;

pub(in super::super) fn measure(options: &Options, table: &mut Table) -> Result<()> {
    let place = Place::new(options)?;
    let platform = Platform::start(&place, 0, None, Router::new())?;
    let mut bench = Bench {
        insurer: platform.block_on(Insurer::register(&platform.app))?,
        callers: runtime("banyan-callers", (cores() / 2).max(1))?,
        platform: &platform,
        batches: 0,
    };
    let bar = terminal::progress(u64::from(options.rounds), "历史案件");
    let mut sent_rate = bench.migrate(WARM_UP)?.0;
    let mut raw_rate = bench.raw(WARM_UP)?;
    let (mut sent, mut slow, mut raws) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        raw_rate = bench.raw(batches_for(raw_rate, options.seconds))?;
        raws.push(raw_rate);
        let (rate, p99_ms) = bench.migrate(batches_for(sent_rate, options.seconds))?;
        sent_rate = rate;
        sent.push(rate);
        slow.push(p99_ms);
        bar.inc(1);
    }
    bar.finish_and_clear();
    bench.check()?;
    let ratios: Vec<_> = sent
        .iter()
        .zip(&raws)
        .map(|(sent, raw)| sent / raw)
        .collect();
    table.add(
        Figure::new("历史案件迁移 hmbExtInfo", "条/秒", median(&sent))
            .ratio(median(&ratios))
            .target(Target::RatioAtLeast(0.5)),
    );
    let durable = Figure::new("历史案件迁移（落盘）", "条/秒", median(&sent));
    table.add(durable.target(Target::ValueAtLeast(8_000.0)));
    table.add(Figure::new("迁移一批 p99", "毫秒", median(&slow)));
    table.add(Figure::new(
        "直接批量写库（参照，历史案件）",
        "条/秒",
        median(&raws),
    ));
    table.note(format!(
        "历史案件：每批 {ROWS} 条，{CONNECTIONS} 批并发，安全等级 4，含既往症登记；参照为同样的表、同样已加密的行、{CONNECTIONS} 个并发、每事务 {ROWS} 行；终了核对案件与既往症登记"
    ));
    Ok(())
}

/// How many batches fill a round.
fn batches_for(rate: f64, seconds: u64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rate is a positive number of cases"
    )]
    let cases = (rate * number(seconds)) as u64;
    (cases / ROWS).clamp(CONNECTIONS as u64, MOST_BATCHES)
}

struct Bench<'a> {
    insurer: Insurer,
    callers: Runtime,
    platform: &'a Platform,
    /// Batches so far, sent and raw.
    batches: u64,
}

impl Bench<'_> {
    /// Cases a second, and the latency of the slowest in a hundred in milliseconds.
    fn migrate(&mut self, batches: u64) -> Result<(f64, f64)> {
        let now_ms = self.platform.app.now_ms();
        let requests = wire_load::prepare(self.batches, batches, |batch| {
            let rows: Vec<Value> = numbers(batch).map(case).collect();
            let business = json!({ "data": { "topic": "hmbExtInfo", "hmbList": rows } });
            let interface = Interface::Xy00000003;
            Prepared {
                bytes: self
                    .insurer
                    .request(super::PATH, interface, &business.to_string(), now_ms),
                subject: batch,
            }
        });
        self.batches += batches;
        let began = Instant::now();
        let mut latencies_ms = self.callers.block_on(self.send(requests))?;
        let rate = number(batches * ROWS) / began.elapsed().as_secs_f64();
        latencies_ms.sort_by(f64::total_cmp);
        let slow = latencies_ms.len() * 99 / 100;
        Ok((rate, latencies_ms.get(slow).copied().unwrap_or_default()))
    }

    async fn send(&self, requests: Arc<Vec<Prepared>>) -> Result<Vec<f64>> {
        let address = self.platform.address();
        let mut callers = JoinSet::new();
        for place in 0..CONNECTIONS {
            let requests = requests.clone();
            callers.spawn(async move {
                let mut connection = Connection::open(address).await?;
                let mut replies = Vec::new();
                for request in requests.iter().skip(place).step_by(CONNECTIONS) {
                    let sent = Instant::now();
                    let body = connection.call(&request.bytes).await?.to_vec();
                    replies.push((sent.elapsed().as_secs_f64() * 1e3, body));
                }
                anyhow::Ok(replies)
            });
        }
        let mut latencies_ms = Vec::with_capacity(requests.len());
        while let Some(done) = callers.join_next().await {
            for (latency_ms, body) in done?.context("迁移历史案件")? {
                self.insurer.opened(&body)?;
                latencies_ms.push(latency_ms);
            }
        }
        Ok(latencies_ms)
    }

    /// Rows a second.
    fn raw(&mut self, batches: u64) -> Result<f64> {
        let app = &self.platform.app;
        let (now_ms, first) = (app.now_ms(), self.batches);
        self.batches += batches;
        let mut parts: Vec<Vec<cases::Ready>> = (0..CONNECTIONS).map(|_| Vec::new()).collect();
        for batch in first..self.batches {
            let rows: Vec<cases::Case> = numbers(batch).map(|n| row(app, &case(n))).collect();
            let ids = self.platform.block_on(app.ids.take(rows.len()))?;
            let ready = cases::ready(
                &app.vault,
                self.insurer.id,
                now_ms,
                super::ORIGIN,
                ids,
                &rows,
            )?;
            parts[usize::try_from(batch - first)? % CONNECTIONS].push(ready);
        }
        let began = Instant::now();
        let mut callers = JoinSet::new();
        for part in parts {
            let db = app.db.clone();
            let insert = async move {
                for ready in part {
                    db.write(move |tx| cases::insert_alone(tx, &ready, now_ms))
                        .await?;
                }
                anyhow::Ok(())
            };
            callers.spawn_on(insert, self.platform.handle());
        }
        self.platform.block_on(async {
            while let Some(done) = callers.join_next().await {
                done??;
            }
            anyhow::Ok(())
        })?;
        Ok(number(batches * ROWS) / began.elapsed().as_secs_f64())
    }

    /// Everything that was sent is there, and nothing twice.
    fn check(&self) -> Result<()> {
        let totals = self
            .platform
            .block_on(cases::totals(&self.platform.app.db))?;
        let counted: i64 = totals.iter().map(|total| total.invoices).sum();
        let expected = self.batches * ROWS;
        ensure!(
            i64::try_from(expected) == Ok(counted),
            "应有 {expected} 条历史案件，实有 {counted}"
        );
        Ok(())
    }
}

fn numbers(batch: u64) -> std::ops::Range<u64> {
    batch * ROWS..(batch + 1) * ROWS
}

/// A case as it is sent: every field of the document.
fn case(n: u64) -> Value {
    let person = Person::of(n.wrapping_mul(982_451_653) % 10_000_000);
    let amount = |n: u64| format!("{}.{:02}", n % 9_000 + 1, n % 100);
    let mut case = serde_json::Map::new();
    for field in cases::FIELDS {
        let said = match *field {
            "reportTime" | "closeTime" | "payTime" | "dischargeTime" => {
                format!("2024-{:02}-{:02} 10:20:30", n % 12 + 1, n % 28 + 1)
            }
            "caseNo" => format!("HMB{n:012}"),
            "invoiceNum" => format!("{n:012}"),
            "insuredName" => person.name.to_owned(),
            "insuredCertno" => person.id_no.clone(),
            "insuredCertType" => "01".to_owned(),
            "mainDiagName" => "肺恶性肿瘤".to_owned(),
            "mainDiagCode" => {
                DIAGNOSES[usize::try_from(n).unwrap_or(0) % DIAGNOSES.len()].to_owned()
            }
            "fixmedinsName" => "榕城第一医院（压测）".to_owned(),
            "serviceId" => SERVICES[0].to_owned(),
            "applyMethod" | "insuredSex" | "caseStaus" | "claimConclus" => "1".to_owned(),
            name if name.contains("Amt") => amount(n),
            name if name.starts_with("compenRatio") => "60".to_owned(),
            _ => String::new(),
        };
        case.insert((*field).to_owned(), said.into());
    }
    Value::Object(case)
}

/// Half of them mean a past illness.
const DIAGNOSES: [&str; 4] = ["C34.901", "I10.x00", "K35.900", "S52.501"];

/// The row that a case becomes.
fn row(app: &App, case: &Value) -> cases::Case {
    let text = |field: &str| case[field].as_str().unwrap_or_default();
    cases::Case {
        service_id: text("serviceId").to_owned(),
        case_no: text("caseNo").to_owned(),
        invoice_num: text("invoiceNum").to_owned(),
        named: Named::new(&app.vault, text("insuredCertno"), text("insuredName")),
        year: text("closeTime").chars().take(4).collect(),
        invoice_fen: fen(text("invoiceAmt")),
        paid_fen: fen(text("compenAmt")),
        illnesses: app.illnesses.of_case(text("mainDiagCode"), "", ""),
        content: Content::of(cases::FIELDS, |field| case[field].as_str()),
    }
}
