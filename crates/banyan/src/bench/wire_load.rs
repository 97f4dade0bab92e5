//! Callers that cost little: requests are written beforehand, a connection is kept, one call at a
//! time on each, and of a reply only what is needed is read.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use banyan_protocol::envelope::centre::Charset;
use banyan_protocol::envelope::{CONTENT_TYPE, SIGN_VERSION, SIGN_VERSION_HEADER};
use memchr::memmem;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

/// A request, ready to be written, and whom it is about.
pub(super) struct Prepared {
    pub(super) bytes: Vec<u8>,
    pub(super) subject: u64,
}

/// A request to this path.
pub(super) fn request(path: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: {CONTENT_TYPE}\r\n\
         {SIGN_VERSION_HEADER}: {SIGN_VERSION}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// A request in the envelope of the credential centre, in this character set.
pub(super) fn request_in(path: &str, charset: Charset, body: &str) -> Vec<u8> {
    let body = charset.encode(body);
    let mut bytes = format!(
        "POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: {}\r\ncontent-length: {}\r\n\r\n",
        charset.content_type(),
        body.len()
    )
    .into_bytes();
    bytes.extend_from_slice(&body);
    bytes
}

/// Callers of one server.
#[derive(Clone, Copy)]
pub(super) struct Callers<'a> {
    pub(super) runtime: &'a Runtime,
    pub(super) address: SocketAddr,
    pub(super) connections: usize,
}

impl Callers<'_> {
    /// Sends each request once.
    pub(super) fn play(
        self,
        requests: Arc<Vec<Prepared>>,
        must_contain: &'static str,
        longest: Duration,
    ) -> Result<Outcome> {
        self.round(requests, must_contain, longest, false)
    }

    /// Sends the requests again and again to the path of [`super::beside_echo`], whose answer is
    /// nothing but noughts.
    pub(super) fn echo(self, requests: Arc<Vec<Prepared>>, longest: Duration) -> Result<Outcome> {
        self.round(requests, "0000", longest, true)
    }

    fn round(
        self,
        requests: Arc<Vec<Prepared>>,
        must_contain: &'static str,
        longest: Duration,
        repeat: bool,
    ) -> Result<Outcome> {
        let calling = self.call(requests, must_contain, longest, repeat);
        self.runtime.block_on(calling)
    }

    /// Calls on every connection, one call at a time, until the time is over or, unless they are
    /// repeated, every request was sent.
    ///
    /// # Errors
    /// Where a connection breaks or a reply is not what it must be.
    async fn call(
        self,
        requests: Arc<Vec<Prepared>>,
        must_contain: &'static str,
        longest: Duration,
        repeat: bool,
    ) -> Result<Outcome> {
        let next = Arc::new(AtomicUsize::new(0));
        let mut connections = Vec::with_capacity(self.connections);
        for _ in 0..self.connections {
            connections.push(Connection::open(self.address).await?);
        }
        let (began, cpu_before) = (Instant::now(), cpu_time());
        let mut callers = JoinSet::new();
        for mut connection in connections {
            let (requests, next) = (requests.clone(), next.clone());
            let must_contain = memmem::Finder::new(must_contain);
            callers.spawn(async move {
                let mut latencies_us = Vec::with_capacity(65_536);
                let mut samples = Vec::new();
                while began.elapsed() < longest {
                    let turn = next.fetch_add(1, Ordering::Relaxed);
                    let place = if repeat {
                        turn % requests.len().max(1)
                    } else {
                        turn
                    };
                    let Some(request) = requests.get(place) else {
                        break;
                    };
                    let sent = Instant::now();
                    let body = connection.call(&request.bytes).await?;
                    latencies_us.push(sent.elapsed().as_secs_f64() * 1e6);
                    if must_contain.find(body).is_none() {
                        bail!("应答有误：{}", String::from_utf8_lossy(body));
                    }
                    if turn % SAMPLE_EVERY == 0 {
                        samples.push((request.subject, body.to_vec()));
                    }
                }
                anyhow::Ok((latencies_us, samples))
            });
        }
        let mut outcome = Outcome {
            calls: 0,
            seconds: 0.0,
            latencies_us: Vec::new(),
            cpu: None,
            samples: Vec::new(),
        };
        while let Some(caller) = callers.join_next().await {
            let (latencies_us, samples) = caller??;
            outcome.latencies_us.extend(latencies_us);
            outcome.samples.extend(samples);
        }
        outcome.cpu = cpu_time()
            .zip(cpu_before)
            .map(|(after, before)| after.saturating_sub(before));
        outcome.seconds = began.elapsed().as_secs_f64();
        outcome.calls = outcome.latencies_us.len() as u64;
        outcome.latencies_us.sort_by(f64::total_cmp);
        ensure!(outcome.calls > 0, "一次调用也没有完成");
        Ok(outcome)
    }
}

