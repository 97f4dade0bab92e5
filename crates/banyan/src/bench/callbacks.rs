//! ORG_002: how fast healthy hospitals get their callbacks, with and without others that hang.

use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};
use axum::Router;
use banyan_sandbox::{Account, CallbackReceiver};
use banyan_store::db::StoreError;
use banyan_store::queue::{self, JobKind, Which};

use super::place::Place;
use super::platform::{Hospital, Platform, runtime};
use super::report::{self, PATIENCE};
use super::table::{Figure, Table, Target};
use super::wire_load;
use super::{Options, cores, median, number};
use crate::commands::real_world;
use crate::terminal;

const HEALTHY: usize = 20;
/// One in five of all.
const HANGING: usize = 5;
/// Callbacks waiting for each hospital, for each second of a round.
const EACH_PER_SECOND: u64 = 200;
/// How closely is looked when a hospital has everything.
const LOOK: Duration = Duration::from_millis(1);
/// Calls that hang run into their time limit (10 s), and then leave their lane.
const LANES_FREE: Duration = Duration::from_secs(40);
/// The connections of a hospital while the backlog is made.
const CONNECTIONS: usize = 2;

pub(super) fn measure(options: &Options, table: &mut Table) -> Result<()> {
    let place = Place::new(options)?;
    let platform = Platform::start(&place, HEALTHY + HANGING, None, Router::new())?;
    let callers = runtime("banyan-callers", (cores() / 2).max(1))?;
    let receivers = callers.block_on(receivers(&platform.hospitals))?;
    let (healthy, hanging) = platform.hospitals.split_at(HEALTHY);
    for receiver in &receivers[HEALTHY..] {
        receiver.set_hanging(true);
    }
    let each = EACH_PER_SECOND * options.seconds;

    let spinner = terminal::spinner("准备回调");
    ensure!(
        platform.block_on(platform.pause_callbacks(&platform.hospitals))?,
        "回调未能暂停"
    );
    report::register(&platform, 0..each, 1)?;
    let vault = &platform.app.vault;
    let sendings = platform
        .hospitals
        .iter()
        .zip(&receivers)
        .map(|(hospital, receiver)| {
            let url = receiver.callback_url().as_str();
            let make = |batch| report::report(hospital, vault, url, batch, 1);
            (wire_load::prepare(0, each, make), CONNECTIONS)
        })
        .collect();
    report::send(&platform, &callers, sendings)?;
    platform.block_on(platform.all_judged())?;
    spinner.finish_and_clear();

    let rounds = u64::from(options.rounds);
    let bar = terminal::progress(rounds * 2, "回调");
    let bench = Bench {
        platform: &platform,
        receivers: &receivers[..HEALTHY],
        each,
    };
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        alone.push(platform.block_on(bench.round(healthy, &[], round * 2))?);
        bar.inc(1);
        beside.push(platform.block_on(bench.round(healthy, hanging, round * 2 + 1))?);
        bar.inc(1);
        if round + 1 < rounds {
            platform.block_on(bench.hold(hanging))?;
        }
    }
    bar.finish_and_clear();
    check(&receivers[..HEALTHY], each, rounds * 2)?;
    let hung = receivers[HEALTHY..]
        .iter()
        .map(CallbackReceiver::deliveries)
        .sum::<u64>();
    ensure!(hung > 0, "不应答的医院没有被呼叫过");
    for receiver in &receivers {
        receiver.set_hanging(false);
    }

    let of = |rounds: &[Speed], figure: &dyn Fn(&Speed) -> f64| {
        median(&rounds.iter().map(figure).collect::<Vec<_>>())
    };
    let (alone_rate, rate) = (of(&alone, &|it| it.rate), of(&beside, &|it| it.rate));
    let slower: Vec<_> = beside
        .iter()
        .zip(&alone)
        .map(|(beside, alone)| beside.slowest / alone.slowest)
        .collect();
    table.add(
        Figure::new("回调 ORG_002，五家中一家不应答", "次/秒", rate)
            .ratio(rate / alone_rate)
            .target(Target::ValueAtLeast(3_000.0)),
    );
    table.add(
        Figure::new(
            "其中最慢的一家正常医院",
            "次/秒",
            of(&beside, &|it| it.slowest),
        )
        .ratio(median(&slower))
        .target(Target::RatioAtLeast(0.8)),
    );
    table.add(Figure::new("回调，全部正常（参照）", "次/秒", alone_rate));
    table.add(Figure::new(
        "其中最慢的一家",
        "次/秒",
        of(&alone, &|it| it.slowest),
    ));
    table.note(format!(
        "回调：{HEALTHY} 家正常、{HANGING} 家不应答，每家积压 {each} 条；接收方在同一台机器上解密并签名应答；正常医院收到 {} 条，无遗漏，无重复；不应答的共被呼叫 {hung} 次",
        number(each * HEALTHY as u64 * rounds * 2)
    ));
    callers.block_on(async {
        for receiver in &receivers {
            receiver.stop().await;
        }
    });
    Ok(())
}

