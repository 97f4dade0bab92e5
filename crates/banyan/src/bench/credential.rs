//! ec.query, signed, in GB18030, over HTTP, with a register of holders; beside an echo of the same
//! sizes on the same server.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};
use axum::Router;
use axum::routing::post;
use banyan_platform::app::App;
use banyan_platform::credential::code;
use banyan_platform::health_card::identity::Stated;
use banyan_protocol::envelope::centre::{Charset, PATH, Request, open_reply};
use banyan_store::credential::holders;
use banyan_store::db::StoreError;
use banyan_store::health_card::{Claim, Registered, register_all};
use banyan_store::ids::HealthCardPersonId;
use serde_json::{Value, json};

use super::people::Person;
use super::place::Place;
use super::platform::{Hospital, Platform, runtime};
use super::query::{ECHO_PATH, RESERVE, WARM_UP, body_size, echo, typical_size};
use super::table::{Figure, Table, Target};
use super::wire_load::{self, Callers, Outcome, Prepared};
use super::{Options, cores, median};
use crate::terminal;

/// A prime larger than any number of persons here: steps of it visit every person once.
const STEP: u64 = 982_451_653;
/// Persons in a transaction.
const CHUNK: usize = 5_000;
/// Calls a second with which the warm-up is prepared.
const FIRST_GUESS: u64 = 20_000;
/// In an answer that is no refusal.
const SUCCESS: &str = "\"code\":0,";

pub(super) fn measure(options: &Options, table: &mut Table) -> Result<()> {
    let place = Place::new(options)?;
    let routes = Router::new().route(ECHO_PATH, post(echo));
    let platform = Platform::start(&place, 1, None, routes)?;
    let persons = platform.block_on(load(&platform.app, options.items))?;
    let bench = Bench {
        options,
        platform: &platform,
        persons: &persons,
        callers: Callers {
            runtime: &runtime("banyan-callers", (cores() / 2).max(1))?,
            address: platform.address(),
            connections: options.connections as usize,
        },
    };
    bench.rounds(table)
}

struct Bench<'a> {
    options: &'a Options,
    platform: &'a Platform,
    persons: &'a [HealthCardPersonId],
    callers: Callers<'a>,
}

