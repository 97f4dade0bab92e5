//! ORG_MDL_002, sealed, over HTTP, beside an echo of the same sizes on the same server.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};
use axum::Router;
use axum::body::Body;
use axum::http::{StatusCode, header};
use axum::routing::post;
use banyan_platform::app::App;
use banyan_protocol::dictionaries::Next;
use banyan_protocol::envelope::{
    AcceptedReplies, Answer, CONTENT_TYPE, Sealing, Secret, open_reply,
};
use banyan_protocol::overdue::org_mdl_002::QueryReply;
use banyan_protocol::wire;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use serde_json::json;

use super::people::{ITEM_NAME, People, Person};
use super::place::Place;
use super::platform::{Hospital, Platform, runtime};
use super::table::{Figure, Table, Target};
use super::wire_load::{self, Callers, Outcome, Prepared};
use super::{Options, cores, median};
use crate::terminal;

/// Hospitals whose records are there; the first of them asks.
const HOSPITALS: usize = 20;
const PATH: &str = "/qmdl/queryOverdueData";
pub(super) const ECHO_PATH: &str = "/bench/echo";
/// In a reply that is no refusal.
const SUCCESS: &str = "\"respCode\":\"000000\"";
/// Requests are prepared for so many times the rate of the warm-up, so that they don't run out.
pub(super) const RESERVE: f64 = 1.6;
pub(super) const WARM_UP: Duration = Duration::from_secs(1);
/// Calls a second with which the first warm-up is prepared.
const FIRST_GUESS: u64 = 20_000;

/// Measures at the wanted number of records.
pub(super) fn measure(options: &Options, table: &mut Table) -> Result<()> {
    let figures = at_size(options, options.items)?;
    let want = if options.database_url.is_none() {
        0.40
    } else {
        0.25
    };
    figures.show(table, Some(Target::RatioAtLeast(want)), "");
    Ok(())
}

/// Measures at two numbers of records and compares the slowest replies.
pub(super) fn compare(options: &Options, few: u64, many: u64, table: &mut Table) -> Result<()> {
    let small = at_size(options, few)?;
    small.show(table, None, &format!("（{few} 条）"));
    let large = at_size(options, many)?;
    large.show(table, None, &format!("（{many} 条）"));
    let ratio = large.p99_ms / small.p99_ms;
    table.add(
        Figure::new(
            format!("查询 p99，{many} 条比 {few} 条"),
            "毫秒",
            large.p99_ms,
        )
        .ratio(ratio)
        .target(Target::RatioAtMost(1.3)),
    );
    Ok(())
}

/// Medians over the rounds.
struct Figures {
    echo_rate: f64,
    echo_p50_ms: f64,
    echo_p99_ms: f64,
    echo_cpu_us: f64,
    rate: f64,
    cpu_us: f64,
    p50_ms: f64,
    p99_ms: f64,
    ratio: f64,
    sizes: (usize, usize),
    checked: usize,
}

impl Figures {
    fn show(&self, table: &mut Table, target: Option<Target>, suffix: &str) {
        let (sent, received) = self.sizes;
        let mut query =
            Figure::new(format!("查询 ORG_MDL_002{suffix}"), "次/秒", self.rate).ratio(self.ratio);
        query.target = target;
        table.add(query);
        table.add(Figure::new(
            format!("查询 p50{suffix}"),
            "毫秒",
            self.p50_ms,
        ));
        table.add(Figure::new(
            format!("查询 p99{suffix}"),
            "毫秒",
            self.p99_ms,
        ));
        let echo = format!("空应答（参照）{suffix}");
        table.add(Figure::new(echo, "次/秒", self.echo_rate));
        table.add(Figure::new(
            format!("空应答 p50{suffix}"),
            "毫秒",
            self.echo_p50_ms,
        ));
        table.add(Figure::new(
            format!("空应答 p99{suffix}"),
            "毫秒",
            self.echo_p99_ms,
        ));
        if self.cpu_us.is_finite() {
            let cpu = |what, cpu_us| Figure::new(format!("{what}{suffix}"), "微秒", cpu_us);
            table.add(
                cpu("查询所用处理器时间（两端合计）", self.cpu_us)
                    .ratio(self.echo_cpu_us / self.cpu_us),
            );
            table.add(cpu("空应答所用处理器时间（两端合计）", self.echo_cpu_us));
        }
        table.note(format!(
            "查询{suffix}：请求报文 {sent} 字节，应答报文约 {received} 字节；抽查并解密了 {} 份应答，内容全部正确",
            self.checked
        ));
    }
}

