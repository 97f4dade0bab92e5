//! Messages of the credential centre: the same way in as every other, in the envelope of the
//! 标准动态库交互规范 and in its character set.
//!
//! Where a message does not say which character set it is in and more than ASCII stands in it, the
//! signature decides: GB18030 first, as the standard has it, then UTF-8.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use banyan_protocol::catalogue::{Interface, Route};
use banyan_protocol::credential::terminal::TerminalMessage;
use banyan_protocol::credential::{CentreCode, is_institution_code};
use banyan_protocol::crypto::sm3::Sm3Digest;
use banyan_protocol::envelope::centre::{Charset, Received, Told, escaped};
use banyan_protocol::envelope::{Dialect, EnvelopeFault, Environment, Secret};
use banyan_protocol::result_code::ResultCode;
use banyan_protocol::wire::FieldFault;
use banyan_store::partners::Kind;

use super::call::Beside;
use super::name::Name;
use super::{Passing, advise, in_time, journal_refusal, let_in, pass, told};
use crate::app::App;
use crate::credential::terminal::{self, TerminalCall};
use crate::credential::{refuse, refuse_saying};
use crate::directory::Partner;
use crate::refusal::Refusal;

/// What goes back.
#[derive(Debug, PartialEq, Eq)]
pub struct CentreReply {
    /// The HTTP status.
    pub status: u16,
    /// The character set of the request.
    pub charset: Charset,
    /// The JSON text.
    pub body: String,
}

/// Answers a message at the centre. Never fails: whatever goes wrong becomes a refusal.
pub async fn receive(app: &App, content_type: Option<&str>, body: &[u8]) -> CentreReply {
    let began = Instant::now();
    let now_ms = app.now_ms();
    let named = content_type.and_then(Charset::named);
    let (charset, entered) = enter(app, named, body, now_ms).await;
    match entered {
        Err(refusal) => unknown(app, charset, refusal),
        Ok(entered) => answer(app, charset, &entered, began, now_ms).await,
    }
}

/// A refusal for somebody we do not know, or before there was anything to open.
#[must_use]
pub fn unsigned_refusal(refusal: &Refusal) -> String {
    let told = Told {
        org_id: "",
        code: CentreCode::of(refusal.code),
        message: &refusal.message,
        data: None,
    };
    // Without data there is nothing that could fail to be JSON.
    told.bare().unwrap_or_default()
}

fn unknown(app: &App, charset: Charset, refusal: Refusal) -> CentreReply {
    app.meters.stranger(refusal.code);
    let refusal = told(app, refusal, Name::UNKNOWN, None);
    CentreReply {
        status: refusal.http_status(),
        charset,
        body: unsigned_refusal(&refusal),
    }
}

/// Somebody we know by his appId, and what he sent.
struct Entered {
    partner: Arc<Partner>,
    secret: Arc<Secret>,
    org_id: String,
    trans_type: String,
    data: Option<String>,
    qr_code: Option<String>,
    timestamp: String,
    verified: Result<Verified, Refusal>,
}

/// A message whose signature holds.
struct Verified {
    signature: Sm3Digest,
    dialect: Dialect,
    timestamp_ms: i64,
}

/// Reads the message in the character set in which its signature holds.
async fn enter(
    app: &App,
    named: Option<Charset>,
    body: &[u8],
    now_ms: i64,
) -> (Charset, Result<Entered, Refusal>) {
    let first = named.unwrap_or_default();
    let entered = enter_as(app, first, body, now_ms).await;
    let holds = entered
        .as_ref()
        .is_ok_and(|entered| entered.verified.is_ok());
    if holds || named.is_some() || body.is_ascii() {
        return (first, entered);
    }
    let second = enter_as(app, Charset::Utf8, body, now_ms).await;
    match second {
        Ok(entered) if entered.verified.is_ok() => (Charset::Utf8, Ok(entered)),
        _ => (first, entered),
    }
}

