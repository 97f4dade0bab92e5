//! The one path that every sealed message comes in by.
//!
//! Limits, opening, replay guard, grant and rate, the room, the journal, sealing: in this order,
//! for every interface alike. What a room answers is sealed in the manner in which the caller
//! spoke; a refusal is signed wherever the caller is known.

pub mod call;
pub mod centre;
mod dispatch;
pub mod name;
pub mod oauth;
pub mod rate;
pub mod replay;
pub mod unified;

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use banyan_protocol::catalogue::{Availability, Interface};
use banyan_protocol::crypto::sm3::Sm3Digest;
use banyan_protocol::envelope::{
    Dialect, Envelope, EnvelopeFault, INTERFACE_VERSION, Manner, Opened, Outcome, SIGN_VERSION,
    Sealing, Secret,
};
use banyan_protocol::result_code::ResultCode;
use banyan_protocol::wire::FieldFault;
use banyan_store::journal::{Direction, Entry};
use banyan_store::partners;
use banyan_web::within;
use serde_json::json;

use crate::app::App;
use crate::directory::Partner;
use crate::refusal::Refusal;
use call::{Beside, Call};
use name::Name;
use replay::Replay;

/// A message as the web server took it.
#[derive(Debug)]
pub struct Received<'a> {
    /// Which interface its path names.
    pub interface: Interface,
    /// The header `X-Api-Sign-Version`, if it came.
    pub sign_version: Option<&'a str>,
    /// The body.
    pub body: &'a [u8],
}

/// What goes back.
#[derive(Debug, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The JSON text.
    pub body: String,
}

/// Answers a message. Never fails: whatever goes wrong becomes a refusal.
pub async fn receive(app: &App, received: &Received<'_>) -> Reply {
    let began = Instant::now();
    let now_ms = app.now_ms();
    match admit(app, received, now_ms).await {
        Ok(admitted) => answer(app, received.interface, admitted, began, now_ms).await,
        Err(refusal) => {
            app.meters.stranger(refusal.code);
            let refusal = told(app, refusal, received.interface, None);
            Reply {
                status: refusal.http_status(),
                body: unsigned_refusal(&refusal, now_ms),
            }
        }
    }
}

/// A refusal for somebody we do not know, or before there was anything to open.
#[must_use]
pub fn unsigned_refusal(refusal: &Refusal, now_ms: i64) -> String {
    json!({
        "respCode": refusal.code.code(),
        "respMsg": refusal.message,
        "timestamp": now_ms.to_string(),
        "version": INTERFACE_VERSION,
    })
    .to_string()
}

/// Longer than any interface version.
const MOST_VERSION: usize = 20;

/// Somebody we know, and what is needed to answer in his manner.
struct Admitted {
    partner: Arc<Partner>,
    secret: Arc<Secret>,
    version: String,
    manner: Manner,
    opened: Result<Opened, Refusal>,
    timestamp_ms: i64,
}

/// Finds out who calls and opens the message.
async fn admit(app: &App, received: &Received<'_>, now_ms: i64) -> Result<Admitted, Refusal> {
    let envelope = Envelope::parse(received.body)?;
    let app_id = envelope.required("appId")?;
    let partner = app
        .directory
        .by_app_id(app_id, now_ms)
        .await?
        .filter(|partner| partner.active)
        .ok_or_else(|| Refusal::caller(ResultCode::UnknownApp, ResultCode::UnknownApp.label()))?;
    let newest = partner
        .secrets(now_ms)
        .next()
        .cloned()
        .ok_or_else(|| Refusal::ours(format!("partner {app_id} has no live secret")))?;
    let (secret, opened) = open(app, &envelope, received, &partner, newest, now_ms);
    let manner = opened
        .as_ref()
        .map_or(Manner::SEALED, |opened| opened.0.manner);
    let (opened, timestamp_ms) = match opened {
        Ok((opened, timestamp_ms)) => (Ok(opened), timestamp_ms),
        Err(refusal) => (Err(refusal), now_ms),
    };
    Ok(Admitted {
        version: envelope
            .get("version")
            .filter(|version| version.len() <= MOST_VERSION)
            .unwrap_or(INTERFACE_VERSION)
            .to_owned(),
        partner,
        secret,
        manner,
        opened,
        timestamp_ms,
    })
}

