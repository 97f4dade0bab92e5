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
use crate::line::{Trouble, in_chinese};
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
pub(crate) const LONGEST_FOLLOW_UP_MS: i64 = 6 * 3_600_000;

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
            Err(fault) => Refusal::of(fault) == Some(Refusal::Content),
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

/// What a refusal is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// What the message says of debts and persons, or its own name.
    Content,
    /// What it says of the hospital itself: to be mended in the settings or at the platform.
    Registration,
}

impl Refusal {
    /// `None` where the refusal is about who calls, when, or about the platform.
    pub(crate) fn of(fault: &CallFault) -> Option<Self> {
        let CallFault::Refused { code, message } = fault else {
            return None;
        };
        match ResultCode::from_code(code)? {
            ResultCode::BadParameter | ResultCode::BadRequest => Some(match field(message) {
                "orgId" | "orgName" | "notifyUrl" => Self::Registration,
                _ => Self::Content,
            }),
            _ => None,
        }
    }
}

/// The member that a refusal names first.
pub(crate) fn field(message: &str) -> &str {
    let end = message.find(|letter: char| !letter.is_ascii_alphanumeric());
    message
        .get(..end.unwrap_or(message.len()))
        .unwrap_or_default()
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
    let content = match edge.outbox.content(due.id).await {
        Err(StoreError::Corrupt(why)) => {
            tracing::error!(
                message = due.name,
                why,
                "a message can't be read; made anew"
            );
            edge.outbox.set_aside(due.id, edge.now_ms()).await?;
            return Ok(true);
        }
        content => content?,
    };
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
    let now_ms = edge.now_ms();
    let fault = match outcome {
        Ok(Receipt::Success) => {
            edge.note_call(interface, began_ms, said(None));
            let follow_up_ms = now_ms + edge.settings.sending.follow_up_after_ms;
            edge.outbox.accepted(due.id, now_ms, follow_up_ms).await?;
            return Ok(true);
        }
        // The guide's 上报状态 says only whether the data came in: it did not, this time.
        Ok(Receipt::Fail) => {
            edge.note_call(interface, began_ms, "fail".to_owned());
            let text = "平台未接收（state=fail）".to_owned();
            edge.line.note_trouble(Trouble::Platform(text.clone()));
            wait(&edge, &due, now_ms, text).await?;
            return Ok(false);
        }
        Err(fault) => fault,
    };
    edge.note_call(interface, began_ms, said(Some(&fault)));
    match (Refusal::of(&fault), &fault) {
        (Some(Refusal::Content), CallFault::Refused { code, message }) => {
            let blamed = edge
                .outbox
                .refused(due.id, &edge.sender, message, now_ms)
                .await?;
            tracing::warn!(
                message = due.name,
                items = due.item_count,
                code,
                found = blamed == Blamed::Item,
                "a message was refused for its content"
            );
            Ok(true)
        }
        (Some(Refusal::Registration), CallFault::Refused { message, .. }) => {
            if edge.outbox.renew(due.id, &edge.sender, now_ms).await? {
                return Ok(true);
            }
            let member = field(message).to_owned();
            tracing::error!(
                message = due.name,
                member,
                "the hospital is registered otherwise"
            );
            edge.line
                .note_trouble(Trouble::Registration(member.clone()));
            wait(&edge, &due, now_ms, format!("平台不认本院的登记：{member}")).await?;
            Ok(false)
        }
        _ => {
            tracing::warn!(message = due.name, kind = fault.kind(), %fault, "not sent");
            wait(&edge, &due, now_ms, in_chinese(&fault)).await?;
            Ok(false)
        }
    }
}

/// The message is tried again later.
async fn wait(edge: &Edge, due: &Due, now_ms: i64, why: String) -> Result<(), StoreError> {
    let delay = RETRY.delay_after(due.attempts + 1, &*edge.random);
    let delay_ms = i64::try_from(delay.as_millis()).unwrap_or(LONGEST_WAIT_MS);
    edge.outbox
        .again(due.id, now_ms + delay_ms, Some(why))
        .await
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
        Err(fault) if Refusal::of(&fault) == Some(Refusal::Content) => {
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
                    Some(in_chinese(&fault)),
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

/// A reply whose 状态 says whether the platform keeps what it was sent.
trait Receipted: wire::Message {
    fn receipt(&self) -> Receipt;
}

impl Receipted for ReportReply {
    fn receipt(&self) -> Receipt {
        self.state
    }
}

impl Receipted for UpdateReply {
    fn receipt(&self) -> Receipt {
        self.state
    }
}

fn receipt<R: Receipted>(json: &str) -> Result<Receipt, CallFault> {
    let reply: R = wire::read(json).map_err(CallFault::BadReply)?;
    Ok(reply.receipt())
}

fn limit(most: usize) -> i64 {
    i64::try_from(most).unwrap_or(i64::MAX)
}
