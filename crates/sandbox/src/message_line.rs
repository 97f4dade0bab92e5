//! A line that loses, repeats and mixes up whole messages: an HTTP proxy on loopback.
//!
//! A [`LineProxy`](crate::LineProxy) cuts bytes; this one knows requests. It takes each whole and
//! decides by a seeded draw what becomes of it, so that a test can say "a tenth of the replies are
//! lost" and repeat what it saw. A message that is on its way arrives even if its sender has hung
//! up meanwhile, as on a real line.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use banyan_protocol::ambient::SeededRandomness;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{self, HeaderMap};
use hyper::http::request;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use url::Url;

use crate::http_server::{Closed, Handling, HttpServer, until, whole};
use crate::line_proxy::through;

/// What the line does to messages. Of each hundred, so many are lost on the way there, so many on
/// the way back, so many arrive twice; the rest arrive once. Besides, any of them may be late.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LinePlan {
    /// Requests that never arrive.
    pub lose_request_percent: u8,
    /// Requests that arrive and whose replies do not.
    pub lose_reply_percent: u8,
    /// Requests that arrive twice: every other one at once, the others again after a draw from
    /// `hold_ms`. The sender gets one of the replies.
    pub duplicate_percent: u8,
    /// Requests that are held for a draw from `hold_ms`, so that later ones overtake them.
    pub hold_percent: u8,
    /// How long what is held is held.
    pub hold_ms: Range<u64>,
    /// How much later every request arrives, a draw for each.
    pub delay_ms: Range<u64>,
    /// Whether a sender whose message was lost hears nothing until his own time is up; his
    /// connection ends at once otherwise.
    pub is_silent: bool,
}

/// What the line has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LineCounts {
    /// Requests that were given to the line.
    pub taken: u64,
    /// Requests that it brought to their target, repetitions included.
    pub delivered: u64,
    /// Requests that it lost.
    pub lost_requests: u64,
    /// Replies that it lost.
    pub lost_replies: u64,
    /// Requests that it brought twice.
    pub duplicated: u64,
    /// Requests that it held.
    pub held: u64,
    /// Requests whose target was not there, or ended without a reply.
    pub unanswered: u64,
}

/// Carries HTTP messages to one target, after its plan.
#[derive(Debug)]
pub struct MessageLine {
    server: HttpServer,
    carrier: Arc<Carrier>,
}

impl MessageLine {
    /// A line on a free port of loopback that carries everything until it is told otherwise. The
    /// same seed draws the same fates, for messages in the same order.
    ///
    /// # Errors
    /// Where there is no port.
    pub async fn start(target: SocketAddr, seed: i64) -> io::Result<Self> {
        let carrier = Arc::new(Carrier {
            target,
            draws: SeededRandomness::new(seed),
            plan: Mutex::default(),
            counts: watch::Sender::default(),
            under_way: Mutex::default(),
        });
        let listen = (Ipv4Addr::LOCALHOST, 0).into();
        let server = HttpServer::start(listen, Arc::clone(&carrier)).await?;
        Ok(Self { server, carrier })
    }

    /// Where to connect.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// The same address as `url`, but through this line.
    #[must_use]
    pub fn through(&self, url: &Url) -> Url {
        through(self.address(), url)
    }

    /// Changes what becomes of messages from now on; those on their way keep their fate.
    pub fn set_plan(&self, plan: LinePlan) {
        *lock(&self.carrier.plan) = plan;
    }

    /// What the line has done so far.
    #[must_use]
    pub fn counts(&self) -> LineCounts {
        *self.carrier.counts.borrow()
    }

    /// Waits until the line has done as much as is wanted; `false` where it has not in time.
    pub async fn wait_for(
        &self,
        timeout: Duration,
        mut is_enough: impl FnMut(&LineCounts) -> bool,
    ) -> bool {
        let waiting = until(self.carrier.counts.subscribe(), |counts| is_enough(counts));
        tokio::time::timeout(timeout, waiting).await.is_ok()
    }