/// Opens the message under the partner's secrets, newest first.
fn open(
    app: &App,
    envelope: &Envelope<'_>,
    received: &Received<'_>,
    partner: &Partner,
    newest: Arc<Secret>,
    now_ms: i64,
) -> (Arc<Secret>, Result<(Opened, i64), Refusal>) {
    let head = || -> Result<i64, Refusal> {
        check_sign_version(received.sign_version)?;
        // What we answer is signed too. A request that carries an answer's members is one of our
        // own answers sent back, or somebody's mistake.
        for member in ["respCode", "respMsg"] {
            if envelope.get(member).is_some() {
                return Err(Refusal::field(member, "仅用于应答，请求中不可出现"));
            }
        }
        let version = envelope.required("version")?;
        if version.len() > MOST_VERSION || !version.is_ascii() {
            return Err(Refusal::field("version", "应为接口版本，例如 1.0.0"));
        }
        let timestamp = envelope.required("timestamp")?;
        timestamp.parse().map_err(|_| {
            Refusal::field(
                "timestamp",
                "应为 Unix 毫秒时间戳的字符串，例如 1630639075173",
            )
        })
    };
    let timestamp_ms = match head() {
        Ok(timestamp_ms) => timestamp_ms,
        Err(refusal) => return (newest, Err(refusal)),
    };
    let mut fault = None;
    for secret in partner.secrets(now_ms) {
        match envelope.open(secret, app.environment, partner.dialect()) {
            Ok(opened) => {
                if opened.business.is_none() {
                    let member = if opened.manner.protection.encrypted {
                        "encryptData"
                    } else {
                        "data"
                    };
                    return (secret.clone(), Err(Refusal::field(member, "不可缺少")));
                }
                return (secret.clone(), Ok((opened, timestamp_ms)));
            }
            // A message that is malformed is so under any secret.
            Err(malformed @ EnvelopeFault::Malformed(_)) => {
                return (newest, Err(malformed.into()));
            }
            // Of two faults the one that got further says more: a signature can only be wrong
            // where the decryption was right.
            Err(EnvelopeFault::BadSignature) => fault = Some(EnvelopeFault::BadSignature),
            Err(other) => fault = fault.or(Some(other)),
        }
    }
    let fault = fault.unwrap_or(EnvelopeFault::BadSignature);
    (newest, Err(fault.into()))
}

fn check_sign_version(stated: Option<&str>) -> Result<(), FieldFault> {
    match stated {
        None | Some(SIGN_VERSION) => Ok(()),
        Some(_) => Err(FieldFault::new(
            "X-Api-Sign-Version",
            format!("请求头应为 {SIGN_VERSION}"),
        )),
    }
}

/// Lets an opened message through to its room and seals what comes back.
async fn answer(
    app: &App,
    interface: Interface,
    admitted: Admitted,
    began: Instant,
    now_ms: i64,
) -> Reply {
    let Admitted {
        partner,
        secret,
        version,
        manner,
        opened,
        timestamp_ms,
    } = admitted;
    let authentic = opened.is_ok();
    let signature = opened.as_ref().ok().and_then(|opened| opened.signature);
    let done = match opened {
        Err(refusal) => {
            advise(&partner, interface, &refusal, now_ms);
            Err(refusal)
        }
        Ok(opened) => {
            if opened.manner.protection.signed {
                keep_dialect(app, &partner, opened.manner.dialect, now_ms).await;
            }
            let passing = Passing {
                signature,
                timestamp_ms: Some(timestamp_ms),
                business: opened.business.as_deref(),
                beside: Beside::default(),
            };
            pass(app, interface, &partner, passing, now_ms).await
        }
    };
    let done = done.map_err(|refusal| told(app, refusal, interface, Some(&partner)));
    let (code, message, business, status) = match &done {
        Ok(json) => (
            ResultCode::Success,
            ResultCode::Success.label(),
            Some(json.as_str()),
            200,
        ),
        Err(refusal) => (refusal.code, &*refusal.message, None, refusal.http_status()),
    };
    let body = Sealing {
        app_id: &partner.app_id,
        version: &version,
        timestamp_ms: app.now_ms(),
        outcome: Some(Outcome { code, message }),
        business,
        manner,
    }
    .seal(&secret);
    if let Err(refusal) = &done
        && authentic
    {
        journal_refusal(app, interface, &partner, refusal, now_ms, signature).await;
    }
    app.meters.request(
        &partner.memory.meters,
        &partner.app_id,
        interface,
        code,
        began.elapsed(),
    );
    Reply { status, body }
}

