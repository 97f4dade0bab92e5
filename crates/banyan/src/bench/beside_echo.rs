//! Calls measured beside an echo of the same sizes on the same server, in turns.
//!
//! The callers run on the server's own threads. A caller elsewhere would wake a thread of its own for
//! every reply, on the same two processors: nearly a quarter of what a look-up costs, and nothing
//! that a hospital in another house costs the server.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use axum::Router;
use axum::body::Body;
use axum::http::{StatusCode, header};
use axum::routing::post;
use banyan_platform::app::App;
use banyan_protocol::envelope::CONTENT_TYPE;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use memchr::memmem;

use super::platform::Platform;
use super::table::{Figure, Table, Target};
use super::wire_load::{self, Callers, Outcome, Prepared};
use super::{Options, median};
use crate::terminal;

const ECHO_PATH: &str = "/bench/echo";
/// Requests are prepared for so many times the rate of the warm-up, so that they don't run out.
const RESERVE: f64 = 1.6;
const WARM_UP: Duration = Duration::from_secs(1);
/// Calls a second with which the warm-up is prepared.
const FIRST_GUESS: u64 = 20_000;
/// Calls that are made for the same millisecond: no faster than this is one partner supposed to call,
/// or the guard against replays would refuse what seems to come late. They are a little ahead of the
/// clock then, which no freshness forbids.
const IN_A_MILLISECOND: u64 = 20;

/// A call that is measured.
pub(super) trait Measured: Sync {
    /// What it is called in the table.
    const NAME: &'static str;
    /// What is in a reply that is no refusal.
    const SUCCESS: &'static str;

    /// The request of this number, made at this moment or a little later, to this path or else to the
    /// interface's own: no two may have the same signature.
    fn request(&self, number: u64, now_ms: i64, path: Option<&str>) -> Prepared;

    /// Opens a reply and holds it against what is known of its subject.
    fn check(&self, subject: u64, body: &[u8]) -> Result<()>;
}

/// The routes that the server needs besides its own.
pub(super) fn routes() -> Router<App> {
    Router::new().route(ECHO_PATH, post(echo))
}

/// Medians over the rounds; `p99_ms` of each of them.
pub(super) struct Figures {
    echo_rate: f64,
    echo_p50_ms: f64,
    echo_p99_ms: f64,
    echo_cpu_us: f64,
    rate: f64,
    cpu_us: f64,
    p50_ms: f64,
    p99_ms: Vec<f64>,
    ratio: f64,
    sizes: (usize, usize),
    checked: usize,
}

impl Figures {
    pub(super) fn p99_ms(&self) -> f64 {
        median(&self.p99_ms)
    }

    /// How many times the p99 of others measured in turns with these it is.
    pub(super) fn p99_against(&self, others: &Self) -> f64 {
        let by_round = self.p99_ms.iter().zip(&others.p99_ms);
        median(
            &by_round
                .map(|(ours, theirs)| ours / theirs)
                .collect::<Vec<_>>(),
        )
    }

    pub(super) fn show<M: Measured>(&self, table: &mut Table, target: Option<Target>, about: &str) {
        let name = M::NAME;
        let mut rate = Figure::new(format!("{name}{about}"), "次/秒", self.rate).ratio(self.ratio);
        rate.target = target;
        table.add(rate);
        let mut add = |what: &str, unit, value| {
            table.add(Figure::new(format!("{what}{about}"), unit, value));
        };
        add(&format!("{name} p50"), "毫秒", self.p50_ms);
        add(&format!("{name} p99"), "毫秒", self.p99_ms());
        add("空应答（参照）", "次/秒", self.echo_rate);
        add("空应答 p50", "毫秒", self.echo_p50_ms);
        add("空应答 p99", "毫秒", self.echo_p99_ms);
        if self.cpu_us.is_finite() {
            let cpu = |what: &str, cpu_us| {
                Figure::new(
                    format!("{what} 处理器时间（两端合计）{about}"),
                    "微秒",
                    cpu_us,
                )
            };
            table.add(cpu(name, self.cpu_us).ratio(self.echo_cpu_us / self.cpu_us));
            table.add(cpu("空应答", self.echo_cpu_us));
        }
        let (sent, received) = self.sizes;
        table.note(format!(
            "{name}{about}：请求报文 {sent} 字节，应答报文约 {received} 字节；抽查并解密验签了 {} 份应答，内容全部正确",
            self.checked
        ));
    }
}

/// Measures in turns with the echo.
pub(super) fn measure<M: Measured>(
    options: &Options,
    platform: &Platform,
    measured: &M,
) -> Result<Figures> {
    let [figures] = measure_in_turns(options, [(platform, measured)])?;
    Ok(figures)
}