    /// Waits until nothing is on its way any more, second copies included.
    pub async fn settle(&self) {
        loop {
            let mut under_way = std::mem::take(&mut *lock(&self.carrier.under_way));
            if under_way.is_empty() {
                return;
            }
            while under_way.join_next().await.is_some() {}
        }
    }

    /// Takes nothing any more and drops what is on its way.
    pub async fn stop(&self) {
        self.server.stop().await;
        let mut under_way = std::mem::take(&mut *lock(&self.carrier.under_way));
        under_way.shutdown().await;
    }
}

#[derive(Debug)]
struct Carrier {
    target: SocketAddr,
    draws: SeededRandomness,
    plan: Mutex<LinePlan>,
    counts: watch::Sender<LineCounts>,
    /// Not the connections': a message outlives the connection that it came on.
    under_way: Mutex<JoinSet<()>>,
}

/// What becomes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    LoseRequest,
    LoseReply,
    /// The second copy goes so much later than the first.
    Twice(Duration),
    Once,
}

/// A request as it is carried.
#[derive(Clone)]
struct Carried {
    head: request::Parts,
    body: Bytes,
}

impl Handling for Carrier {
    async fn handle(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Closed> {
        let (mut head, body) = request.into_parts();
        let body = whole(body).await?;
        without_hops(&mut head.headers);
        let carried = Carried { head, body };
        let (fate, late, is_silent) = self.draw();
        if fate == Fate::LoseRequest {
            return lost(is_silent).await;
        }
        let (replying, reply) = oneshot::channel();
        self.send(carried, fate, late, replying);
        match reply.await {
            Ok(reply) => reply,
            Err(_) => lost(is_silent).await,
        }
    }
}

impl Carrier {
    /// Decides about the next message, and counts it.
    fn draw(&self) -> (Fate, Duration, bool) {
        let plan = lock(&self.plan);
        let within = |range: &Range<u64>| {
            let width = range.end.saturating_sub(range.start);
            Duration::from_millis(range.start + self.draws.below(width))
        };
        let draw = self.draws.below(100);
        let lose_request = u64::from(plan.lose_request_percent);
        let lose_reply = lose_request + u64::from(plan.lose_reply_percent);
        let duplicate = lose_reply + u64::from(plan.duplicate_percent);
        let fate = if draw < lose_request {
            Fate::LoseRequest
        } else if draw < lose_reply {
            Fate::LoseReply
        } else if draw < duplicate {
            let is_at_once = self.draws.below(2) == 0;
            Fate::Twice(if is_at_once {
                Duration::ZERO
            } else {
                within(&plan.hold_ms)
            })
        } else {
            Fate::Once
        };
        let mut late = within(&plan.delay_ms);
        let is_held = self.draws.below(100) < u64::from(plan.hold_percent);
        if is_held {
            late += within(&plan.hold_ms);
        }
        self.count(|counts| {
            counts.taken += 1;
            counts.held += u64::from(is_held && fate != Fate::LoseRequest);
            match fate {
                Fate::LoseRequest => counts.lost_requests += 1,
                Fate::LoseReply => counts.lost_replies += 1,
                Fate::Twice(_) => counts.duplicated += 1,
                Fate::Once => {}
            }
        });
        (fate, late, plan.is_silent)
    }

    /// Sends a message on its way. Where the reply is lost, so is the means to give it.
    fn send(
        &self,
        carried: Carried,
        fate: Fate,
        late: Duration,
        replying: oneshot::Sender<Result<Response<Full<Bytes>>, Closed>>,
    ) {
        let (target, counts) = (self.target, self.counts.clone());
        let again = match fate {
            Fate::Twice(later) => Some((carried.clone(), late + later, counts.clone())),
            _ => None,
        };
        let mut under_way = lock(&self.under_way);
        while under_way.try_join_next().is_some() {}
        under_way.spawn(async move {
            let reply = deliver(target, carried, late, &counts).await;
            if fate != Fate::LoseReply {
                // Its sender may have hung up.
                let _ = replying.send(reply);
            }
        });
        if let Some((carried, late, counts)) = again {
            under_way.spawn(async move {
                // Nobody waits for the second reply.
                let _ = deliver(target, carried, late, &counts).await;
            });
        }
    }