/// An opened message, whichever envelope it came in.
struct Passing<'a> {
    /// What tells its signature from any other; `None` where it has none.
    signature: Option<Sm3Digest>,
    /// When it was made; `None` where its envelope does not say.
    timestamp_ms: Option<i64>,
    /// The business JSON.
    business: Option<&'a str>,
    /// What came beside it.
    beside: Beside<'a>,
}

/// Replay guard, maintenance, switches, grant, rate, and the room itself.
async fn pass(
    app: &App,
    interface: Interface,
    partner: &Arc<Partner>,
    passing: Passing<'_>,
    now_ms: i64,
) -> Result<String, Refusal> {
    let (signature, timestamp_ms) = (passing.signature.as_ref(), passing.timestamp_ms);
    let open_to_it = || open_to(app, interface, partner);
    let_in(app, partner, signature, timestamp_ms, now_ms, open_to_it)?;
    let json = passing
        .business
        .ok_or_else(|| Refusal::field("encryptData", "不可缺少"))?;
    let call = Call {
        app,
        partner,
        interface,
        now_ms,
        // What nobody signed says nothing about the order of things.
        said_ms: passing
            .signature
            .and(passing.timestamp_ms)
            .unwrap_or(now_ms),
        signature: passing.signature,
        beside: passing.beside,
    };
    in_time(patience(app, interface), dispatch::dispatch(&call, json)).await
}

/// What every opened message is held to before anybody works for it, whoever sent it: once, in time,
/// not too often, outside of maintenance, by somebody to whom it is open.
fn let_in(
    app: &App,
    partner: &Partner,
    signature: Option<&Sm3Digest>,
    timestamp_ms: Option<i64>,
    now_ms: i64,
    open_to_it: impl FnOnce() -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    if let Some(timestamp_ms) = timestamp_ms {
        fresh_once(partner, signature, timestamp_ms, now_ms)?;
    }
    // First, for what comes after is noted in the journal.
    within_rate(partner, now_ms)?;
    not_in_maintenance(app)?;
    open_to_it()
}

/// Refuses an interface that is closed to everybody, or to this partner.
fn open_to(app: &App, interface: Interface, partner: &Partner) -> Result<(), Refusal> {
    if interface.spec().availability == Availability::NotYet
        || app.switched_off.contains(&interface)
    {
        return Err(Refusal::caller(
            ResultCode::SwitchedOff,
            ResultCode::SwitchedOff.label(),
        ));
    }
    if !partner.may_call(interface) {
        return Err(Refusal::caller(
            ResultCode::NotGranted,
            format!(
                "未授权调用 {}（{}）",
                interface.code(),
                interface.spec().name
            ),
        ));
    }
    Ok(())
}

fn not_in_maintenance(app: &App) -> Result<(), Refusal> {
    if !app.settings.maintenance {
        return Ok(());
    }
    let code = ResultCode::Maintenance;
    Err(Refusal::caller(code, code.label()))
}

/// What a room answers within this time.
async fn in_time<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, Refusal>>,
) -> Result<T, Refusal> {
    within(limit, work)
        .await
        .unwrap_or_else(|_| Err(Refusal::timed_out(limit)))
}

/// How long a call may take. One that waits for a person has his time too.
fn patience(app: &App, interface: Interface) -> Duration {
    let limit_ms = app.settings.inbound.timeout_ms;
    let person_ms = match interface {
        Interface::EcPwd => app.settings.credential.password_wait_ms.unsigned_abs(),
        _ => 0,
    };
    Duration::from_millis(limit_ms + person_ms)
}

/// Lets a message pass the replay guard once.
fn fresh_once(
    partner: &Partner,
    signature: Option<&Sm3Digest>,
    timestamp_ms: i64,
    now_ms: i64,
) -> Result<(), Refusal> {
    let guard = &partner.memory.replay;
    guard
        .pass(signature, timestamp_ms, now_ms)
        .map_err(|replay| replay_refusal(replay, now_ms))
}

