//! 诊疗失信, for the HIS: report, settle, revoke, give a name, ask.

use axum::body::Body;
use axum::extract::State;
use banyan_client::CallFault;
use banyan_protocol::catalogue::Interface;
use banyan_protocol::dictionaries::{BusinessType, IdType, ItemState, Next};
use banyan_protocol::message;
use banyan_protocol::overdue::org_mdl_001::UnsettledPerson;
use banyan_protocol::overdue::org_mdl_002::{QueryReply, QueryRequest};
use banyan_protocol::overdue::org_mdl_004::{EntryLinkReply, EntryLinkRequest};
use banyan_protocol::overdue::{EhealthCardId, IdNo, UserName};
use banyan_protocol::result_code::ResultCode;
use banyan_protocol::wire::{self, ExtData, FieldFault, LocalTime, Scalar as _};
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::{self, Flag};
use super::place::{Asked, Part};
use super::reply::{Answer, Reply};
use crate::edge::Edge;
use crate::line::in_chinese;
use crate::outbox::items::{Item, code_of};
use crate::outbox::taking::{Moment, TakenRows};
use crate::rows::{self, ChangeRow, DebtRow, NameRow, Row, Taken};
use crate::sending::said;
use crate::settings::AwayRule;

message! {
    /// Unpaid items: flat rows, or persons with items as the guide has them (4.3.1.2), or both.
    pub(super) struct ReportBody {
        /// 欠费列表
        items: Option<Vec<DebtRow>>,
        /// 待结算列表
        /// 也可按接入指南 4.3.1.2 的结构按人给出。
        unsettleList: Option<Vec<UnsettledPerson>>,
        /// 立即上报
        /// 不等夜间时段。
        urgent: Flag,
    }
}

message! {
    /// Items that were settled or revoked.
    pub(super) struct ChangeBody {
        /// 条目列表
        items: Vec<ChangeRow>,
    }
}

message! {
    /// Anonymous items that got a name.
    pub(super) struct NameBody {
        /// 条目列表
        items: Vec<NameRow>,
    }
}

message! {
    /// Whether a patient may be treated first and pay later.
    pub(super) struct QueryBody {
        /// 查询业务类型
        /// 缺省为挂号。
        businessType: Option<BusinessType>,
        /// 身份证号
        idNo: IdNo,
        /// 证件类型
        idType: IdType,
        /// 用户姓名
        userName: UserName,
        /// 电子健康卡主索引 id
        /// 前置机已留存时可省略。
        ehealthCardId: Option<EhealthCardId>,
        /// 只查本院
        onlyHere: Flag,
        /// 扩展参数
        extData: Option<ExtData>,
    }
}

message! {
    /// Whose own list to open.
    pub(super) struct EntryLinkBody {
        /// 身份证号
        idNo: IdNo,
        /// 证件类型
        idType: IdType,
        /// 用户姓名
        userName: UserName,
        /// 电子健康卡主索引 id
        /// 前置机已留存时可省略。
        ehealthCardId: Option<EhealthCardId>,
        /// 扩展参数
        extData: Option<ExtData>,
    }
}

/// `POST /v1/overdue/report`
pub(super) async fn report(State(edge): State<Edge>, body: Body) -> Answer {
    let body: ReportBody = body::read(body).await?;
    let mut rows = numbered(body.items.unwrap_or_default(), Row::Report);
    let persons = body.unsettleList.unwrap_or_default();
    for (place, person) in persons.into_iter().enumerate() {
        for (item, row) in rows::of_person(person).enumerate() {
            let path = format!("unsettleList[{place}].itemList[{item}]");
            rows.push((path, Row::Report(row)));
        }
    }
    take(&edge, rows, body.urgent.0).await
}

/// Rows with the place in the call where each stands.
fn numbered<R>(rows: Vec<R>, meaning: impl Fn(R) -> Row) -> Vec<(String, Row)> {
    rows.into_iter()
        .enumerate()
        .map(|(index, row)| (format!("items[{index}]"), meaning(row)))
        .collect()
}

/// `POST /v1/overdue/settle`
pub(super) async fn settle(State(edge): State<Edge>, body: Body) -> Answer {
    let body: ChangeBody = body::read(body).await?;
    take(&edge, numbered(body.items, Row::Settle), true).await
}

/// `POST /v1/overdue/revoke`
pub(super) async fn revoke(State(edge): State<Edge>, body: Body) -> Answer {
    let body: ChangeBody = body::read(body).await?;
    take(&edge, numbered(body.items, Row::Revoke), true).await
}

/// `POST /v1/overdue/realname`
pub(super) async fn realname(State(edge): State<Edge>, body: Body) -> Answer {
    let body: NameBody = body::read(body).await?;
    take(&edge, numbered(body.items, Row::RealName), true).await
}