    fn count(&self, add: impl FnOnce(&mut LineCounts)) {
        self.counts.send_modify(add);
    }
}

/// Brings a message to the target, on a connection of its own, and its reply back.
async fn deliver(
    target: SocketAddr,
    carried: Carried,
    late: Duration,
    counts: &watch::Sender<LineCounts>,
) -> Result<Response<Full<Bytes>>, Closed> {
    if !late.is_zero() {
        tokio::time::sleep(late).await;
    }
    let exchanged = exchange(target, carried).await;
    counts.send_modify(|counts| match &exchanged {
        Some(_) => counts.delivered += 1,
        None => counts.unanswered += 1,
    });
    exchanged.ok_or(Closed)
}

async fn exchange(target: SocketAddr, carried: Carried) -> Option<Response<Full<Bytes>>> {
    let stream = TcpStream::connect(target).await.ok()?;
    let _ = stream.set_nodelay(true);
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
    let request = Request::from_parts(carried.head, Full::new(carried.body));
    let exchange = async {
        let reply = sender.send_request(request).await.ok()?;
        let (mut head, body) = reply.into_parts();
        let body = whole(body).await.ok()?;
        without_hops(&mut head.headers);
        Some(Response::from_parts(head, Full::new(body)))
    };
    tokio::select! {
        reply = exchange => reply,
        // It only drives the exchange, and ends before it where the target breaks off.
        _ = async { let _ = connection.await; std::future::pending::<()>().await } => None,
    }
}

/// What a sender meets whose message was lost.
async fn lost(is_silent: bool) -> Result<Response<Full<Bytes>>, Closed> {
    if is_silent {
        std::future::pending::<()>().await;
    }
    Err(Closed)
}

/// Takes out what belongs to one connection, and the length, which is written anew.
fn without_hops(headers: &mut HeaderMap) {
    for name in [
        header::CONNECTION,
        header::TRANSFER_ENCODING,
        header::CONTENT_LENGTH,
    ] {
        headers.remove(name);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{FakePlatform, citizens, http, mzt_at};
    use crate::{Citizen, MztChannel};

    const PATIENCE: Duration = Duration::from_secs(20);

    struct Place {
        platform: FakePlatform,
        line: MessageLine,
        citizens: Vec<Citizen>,
    }

    impl Place {
        async fn new(seed: i64) -> Self {
            let platform = FakePlatform::start().await;
            let line = MessageLine::start(platform.address(), seed).await.unwrap();
            Self {
                platform,
                line,
                citizens: citizens(40),
            }
        }

        fn caller(&self, timeout_ms: u64) -> MztChannel {
            let http = http(Duration::from_millis(timeout_ms));
            mzt_at(&self.line.through(&self.platform.url()), http)
        }

        async fn stop(self) {
            self.line.stop().await;
            self.platform.stop().await;
        }
    }

    #[tokio::test]
    async fn messages_arrive_once_twice_or_not_at_all() {
        let place = Place::new(1).await;
        let caller = place.caller(5_000);
        let ask = async |plan: LinePlan| {
            place.line.set_plan(plan);
            let is_answered = caller.query(&place.citizens[0]).await.is_ok();
            place.line.settle().await;
            (is_answered, place.platform.heard_count())
        };
        let open = LinePlan::default();
        assert_eq!(ask(open.clone()).await, (true, 1));
        let lose_request_percent = 100;
        let plan = LinePlan {
            lose_request_percent,
            ..open.clone()
        };
        assert_eq!(ask(plan).await, (false, 1));
        let lose_reply_percent = 100;
        let plan = LinePlan {
            lose_reply_percent,
            ..open.clone()
        };
        assert_eq!(ask(plan).await, (false, 2));
        let (duplicate_percent, hold_ms) = (100, 10..20);
        let plan = LinePlan {
            duplicate_percent,
            hold_ms,
            ..open.clone()
        };
        for heard in [4, 6, 8, 10] {
            assert_eq!(ask(plan.clone()).await, (true, heard));
        }
        assert_eq!(ask(open).await, (true, 11));
        let wanted = LineCounts {
            taken: 8,
            delivered: 11,
            lost_requests: 1,
            lost_replies: 1,
            duplicated: 4,
            ..LineCounts::default()
        };
        assert_eq!(place.line.counts(), wanted);
        place.stop().await;
    }

    #[tokio::test]
    async fn what_is_held_is_overtaken_and_arrives_though_its_sender_hung_up() {
        let place = Place::new(1).await;
        place.line.set_plan(LinePlan {
            hold_percent: 100,
            hold_ms: 500..501,
            ..LinePlan::default()
        });
        let hasty = place.caller(100);
        assert!(hasty.query(&place.citizens[0]).await.is_err());
        place.line.set_plan(LinePlan::default());
        let patient = place.caller(5_000);
        assert!(patient.query(&place.citizens[1]).await.is_ok());
        assert_eq!(place.platform.heard_count(), 1);
        assert!(
            place
                .line
                .wait_for(PATIENCE, |counts| counts.delivered == 2)
                .await
        );
        let heard = place.platform.heard();
        for (said, citizen) in heard.iter().zip([&place.citizens[1], &place.citizens[0]]) {
            assert!(said.1.contains(&citizen.id_no));
        }
        assert_eq!(place.line.counts().held, 1);
        place.stop().await;
    }

    #[tokio::test]
    async fn a_silent_line_lets_a_sender_wait_for_his_own_time() {
        let place = Place::new(1).await;
        place.line.set_plan(LinePlan {
            lose_reply_percent: 100,
            is_silent: true,
            ..LinePlan::default()
        });
        let asked = place.caller(200).query(&place.citizens[0]).await;
        let Err(crate::PartnerFault::Call(fault)) = asked else {
            panic!("an answer came");
        };
        assert!(
            matches!(fault, banyan_client::CallFault::Timeout),
            "{fault:?}"
        );
        assert_eq!(place.platform.heard_count(), 1);
        place.stop().await;
    }

    #[tokio::test]
    async fn the_same_seed_draws_the_same_fates() {
        let mut seen = Vec::new();
        for seed in [7, 7, 8] {
            let place = Place::new(seed).await;
            place.line.set_plan(LinePlan {
                lose_request_percent: 25,
                lose_reply_percent: 25,
                duplicate_percent: 25,
                hold_percent: 10,
                hold_ms: 0..5,
                delay_ms: 0..2,
                is_silent: false,
            });
            let caller = place.caller(5_000);
            let mut answered = Vec::new();
            for citizen in &place.citizens {
                answered.push(caller.query(citizen).await.is_ok());
            }
            place.line.settle().await;
            let counts = place.line.counts();
            assert_eq!(counts.taken, 40);
            assert_eq!(
                counts.delivered,
                counts.taken - counts.lost_requests + counts.duplicated
            );
            assert_eq!(counts.delivered, place.platform.heard_count() as u64);
            assert!(counts.lost_requests > 0 && counts.lost_replies > 0 && counts.duplicated > 0);
            seen.push((answered, counts));
            place.stop().await;
        }
        assert_eq!(seen[0], seen[1]);
        assert_ne!(seen[0], seen[2]);
    }

    #[tokio::test]
    async fn a_target_that_is_away_is_a_connection_that_ends() {
        let place = Place::new(1).await;
        place.platform.stop().await;
        assert!(place.caller(5_000).query(&place.citizens[0]).await.is_err());
        assert_eq!(place.line.counts().unanswered, 1);
        place.stop().await;
    }
}
