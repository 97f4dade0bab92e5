//! What a 医保业务综合服务终端 tells the centre: whose face it recognised, and what a person typed on
//! its keypad. It speaks in the centre's envelope under its own appId; no institution can.

use std::sync::Arc;

use banyan_protocol::credential::CentreCode;
use banyan_protocol::credential::dictionaries::CertType;
use banyan_protocol::credential::terminal::{
    RecognisedReply, RecognisedRequest, TerminalMessage, TypedReply, TypedRequest,
};
use banyan_protocol::crypto::base64;
use banyan_protocol::crypto::gcm::Sm4Gcm;
use banyan_protocol::crypto::sm3::Sm3Digest;
use banyan_protocol::envelope::Secret;
use banyan_protocol::result_code::ResultCode;
use banyan_protocol::wire::{self, FieldFault, Private, Text};
use banyan_store::credential::holders::Holder;
use banyan_store::credential::{faces, requests};
use banyan_store::db::StoreError;
use banyan_store::journal::{self, Direction, Entry};
use banyan_store::partners::Kind;

use super::password::Digits;
use super::{cn_nhsa_ec_pwd, holder, password, refuse};
use crate::app::App;
use crate::directory::Partner;
use crate::refusal::Refusal;

/// A message of a terminal that was let through.
#[derive(Debug, Clone, Copy)]
pub struct TerminalCall<'a> {
    /// The platform.
    pub app: &'a App,
    /// The terminal.
    pub terminal: &'a Partner,
    /// What it tells.
    pub message: TerminalMessage,
    /// The secret that it signed with.
    pub secret: &'a Secret,
    /// 时间戳, as it was signed.
    pub timestamp: &'a str,
    /// What tells the message's signature from any other.
    pub signature: Sm3Digest,
    /// When it came.
    pub now_ms: i64,
}

/// Refuses whoever is no terminal.
///
/// # Errors
/// -4.
pub fn open_to(partner: &Partner) -> Result<(), Refusal> {
    if partner.kind == Kind::Terminal {
        Ok(())
    } else {
        Err(refuse(CentreCode::NotGranted))
    }
}

/// Answers a terminal; gives the business JSON.
///
/// # Errors
/// See [`recognised`] and [`typed`].
pub async fn handle(call: &TerminalCall<'_>, json: &str) -> Result<String, Refusal> {
    match call.message {
        TerminalMessage::Face => Ok(wire::write(&recognised(call, super::read(json)?).await?)),
        TerminalMessage::Password => Ok(wire::write(&typed(call, super::read(json)?).await?)),
    }
}

/// The code under which a number for a face is kept.
pub(super) fn auth_no_code(app: &App, auth_no: &str) -> [u8; 32] {
    app.vault
        .credential_code("auth_no", &[auth_no.trim().as_bytes()])
}

/// Gives a number for a face.
async fn recognised(
    call: &TerminalCall<'_>,
    request: RecognisedRequest,
) -> Result<RecognisedReply, Refusal> {
    let (app, now_ms) = (call.app, call.now_ms);
    let institution = institution(call, request.orgId.as_str())?;
    let holder = named(app, request.idType, &request.idNo, &request.userName).await?;
    let mut number = [0; 16];
    app.world.random.fill(&mut number);
    let number = hex::encode_upper(number);
    let (code, terminal) = (auth_no_code(app, &number), call.terminal.id);
    let face = faces::Face {
        person: holder.person.id,
        partner: institution.id,
        expires_ms: now_ms + app.settings.credential.face_ttl_ms,
        used_ms: None,
    };
    let entry = entry(call, &holder, request.orgId.as_str()).await?;
    app.db
        .write(move |tx| -> Result<(), StoreError> {
            faces::add(tx, &code, &face, terminal, now_ms)?;
            journal::append(tx, std::slice::from_ref(&entry))
        })
        .await?;
    let number = Text::truncated(&number).ok_or_else(|| Refusal::ours("an empty authNo"))?;
    Ok(RecognisedReply {
        authNo: Private::new(number),
    })
}

/// Takes what somebody typed for the institution that waits for it.
async fn typed(call: &TerminalCall<'_>, request: TypedRequest) -> Result<TypedReply, Refusal> {
    let app = call.app;
    let institution = institution(call, request.orgId.as_str())?;
    let holder = named(app, request.idType, &request.idNo, &request.userName).await?;
    let context = format!("{}|{}", request.orgId.as_str(), call.timestamp);
    let digits = open(call.secret, &context, request.password.expose().as_str())?;
    let waiting = requests::open_of(&app.db, holder.person.id, call.now_ms).await?;
    // The latest: whoever asked before it has asked again.
    let waiting = waiting
        .into_iter()
        .rfind(|waiting| waiting.partner == institution.id)
        .ok_or_else(|| refuse(CentreCode::BizOver))?;
    let entered = password::enter(app, holder.person.id, waiting.id, digits).await?;
    let reply = TypedReply {
        pwdFlag: cn_nhsa_ec_pwd::settled(entered)?,
    };
    // What it changed is kept with the request; this says who brought it.
    let entry = entry(call, &holder, request.orgId.as_str()).await?;
    app.journal.leave(entry).await?;
    Ok(reply)
}

/// The journal's entry of what a terminal told of somebody, and for which institution.
async fn entry(
    call: &TerminalCall<'_>,
    holder: &Holder,
    institution: &str,
) -> Result<Entry, Refusal> {
    Ok(Entry {
        id: call.app.ids.next().await?,
        at_ms: call.now_ms,
        partner: call.terminal.id,
        interface: call.message.trans_type().into(),
        direction: Direction::Received,
        result: ResultCode::Success.code().into(),
        person: Some(holder.person.identity.person_code(&call.app.vault)),
        purpose: None,
        subject: Some(institution.to_owned()),
        digest: Some(call.signature),
    })
}

/// The institution at whose window the terminal stands.
fn institution(call: &TerminalCall<'_>, code: &str) -> Result<Arc<Partner>, Refusal> {
    let institution = call.app.directory.by_institution(code);
    let institution = institution.ok_or_else(|| refuse(CentreCode::NoSuchOrg))?;
    if !call.terminal.stands_at(code) {
        return Err(refuse(CentreCode::BizOfAnother));
    }
    if institution.active {
        Ok(institution)
    } else {
        Err(refuse(CentreCode::OrgNotApproved))
    }
}

async fn named(
    app: &App,
    cert_type: CertType,
    id_no: &Private<Text<30>>,
    name: &Private<Text<50>>,
) -> Result<Holder, Refusal> {
    holder::named(
        app,
        cert_type,
        id_no.expose().as_str(),
        name.expose().as_str(),
    )
    .await
}

fn open(secret: &Secret, context: &str, sealed: &str) -> Result<Digits, Refusal> {
    let unfit = || {
        Refusal::from(FieldFault::new(
            "password",
            "无法解密，或不是 6 位数字：请核对终端密钥与附加数据",
        ))
    };
    let sealed = base64::decode(sealed).map_err(|_| unfit())?;
    let key = secret.expose().as_bytes().first_chunk().ok_or_else(unfit)?;
    let plain = Sm4Gcm::with_key(key)
        .open(context.as_bytes(), &sealed)
        .map_err(|_| unfit())?;
    let plain = zeroize::Zeroizing::new(plain);
    let text = std::str::from_utf8(&plain).map_err(|_| unfit())?;
    Digits::parse(text).ok_or_else(unfit)
}