/// Keeps rows, durably, and says what became of each that is not simply new.
async fn take(edge: &Edge, rows: Vec<(String, Row)>, at_once: bool) -> Answer {
    if rows.is_empty() {
        return Err(Reply::field(&FieldFault::new("items", "至少应有一条")));
    }
    let moment = Moment::of(edge, edge.now_ms(), at_once);
    let (places, rows): (Vec<String>, Vec<Row>) = rows.into_iter().unzip();
    let names: Vec<String> = rows
        .iter()
        .map(|row| row.org_trace_id().as_str().to_owned())
        .collect();
    let TakenRows {
        taken,
        batch,
        without_index,
    } = edge.take_rows(rows, moment).await?;
    let count = |what: &Taken| taken.iter().filter(|taken| *taken == what).count();
    let (accepted, repeated) = (count(&Taken::New), count(&Taken::Repeated));
    let refused: Vec<Value> = taken
        .iter()
        .zip(&names)
        .zip(&places)
        .filter_map(|((taken, org_trace_id), place)| match taken {
            Taken::Refused(fault) => Some(json!({
                "orgTraceId": org_trace_id,
                "path": format!("{place}.{}", fault.path),
                "reason": fault.expected,
            })),
            Taken::New | Taken::Repeated => None,
        })
        .collect();
    let refused_count = refused.len();
    let mut data = json!({
        "accepted": accepted,
        "repeated": repeated,
        "withoutIndex": without_index,
        "refused": refused,
        "sendAfter": time(moment.report_due_ms),
    });
    if let Some(batch) = batch {
        data["batchId"] = batch.into();
    }
    if refused_count == 0 {
        return Ok(Reply::done(data));
    }
    let rest = if accepted + repeated > 0 {
        "，其余已受理（见 data.refused，更正后重新提交即可）"
    } else {
        "（见 data.refused）"
    };
    Err(Reply::refused_with(
        ResultCode::BadParameter,
        format!("{refused_count} 项未受理{rest}"),
        data,
    ))
}

/// `POST /v1/overdue/query`
pub(super) async fn query(State(edge): State<Edge>, body: Body) -> Answer {
    let body: QueryBody = body::read(body).await?;
    // The rule is for whoever stands at the window now, his index known or not.
    if edge.line.is_away() {
        return Ok(by_rule(&edge, "平台多次未应答"));
    }
    let ehealth_card_id = index_of(&edge, body.ehealthCardId, body.idType, &body.idNo).await?;
    let request = QueryRequest {
        orgId: body.onlyHere.0.then(|| edge.sender.org_id.clone()),
        businessType: body.businessType.unwrap_or(BusinessType::Registration),
        idNo: body.idNo,
        idType: body.idType,
        userName: body.userName,
        ehealthCardId: Some(ehealth_card_id),
        extData: body.extData,
    };
    let began_ms = edge.now_ms();
    let asked: Result<QueryReply, CallFault> =
        edge.line.call_typed(Interface::OrgMdl002, &request).await;
    edge.note_call(Interface::OrgMdl002, began_ms, said(asked.as_ref().err()));
    match asked {
        Ok(reply) => {
            let mut data = value(&reply)?;
            data["source"] = "platform".into();
            Ok(Reply::done(data))
        }
        // It could not be asked at all.
        Err(fault) if fault.is_retryable() => Ok(by_rule(&edge, &in_chinese(&fault))),
        Err(fault) => Err(fault.into()),
    }
}

/// The hospital's own rule for when the platform can't be asked.
fn by_rule(edge: &Edge, why: &str) -> Reply {
    let next = match edge.settings.away.rule {
        AwayRule::Allow => Next::Yes,
        AwayRule::Deny => Next::No,
    };
    Reply::done_with(
        "平台暂不可达，按本院设定的规则答复",
        json!({
            "next": next.code(),
            "itemList": [],
            "source": "rule",
            "reason": why,
        }),
    )
}

/// `POST /v1/overdue/entry-link`
pub(super) async fn entry_link(State(edge): State<Edge>, body: Body) -> Answer {
    let body: EntryLinkBody = body::read(body).await?;
    let ehealth_card_id = index_of(&edge, body.ehealthCardId, body.idType, &body.idNo).await?;
    let request = EntryLinkRequest {
        orgId: Some(edge.sender.org_id.clone()),
        idNo: body.idNo,
        idType: body.idType,
        userName: body.userName,
        ehealthCardId: Some(ehealth_card_id),
        extData: body.extData,
    };
    let began_ms = edge.now_ms();
    let asked: Result<EntryLinkReply, CallFault> =
        edge.line.call_typed(Interface::OrgMdl004, &request).await;
    edge.note_call(Interface::OrgMdl004, began_ms, said(asked.as_ref().err()));
    Ok(Reply::done(value(&asked?)?))
}