/// Takes one of the partner's calls.
fn within_rate(partner: &Partner, now_ms: i64) -> Result<(), Refusal> {
    let mut bucket = partner
        .memory
        .bucket
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    if bucket.take(now_ms) {
        return Ok(());
    }
    Err(Refusal::caller(
        ResultCode::RateLimited,
        ResultCode::RateLimited.label(),
    ))
}

fn replay_refusal(replay: Replay, now_ms: i64) -> Refusal {
    let retry = "以新的时间戳重新签名后重试";
    let message = match replay {
        Replay::NotFresh { skew_ms } => {
            let side = if skew_ms > 0 { "快" } else { "慢" };
            let by_ms = skew_ms.saturating_abs();
            format!(
                "时间戳不在允许范围内：服务器时间 {now_ms}，请求方时钟{side} {by_ms} 毫秒，请校准时钟，{retry}"
            )
        }
        Replay::TooManySince { floor_ms } => {
            format!("请求过多，暂不受理 {floor_ms} 之前的时间戳（服务器时间 {now_ms}），请{retry}")
        }
        Replay::SeenBefore => {
            format!("收到过相同签名的报文（不代表已处理成功；服务器时间 {now_ms}），请{retry}")
        }
    };
    Refusal::caller(ResultCode::Replay, message)
}

/// Writes the partner's dialect down where it is a new one. Calls to it work without, so a failure
/// costs nothing here.
async fn keep_dialect(app: &App, partner: &Partner, dialect: Dialect, now_ms: i64) {
    if !partner.remember_dialect(dialect, now_ms) {
        return;
    }
    let id = partner.id;
    let kept = app
        .db
        .write(move |tx| partners::keep_dialect(tx, id, dialect.index()))
        .await;
    match kept {
        Ok(()) => partner.dialect_is_kept(dialect),
        Err(error) => {
            tracing::warn!(partner = &*partner.app_id, %error, "a dialect was not written down");
        }
    }
}

/// Tells the operator, not the caller, how to find out why a partner's messages do not open.
fn advise(partner: &Partner, name: impl Into<Name>, refusal: &Refusal, now_ms: i64) {
    let unreadable = matches!(
        refusal.code,
        ResultCode::CipherFailure | ResultCode::BadSignature
    );
    if unreadable && partner.is_advice_due(now_ms) {
        tracing::info!(
            partner = &*partner.app_id,
            interface = name.into().as_str(),
            code = refusal.code.code(),
            "a message does not open; `banyan doctor FILE --partner APPID` says why, given the \
             captured message"
        );
    }
}

/// A failure of ours is logged with everything an operator needs to find it, and the caller is
/// told the number that the log has.
fn told(app: &App, refusal: Refusal, name: impl Into<Name>, partner: Option<&Partner>) -> Refusal {
    let Some(operator) = &refusal.operator else {
        return refusal;
    };
    let mut id = [0; 6];
    app.world.random.fill(&mut id);
    let id = hex::encode(id);
    app.meters.failure("request");
    tracing::error!(
        id,
        interface = name.into().as_str(),
        partner = partner.map(|partner| &*partner.app_id),
        code = refusal.code.code(),
        fault = operator,
        "a request failed on our side"
    );
    refusal.numbered(&id)
}

/// Refusals are part of what was exchanged, but for what anybody can send again and again: the
/// counters know, and the journal does not fill. Without a database there is nothing to write to,
/// and the log has it.
async fn journal_refusal(
    app: &App,
    name: impl Into<Name>,
    partner: &Partner,
    refusal: &Refusal,
    now_ms: i64,
    signature: Option<Sm3Digest>,
) {
    if refusal.is_noise() {
        return;
    }
    let Ok(id) = app.ids.next().await else { return };
    let entry = Entry {
        id,
        at_ms: now_ms,
        partner: partner.id,
        interface: name.into().as_str().into(),
        direction: Direction::Received,
        result: refusal.code.code().into(),
        person: None,
        purpose: None,
        subject: None,
        digest: signature,
    };
    let limit = Duration::from_millis(app.settings.inbound.timeout_ms);
    let left = within(limit, app.journal.leave(entry)).await;
    let fault = match left {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error.to_string(),
        Err(_) => "the journal is too far behind".to_owned(),
    };
    tracing::warn!(fault, "a refusal is not in the journal");
}
