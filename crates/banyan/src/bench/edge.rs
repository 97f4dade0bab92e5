//! The edge in a process of its own: how long the HIS waits, how long a night's work takes over a
//! slow line, and how much memory it holds.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use axum::Router;
use banyan_client::{HostGuard, HttpClient, HttpSettings};
use banyan_protocol::wire::{LocalTime, Scalar as _};
use banyan_sandbox::{LineMode, LineProxy};
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::Mutex;
use url::Url;

use super::people::People;
use super::place::Place;
use super::platform::{Hospital, Platform, runtime};
use super::process::{Started, free_address};
use super::table::{Figure, Table, Target};
use super::{Options, cores, number};
use crate::commands::real_world;
use crate::terminal;

const KEY: &str = "the-key-of-the-bench";
/// Calls of the HIS a second.
const RATE: u32 = 500;
/// What waits for the night.
const NIGHT_ITEMS: usize = 100_000;
const ITEMS_PER_CALL: usize = 1_000;
/// Each way.
const LINE: Duration = Duration::from_millis(50);
const IDLE: Duration = Duration::from_secs(3);
const NIGHT_PATIENCE: Duration = Duration::from_secs(1_200);
const LOOK: Duration = Duration::from_millis(100);

pub(super) fn measure(options: &Options, table: &mut Table) -> Result<()> {
    let place = Place::new(options)?;
    let people = People::of(100);
    let platform = Platform::start(&place, 1, Some(people), Router::new())?;
    let his = runtime("banyan-his", cores())?;
    let hospital = &platform.hospitals[0];
    his.block_on(async {
        let line = LineProxy::start(platform.address()).await?;
        line.set_mode(LineMode::Delayed(LINE)).await;
        let folder = place.folder().join("edge");
        let (edge, his) = start(hospital, &line, &folder, &[])?;
        tokio::time::sleep(IDLE).await;
        let idle_mb = edge.resident_mb()?;
        let waits = waits(&his, options.seconds).await?;
        edge.stop()?;

        // The night begins as soon as everything waits for it.
        let window = window();
        let folder = place.folder().join("night");
        let (edge, his) = start(hospital, &line, &folder, &window)?;
        let took = night(&his).await?;
        let peak_mb = edge.peak_mb()?;
        edge.stop()?;
        line.stop().await;
        table.add(
            Figure::new(
                "前置机：HIS 上报至落盘应答，每秒 500 次，p99",
                "毫秒",
                waits.p99_ms,
            )
            .target(Target::ValueAtMost(10.0)),
        );
        table.add(Figure::new("其中 p50", "毫秒", waits.p50_ms));
        table.add(
            Figure::new(
                "前置机：十万项经 50 毫秒（单程）线路送达并得知结果",
                "秒",
                took,
            )
            .target(Target::ValueAtMost(600.0)),
        );
        table.add(
            Figure::new("前置机：空闲时常驻内存", "MB", idle_mb).target(Target::ValueAtMost(40.0)),
        );
        table.add(Figure::new("前置机：送十万项之后的内存峰值", "MB", peak_mb));
        table.note(
            "前置机：独立进程；上报每次一项，自发出至收到应答；送达自夜间时段开始至平台告知全部结果"
                .to_owned(),
        );
        Ok(())
    })
}

/// A HIS that knows its edge.
struct His {
    http: HttpClient,
    edge: Url,
}

impl His {
    async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let url = self.edge.join(path)?;
        let body = Bytes::from(body.to_string());
        let reply = self
            .http
            .post_with_key(&url, body, Some(KEY), &HostGuard::Anywhere)
            .await?;
        let mut said: Value = serde_json::from_slice(&reply.body)?;
        ensure!(
            said["respCode"] == "000000",
            "前置机拒绝：{}",
            said["respMsg"]
        );
        Ok(said["data"].take())
    }

    /// How many items and messages are on their way.
    async fn waiting(&self) -> Result<i64> {
        let url = self.edge.join("/v1/status")?;
        let guard = HostGuard::Anywhere;
        let reply = self.http.get_with_key(&url, KEY, &guard).await?;
        let said: Value = serde_json::from_slice(&reply.body)?;
        ["waitingItems", "unsentMessages", "awaitedMessages"]
            .iter()
            .map(|member| said["data"][member].as_i64().context(*member))
            .sum()
    }
}