async fn enter_as(
    app: &App,
    charset: Charset,
    body: &[u8],
    now_ms: i64,
) -> Result<Entered, Refusal> {
    let text: Cow<'_, str> = charset.decode(body).map_err(|not| {
        FieldFault::new(
            "",
            format!("{not} 编码（UTF-8 须在 Content-Type 中写明 charset=utf-8）"),
        )
    })?;
    let received = Received::parse(&text)?;
    let app_id = received.extra.app_id.as_deref().ok_or_else(|| {
        FieldFault::new("extra.appId", "不可缺少：extra 须含 appId、timestamp、sign")
    })?;
    let partner = app
        .directory
        .by_app_id(app_id, now_ms)
        .await?
        .ok_or_else(|| refuse(CentreCode::NoSuchApp))?;
    if !partner.active {
        return Err(refuse(CentreCode::AppNotApproved));
    }
    if !matches!(partner.kind, Kind::Hospital | Kind::Terminal) {
        return Err(refuse(CentreCode::ChannelNotGranted));
    }
    let (secret, verified) = verify(&partner, &received, now_ms)?;
    let timestamp = received.extra.timestamp.clone().unwrap_or_default();
    Ok(Entered {
        org_id: received.org_id().to_owned(),
        trans_type: received.trans_type().to_owned(),
        data: received.data().map(str::to_owned),
        qr_code: received.extra.qr_code,
        timestamp,
        partner,
        secret,
        verified,
    })
}

/// Checks the signature under the partner's secrets, newest first.
fn verify(
    partner: &Partner,
    received: &Received<'_>,
    now_ms: i64,
) -> Result<(Arc<Secret>, Result<Verified, Refusal>), Refusal> {
    let mut newest = None;
    let mut fault = None;
    for secret in partner.secrets(now_ms) {
        newest.get_or_insert_with(|| secret.clone());
        match received.verify(secret) {
            Ok((signature, dialect)) => {
                let timestamp = received.extra.timestamp.as_deref().unwrap_or_default();
                let verified = timestamp
                    .parse()
                    .map(|timestamp_ms| Verified {
                        signature,
                        dialect,
                        timestamp_ms,
                    })
                    .map_err(|_| {
                        let said = "应为 Unix 毫秒时间戳的字符串，例如 1630639075173";
                        Refusal::field("extra.timestamp", said)
                    });
                return Ok((secret.clone(), verified));
            }
            // A message that is malformed is so under any secret.
            Err(malformed @ EnvelopeFault::Malformed(_)) => {
                fault = Some(Refusal::from(malformed));
                break;
            }
            Err(_) => fault = Some(not_signed()),
        }
    }
    let newest = newest
        .ok_or_else(|| Refusal::ours(format!("partner {} has no live secret", partner.app_id)))?;
    Ok((newest, Err(fault.unwrap_or_else(not_signed))))
}

fn not_signed() -> Refusal {
    refuse_saying(
        CentreCode::BadSignature,
        "签名出错：请核对密钥，签名串为 appId、data（报文中的原文）、orgId、timestamp、transType",
    )
}

async fn answer(
    app: &App,
    charset: Charset,
    entered: &Entered,
    began: Instant,
    now_ms: i64,
) -> CentreReply {
    let partner = &entered.partner;
    let asked = Asked::by_trans_type(&entered.trans_type);
    let name = asked.map_or(Name::UNKNOWN, Asked::name);
    let done = match &entered.verified {
        Err(refusal) => {
            advise(partner, name, refusal, now_ms);
            Err(refusal.clone())
        }
        Ok(verified) => work(app, entered, verified, asked, now_ms).await,
    };
    let done = done.map_err(|refusal| told(app, refusal, name, Some(partner)));
    let (result, message, data, status) = match &done {
        Ok(json) => (ResultCode::Success, DONE, Some(json.as_str()), 200),
        Err(refusal) => (refusal.code, &*refusal.message, None, refusal.http_status()),
    };
    if let (Err(refusal), Some(_), Ok(verified)) = (&done, asked, &entered.verified) {
        let signature = Some(verified.signature);
        journal_refusal(app, name, partner, refusal, now_ms, signature).await;
    }
    app.meters.request(
        &partner.memory.meters,
        &partner.app_id,
        name,
        result,
        began.elapsed(),
    );
    // Signed as it is sent: what another edition of GB18030 turns into another letter would not hold.
    let data = data.map(|json| match charset {
        Charset::Gb18030 => escaped(json),
        Charset::Utf8 => Cow::Borrowed(json),
    });
    let answer = Told {
        org_id: &entered.org_id,
        code: CentreCode::of(result),
        message,
        data: data.as_deref(),
    };
    let dialect = entered
        .verified
        .as_ref()
        .ok()
        .map(|verified| verified.dialect);
    match answer.seal(&partner.app_id, app.now_ms(), dialect, &entered.secret) {
        Some(body) => CentreReply {
            status,
            charset,
            body,
        },
        None => unknown(app, charset, Refusal::ours("an answer of ours is no JSON")),
    }
}

