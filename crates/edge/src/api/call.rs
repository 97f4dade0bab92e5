//! `POST /v1/call/{code}`: any interface of the platform, with the plain parameters as body.

use axum::body::Body;
use axum::extract::State;
use banyan_protocol::catalogue::{Availability, Direction, Interface, Route, Spec};
use banyan_protocol::dictionaries::Receipt;
use banyan_protocol::health_card::org_ehc_002::AuthResultReply;
use banyan_protocol::health_card::org_ehc_003::VerifyReply;
use banyan_protocol::health_card::org_ehc_004::InsuredReply;
use banyan_protocol::overdue::org_mdl_001::{ReportReply, ReportRequest};
use banyan_protocol::overdue::org_mdl_003::{UpdateReply, UpdateRequest};
use banyan_protocol::result_code::ResultCode;
use banyan_protocol::wire::{self, FieldFault};
use serde_json::{Map, Value};

use super::body;
use super::health_card::{fresh_number, learn};
use super::place::Part;
use super::reply::{Answer, Reply};
use crate::edge::Edge;
use crate::outbox::adopting::Accepted;
use crate::sending::said;

/// Sends and answers with what the platform said. What the messages name of the hospital itself
/// may be left out.
pub(super) async fn call(State(edge): State<Edge>, Part(code): Part, body: Body) -> Answer {
    let interface = outbound(&code)?;
    let text = body::text(body).await?;
    let business = completed(&edge, interface.spec(), &text)?;
    let began_ms = edge.now_ms();
    let asked = edge.line.call(interface, &business).await;
    edge.note_call(interface, began_ms, said(asked.as_ref().err()));
    let answer = asked?;
    note(&edge, interface, &business, &answer).await?;
    Ok(Reply::done(
        serde_json::from_str(&answer).unwrap_or_default(),
    ))
}

fn outbound(code: &str) -> Result<Interface, Reply> {
    let callable = |interface: &Interface| is_callable(interface.spec());
    Interface::from_code(code).filter(callable).ok_or_else(|| {
        let codes: Vec<_> = Interface::ALL
            .iter()
            .filter(|interface| callable(interface))
            .map(|interface| interface.code())
            .collect();
        Reply::refused(
            ResultCode::UnknownPath,
            format!("没有这个可调用的接口；可用的有：{}", codes.join("、")),
        )
    })
}

/// Whether a hospital calls this interface.
pub(crate) fn is_callable(spec: &Spec) -> bool {
    spec.direction == Direction::ToPlatform
        && spec.availability == Availability::Available
        && matches!(spec.route, Route::Path(_) | Route::TransType)
}

/// Whether a call of this interface may leave out this member. A number under which something is
/// asked for is the caller's to say.
pub(crate) fn fills_in(interface: &str, member: &str) -> bool {
    match member {
        "orgId" | "orgName" | "notifyUrl" => true,
        "orgRequestId" => matches!(interface, "ORG_MDL_001" | "ORG_MDL_003"),
        "outAuthNo" => interface == "ORG_EHC_001",
        _ => false,
    }
}

/// The business JSON, with what every message of this hospital says where it was left out.
fn completed(edge: &Edge, spec: &Spec, text: &str) -> Result<String, Reply> {
    let bad = |why: &str| Reply::field(&FieldFault::new("", why));
    let mut members: Map<String, Value> = if text.trim().is_empty() {
        Map::new()
    } else {
        serde_json::from_str(text).map_err(|error| {
            bad(&format!(
                "请求体应为 JSON 对象（第 {} 行第 {} 列附近有误）",
                error.line(),
                error.column()
            ))
        })?
    };
    let mut changed = text.trim().is_empty();
    for field in spec.request.iter().filter(|field| field.required) {
        let absent = members
            .get(field.code)
            .is_none_or(|value| value.is_null() || value.as_str() == Some(""));
        if !absent || !fills_in(spec.code, field.code) {
            continue;
        }
        let own = match field.code {
            "orgId" => edge.sender.org_id.as_str().to_owned(),
            "orgName" => edge.sender.org_name.as_str().to_owned(),
            "notifyUrl" => edge.sender.notify_url.url().to_string(),
            _ => fresh_number(edge)?.as_str().to_owned(),
        };
        members.insert(field.code.to_owned(), Value::String(own));
        changed = true;
    }
    // Unchanged, the caller's own text is sent to the byte.
    Ok(if changed {
        Value::Object(members).to_string()
    } else {
        text.to_owned()
    })
}

/// What the edge remembers of a call that succeeded, so that callbacks and questions about it find
/// something in the ledger.
async fn note(
    edge: &Edge,
    interface: Interface,
    business: &str,
    answer: &str,
) -> Result<(), Reply> {
    match interface {
        Interface::OrgMdl001 => {
            if let (Ok(request), Ok(true)) = (
                wire::read::<ReportRequest>(business),
                wire::read::<ReportReply>(answer).map(|reply| reply.state == Receipt::Success),
            ) {
                edge.outbox.adopt_report(request, accepted(edge)).await?;
            }
        }
        Interface::OrgMdl003 => {
            if let (Ok(request), Ok(true)) = (
                wire::read::<UpdateRequest>(business),
                wire::read::<UpdateReply>(answer).map(|reply| reply.state == Receipt::Success),
            ) {
                edge.outbox.adopt_update(request, accepted(edge)).await?;
            }
        }
        Interface::OrgEhc002 => {
            if let Ok(reply) = wire::read::<AuthResultReply>(answer) {
                learn(edge, interface, &reply).await?;
            }
        }
        Interface::OrgEhc003 => {
            if let Ok(reply) = wire::read::<VerifyReply>(answer) {
                learn(edge, interface, &reply).await?;
            }
        }
        Interface::OrgEhc004 => {
            if let Ok(reply) = wire::read::<InsuredReply>(answer) {
                learn(edge, interface, &reply).await?;
            }
        }
        _ => {}
    }
    Ok(())
}

fn accepted(edge: &Edge) -> Accepted {
    let now_ms = edge.now_ms();
    Accepted {
        now_ms,
        follow_up_ms: now_ms + edge.settings.sending.follow_up_after_ms,
    }
}