impl Bench<'_> {
    fn rounds(self, table: &mut Table) -> Result<()> {
        let longest = Duration::from_secs(self.options.seconds);
        let bar = terminal::progress(u64::from(self.options.rounds), "电子凭证解码");
        let mut asked = 0;
        let warm = self.decode_round(&mut asked, FIRST_GUESS, WARM_UP)?;
        let mut checked = self.check(&warm)?;
        let mut per_second = warm.rate();
        let received = typical_size(&warm)?;
        let echoed = self.request(0, 0, &format!("{ECHO_PATH}?size={received}"))?;
        let sent = body_size(&echoed.bytes);
        let echoed = Arc::new(vec![echoed]);
        self.callers.echo(echoed.clone(), WARM_UP)?;
        let (mut echoes, mut decodes) = (Vec::new(), Vec::new());
        for _ in 0..self.options.rounds {
            echoes.push(self.callers.echo(echoed.clone(), longest)?);
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a rate is a positive number of calls"
            )]
            let enough = (per_second * RESERVE) as u64 * self.options.seconds;
            let decode = self.decode_round(&mut asked, enough, longest)?;
            per_second = per_second.max(decode.rate());
            checked += self.check(&decode)?;
            decodes.push(decode);
            bar.inc(1);
        }
        bar.finish_and_clear();
        let of = |rounds: &[Outcome], figure: &dyn Fn(&Outcome) -> f64| {
            median(&rounds.iter().map(figure).collect::<Vec<_>>())
        };
        let ratios: Vec<_> = decodes
            .iter()
            .zip(&echoes)
            .map(|(decode, echo)| decode.rate() / echo.rate())
            .collect();
        let rate = of(&decodes, &Outcome::rate);
        table.add(
            Figure::new("电子凭证解码 ec.query", "次/秒", rate)
                .ratio(median(&ratios))
                .target(Target::RatioAtLeast(0.40)),
        );
        let p99_ms = of(&decodes, &|round| round.latency_ms(0.99));
        table.add(Figure::new("电子凭证解码 p99", "毫秒", p99_ms));
        let cpu_us = of(&decodes, &Outcome::cpu_us);
        if cpu_us.is_finite() {
            let what = "电子凭证解码所用处理器时间（两端合计）";
            table.add(Figure::new(what, "微秒", cpu_us));
        }
        let echo_rate = of(&echoes, &Outcome::rate);
        table.add(Figure::new("空应答（参照，电子凭证）", "次/秒", echo_rate));
        table.note(format!(
            "电子凭证解码：参保人 {} 人，GB18030，每次一个新码；请求报文 {sent} 字节，应答报文约 {received} 字节；抽查并验签了 {checked} 份应答，内容全部正确",
            self.persons.len()
        ));
        Ok(())
    }

    fn decode_round(&self, asked: &mut u64, count: u64, longest: Duration) -> Result<Outcome> {
        let requests = wire_load::prepare(*asked, count, |n| {
            let all = self.persons.len() as u64;
            let person = (n % all) * (STEP % all) % all;
            // An unfit request is refused, and ends the run.
            self.request(person, n, PATH).unwrap_or(Prepared {
                bytes: Vec::new(),
                subject: person,
            })
        });
        *asked += count;
        self.callers
            .play(requests, SUCCESS, longest)
            .context("电子凭证解码")
    }

    fn request(&self, person: u64, number: u64, path: &str) -> Result<Prepared> {
        let (app, window) = (&self.platform.app, self.window());
        let id = usize::try_from(person)
            .ok()
            .and_then(|at| self.persons.get(at));
        let id = id.ok_or_else(|| anyhow!("没有第 {person} 人"))?;
        let data = json!({
            // Another collector each time, so that no two signatures are equal.
            "operatorId": format!("{number:08}"), "operatorName": "收款员", "officeId": "01", "officeName": "内科",
            "orgId": window.org_id, "businessType": "01101", "deviceType": "",
        });
        let code = code::new_text(app, *id);
        let request = Request::new(&window.org_id, "ec.query", &data.to_string(), Some(&code))?;
        let signed = request.seal(&window.app_id, &window.secret, app.now_ms());
        Ok(Prepared {
            bytes: wire_load::request_in(path, Charset::Gb18030, &signed),
            subject: person,
        })
    }

    /// Verifies the samples and holds them against what is known of each person.
    fn check(&self, outcome: &Outcome) -> Result<usize> {
        for (person, body) in &outcome.samples {
            let text = Charset::Gb18030.decode(body)?;
            let window = self.window();
            let reply = open_reply(&text, &window.app_id, &window.secret)?;
            let told: Value = serde_json::from_str(reply.data.as_deref().unwrap_or_default())?;
            let who = Person::of(*person);
            ensure!(
                told["idNo"] == who.id_no && told["userName"] == who.name,
                "第 {person} 人的解码结果有误"
            );
        }
        Ok(outcome.samples.len())
    }

    fn window(&self) -> &Hospital {
        &self.platform.hospitals[0]
    }
}

/// Registers so many persons and gives each a credential.
async fn load(app: &App, persons: u64) -> Result<Vec<HealthCardPersonId>> {
    let bar = terminal::progress(persons, "登记参保人");
    let all: Vec<u64> = (0..persons).collect();
    let mut registered = Vec::with_capacity(all.len());
    for chunk in all.chunks(CHUNK) {
        let ids = app.person_ids.take(chunk.len()).await?;
        let claims = chunk
            .iter()
            .zip(ids)
            .map(|(person, id)| {
                let who = Person::of(*person);
                let stated = Stated {
                    id_type: "01",
                    id_no: &who.id_no,
                    user_name: who.name,
                    ..Stated::default()
                };
                let identity = stated.check().map_err(|fault| anyhow!("{fault}"))?;
                Ok(Claim::new(
                    &app.vault,
                    HealthCardPersonId(id),
                    identity,
                    None,
                ))
            })
            .collect::<Result<Vec<_>>>()?;
        let (vault, now_ms) = (app.vault.clone(), app.now_ms());
        let found = app
            .db
            .write(move |tx| -> Result<_, StoreError> {
                let found = register_all(tx, &vault, &claims, "bench", now_ms)?;
                for one in &found {
                    holders::open(tx, one.person(), "350100", None, now_ms)?;
                }
                Ok(found)
            })
            .await?;
        registered.extend(found.into_iter().map(Registered::person));
        bar.inc(chunk.len() as u64);
    }
    bar.finish_and_clear();
    Ok(registered)
}
