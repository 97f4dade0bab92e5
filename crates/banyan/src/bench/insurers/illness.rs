//! CI00.03.00.01, sealed, over HTTP, with a full registry of past illnesses; beside an echo of the
//! same sizes on the same server.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};
use axum::Router;
use axum::routing::post;
use banyan_platform::app::App;
use banyan_protocol::catalogue::Interface;
use banyan_store::supplement::{Named, past_illness};
use serde_json::json;

use super::super::people::Person;
use super::super::place::Place;
use super::super::platform::{Platform, runtime};
use super::super::query::{ECHO_PATH, RESERVE, WARM_UP, body_size, echo, typical_size};
use super::super::table::{Figure, Table, Target};
use super::super::wire_load::{self, Callers, Outcome, Prepared};
use super::super::{Options, cores, median};
use super::{Insurer, SERVICES};
use crate::terminal;

/// A prime larger than any number of persons here: steps of it visit every person once.
const STEP: u64 = 982_451_653;
/// Rows in a transaction.
const CHUNK: usize = 20_000;
/// Calls a second with which the warm-up is prepared.
const FIRST_GUESS: u64 = 20_000;
/// Level 4 says nothing more in the clear; samples are opened.
const SEALED: &str = "\"chs_fjs_encdata\"";
const CATEGORIES: [&str; 4] = ["恶性肿瘤", "高血压", "糖尿病", "脑卒中"];

pub(in super::super) fn measure(options: &Options, table: &mut Table) -> Result<()> {
    let place = Place::new(options)?;
    let routes = Router::new().route(ECHO_PATH, post(echo));
    let platform = Platform::start(&place, 0, None, routes)?;
    let insurer = platform.block_on(Insurer::register(&platform.app))?;
    platform.block_on(load(&place, &platform.app, options.items))?;
    let bench = Bench {
        options,
        platform: &platform,
        insurer: &insurer,
        callers: Callers {
            runtime: &runtime("banyan-callers", (cores() / 2).max(1))?,
            address: platform.address(),
            connections: options.connections as usize,
        },
        asked: 0,
    };
    bench.rounds(table)
}

struct Bench<'a> {
    options: &'a Options,
    platform: &'a Platform,
    insurer: &'a Insurer,
    callers: Callers<'a>,
    asked: u64,
}

impl Bench<'_> {
    fn rounds(mut self, table: &mut Table) -> Result<()> {
        let longest = Duration::from_secs(self.options.seconds);
        let bar = terminal::progress(u64::from(self.options.rounds), "既往症");
        let warm = self.query_round(FIRST_GUESS, WARM_UP)?;
        let mut checked = self.check(&warm)?;
        let mut per_second = warm.rate();
        let received = typical_size(&warm)?;
        let now_ms = self.platform.app.now_ms();
        let echoed = self.request(0, now_ms, &format!("{ECHO_PATH}?size={received}"));
        let sent = body_size(&echoed.bytes);
        let echoed = Arc::new(vec![echoed]);
        self.callers.echo(echoed.clone(), WARM_UP)?;
        let (mut echoes, mut queries) = (Vec::new(), Vec::new());
        for _ in 0..self.options.rounds {
            echoes.push(self.callers.echo(echoed.clone(), longest)?);
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a rate is a positive number of calls"
            )]
            let enough = (per_second * RESERVE) as u64 * self.options.seconds;
            let query = self.query_round(enough, longest)?;
            per_second = per_second.max(query.rate());
            checked += self.check(&query)?;
            queries.push(query);
            bar.inc(1);
        }
        bar.finish_and_clear();
        let of = |rounds: &[Outcome], figure: &dyn Fn(&Outcome) -> f64| {
            median(&rounds.iter().map(figure).collect::<Vec<_>>())
        };
        let ratios: Vec<_> = queries
            .iter()
            .zip(&echoes)
            .map(|(query, echo)| query.rate() / echo.rate())
            .collect();
        let p99_ms = of(&queries, &|round| round.latency_ms(0.99));
        table.add(
            Figure::new(
                "既往症查询 CI00.03.00.01",
                "次/秒",
                of(&queries, &Outcome::rate),
            )
            .ratio(median(&ratios))
            .target(Target::RatioAtLeast(0.40)),
        );
        table.add(Figure::new("既往症查询 p99", "毫秒", p99_ms));
        let echo_rate = of(&echoes, &Outcome::rate);
        table.add(Figure::new("空应答（参照，既往症）", "次/秒", echo_rate));
        table.note(format!(
            "既往症查询：登记 {} 条，安全等级 4；请求报文 {sent} 字节，应答报文约 {received} 字节；抽查并解密了 {checked} 份应答，内容全部正确",
            self.options.items
        ));
        Ok(())
    }

    fn query_round(&mut self, count: u64, longest: Duration) -> Result<Outcome> {
        let all = self.options.items + self.options.items / 10;
        let now_ms = self.platform.app.now_ms();
        let requests = wire_load::prepare(self.asked, count, |n| {
            // The same person again, never in the same millisecond: no two signatures are equal.
            let sent_ms = now_ms + i64::try_from(n / all).unwrap_or(0);
            self.request((n % all) * (STEP % all) % all, sent_ms, super::PATH)
        });
        self.asked += count;
        self.callers
            .play(requests, SEALED, longest)
            .context("既往症查询")
    }

    fn request(&self, person: u64, sent_ms: i64, path: &str) -> Prepared {
        let who = Person::of(person);
        let business = json!({
            "data": { "idcard": who.id_no, "name": who.name, "serviceId": SERVICES[0] }
        });
        let interface = Interface::Ci00030001;
        let bytes = self
            .insurer
            .request(interface, &business.to_string(), sent_ms);
        let bytes = match path {
            super::PATH => bytes,
            other => {
                let text = String::from_utf8_lossy(&bytes);
                text.replacen(super::PATH, other, 1).into_bytes()
            }
        };
        Prepared {
            bytes,
            subject: person,
        }
    }

    /// Opens the samples and holds them against what is known of each person.
    fn check(&self, outcome: &Outcome) -> Result<usize> {
        for (person, body) in &outcome.samples {
            let data = self.insurer.opened(body)?.data;
            let told: Vec<&str> = data["past_illness"]
                .as_array()
                .ok_or_else(|| anyhow!("应答没有 past_illness"))?
                .iter()
                .filter_map(|illness| illness["illness_name"].as_str())
                .collect();
            let (service, category) = entry(*person);
            let may_know = service.is_empty() || service == SERVICES[0];
            let known = *person < self.options.items && may_know;
            let right = if known { vec![category] } else { Vec::new() };
            ensure!(
                told == right,
                "第 {person} 人的既往症有误：应为 {right:?}，得到 {told:?}"
            );
        }
        Ok(outcome.samples.len())
    }
}