const DONE: &str = "处理成功";

/// What a message asks for.
#[derive(Debug, Clone, Copy)]
enum Asked {
    Interface(Interface),
    Terminal(TerminalMessage),
}

impl Asked {
    fn by_trans_type(text: &str) -> Option<Self> {
        let terminal = || TerminalMessage::from_trans_type(text).map(Self::Terminal);
        let interface = Interface::at_trans_type(text).map(Self::Interface);
        interface.or_else(terminal)
    }

    fn name(self) -> Name {
        match self {
            Self::Interface(interface) => interface.into(),
            Self::Terminal(message) => message.into(),
        }
    }
}

/// Lets a verified message through to its room.
async fn work(
    app: &App,
    entered: &Entered,
    verified: &Verified,
    asked: Option<Asked>,
    now_ms: i64,
) -> Result<String, Refusal> {
    let interface = match asked {
        Some(Asked::Interface(interface)) => interface,
        Some(Asked::Terminal(message)) => {
            return work_of_terminal(app, entered, verified, message, now_ms).await;
        }
        None => return Err(unknown_trade(app)),
    };
    let partner = &entered.partner;
    let data = entered.data.as_deref();
    own_institution(partner, &entered.org_id)?;
    if data.is_none() {
        return Err(Refusal::field("data", "不可缺少"));
    }
    let passing = Passing {
        signature: Some(verified.signature),
        timestamp_ms: Some(verified.timestamp_ms),
        business: data,
        beside: Beside {
            org_id: &entered.org_id,
            qr_code: entered.qr_code.as_deref(),
        },
    };
    pass(app, interface, partner, passing, now_ms).await
}

/// Lets a terminal's message through.
async fn work_of_terminal(
    app: &App,
    entered: &Entered,
    verified: &Verified,
    message: TerminalMessage,
    now_ms: i64,
) -> Result<String, Refusal> {
    let terminal = &entered.partner;
    let (signature, timestamp_ms) = (Some(&verified.signature), Some(verified.timestamp_ms));
    let open_to_it = || terminal::open_to(terminal);
    let_in(app, terminal, signature, timestamp_ms, now_ms, open_to_it)?;
    let call = TerminalCall {
        app,
        terminal,
        message,
        secret: &entered.secret,
        timestamp: &entered.timestamp,
        signature: verified.signature,
        now_ms,
    };
    let json = entered.data.as_deref();
    let json = json.ok_or_else(|| Refusal::field("data", "不可缺少"))?;
    let limit = Duration::from_millis(app.settings.inbound.timeout_ms);
    // Apart, for it is larger than all the rest.
    in_time(limit, Box::pin(terminal::handle(&call, json))).await
}

/// Refuses an orgId that is not the caller's own.
fn own_institution(partner: &Partner, org_id: &str) -> Result<(), Refusal> {
    if org_id.is_empty() {
        return Err(refuse(CentreCode::OrgMissing));
    }
    if !is_institution_code(org_id) {
        return Err(refuse(CentreCode::OrgMalformed));
    }
    if partner.is_institution(org_id) {
        return Ok(());
    }
    Err(refuse_saying(
        CentreCode::OrgMismatch,
        "医保定点机构代码传输错误：orgId 不是调用方（appId）登记的机构，请调整",
    ))
}

/// Partners who only try something out are told what there is.
fn unknown_trade(app: &App) -> Refusal {
    let mut said = "未知交易：没有该 transType".to_owned();
    if app.environment == Environment::Test {
        let known = Interface::ALL
            .into_iter()
            .filter(|interface| interface.spec().route == Route::TransType);
        let known: Vec<&str> = known.map(Interface::code).collect();
        said = format!("{said}，应为下列之一：{}", known.join("、"));
    }
    refuse_saying(CentreCode::UnknownTrade, said)
}