/// Measures several in turns, each with the echo of its own server: what the machine does in the
/// meantime befalls all of them.
pub(super) fn measure_in_turns<M: Measured, const N: usize>(
    options: &Options,
    those: [(&Platform, &M); N],
) -> Result<[Figures; N]> {
    let longest = Duration::from_secs(options.seconds);
    let bar = terminal::progress(u64::from(options.rounds), M::NAME);
    let mut all = Vec::with_capacity(N);
    for (platform, measured) in those {
        all.push(Rounds::warmed_up(options, platform, measured)?);
    }
    for _ in 0..options.rounds {
        for rounds in &mut all {
            rounds.play_one(longest)?;
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    let figures: Vec<_> = all.into_iter().map(Rounds::figures).collect();
    figures
        .try_into()
        .map_err(|_| anyhow!("每个平台应有一组数值"))
}

/// What was measured of one platform so far.
struct Rounds<'a, M> {
    measured: &'a M,
    platform: &'a Platform,
    callers: Callers<'a>,
    /// What the echo is asked, and how many bytes of it are echoed and answered.
    echoed: Arc<Vec<Prepared>>,
    sizes: (usize, usize),
    echoes: Vec<Outcome>,
    calls: Vec<Outcome>,
    /// Calls a second at best.
    per_second: f64,
    /// Requests made so far.
    asked: u64,
    /// Replies opened so far.
    checked: usize,
}

impl<'a, M: Measured> Rounds<'a, M> {
    fn warmed_up(options: &Options, platform: &'a Platform, measured: &'a M) -> Result<Self> {
        let mut rounds = Self {
            measured,
            platform,
            callers: Callers {
                runtime: platform.runtime(),
                address: platform.address(),
                connections: options.connections as usize,
            },
            echoed: Arc::default(),
            sizes: (0, 0),
            echoes: Vec::new(),
            calls: Vec::new(),
            per_second: 0.0,
            asked: 0,
            checked: 0,
        };
        let warm = rounds.play(FIRST_GUESS, WARM_UP)?;
        rounds.per_second = warm.rate();
        let received = warm.typical_size()?;
        let echoed = measured.request(
            0,
            platform.app.now_ms(),
            Some(&format!("{ECHO_PATH}?size={received}")),
        );
        rounds.sizes = (body_size(&echoed.bytes), received);
        rounds.echoed = Arc::new(vec![echoed]);
        rounds.callers.echo(rounds.echoed.clone(), WARM_UP)?;
        Ok(rounds)
    }

    /// Plays the echo and then the calls.
    fn play_one(&mut self, longest: Duration) -> Result<()> {
        let echo = self.callers.echo(self.echoed.clone(), longest);
        self.echoes.push(echo.context("空应答")?);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rate is a positive number of calls"
        )]
        let enough = (self.per_second * RESERVE) as u64 * longest.as_secs();
        let played = self.play(enough, longest)?;
        self.per_second = self.per_second.max(played.rate());
        self.calls.push(played);
        Ok(())
    }

    fn figures(self) -> Figures {
        let Self { echoes, calls, .. } = &self;
        let each = |rounds: &[Outcome], figure: &dyn Fn(&Outcome) -> f64| {
            rounds.iter().map(figure).collect::<Vec<_>>()
        };
        let of =
            |rounds: &[Outcome], figure: &dyn Fn(&Outcome) -> f64| median(&each(rounds, figure));
        let ratios: Vec<_> = calls
            .iter()
            .zip(echoes)
            .map(|(call, echo)| call.rate() / echo.rate())
            .collect();
        Figures {
            echo_rate: of(echoes, &Outcome::rate),
            echo_p50_ms: of(echoes, &|round| round.latency_ms(0.5)),
            echo_p99_ms: of(echoes, &|round| round.latency_ms(0.99)),
            echo_cpu_us: of(echoes, &Outcome::cpu_us),
            rate: of(calls, &Outcome::rate),
            cpu_us: of(calls, &Outcome::cpu_us),
            p50_ms: of(calls, &|round| round.latency_ms(0.5)),
            p99_ms: each(calls, &|round| round.latency_ms(0.99)),
            ratio: median(&ratios),
            sizes: self.sizes,
            checked: self.checked,
        }
    }

    /// Plays at most so many requests and looks at samples of the replies.
    fn play(&mut self, count: u64, longest: Duration) -> Result<Outcome> {
        let now_ms = self.platform.app.now_ms();
        let first = self.asked;
        let requests = wire_load::prepare(first, count, |number| {
            let later_ms = (number - first) / IN_A_MILLISECOND;
            let made_ms = now_ms.saturating_add_unsigned(later_ms);
            self.measured.request(number, made_ms, None)
        });
        self.asked += count;
        let outcome = self
            .callers
            .play(requests, M::SUCCESS, longest)
            .context(M::NAME)?;
        for (subject, body) in &outcome.samples {
            self.measured
                .check(*subject, body)
                .with_context(|| format!("第 {subject} 人的应答"))?;
        }
        self.checked += outcome.samples.len();
        Ok(outcome)
    }
}

fn body_size(request: &[u8]) -> usize {
    let head = memmem::find(request, b"\r\n\r\n");
    head.map_or(0, |end| request.len() - end - 4)
}

/// Reads everything and answers as many bytes as it is asked for: what this server can do at most.
async fn echo(
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
