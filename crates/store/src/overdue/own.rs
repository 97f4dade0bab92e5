//! What a citizen sees of his own records: real-name ones alone, for nobody can say whose the
//! others are.

use super::items::{Cause, State};
use crate::db::{Db, Row, StoreError};
use crate::ids::{ItemId, PartnerId};
use crate::vault::PersonCode;

/// A record as its own person sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnItem {
    /// Its id.
    pub id: ItemId,
    /// Which hospital reported it.
    pub partner: PartnerId,
    /// 费用类别, as on the wire.
    pub fee_type: String,
    /// 项目名称.
    pub item_name: String,
    /// 金额 in fen.
    pub amount_fen: i64,
    /// 产生时间.
    pub actual_ms: i64,
    /// How it stands.
    pub state: State,
    /// When it was reported.
    pub reported_ms: i64,
    /// When it last changed.
    pub changed_ms: i64,
    /// When its hospital last said how it stands, or was asked in vain.
    pub checked_ms: i64,
    /// Whether an appeal against it is open.
    pub appealed: bool,
}

/// How much a person is listed with at one hospital in one state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Total {
    /// How the records stand.
    pub state: State,
    /// Whose they are.
    pub partner: PartnerId,
    /// How many.
    pub count: i64,
    /// Their sum in fen.
    pub amount_fen: i64,
}

/// Something that happened to a record after it was reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Happened {
    /// When.
    pub at_ms: i64,
    /// How it stood then.
    pub to: State,
    /// Why.
    pub cause: Cause,
}

/// What [`read_own`] reads, in its order.
macro_rules! own_columns {
    () => {
        "id, partner_id, fee_type, item_name, amount_fen, actual_ms, state, created_ms, \
         changed_ms, checked_ms, appealed"
    };
}

/// A person's own records, as the rows of a statement: unpaid and ended ones, each by its index.
macro_rules! of_person {
    () => {
        concat!(
            "(SELECT ",
            own_columns!(),
            " FROM overdue_item WHERE person = $1 AND real_name = 1 AND state = 0 \
             UNION ALL SELECT ",
            own_columns!(),
            " FROM overdue_item WHERE person = $1 AND real_name = 1 AND state <> 0) own"
        )
    };
}

/// A part of a person's records: unpaid ones first, then paid, then revoked; within a state by
/// hospital, the latest first.
///
/// # Errors
/// Any [`StoreError`].
pub async fn part(
    db: &Db,
    person: &PersonCode,
    skip: i64,
    limit: i64,
) -> Result<Vec<OwnItem>, StoreError> {
    db.query(
        concat!(
            "SELECT ",
            own_columns!(),
            " FROM ",
            of_person!(),
            " ORDER BY state, partner_id, actual_ms DESC, id DESC LIMIT $2 OFFSET $3"
        ),
        &[(&person.0).into(), limit.into(), skip.into()],
        read_own,
    )
    .await
}

/// What all of a person's records come to, in the same order.
///
/// # Errors
/// Any [`StoreError`].
pub async fn totals(db: &Db, person: &PersonCode) -> Result<Vec<Total>, StoreError> {
    db.query(
        concat!(
            "SELECT state, partner_id, COUNT(*), CAST(SUM(amount_fen) AS BIGINT) FROM ",
            of_person!(),
            " GROUP BY state, partner_id ORDER BY state, partner_id"
        ),
        &[(&person.0).into()],
        |row| {
            Ok(Total {
                state: State::from_number(row.get(0)?)?,
                partner: PartnerId(row.get(1)?),
                count: row.get(2)?,
                amount_fen: row.get(3)?,
            })
        },
    )
    .await
}

/// One of a person's records; `None` where it is not his.
///
/// # Errors
/// Any [`StoreError`].
pub async fn one(
    db: &Db,
    person: &PersonCode,
    item: ItemId,
) -> Result<Option<OwnItem>, StoreError> {
    db.query_opt(
        concat!(
            "SELECT ",
            own_columns!(),
            " FROM overdue_item WHERE id = $2 AND person = $1 AND real_name = 1"
        ),
        &[(&person.0).into(), item.into()],
        read_own,
    )
    .await
}

/// What happened to a record since it was reported, the latest `limit` in their order. Where it was
/// revoked and reported anew, what was before that is left out: it may have been somebody else's.
/// It is for whoever may see the record: look it up with [`one`] first.
///
/// # Errors
/// Any [`StoreError`].
pub async fn history(db: &Db, item: ItemId, limit: i64) -> Result<Vec<Happened>, StoreError> {
    let latest_first: Vec<Happened> = db
        .query(
            // Ids of several processes do not say what came first.
            "SELECT at_ms, to_state, cause FROM overdue_change WHERE item_id = $1 \
             ORDER BY at_ms DESC, id DESC LIMIT $2",
            &[item.into(), limit.into()],
            |row| {
                Ok(Happened {
                    at_ms: row.get(0)?,
                    to: State::from_number(row.get(1)?)?,
                    cause: Cause::from_text(&row.get::<String>(2)?)?,
                })
            },
        )
        .await?;
    let mut since: Vec<_> = latest_first
        .into_iter()
        .take_while(|happened| happened.cause != Cause::ReportedAnew)
        .collect();
    since.reverse();
    Ok(since)
}

fn read_own(row: &Row<'_>) -> Result<OwnItem, StoreError> {
    Ok(OwnItem {
        id: ItemId(row.get(0)?),
        partner: PartnerId(row.get(1)?),
        fee_type: row.get(2)?,
        item_name: row.get(3)?,
        amount_fen: row.get(4)?,
        actual_ms: row.get(5)?,
        state: State::from_number(row.get(6)?)?,
        reported_ms: row.get(7)?,
        changed_ms: row.get(8)?,
        checked_ms: row.get(9)?,
        appealed: row.get(10)?,
    })
}