fn start(
    hospital: &Hospital,
    line: &LineProxy,
    folder: &std::path::Path,
    besides: &[(&'static str, String)],
) -> Result<(Started, His)> {
    let address = free_address()?;
    let mut variables = vec![
        ("BANYAN_EDGE_LISTEN", address.to_string()),
        (
            "BANYAN_EDGE_PLATFORM_URL",
            format!("http://{}", line.address()),
        ),
        ("BANYAN_EDGE_ORG_ID", hospital.org_id.clone()),
        ("BANYAN_EDGE_ORG_NAME", hospital.name.clone()),
        ("BANYAN_EDGE_APP_ID", hospital.app_id.clone()),
        ("BANYAN_EDGE_SECRET", hospital.secret.expose().to_owned()),
        ("BANYAN_EDGE_API_KEYS", format!("[\"{KEY}\"]")),
        ("BANYAN_EDGE_DATA_DIR", folder.display().to_string()),
    ];
    variables.extend_from_slice(besides);
    let began = Instant::now();
    let mut edge = Started::start(&["edge"], &variables)?;
    edge.wait_until_ready(address, began)?;
    let his = His {
        http: HttpClient::new(&HttpSettings {
            call_timeout: Duration::from_secs(60),
            ..HttpSettings::default()
        })?,
        edge: format!("http://{address}").parse()?,
    };
    Ok((edge, his))
}

struct Waits {
    p50_ms: f64,
    p99_ms: f64,
}

/// Calls at a fixed rate, whether or not the ones before were answered: who is late makes others
/// wait, and that counts.
async fn waits(his: &His, seconds: u64) -> Result<Waits> {
    let bar = terminal::progress(seconds, "HIS 上报");
    let mut tick = tokio::time::interval(Duration::from_secs(1) / RATE);
    let took = Arc::new(Mutex::new(Vec::new()));
    let mut calls = tokio::task::JoinSet::new();
    for number in 0..seconds * u64::from(RATE) {
        let due = tick.tick().await;
        let (http, edge) = (his.http.clone(), his.edge.clone());
        let took = Arc::clone(&took);
        calls.spawn(async move {
            let his = His { http, edge };
            let body = json!({ "items": [row(&format!("L{number}"))] });
            his.post("/v1/overdue/report", &body).await?;
            took.lock().await.push(due.elapsed().as_secs_f64() * 1e3);
            anyhow::Ok(())
        });
        if number % u64::from(RATE) == 0 {
            bar.inc(1);
        }
    }
    while let Some(call) = calls.join_next().await {
        call??;
    }
    bar.finish_and_clear();
    let mut took = took.lock().await.clone();
    took.sort_by(f64::total_cmp);
    let at = |share: usize| {
        took.get(took.len() * share / 100)
            .copied()
            .unwrap_or_default()
    };
    Ok(Waits {
        p50_ms: at(50),
        p99_ms: at(99),
    })
}

/// A night that begins in two or three minutes.
fn window() -> Vec<(&'static str, String)> {
    let minute = LocalTime::minute_of_day(real_world().clock.now_ms());
    let at = |later: i64| {
        let minute = (minute + later) % (24 * 60);
        format!("{:02}:{:02}", minute / 60, minute % 60)
    };
    vec![
        ("BANYAN_EDGE_SENDING_WINDOW_FROM", at(2)),
        ("BANYAN_EDGE_SENDING_WINDOW_UNTIL", at(3)),
    ]
}

/// How many seconds it takes from the beginning of the night until every outcome is known.
async fn night(his: &His) -> Result<f64> {
    let bar = terminal::progress(number_of_calls(), "夜间上报");
    let mut begins = String::new();
    for call in 0..NIGHT_ITEMS / ITEMS_PER_CALL {
        let rows: Vec<Value> = (0..ITEMS_PER_CALL)
            .map(|item| row(&format!("N{call}-{item}")))
            .collect();
        let said = his
            .post("/v1/overdue/report", &json!({ "items": rows }))
            .await?;
        begins = said["sendAfter"].as_str().unwrap_or_default().to_owned();
        bar.inc(1);
    }
    bar.finish_and_clear();
    let begins_ms = LocalTime::parse(&begins)
        .ok()
        .context("sendAfter 不是时间")?
        .epoch_ms();
    let clock = real_world().clock;
    ensure!(clock.now_ms() < begins_ms, "装入太慢，夜间时段已经开始");
    let spinner = terminal::spinner("等待夜间时段与送达");
    let began = Instant::now();
    loop {
        if his.waiting().await? == 0 {
            break;
        }
        ensure!(began.elapsed() < NIGHT_PATIENCE, "迟迟没有送完");
        tokio::time::sleep(LOOK).await;
    }
    spinner.finish_and_clear();
    Ok(number((clock.now_ms() - begins_ms).max(0).unsigned_abs()) / 1e3)
}

fn number_of_calls() -> u64 {
    (NIGHT_ITEMS / ITEMS_PER_CALL) as u64
}

fn row(org_trace_id: &str) -> Value {
    json!({
        "userType": "01",
        "orgTraceId": org_trace_id,
        "medType": "11",
        "feeType": "01",
        "itemName": "诊查费",
        "amount": "12.50",
        "actualTime": "2026-03-01 09:30:00",
    })
}
