//! Keeping a batch: what ORG_MDL_001 and ORG_MDL_003 have in common.

use std::sync::LazyLock;

use banyan_protocol::wire::Text;
use banyan_store::ids::{BatchId, JobId};
use banyan_store::journal;
use banyan_store::overdue::batches::{self, Batch, Kept, NewBatch};
use banyan_store::queue::{self, JobKind, NewJob};

use super::fresh::TakenIn;
use super::message::Message;
use crate::inbound::call::{About, Call};
use crate::refusal::Refusal;

/// 描述 of a reply to a kept batch.
pub(super) static RECEIVED: LazyLock<Option<Text<100>>> =
    LazyLock::new(|| Text::truncated("已接收，处理结果将通过回调通知，也可凭批次号查询"));

/// Keeps the batch with the job to judge it and the journal's entry, in one transaction.
pub(super) async fn take_in(call: &Call<'_>, message: Message) -> Result<(), Refusal> {
    let app = call.app;
    call.partner
        .hosts
        .permits_url(message.notify_url().url())
        .map_err(|_| Refusal::field("notifyUrl", "该主机未登记为回调地址，请联系平台登记"))?;
    let ids = app.ids.take(2).await?;
    let batch = Batch {
        id: BatchId(ids.start),
        partner: call.partner.id,
        org_request_id: message.org_request_id().to_owned(),
        kind: message.kind(),
        notify_url: message.notify_url().url().to_string(),
        outcome: None,
    };
    let text = message.write();
    let new = NewBatch {
        batch: batch.clone(),
        content_code: app.vault.content_code(text.as_bytes()),
        content: Message::seal(&app.vault, &text),
        received_ms: call.now_ms,
    };
    let job = NewJob {
        id: JobId(ids.start + 1),
        kind: JobKind::Judge,
        lane: call.partner.id.0,
        subject: batch.id.0,
        due_ms: call.now_ms,
    };
    let entry = call
        .entry(About {
            subject: Some(batch.org_request_id.clone()),
            ..About::default()
        })
        .await?;
    let now_ms = call.now_ms;
    let id = batch.id;
    // Before it is kept: whoever judges this hospital's batches just now may come to it at once.
    app.fresh
        .hold(TakenIn { batch, message }, text.len(), now_ms);
    let kept = app
        .db
        .write(move |tx| -> Result<Kept, banyan_store::db::StoreError> {
            let kept = batches::keep(tx, &new)?;
            match kept {
                Kept::New => {
                    queue::leave(tx, &job, now_ms)?;
                    journal::append(tx, std::slice::from_ref(&entry))?;
                }
                Kept::Again => journal::append(tx, std::slice::from_ref(&entry))?,
                Kept::OtherContent => {}
            }
            Ok(kept)
        })
        .await;
    if !matches!(kept, Ok(Kept::New)) {
        app.fresh.let_go([id]);
    }
    match kept? {
        Kept::New => app.wake(JobKind::Judge),
        Kept::Again => {}
        Kept::OtherContent => {
            return Err(Refusal::field(
                "orgRequestId",
                "该批次号已用于不同内容，请更换批次号；重发须与原内容一致",
            ));
        }
    }
    Ok(())
}