fn at_size(options: &Options, items: u64) -> Result<Figures> {
    let place = Place::new(options)?;
    let people = People::of(items);
    let routes = Router::new().route(ECHO_PATH, post(echo));
    let platform = Platform::start(&place, HOSPITALS, Some(people), routes)?;
    let callers = runtime("banyan-callers", (cores() / 2).max(1))?;
    let bench = Bench {
        options,
        people,
        platform: &platform,
        callers: Callers {
            runtime: &callers,
            address: platform.address(),
            connections: options.connections as usize,
        },
    };
    bench.rounds()
}

struct Bench<'a> {
    options: &'a Options,
    people: People,
    platform: &'a Platform,
    callers: Callers<'a>,
}

impl Bench<'_> {
    fn rounds(&self) -> Result<Figures> {
        let longest = Duration::from_secs(self.options.seconds);
        let bar = terminal::progress(u64::from(self.options.rounds), "查询");
        let mut asked = 0;
        let warm = self.query_round(&mut asked, FIRST_GUESS, WARM_UP)?;
        let mut checked = self.check(&warm)?;
        let received = typical_size(&warm)?;
        let mut per_second = warm.rate();
        let echoed = self.echo_requests(received);
        let sent = echoed
            .first()
            .map_or(0, |request| body_size(&request.bytes));
        self.echo_round(&echoed, WARM_UP)?;

        let (mut echoes, mut queries) = (Vec::new(), Vec::new());
        for _ in 0..self.options.rounds {
            echoes.push(self.echo_round(&echoed, longest)?);
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a rate is a positive number of calls"
            )]
            let enough = (per_second * RESERVE) as u64 * self.options.seconds;
            let query = self.query_round(&mut asked, enough, longest)?;
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
        Ok(Figures {
            echo_rate: of(&echoes, &Outcome::rate),
            echo_p50_ms: of(&echoes, &|round| round.latency_ms(0.5)),
            echo_p99_ms: of(&echoes, &|round| round.latency_ms(0.99)),
            echo_cpu_us: of(&echoes, &Outcome::cpu_us),
            rate: of(&queries, &Outcome::rate),
            cpu_us: of(&queries, &Outcome::cpu_us),
            p50_ms: of(&queries, &|round| round.latency_ms(0.5)),
            p99_ms: of(&queries, &|round| round.latency_ms(0.99)),
            ratio: median(&ratios),
            sizes: (sent, received),
            checked,
        })
    }

    fn query_round(&self, asked: &mut u64, count: u64, longest: Duration) -> Result<Outcome> {
        let app = &self.platform.app;
        let hospital = self.asker();
        let now_ms = app.now_ms();
        let requests = wire_load::prepare(*asked, count, |n| {
            let (person, turn) = self.people.asked(n);
            let id_no = Person::of(person).id_no;
            let business = business(person, &app.vault.ehealth_card_id("01", &id_no));
            // The same person again, never in the same millisecond: no two signatures are equal.
            let sent_ms = now_ms + i64::try_from(turn).unwrap_or(0);
            let body = Sealing::call(&hospital.app_id, sent_ms, &business).seal(&hospital.secret);
            Prepared {
                bytes: wire_load::request(PATH, &body),
                subject: person,
            }
        });
        *asked += count;
        self.callers
            .play(requests, SUCCESS, longest)
            .context("查询")
    }

    fn echo_requests(&self, reply_size: usize) -> Arc<Vec<Prepared>> {
        let hospital = self.asker();
        let business = business(1, &"0".repeat(64));
        let now_ms = self.platform.app.now_ms();
        let body = Sealing::call(&hospital.app_id, now_ms, &business).seal(&hospital.secret);
        let path = format!("{ECHO_PATH}?size={reply_size}");
        let prepared = Prepared {
            bytes: wire_load::request(&path, &body),
            subject: 0,
        };
        Arc::new(vec![prepared])
    }

    fn echo_round(&self, requests: &Arc<Vec<Prepared>>, longest: Duration) -> Result<Outcome> {
        self.callers
            .echo(requests.clone(), longest)
            .context("空应答")
    }

    /// Opens the samples and holds them against what is known of each person.
    fn check(&self, outcome: &Outcome) -> Result<usize> {
        let secret = &self.asker().secret;
        for (person, body) in &outcome.samples {
            let reply = opened(body, secret)?;
            let mut found: Vec<_> = reply
                .itemList
                .iter()
                .map(|item| item.amount.fen())
                .collect();
            let mut owed = self.people.owed(*person);
            found.sort_unstable();
            owed.sort_unstable();
            let next = if owed.is_empty() { Next::Yes } else { Next::No };
            ensure!(
                found == owed && reply.next == next,
                "第 {person} 人的查询结果有误：应为 {owed:?}，得到 {found:?}"
            );
        }
        Ok(outcome.samples.len())
    }

    fn asker(&self) -> &Hospital {
        &self.platform.hospitals[0]
    }
}

