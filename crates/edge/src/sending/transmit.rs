//! Messages to the platform, and what becomes of them.

use std::time::Duration;

use banyan_client::{CallFault, RetryPolicy};
use banyan_protocol::catalogue::Interface;
use banyan_protocol::dictionaries::Receipt;
use banyan_protocol::overdue::OrgRequestId;
use banyan_protocol::overdue::org_mdl_001::ReportReply;
use banyan_protocol::overdue::org_mdl_003::UpdateReply;
use banyan_protocol::overdue::org_mdl_005::{ResultReply, ResultRequest};
use banyan_protocol::result_code::ResultCode;
use banyan_protocol::wire::{self, Scalar as _};
use banyan_store::db::StoreError;
use tokio::task::JoinSet;

use super::LONGEST_WAIT_MS;
use crate::edge::Edge;
use crate::outbox::forming::MessageKind;
use crate::outbox::messages::{Blamed, Due, Step};
use crate::outbox::outcomes::Outcome;

/// Messages made ahead of those under way, for each of those.
const AHEAD: usize = 2;
/// How long the first wait after a failure is, and by how much each is longer.
const RETRY: RetryPolicy = RetryPolicy {
    attempts: u32::MAX,
    first_delay: Duration::from_secs(5),
    factor: 3,
    max_delay: Duration::from_millis(LONGEST_WAIT_MS.unsigned_abs()),
    jitter: 0.2,
};
/// The longest between two questions about the same message.
const LONGEST_FOLLOW_UP_MS: i64 = 6 * 3_600_000;

/// Makes and sends what is due; `true` where something moved on.
pub(super) async fn send(edge: &Edge) -> Result<bool, StoreError> {
    if edge.line.is_away() {
        return Ok(false);
    }
    // After a failure one message finds out whether the platform is back.
    let places = if edge.line.record().failures > 0 {
        1
    } else {
        edge.settings.sending.parallel
    };
    let most = places * AHEAD;
    let now_ms = edge.now_ms();
    let mut due = edge.outbox.due(Step::Send, now_ms, limit(most)).await?;
    if due.len() < most {
        let made = edge
            .outbox
            .form(&edge.sender, now_ms, most - due.len())
            .await?;
        if made > 0 {
            due = edge.outbox.due(Step::Send, now_ms, limit(most)).await?;
        }
    }
    each(edge, due, places, send_one).await
}

/// Asks what became of messages whose callback has not come; `true` where something moved on.
pub(super) async fn follow_up(edge: &Edge) -> Result<bool, StoreError> {
    if edge.line.is_away() {
        return Ok(false);
    }
    let places = edge.settings.sending.parallel;
    let now_ms = edge.now_ms();
    let due = edge
        .outbox
        .due(Step::FollowUp, now_ms, limit(places * AHEAD))
        .await?;
    each(edge, due, places, follow_up_one).await
}

/// A question without effect.
pub(super) async fn probe(edge: &Edge) {
    if let Ok(name) = OrgRequestId::parse("EDGE-PROBE") {
        let began_ms = edge.now_ms();
        let asked: Result<ResultReply, _> = edge
            .line
            .call_typed(Interface::OrgMdl005, &question(edge, name))
            .await;
        let well = match &asked {
            Ok(_) => true,
            Err(fault) => is_about_content(fault),
        };
        if !well {
            edge.note_call(Interface::OrgMdl005, began_ms, said(asked.as_ref().err()));
        }
    }
}

/// What a call came to, for the status page.
pub(crate) fn said(fault: Option<&CallFault>) -> String {
    match fault {
        None => ResultCode::Success.code().to_owned(),
        Some(CallFault::Refused { code, .. }) => code.clone(),
        Some(fault) => fault.kind().to_owned(),
    }
}

/// Whether the platform refused what the message says, rather than who says it or when.
pub(crate) fn is_about_content(fault: &CallFault) -> bool {
    matches!(fault, CallFault::Refused { code, .. } if matches!(
        ResultCode::from_code(code),
        Some(ResultCode::BadParameter | ResultCode::BadRequest)
    ))
}

async fn each<F, Fut>(edge: &Edge, due: Vec<Due>, places: usize, one: F) -> Result<bool, StoreError>
where
    F: Fn(Edge, Due) -> Fut,
    Fut: Future<Output = Result<bool, StoreError>> + Send + 'static,
{
    let mut under_way = JoinSet::new();
    let mut progress = false;
    let mut fault = None;
    let mut due = due.into_iter();
    loop {
        while under_way.len() < places
            && fault.is_none()
            && let Some(message) = due.next()
        {
            under_way.spawn(one(edge.clone(), message));
        }
        match under_way.join_next().await {
            None => break,
            Some(Ok(Ok(moved))) => progress |= moved,
            Some(Ok(Err(error))) => fault = Some(error),
            Some(Err(_)) => fault = Some(StoreError::Panicked),
        }
    }
    fault.map_or(Ok(progress), Err)
}

