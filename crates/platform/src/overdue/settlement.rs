//! 院内医疗欠费结算结果查询 (ORG_001): asking a hospital about one of its records, and taking its
//! word for it.

use banyan_protocol::overdue::org_001::{SettlementReply, SettlementRequest};
use banyan_protocol::wire::Scalar as _;
use banyan_store::db::StoreError;
use banyan_store::ids::JobId;
use banyan_store::journal::{self, Entry};
use banyan_store::overdue::corrections;
use banyan_store::overdue::items::{self, Cause, Change, State, UncheckedItem};

use super::{from_wire, results};
use crate::app::App;
use crate::directory::Partner;

/// What a hospital's word came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// It is still unpaid.
    Unchanged,
    /// The record was moved.
    Changed(State),
    /// It is not, but something else had changed the record while the hospital was asked.
    ChangedMeanwhile,
}

/// The question about one record.
///
/// # Errors
/// [`StoreError::Corrupt`] where the record can't be asked about.
pub fn question(partner: &Partner, item: &UncheckedItem) -> Result<SettlementRequest, StoreError> {
    let corrupt = || StoreError::Corrupt(format!("item {} can't be asked about", item.id));
    let org_id = partner.org_id.as_deref().unwrap_or_default();
    Ok(SettlementRequest {
        orgId: banyan_protocol::wire::Scalar::parse(org_id).map_err(|_| corrupt())?,
        orgTraceId: banyan_protocol::overdue::OrgTraceId::parse(&item.org_trace_id)
            .map_err(|_| corrupt())?,
        traceId: Some(results::trace_id(item.id)?),
        extData: None,
    })
}

/// Takes the hospital's word about a record that is unpaid as far as we know, together with the
/// journal's entry of the exchange. A record that changed since it was asked about stays as it is.
///
/// # Errors
/// Any [`StoreError`].
pub async fn take_word(
    app: &App,
    item: &UncheckedItem,
    reply: &SettlementReply,
    entry: Entry,
) -> Result<Settled, StoreError> {
    let now_ms = app.now_ms();
    let to = from_wire(reply.state);
    let ids = app.ids.take(2).await?;
    let revocation_job = JobId(ids.start + 1);
    let change = Change {
        id: ids.start,
        item: item.id,
        from: State::Unpaid,
        to,
        cause: Cause::Reconciled,
        batch: None,
    };
    let changed_ms = item.changed_ms;
    let moved = app
        .db
        .write(move |tx| -> Result<bool, StoreError> {
            journal::append(tx, std::slice::from_ref(&entry))?;
            if to == State::Unpaid {
                items::mark_checked(tx, change.item, now_ms)?;
                return Ok(false);
            }
            let moved = items::change_state_since(tx, &change, changed_ms, now_ms)?;
            if moved && to == State::Revoked {
                corrections::note_revoked(tx, &change, revocation_job, now_ms)?;
            }
            Ok(moved)
        })
        .await?;
    Ok(if moved {
        Settled::Changed(to)
    } else if to == State::Unpaid {
        Settled::Unchanged
    } else {
        Settled::ChangedMeanwhile
    })
}

/// Notes that the hospital was asked about a record and did not answer it: the others come first
/// next time.
///
/// # Errors
/// Any [`StoreError`].
pub async fn note_unanswered(
    app: &App,
    item: &UncheckedItem,
    entry: Entry,
) -> Result<(), StoreError> {
    let (id, now_ms) = (item.id, app.now_ms());
    app.db
        .write(move |tx| {
            journal::append(tx, std::slice::from_ref(&entry))?;
            items::mark_checked(tx, id, now_ms)
        })
        .await
}