/// What a round came to.
pub(super) struct Outcome {
    pub(super) calls: u64,
    pub(super) seconds: f64,
    latencies_us: Vec<f64>,
    /// What this process, server and callers together, computed meanwhile.
    cpu: Option<Duration>,
    /// Some replies with the subjects of their requests.
    pub(super) samples: Vec<(u64, Vec<u8>)>,
}

impl Outcome {
    pub(super) fn rate(&self) -> f64 {
        super::number(self.calls) / self.seconds
    }

    /// The length of a reply, over the samples.
    pub(super) fn typical_size(&self) -> Result<usize> {
        let total: usize = self.samples.iter().map(|(_, body)| body.len()).sum();
        total
            .checked_div(self.samples.len())
            .ok_or_else(|| anyhow!("没有应答可供抽查"))
    }

    /// Processor time of a call, server and callers together, in microseconds.
    pub(super) fn cpu_us(&self) -> f64 {
        self.cpu.map_or(f64::NAN, |cpu| {
            cpu.as_secs_f64() * 1e6 / super::number(self.calls)
        })
    }

    /// The latency below which this share of the calls was answered, in milliseconds.
    pub(super) fn latency_ms(&self, share: f64) -> f64 {
        let last = self.latencies_us.len().saturating_sub(1);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of a count is a count"
        )]
        let place = (super::number(last as u64) * share) as usize;
        self.latencies_us.get(place).copied().unwrap_or_default() / 1000.0
    }
}

/// One reply in so many is kept to be looked at.
const SAMPLE_EVERY: usize = 97;

/// What this process has computed so far; `None` where the system does not say it in Linux's way.
fn cpu_time() -> Option<Duration> {
    /// Ticks of `/proc` are hundredths of a second on every Linux that Rust runs on.
    const TICK: Duration = Duration::from_millis(10);
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name, in parentheses, may itself hold spaces. utime and stime are fields 14 and 15.
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u32>().ok();
    Some(TICK * (ticks()? + ticks()?))
}

/// A kept connection.
pub(super) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub(super) async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)
            .await
            .with_context(|| format!("连接 {address}"))?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: Vec::with_capacity(64 * 1024),
        })
    }

    /// The body of the reply.
    ///
    /// # Errors
    /// Where the connection ends or the status is not 200.
    pub(super) async fn call(&mut self, request: &[u8]) -> Result<&[u8]> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        let mut whole = None;
        loop {
            if let Some((head, length)) = whole
                && self.buffer.len() >= head + length
            {
                return Ok(&self.buffer[head..head + length]);
            }
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                bail!("服务器断开了连接");
            }
            if whole.is_none() {
                whole = head(&self.buffer)?;
            }
        }
    }
}

/// The lengths of head and body, once the head is complete.
fn head(bytes: &[u8]) -> Result<Option<(usize, usize)>> {
    let Some(end) = memmem::find(bytes, b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = std::str::from_utf8(&bytes[..end])?;
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap_or_default();
    ensure!(status.starts_with("HTTP/1.1 200"), "应答状态：{status}");
    let length = lines
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .ok_or_else(|| anyhow!("应答没有 content-length"))?;
    Ok(Some((end + 4, length.1.trim().parse()?)))
}

/// Makes requests on every core: `make(n)` for each n from `from` on.
pub(super) fn prepare(
    from: u64,
    count: u64,
    make: impl Fn(u64) -> Prepared + Sync,
) -> Arc<Vec<Prepared>> {
    let parts = super::cores() as u64;
    let all = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..parts)
            .map(|part| {
                let (start, end) = (count * part / parts, count * (part + 1) / parts);
                let make = &make;
                scope.spawn(move || (from + start..from + end).map(make).collect::<Vec<_>>())
            })
            .collect();
        workers
            .into_iter()
            .flat_map(|worker| worker.join().unwrap_or_default())
            .collect()
    });
    Arc::new(all)
}
