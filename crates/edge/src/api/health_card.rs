//! 电子健康卡, for the HIS: get the patient's index once (access guide 3.1.2), retain it (3.2.5.2),
//! and answer from what is retained afterwards.

use axum::body::Body;
use axum::extract::State;
use banyan_client::CallFault;
use banyan_protocol::catalogue::Interface;
use banyan_protocol::dictionaries::{AuthStatus, IdType, MediumType};
use banyan_protocol::health_card::org_ehc_001::{AuthUrlReply, AuthUrlRequest};
use banyan_protocol::health_card::org_ehc_002::{AuthResultReply, AuthResultRequest};
use banyan_protocol::health_card::org_ehc_003::{VerifyReply, VerifyRequest};
use banyan_protocol::health_card::org_ehc_004::{InsuredReply, InsuredRequest};
use banyan_protocol::health_card::{CardNo, OutAuthNo, PsnNo};
use banyan_protocol::message;
use banyan_protocol::overdue::{EhealthCardId, IdNo, UserName};
use banyan_protocol::result_code::ResultCode;
use banyan_protocol::wire::{ExtData, FieldFault, Message, Private, Scalar as _, Text};
use qrcode::QrCode;
use qrcode::render::svg;
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::{self, Flag};
use super::overdue::{time, value};
use super::place::{Asked, Part};
use super::reply::{Answer, Reply};
use crate::edge::Edge;
use crate::outbox::cards::Card;
use crate::outbox::items::code_of;
use crate::sending::said;

message! {
    /// A link by which the patient authorises.
    pub(super) struct AuthorizeBody {
        /// 外部授权流水号
        /// 缺省由前置机生成。
        outAuthNo: Option<OutAuthNo>,
        /// 扩展参数
        extData: Option<ExtData>,
    }
}

message! {
    /// The code that the patient shows.
    pub(super) struct VerifyBody {
        /// 码值
        ehealthCode: Private<Text<128>>,
        /// 扩展参数
        extData: Option<ExtData>,
    }
}

message! {
    /// An insured patient.
    pub(super) struct LookupBody {
        /// 类型
        /// 缺省为医保卡。
        r#type: Option<MediumType>,
        /// 人员编号
        psnNo: PsnNo,
        /// 卡号
        cardNo: Option<CardNo>,
        /// 证件号
        idNo: IdNo,
        /// 证件类型
        idType: IdType,
        /// 姓名
        userName: UserName,
        /// 参保区划
        insuplcAdmdvs: Option<Text<10>>,
        /// 不用留存的主索引，重新向平台查询
        refresh: Flag,
        /// 扩展参数
        extData: Option<ExtData>,
    }
}

message! {
    /// Whose index.
    pub(super) struct PersonBody {
        /// 证件类型
        idType: IdType,
        /// 证件号
        idNo: IdNo,
    }
}

message! {
    /// An index that came by another of the hospital's ways.
    pub(super) struct RetainBody {
        /// 证件类型
        idType: IdType,
        /// 证件号
        idNo: IdNo,
        /// 姓名
        userName: UserName,
        /// 电子健康卡主索引 id
        ehealthCardId: EhealthCardId,
    }
}

/// `POST /v1/health-card/authorize` (ORG_EHC_001): the link, and the same as a QR code.
pub(super) async fn authorize(State(edge): State<Edge>, body: Body) -> Answer {
    let body: AuthorizeBody = body::read(body).await?;
    let out_auth_no = match body.outAuthNo {
        Some(number) => number,
        None => fresh_number(&edge)?,
    };
    let request = AuthUrlRequest {
        outAuthNo: out_auth_no.clone(),
        orgId: edge.sender.org_id.clone(),
        extData: body.extData,
    };
    let reply: AuthUrlReply = ask(&edge, Interface::OrgEhc001, &request).await?;
    let mut data = value(&reply)?;
    data["outAuthNo"] = out_auth_no.as_str().into();
    data["qrSvg"] = qr_svg(reply.authUrl.expose().as_str()).into();
    Ok(Reply::done(data))
}