/// Callbacks a second: all together until the last of them, and the slowest hospital's own.
struct Speed {
    rate: f64,
    slowest: f64,
}

struct Bench<'a> {
    platform: &'a Platform,
    receivers: &'a [CallbackReceiver],
    each: u64,
}

impl Bench<'_> {
    /// Lets go, and waits until every healthy hospital has everything.
    async fn round(
        &self,
        healthy: &[Hospital],
        hanging: &[Hospital],
        rounds_before: u64,
    ) -> Result<Speed> {
        let app = &self.platform.app;
        let lanes: Vec<_> = healthy
            .iter()
            .chain(hanging)
            .map(|hospital| hospital.id.0)
            .collect();
        let now_ms = app.now_ms();
        let wanted = (rounds_before + 1) * self.each;
        let began = Instant::now();
        // What was delivered in the round before is delivered again, under the same numbers.
        let released = app.db.write(move |tx| {
            for lane in &lanes {
                let (lane, from_ms, to_ms) = (*lane, 0, i64::MAX);
                for which in [
                    Which::Done {
                        lane,
                        from_ms,
                        to_ms,
                    },
                    Which::Undone {
                        lane,
                        from_ms,
                        to_ms,
                    },
                ] {
                    queue::redo(tx, JobKind::Callback, which, now_ms)?;
                }
            }
            Ok::<_, StoreError>(())
        });
        released.await?;
        app.wake(JobKind::Callback);
        let mut done: Vec<Option<f64>> = vec![None; self.receivers.len()];
        while done.iter().any(Option::is_none) {
            ensure!(began.elapsed() < PATIENCE, "回调迟迟没有送完");
            tokio::time::sleep(LOOK).await;
            for (done, receiver) in done.iter_mut().zip(self.receivers) {
                if done.is_none() && receiver.deliveries() >= wanted {
                    *done = Some(began.elapsed().as_secs_f64());
                }
            }
        }
        let longest = done.iter().flatten().copied().fold(0.0, f64::max);
        self.written_down().await?;
        Ok(Speed {
            rate: number(self.each * self.receivers.len() as u64) / longest,
            slowest: number(self.each) / longest,
        })
    }

    /// Waits until only the hanging hospitals' callbacks are left.
    async fn written_down(&self) -> Result<()> {
        let left = i64::try_from(self.each * HANGING as u64)?;
        let began = Instant::now();
        loop {
            let backlog = queue::backlog(&self.platform.app.db, JobKind::Callback).await?;
            if backlog.waiting <= left {
                return Ok(());
            }
            ensure!(began.elapsed() < PATIENCE, "回调送到了，却没有记下");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Holds the hanging hospitals back once their calls have run into the time limit.
    async fn hold(&self, hanging: &[Hospital]) -> Result<()> {
        let spinner = terminal::spinner("等待不应答的呼叫超时");
        let began = Instant::now();
        while !self.platform.pause_callbacks(hanging).await? {
            ensure!(began.elapsed() < LANES_FREE, "不应答的医院一直占用");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        spinner.finish_and_clear();
        Ok(())
    }
}

async fn receivers(hospitals: &[Hospital]) -> Result<Vec<CallbackReceiver>> {
    let mut receivers = Vec::with_capacity(hospitals.len());
    for hospital in hospitals {
        let account = Account {
            app_id: hospital.app_id.clone(),
            secret: (*hospital.secret).clone(),
        };
        let listen = (std::net::Ipv4Addr::LOCALHOST, 0).into();
        let clock = real_world().clock;
        receivers.push(CallbackReceiver::start(listen, [account], clock).await?);
    }
    Ok(receivers)
}

/// Every notification came once in each round, and none went astray.
fn check(receivers: &[CallbackReceiver], each: u64, rounds: u64) -> Result<()> {
    for receiver in receivers {
        let told = receiver.told();
        ensure!(
            told.len() as u64 == each && receiver.refused() == 0,
            "一家医院应收到 {each} 条通知，实收 {} 条，无法解密 {} 条",
            told.len(),
            receiver.refused()
        );
        let odd = told
            .values()
            .find(|told| u64::from(told.deliveries) != rounds);
        if let Some(odd) = odd {
            return Err(anyhow!(
                "批次 {:?} 的通知应送达 {rounds} 次，实为 {} 次",
                odd.org_request_id,
                odd.deliveries
            ));
        }
    }
    Ok(())
}
