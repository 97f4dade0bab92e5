//! 院内医疗欠费结算结果查询 (ORG_001): asking a hospital about one of its records, and taking its
//! word for it.

use banyan_protocol::overdue::org_001::{SettlementReply, SettlementRequest};
use banyan_protocol::wire::Scalar as _;
use banyan_store::db::StoreError;
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

/// Takes the hospital's word about a record that is unpaid as far as we know.
///
/// # Errors
/// Any [`StoreError`].
pub async fn take_word(
    app: &App,
    item: &UncheckedItem,
    reply: &SettlementReply,
) -> Result<Settled, StoreError> {
    let now_ms = app.now_ms();
    let (id, to) = (item.id, from_wire(reply.state));
    if to == State::Unpaid {
        app.db
            .write(move |tx| items::mark_checked(tx, id, now_ms))
            .await?;
        return Ok(Settled::Unchanged);
    }
    let change = Change {
        id: app.ids.next().await?,
        item: id,
        from: State::Unpaid,
        to,
        cause: Cause::Reconciled,
        batch: None,
    };
    let moved = app
        .db
        .write(move |tx| items::change_states(tx, &[change], now_ms))
        .await?;
    Ok(if moved.contains(&true) {
        Settled::Changed(to)
    } else {
        Settled::Unchanged
    })
}