/// `GET /v1/health-card/authorizations/{outAuthNo}` (ORG_EHC_002): to be asked until it is over.
pub(super) async fn authorization(State(edge): State<Edge>, Part(out_auth_no): Part) -> Answer {
    let out_auth_no = OutAuthNo::parse(&out_auth_no)
        .map_err(|invalid| Reply::field(&FieldFault::new("outAuthNo", invalid.0)))?;
    let request = AuthResultRequest {
        outAuthNo: out_auth_no,
        orgId: edge.sender.org_id.clone(),
        extData: None,
    };
    let reply: AuthResultReply = ask(&edge, Interface::OrgEhc002, &request).await?;
    learn(&edge, Interface::OrgEhc002, &reply).await?;
    Ok(Reply::done(value(&reply)?))
}

/// `POST /v1/health-card/verify` (ORG_EHC_003)
pub(super) async fn verify(State(edge): State<Edge>, body: Body) -> Answer {
    let body: VerifyBody = body::read(body).await?;
    let request = VerifyRequest {
        orgId: edge.sender.org_id.clone(),
        ehealthCode: body.ehealthCode,
        extData: body.extData,
    };
    let reply: VerifyReply = ask(&edge, Interface::OrgEhc003, &request).await?;
    learn(&edge, Interface::OrgEhc003, &reply).await?;
    Ok(Reply::done(value(&reply)?))
}

/// `POST /v1/health-card/lookup`: from what is retained, or else by ORG_EHC_004.
pub(super) async fn lookup(State(edge): State<Edge>, body: Body) -> Answer {
    let body: LookupBody = body::read(body).await?;
    if !body.refresh.0 {
        let code = code_of(&edge.outbox.vault, body.idType, &body.idNo);
        // Another name than the one that the index was given for is not answered from memory.
        if let Some(card) = edge.outbox.card(&code).await?
            && card.user_name == body.userName.expose().as_str()
        {
            let mut data = retained(&card);
            data["idNo"] = body.idNo.expose().as_str().into();
            data["idType"] = body.idType.code().into();
            data["userName"] = card.user_name.into();
            return Ok(Reply::done(data));
        }
    }
    let request = InsuredRequest {
        orgId: edge.sender.org_id.clone(),
        r#type: body.r#type.unwrap_or(MediumType::Card),
        psnNo: body.psnNo,
        cardNo: body.cardNo,
        idNo: body.idNo,
        idType: body.idType,
        userName: body.userName,
        insuplcAdmdvs: body.insuplcAdmdvs,
        extData: body.extData,
    };
    let reply: InsuredReply = ask(&edge, Interface::OrgEhc004, &request).await?;
    learn(&edge, Interface::OrgEhc004, &reply).await?;
    let mut data = value(&reply)?;
    data["source"] = Interface::OrgEhc004.code().into();
    Ok(Reply::done(data))
}

/// Whose index, as the query of a GET.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Whose {
    #[serde(default)]
    id_type: String,
    #[serde(default)]
    id_no: String,
}

/// `GET /v1/health-card/index`
pub(super) async fn index(State(edge): State<Edge>, Asked(whose): Asked<Whose>) -> Answer {
    let field = |path: &str, reason: String| Reply::field(&FieldFault::new(path, reason));
    let id_type = IdType::parse(&whose.id_type).map_err(|invalid| field("idType", invalid.0))?;
    let id_no = IdNo::parse(&whose.id_no).map_err(|invalid| field("idNo", invalid.0))?;
    answer_retained(&edge, id_type, &id_no).await
}

/// `POST /v1/health-card/index/query`: the same, with the number in the body rather than in an
/// address that proxies log.
pub(super) async fn index_of(State(edge): State<Edge>, body: Body) -> Answer {
    let body: PersonBody = body::read(body).await?;
    answer_retained(&edge, body.idType, &body.idNo).await
}