/// Which part of a list is wanted.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Page {
    after: i64,
    offset: i64,
    limit: Option<i64>,
}

const MOST_ROWS: i64 = 1000;

impl Page {
    fn most(&self) -> i64 {
        self.limit.unwrap_or(MOST_ROWS).clamp(1, MOST_ROWS)
    }
}

/// `GET /v1/overdue/batches/{id}`: by the edge's own number, or by 请求批次号.
pub(super) async fn batch(
    State(edge): State<Edge>,
    Part(id): Part,
    Asked(page): Asked<Page>,
) -> Answer {
    let view = edge
        .outbox
        .batch(&id, page.offset.max(0), page.most())
        .await?
        .ok_or_else(|| Reply::refused(ResultCode::BadParameter, "没有这个批次"))?;
    let stages: serde_json::Map<String, Value> = view
        .stages
        .iter()
        .map(|(stage, count)| (stage.code().to_owned(), (*count).into()))
        .collect();
    let items: Vec<Value> = view.items.iter().map(shown).collect();
    Ok(Reply::done(json!({
        "batchId": view.name,
        "createdAt": time(view.created_ms),
        "itemCount": view.item_count,
        "stages": stages,
        "orgRequestIds": view.messages,
        "items": items,
    })))
}

/// `GET /v1/overdue/items/{orgTraceId}`
pub(super) async fn item(State(edge): State<Edge>, Part(org_trace_id): Part) -> Answer {
    let item =
        edge.outbox.item(&org_trace_id).await?.ok_or_else(|| {
            Reply::refused(ResultCode::BadParameter, "orgTraceId：前置机没有这一项")
        })?;
    Ok(Reply::done(shown(&item)))
}

/// `GET /v1/overdue/outcomes`: what became known after a place, for a HIS that keeps its own marks.
pub(super) async fn outcomes(State(edge): State<Edge>, Asked(page): Asked<Page>) -> Answer {
    let told = edge.outbox.told_after(page.after, page.most()).await?;
    let next = told.last().map_or(page.after, |told| told.seq);
    let items: Vec<Value> = told
        .iter()
        .map(|told| {
            let mut item = shown(&told.item);
            item["seq"] = told.seq.into();
            item
        })
        .collect();
    Ok(Reply::done(json!({ "items": items, "next": next })))
}

/// `GET /v1/notices`: what the platform told (ORG_002), as it came.
pub(super) async fn notices(State(edge): State<Edge>, Asked(page): Asked<Page>) -> Answer {
    let notices = edge
        .outbox
        .notices_after(page.after, page.most().min(100))
        .await?;
    let next = notices.last().map_or(page.after, |notice| notice.seq);
    let items: Vec<Value> = notices
        .iter()
        .map(|notice| {
            json!({
                "seq": notice.seq,
                "notifyType": notice.notify_type,
                "receivedAt": time(notice.received_ms),
                "content": serde_json::from_str::<Value>(&notice.business).unwrap_or_default(),
            })
        })
        .collect();
    Ok(Reply::done(json!({ "items": items, "next": next })))
}

pub(super) fn shown(item: &Item) -> Value {
    json!({
        "orgTraceId": item.org_trace_id,
        "traceId": item.trace_id,
        "stage": item.stage.code(),
        "stageName": item.stage.label(),
        "state": item.his_state.code(),
        "platformState": item.platform_state.map(ItemState::code),
        "reason": item.fault,
        "changedAt": time(item.changed_ms),
    })
}

/// The index that was said, or the one that is retained.
pub(super) async fn index_of(
    edge: &Edge,
    said: Option<EhealthCardId>,
    id_type: IdType,
    id_no: &IdNo,
) -> Result<EhealthCardId, Reply> {
    if let Some(index) = said {
        return Ok(index);
    }
    let code = code_of(&edge.outbox.vault, id_type, id_no);
    let retained = edge.outbox.card(&code).await?;
    retained
        .and_then(|card| EhealthCardId::parse(&card.ehealth_card_id).ok())
        .ok_or_else(|| {
            Reply::field(&FieldFault::new(
                "ehealthCardId",
                "院内尚未留存该患者的主索引，请先以 /v1/health-card/lookup（医保患者）、verify 或 authorize（自费患者）取得",
            ))
        })
}

/// A message as JSON to which more can be added.
pub(super) fn value<M: wire::Message>(message: &M) -> Result<Value, Reply> {
    serde_json::to_value(message)
        .map_err(|_| Reply::refused(ResultCode::SystemError, "前置机内部错误：应答无法写出"))
}

/// A moment as the guide writes it.
pub(super) fn time(epoch_ms: i64) -> String {
    LocalTime::from_epoch_ms(epoch_ms).render().into_owned()
}
