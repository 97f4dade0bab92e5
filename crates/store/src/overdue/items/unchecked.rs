//! Unpaid records about which their hospital is to be asked (ORG_001), and when it last was.

use crate::db::{Db, Row, StoreError, Tx};
use crate::ids::{ItemId, PartnerId};
use crate::vault::PersonCode;

/// A record about which its hospital is to be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UncheckedItem {
    /// Its id.
    pub id: ItemId,
    /// Which hospital reported it.
    pub partner: PartnerId,
    /// 机构跟踪号.
    pub org_trace_id: String,
    /// When it last changed: an answer about an earlier state of it is no answer.
    pub changed_ms: i64,
}

/// The unpaid records of a hospital that were not checked since `before_ms`, longest first.
///
/// # Errors
/// Any [`StoreError`].
pub async fn unchecked(
    db: &Db,
    partner: PartnerId,
    before_ms: i64,
    limit: i64,
) -> Result<Vec<UncheckedItem>, StoreError> {
    db.query(
        "SELECT id, partner_id, org_trace_id, changed_ms FROM overdue_item \
         WHERE partner_id = $1 AND state = 0 AND checked_ms < $2 \
         ORDER BY checked_ms LIMIT $3",
        &[partner.into(), before_ms.into(), limit.into()],
        read_unchecked,
    )
    .await
}

/// The unpaid real-name records of a person that were not checked since `before_ms`.
///
/// # Errors
/// Any [`StoreError`].
pub async fn unchecked_of_person(
    db: &Db,
    person: &PersonCode,
    before_ms: i64,
    limit: i64,
) -> Result<Vec<UncheckedItem>, StoreError> {
    db.query(
        "SELECT id, partner_id, org_trace_id, changed_ms FROM overdue_item \
         WHERE person = $1 AND state = 0 AND real_name = 1 AND checked_ms < $2 \
         ORDER BY id LIMIT $3",
        &[(&person.0).into(), before_ms.into(), limit.into()],
        read_unchecked,
    )
    .await
}

/// A record as a question about it needs it; `None` where it is not unpaid.
///
/// # Errors
/// Any [`StoreError`].
pub async fn unpaid(db: &Db, item: ItemId) -> Result<Option<UncheckedItem>, StoreError> {
    db.query_opt(
        "SELECT id, partner_id, org_trace_id, changed_ms FROM overdue_item \
         WHERE id = $1 AND state = 0",
        &[item.into()],
        read_unchecked,
    )
    .await
}

/// Notes that the hospital was asked about a record and nothing had changed.
///
/// # Errors
/// Any [`StoreError`].
pub fn mark_checked(tx: &mut Tx<'_>, item: ItemId, now_ms: i64) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE overdue_item SET checked_ms = $2 WHERE id = $1",
        &[item.into(), now_ms.into()],
    )?;
    Ok(())
}

fn read_unchecked(row: &Row<'_>) -> Result<UncheckedItem, StoreError> {
    Ok(UncheckedItem {
        id: ItemId(row.get(0)?),
        partner: PartnerId(row.get(1)?),
        org_trace_id: row.get(2)?,
        changed_ms: row.get(3)?,
    })
}