fn opened(body: &[u8], secret: &Secret) -> Result<QueryReply> {
    let accepted = AcceptedReplies {
        plain_and_bare: false,
    };
    match open_reply(body, secret, accepted)? {
        Answer::Done(json) => wire::read(&json).map_err(|fault| anyhow!("{fault}")),
        Answer::Refused { code, message } => Err(anyhow!("{code} {message}")),
    }
}

/// The business JSON of a query about this person.
pub(super) fn business(person: u64, ehealth_card_id: &str) -> String {
    let person = Person::of(person);
    json!({
        "businessType": "01101",
        "idNo": person.id_no,
        "idType": "01",
        "userName": person.name,
        "ehealthCardId": ehealth_card_id,
    })
    .to_string()
}

/// The business JSON of an answer about somebody who owes once.
pub(super) fn typical_answer() -> String {
    json!({
        "next": "0",
        "itemList": [{
            "orgId": "H35019990001",
            "orgName": "压测医院001",
            "itemName": ITEM_NAME,
            "amount": "123.45",
            "actualTime": "2023-11-14 22:13:20",
            "state": "0",
        }],
    })
    .to_string()
}

pub(super) fn typical_size(outcome: &Outcome) -> Result<usize> {
    let total: usize = outcome.samples.iter().map(|(_, body)| body.len()).sum();
    total
        .checked_div(outcome.samples.len())
        .ok_or_else(|| anyhow!("没有应答可供抽查"))
}

pub(super) fn body_size(request: &[u8]) -> usize {
    let head = request.windows(4).position(|part| part == b"\r\n\r\n");
    head.map_or(0, |end| request.len() - end - 4)
}

/// Reads everything and answers as many bytes as it is asked for: what this server can do at most.
pub(super) async fn echo(
    axum::extract::State(_app): axum::extract::State<App>,
    uri: axum::http::Uri,
    body: Body,
) -> Result<([(header::HeaderName, &'static str); 1], Bytes), StatusCode> {
    static ZEROS: [u8; 64 * 1024] = [b'0'; 64 * 1024];
    let size: usize = uri
        .query()
        .and_then(|query| query.strip_prefix("size=")?.parse().ok())
        .ok_or(StatusCode::BAD_REQUEST)?;
    let read = body.collect().await.map_err(|_| StatusCode::BAD_REQUEST)?;
    std::hint::black_box(read.to_bytes());
    let reply = ZEROS.get(..size).ok_or(StatusCode::BAD_REQUEST)?;
    Ok((
        [(header::CONTENT_TYPE, CONTENT_TYPE)],
        Bytes::from_static(reply),
    ))
}
