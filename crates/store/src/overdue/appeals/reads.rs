//! Looking appeals up.

use super::{Appeal, Step, read_appeal, select_appeal};
use crate::db::{Db, StoreError};
use crate::ids::{AppealId, ItemId};
use crate::vault::PersonCode;

/// A step of an appeal and when it happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// When.
    pub at_ms: i64,
    /// What.
    pub step: Step,
}

/// How many appeals are open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Waiting {
    /// How many.
    pub open: i64,
    /// When the oldest of them was filed.
    pub oldest_ms: Option<i64>,
}

/// The appeal with this id.
///
/// # Errors
/// Any [`StoreError`].
pub async fn by_id(db: &Db, id: AppealId) -> Result<Option<Appeal>, StoreError> {
    db.query_opt(select_appeal!("WHERE id = $1"), &[id.into()], read_appeal)
        .await
}

/// A person's own appeal with this id.
///
/// # Errors
/// Any [`StoreError`].
pub async fn one_of_person(
    db: &Db,
    person: &PersonCode,
    id: AppealId,
) -> Result<Option<Appeal>, StoreError> {
    db.query_opt(
        select_appeal!("WHERE id = $1 AND person = $2"),
        &[id.into(), (&person.0).into()],
        read_appeal,
    )
    .await
}

/// A part of a person's appeals, the latest first.
///
/// # Errors
/// Any [`StoreError`].
pub async fn of_person(
    db: &Db,
    person: &PersonCode,
    skip: i64,
    limit: i64,
) -> Result<Vec<Appeal>, StoreError> {
    db.query(
        select_appeal!("WHERE person = $1 ORDER BY id DESC LIMIT $2 OFFSET $3"),
        &[(&person.0).into(), limit.into(), skip.into()],
        read_appeal,
    )
    .await
}

/// A person's appeals against one record, the latest first.
///
/// # Errors
/// Any [`StoreError`].
pub async fn of_item(
    db: &Db,
    person: &PersonCode,
    item: ItemId,
    limit: i64,
) -> Result<Vec<Appeal>, StoreError> {
    db.query(
        select_appeal!("WHERE item_id = $1 AND person = $2 ORDER BY id DESC LIMIT $3"),
        &[item.into(), (&person.0).into(), limit.into()],
        read_appeal,
    )
    .await
}

/// Appeals for an operator: those that are open, longest waiting first; or with `ended` those that
/// are not, the latest first.
///
/// # Errors
/// Any [`StoreError`].
pub async fn recent(db: &Db, ended: bool, limit: i64) -> Result<Vec<Appeal>, StoreError> {
    let sql = if ended {
        select_appeal!("WHERE state <> 0 ORDER BY changed_ms DESC, id DESC LIMIT $1")
    } else {
        select_appeal!("WHERE state = 0 ORDER BY created_ms, id LIMIT $1")
    };
    db.query(sql, &[limit.into()], read_appeal).await
}

/// An appeal's progress, in its order.
///
/// # Errors
/// Any [`StoreError`].
pub async fn steps(db: &Db, id: AppealId) -> Result<Vec<Progress>, StoreError> {
    db.query(
        "SELECT at_ms, step FROM overdue_appeal_event WHERE appeal_id = $1 ORDER BY number",
        &[id.into()],
        |row| {
            Ok(Progress {
                at_ms: row.get(0)?,
                step: Step::from_text(&row.get::<String>(1)?)?,
            })
        },
    )
    .await
}

/// How many appeals are open, and since when the oldest is.
///
/// # Errors
/// Any [`StoreError`].
pub async fn waiting(db: &Db) -> Result<Waiting, StoreError> {
    let waiting = db
        .query_opt(
            "SELECT COUNT(*), MIN(created_ms) FROM overdue_appeal WHERE state = 0",
            &[],
            |row| {
                Ok(Waiting {
                    open: row.get(0)?,
                    oldest_ms: row.get(1)?,
                })
            },
        )
        .await?;
    Ok(waiting.unwrap_or_default())
}
