//! What happens to a record after its first report: each change names the state that it expects, and is
//! written into the record's history in the same transaction.

use super::{Item, Owner, State};
use crate::db::{StoreError, Tx};
use crate::ids::{BatchId, ItemId};
use crate::overdue::appeals;

/// A change to one record.
#[derive(Debug, Clone, Copy)]
pub struct Change {
    /// The change's own id.
    pub id: i64,
    /// Which record.
    pub item: ItemId,
    /// How it stood; the change does nothing where it no longer does.
    pub from: State,
    /// How it stands then.
    pub to: State,
    /// Why.
    pub cause: Cause,
    /// The batch that brought it, if one did.
    pub batch: Option<BatchId>,
}

/// Moves a record to another state, only from the state it is thought to be in, and writes it into
/// its history. An open appeal against it ends with it. Gives whether it was moved.
///
/// # Errors
/// Any [`StoreError`].
pub fn change_state(tx: &mut Tx<'_>, change: &Change, now_ms: i64) -> Result<bool, StoreError> {
    let moved = tx.query_opt(
        "UPDATE overdue_item SET state = $2, changed_ms = $3, checked_ms = $3 \
         WHERE id = $1 AND state = $4 RETURNING appealed",
        &[
            change.item.into(),
            change.to.as_number().into(),
            now_ms.into(),
            change.from.as_number().into(),
        ],
        |row| row.get::<bool>(0),
    )?;
    let Some(appealed) = moved else {
        return Ok(false);
    };
    if appealed {
        appeals::end_with_item(tx, change.item, change.to, now_ms)?;
    }
    note_change(tx, change, now_ms)?;
    Ok(true)
}

/// The same, only where the record has not changed since `changed_ms` either.
///
/// # Errors
/// Any [`StoreError`].
pub fn change_state_since(
    tx: &mut Tx<'_>,
    change: &Change,
    changed_ms: i64,
    now_ms: i64,
) -> Result<bool, StoreError> {
    let unchanged = tx.query_opt(
        "SELECT 1 FROM overdue_item WHERE id = $1 AND changed_ms = $2",
        &[change.item.into(), changed_ms.into()],
        |_| Ok(()),
    )?;
    match unchanged {
        Some(()) => change_state(tx, change, now_ms),
        None => Ok(false),
    }
}

/// Gives an anonymous record its person (3.1.10) and writes it into its history.
///
/// # Errors
/// Any [`StoreError`].
pub fn make_real_name(
    tx: &mut Tx<'_>,
    change: &Change,
    owner: &Owner,
    now_ms: i64,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE overdue_item SET person = $2, person_sealed = $3, real_name = $4, changed_ms = $5 \
         WHERE id = $1",
        &[
            change.item.into(),
            owner.person.as_ref().map(|code| &code.0).into(),
            owner.sealed.as_ref().into(),
            owner.real_name.into(),
            now_ms.into(),
        ],
    )?;
    note_change(tx, change, now_ms)
}

/// Whether it was an appeal that revoked this record.
///
/// # Errors
/// Any [`StoreError`].
pub fn was_revoked_by_appeal(tx: &mut Tx<'_>, item: ItemId) -> Result<bool, StoreError> {
    let cause = tx.query_opt(
        // Ids of several processes do not say what came first.
        "SELECT cause FROM overdue_change WHERE item_id = $1 AND to_state = 2 \
         ORDER BY at_ms DESC, id DESC LIMIT 1",
        &[item.into()],
        |row| row.get::<String>(0),
    )?;
    Ok(cause.as_deref() == Some(Cause::Appeal.as_text()))
}

/// Writes a revoked record anew, with what was reported now, and keeps its id. Gives whether it
/// was still revoked.
///
/// # Errors
/// Any [`StoreError`].
pub fn report_anew(
    tx: &mut Tx<'_>,
    change: &Change,
    item: &Item,
    batch: BatchId,
    now_ms: i64,
) -> Result<bool, StoreError> {
    let written = tx.execute(
        "UPDATE overdue_item SET person = $2, person_sealed = $3, real_name = $4, user_type = $5, \
         med_type = $6, fee_type = $7, item_name = $8, amount_fen = $9, actual_ms = $10, \
         state = 0, batch_id = $11, created_ms = $12, changed_ms = $12, checked_ms = $12 \
         WHERE id = $1 AND state = 2",
        &[
            item.id.into(),
            item.owner.person.as_ref().map(|code| &code.0).into(),
            item.owner.sealed.as_ref().into(),
            item.owner.real_name.into(),
            (&item.content.user_type).into(),
            (&item.content.med_type).into(),
            (&item.content.fee_type).into(),
            (&item.content.item_name).into(),
            item.content.amount_fen.into(),
            item.content.actual_ms.into(),
            batch.into(),
            now_ms.into(),
        ],
    )?;
    if written > 0 {
        note_change(tx, change, now_ms)?;
    }
    Ok(written > 0)
}

/// Why a record changed after its first report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// ORG_MDL_003.
    Update,
    /// ORG_MDL_003 gave it a name (3.1.10).
    RealName,
    /// ORG_MDL_001 again, after it was revoked.
    ReportedAnew,
    /// The hospital said so when asked (ORG_001).
    Reconciled,
    /// An appeal against it was upheld.
    Appeal,
}

fn note_change(tx: &mut Tx<'_>, change: &Change, now_ms: i64) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO overdue_change (id, item_id, at_ms, from_state, to_state, cause, batch_id) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        &[
            change.id.into(),
            change.item.into(),
            now_ms.into(),
            change.from.as_number().into(),
            change.to.as_number().into(),
            change.cause.as_text().into(),
            change.batch.map(|batch| batch.0).into(),
        ],
    )?;
    Ok(())
}

impl Cause {
    pub(crate) const fn as_text(self) -> &'static str {
        match self {
            Self::Update => "update",
            Self::RealName => "real_name",
            Self::ReportedAnew => "reported_anew",
            Self::Reconciled => "reconciled",
            Self::Appeal => "appeal",
        }
    }

    pub(crate) fn from_text(text: &str) -> Result<Self, StoreError> {
        [
            Self::Update,
            Self::RealName,
            Self::ReportedAnew,
            Self::Reconciled,
            Self::Appeal,
        ]
        .into_iter()
        .find(|cause| cause.as_text() == text)
        .ok_or_else(|| StoreError::Corrupt(format!("overdue_change.cause is {text}")))
    }
}