/// `POST /v1/health-card/index`: retains what another way of the hospital found out.
pub(super) async fn retain(State(edge): State<Edge>, body: Body) -> Answer {
    let body: RetainBody = body::read(body).await?;
    let code = code_of(&edge.outbox.vault, body.idType, &body.idNo);
    let card = Card {
        ehealth_card_id: body.ehealthCardId.expose().as_str().to_owned(),
        user_name: body.userName.expose().as_str().to_owned(),
        source: "his".to_owned(),
        kept_ms: edge.now_ms(),
    };
    edge.outbox.keep_card(code, &card).await?;
    Ok(Reply::done(retained(&card)))
}

async fn answer_retained(edge: &Edge, id_type: IdType, id_no: &IdNo) -> Answer {
    let code = code_of(&edge.outbox.vault, id_type, id_no);
    Ok(match edge.outbox.card(&code).await? {
        Some(card) => Reply::done(retained(&card)),
        None => Reply::done_with("院内未留存该患者的主索引", Value::Null),
    })
}

fn retained(card: &Card) -> Value {
    json!({
        "ehealthCardId": card.ehealth_card_id,
        "source": "retained",
        "retainedFrom": card.source,
        "retainedAt": time(card.kept_ms),
    })
}

/// Retains the index that an answer of the platform carries, if it carries one.
pub(super) async fn learn(
    edge: &Edge,
    interface: Interface,
    reply: &impl CarriesIndex,
) -> Result<(), Reply> {
    let Some((id_type, id_no, user_name, index)) = reply.index() else {
        return Ok(());
    };
    let code = code_of(&edge.outbox.vault, id_type, id_no);
    let card = Card {
        ehealth_card_id: index.expose().as_str().to_owned(),
        user_name: user_name.expose().as_str().to_owned(),
        source: interface.code().to_owned(),
        kept_ms: edge.now_ms(),
    };
    Ok(edge.outbox.keep_card(code, &card).await?)
}

/// An answer that may say whose index is which.
pub(super) trait CarriesIndex {
    fn index(&self) -> Option<(IdType, &IdNo, &UserName, &EhealthCardId)>;
}

impl CarriesIndex for AuthResultReply {
    fn index(&self) -> Option<(IdType, &IdNo, &UserName, &EhealthCardId)> {
        if self.authStatus != AuthStatus::Succ {
            return None;
        }
        Some((
            self.idType.0?,
            self.idNo.0.as_ref()?,
            self.userName.0.as_ref()?,
            self.ehealthCardId.0.as_ref()?,
        ))
    }
}

impl CarriesIndex for VerifyReply {
    fn index(&self) -> Option<(IdType, &IdNo, &UserName, &EhealthCardId)> {
        Some((self.idType, &self.idNo, &self.userName, &self.ehealthCardId))
    }
}

impl CarriesIndex for InsuredReply {
    fn index(&self) -> Option<(IdType, &IdNo, &UserName, &EhealthCardId)> {
        Some((self.idType, &self.idNo, &self.userName, &self.ehealthCardId))
    }
}

async fn ask<Request: Message, R: Message>(
    edge: &Edge,
    interface: Interface,
    request: &Request,
) -> Result<R, Reply> {
    let began_ms = edge.now_ms();
    let asked: Result<R, CallFault> = edge.line.call_typed(interface, request).await;
    edge.note_call(interface, began_ms, said(asked.as_ref().err()));
    Ok(asked?)
}

/// 机构内唯一: counted by nobody, drawn long enough to be met once.
pub(super) fn fresh_number(edge: &Edge) -> Result<OutAuthNo, Reply> {
    let drawn: [u8; 12] = edge.outbox.vault.nonce();
    OutAuthNo::parse(&format!("A{}", hex::encode(drawn)))
        .map_err(|_| Reply::refused(ResultCode::SystemError, "未能生成授权流水号"))
}

/// The text as a QR code; empty where it is too long for one.
fn qr_svg(text: &str) -> String {
    QrCode::new(text.as_bytes()).map_or_else(
        |_| String::new(),
        |code| {
            code.render::<svg::Color<'_>>()
                .min_dimensions(240, 240)
                .quiet_zone(true)
                .build()
        },
    )
}