async fn send_one(edge: Edge, due: Due) -> Result<bool, StoreError> {
    let content = edge.outbox.content(due.id).await?;
    let began_ms = edge.now_ms();
    let (interface, outcome) = match due.kind {
        MessageKind::Report => {
            let interface = Interface::OrgMdl001;
            let reply = edge.line.call(interface, &content).await;
            (
                interface,
                reply.and_then(|json| receipt::<ReportReply>(&json)),
            )
        }
        MessageKind::Update => {
            let interface = Interface::OrgMdl003;
            let reply = edge.line.call(interface, &content).await;
            (
                interface,
                reply.and_then(|json| receipt::<UpdateReply>(&json)),
            )
        }
    };
    edge.note_call(interface, began_ms, said(outcome.as_ref().err()));
    let now_ms = edge.now_ms();
    match outcome {
        Ok(()) => {
            let follow_up_ms = now_ms + edge.settings.sending.follow_up_after_ms;
            edge.outbox.accepted(due.id, now_ms, follow_up_ms).await?;
            Ok(true)
        }
        Err(CallFault::Refused { code, message }) if is_content_code(&code) => {
            let blamed = edge.outbox.refused(due.id, &message, now_ms).await?;
            tracing::warn!(
                message = due.name,
                items = due.item_count,
                code,
                found = blamed == Blamed::Item,
                "a message was refused for its content"
            );
            Ok(true)
        }
        Err(fault) => {
            let delay = RETRY.delay_after(due.attempts + 1, &*edge.random);
            let delay_ms = i64::try_from(delay.as_millis()).unwrap_or(LONGEST_WAIT_MS);
            tracing::warn!(message = due.name, kind = fault.kind(), %fault, delay_ms, "not sent");
            edge.outbox
                .again(due.id, now_ms + delay_ms, Some(fault.to_string()))
                .await?;
            Ok(false)
        }
    }
}

async fn follow_up_one(edge: Edge, due: Due) -> Result<bool, StoreError> {
    let name = OrgRequestId::parse(&due.name)
        .map_err(|_| StoreError::Corrupt("a message's name".to_owned()))?;
    let began_ms = edge.now_ms();
    let reply: Result<ResultReply, _> = edge
        .line
        .call_typed(Interface::OrgMdl005, &question(&edge, name))
        .await;
    edge.note_call(Interface::OrgMdl005, began_ms, said(reply.as_ref().err()));
    let now_ms = edge.now_ms();
    let wait_ms = edge
        .settings
        .sending
        .follow_up_after_ms
        .saturating_mul(1 << due.attempts.min(10))
        .clamp(1_000, LONGEST_FOLLOW_UP_MS);
    match reply {
        Ok(reply) => {
            let told = reply.reportResultList.iter().map(|row| row.itemList.len());
            let mut outcome = Outcome::new(
                Some(due.name),
                reply.reportResultList.clone(),
                reply.extData.as_ref(),
                false,
            );
            let count = told.sum::<usize>() + outcome.errors.len();
            let state = reply.extData.as_ref().and_then(|ext_data| {
                let state = ext_data.0.get("batchState")?;
                state.as_str().map(ToOwned::to_owned)
            });
            outcome.is_complete = match state.as_deref() {
                Some("judged") => true,
                Some(_) => false,
                // Another maker's platform does not say: all items are told, or it is not done.
                None => i64::try_from(count).unwrap_or(i64::MAX) >= due.item_count,
            };
            let is_complete = outcome.is_complete;
            edge.outbox.learn(outcome, now_ms).await?;
            if !is_complete {
                edge.outbox.again(due.id, now_ms + wait_ms, None).await?;
            }
            Ok(is_complete)
        }
        Err(fault) if is_about_content(&fault) => {
            tracing::warn!(
                message = due.name,
                "the platform does not know a message; sent again"
            );
            edge.outbox.forgotten(due.id, now_ms).await?;
            Ok(true)
        }
        Err(fault) => {
            edge.outbox
                .again(
                    due.id,
                    now_ms + wait_ms.min(LONGEST_WAIT_MS),
                    Some(fault.to_string()),
                )
                .await?;
            Ok(false)
        }
    }
}

fn question(edge: &Edge, name: OrgRequestId) -> ResultRequest {
    ResultRequest {
        orgId: edge.sender.org_id.clone(),
        orgRequestId: name,
        extData: None,
    }
}

fn is_content_code(code: &str) -> bool {
    matches!(
        ResultCode::from_code(code),
        Some(ResultCode::BadParameter | ResultCode::BadRequest)
    )
}

/// A reply whose 状态 says whether the platform keeps what it was sent.
trait Receipted: wire::Message {
    fn receipt(self) -> (Receipt, Option<String>);
}

impl Receipted for ReportReply {
    fn receipt(self) -> (Receipt, Option<String>) {
        (self.state, self.msg.map(|msg| msg.as_str().to_owned()))
    }
}

impl Receipted for UpdateReply {
    fn receipt(self) -> (Receipt, Option<String>) {
        (self.state, self.msg.map(|msg| msg.as_str().to_owned()))
    }
}

fn receipt<R: Receipted>(json: &str) -> Result<(), CallFault> {
    let reply: R = wire::read(json).map_err(CallFault::BadReply)?;
    match reply.receipt() {
        (Receipt::Success, _) => Ok(()),
        (Receipt::Fail, msg) => Err(CallFault::Refused {
            code: ResultCode::BadParameter.code().to_owned(),
            message: msg.unwrap_or_else(|| "平台未说明原因".to_owned()),
        }),
    }
}

fn limit(most: usize) -> i64 {
    i64::try_from(most).unwrap_or(i64::MAX)
}