/// What the registry has of a person: for which service, and what.
fn entry(person: u64) -> (&'static str, &'static str) {
    let service = match person % 3 {
        0 => "",
        1 => SERVICES[0],
        _ => SERVICES[1],
    };
    let category = usize::try_from(person / 3).unwrap_or(0) % CATEGORIES.len();
    (service, CATEGORIES[category])
}

/// One entry for each person, in the order of the key, so that it is filled and not shuffled.
async fn load(place: &Place, app: &App, persons: u64) -> Result<()> {
    let spinner = terminal::spinner("计算既往症登记");
    let vault = app.vault.clone();
    let sorted = tokio::task::spawn_blocking(move || {
        let parts = cores() as u64;
        let mut all: Vec<(Named, u64)> = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..parts)
                .map(|part| {
                    let vault = &vault;
                    scope.spawn(move || {
                        (persons * part / parts..persons * (part + 1) / parts)
                            .map(|person| {
                                let who = Person::of(person);
                                (Named::new(vault, &who.id_no, who.name), person)
                            })
                            .collect::<Vec<_>>()
                    })
                })
                .collect();
            workers
                .into_iter()
                .flat_map(|worker| worker.join().unwrap_or_default())
                .collect()
        });
        all.sort_unstable_by_key(|(named, _)| named.person);
        all
    })
    .await?;
    spinner.finish_and_clear();
    let bar = terminal::progress(persons, "装入既往症登记");
    let origin = super::ORIGIN;
    let now_ms = app.now_ms();
    for chunk in sorted.chunks(CHUNK) {
        let chunk = chunk.to_vec();
        let count = chunk.len() as u64;
        app.db
            .write(move |tx| {
                let rows: Vec<_> = chunk
                    .iter()
                    .map(|(named, person)| {
                        let (service, category) = entry(*person);
                        past_illness::row(named, service, category, 0, origin, now_ms)
                    })
                    .collect();
                tx.insert_rows(&past_illness::INSERT, &rows)
            })
            .await?;
        bar.inc(count);
    }
    bar.finish_and_clear();
    // What PostgreSQL's own maintenance does sooner or later, done before the measurement.
    place.on_postgres("VACUUM ANALYZE past_illness").await?;
    let counted = past_illness::count(&app.db).await?;
    ensure!(
        i64::try_from(persons) == Ok(counted),
        "应有 {persons} 条既往症登记，实有 {counted}"
    );
    Ok(())
}
