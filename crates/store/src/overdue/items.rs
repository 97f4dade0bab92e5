//! 医疗欠费记录: one unpaid item each.

use super::appeals;
use crate::db::{ColumnType, Db, Engine, Insert, Row, StoreError, Tx, Val};
use crate::ids::{BatchId, ItemId, PartnerId};
use crate::vault::PersonCode;

/// A record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Its id; the wire shows it as traceId.
    pub id: ItemId,
    /// Which hospital reported it.
    pub partner: PartnerId,
    /// 机构跟踪号.
    pub org_trace_id: String,
    /// Whose it is.
    pub owner: Owner,
    /// What it is about.
    pub content: Content,
    /// How it stands.
    pub state: State,
}

/// Whose a record is.
#[derive(Clone, PartialEq, Eq)]
pub struct Owner {
    /// The code to look the person up by; `None` where no identity number was given.
    pub person: Option<PersonCode>,
    /// Who it is, sealed; `None` where nothing was given.
    pub sealed: Option<Vec<u8>>,
    /// 实名: visible to every hospital, not only to the one that reported it.
    pub real_name: bool,
}

/// What a record is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// 用户类别, as on the wire.
    pub user_type: String,
    /// 医疗类别, as on the wire.
    pub med_type: String,
    /// 费用类别, as on the wire.
    pub fee_type: String,
    /// 项目名称.
    pub item_name: String,
    /// 金额 in fen.
    pub amount_fen: i64,
    /// 产生时间.
    pub actual_ms: i64,
}

/// How a record stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// 欠费
    Unpaid,
    /// 已缴清
    Paid,
    /// 撤销
    Revoked,
}

/// An unpaid record as it stands against somebody: all of it is in the index by person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnpaidItem {
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
    /// Whether its person contests it.
    pub appealed: bool,
}

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

/// What [`read_item`] reads, in its order.
macro_rules! select_item {
    ($condition:literal) => {
        concat!(
            "SELECT id, partner_id, org_trace_id, person, person_sealed, real_name, user_type, \
             med_type, fee_type, item_name, amount_fen, actual_ms, state FROM overdue_item ",
            $condition
        )
    };
}

const ITEM_COLUMNS: &[(&str, ColumnType)] = &[
    ("id", ColumnType::I64),
    ("partner_id", ColumnType::I64),
    ("org_trace_id", ColumnType::Text),
    ("person", ColumnType::Blob),
    ("person_sealed", ColumnType::Blob),
    ("real_name", ColumnType::I64),
    ("user_type", ColumnType::Text),
    ("med_type", ColumnType::Text),
    ("fee_type", ColumnType::Text),
    ("item_name", ColumnType::Text),
    ("amount_fen", ColumnType::I64),
    ("actual_ms", ColumnType::I64),
    ("state", ColumnType::I64),
    ("batch_id", ColumnType::I64),
    ("created_ms", ColumnType::I64),
    ("changed_ms", ColumnType::I64),
    ("checked_ms", ColumnType::I64),
];

/// The statement that records are inserted by; the benchmark's raw insert uses the same.
pub const INSERT: Insert<'static> = Insert {
    table: "overdue_item",
    columns: ITEM_COLUMNS,
    tail: "",
};

/// The values of one row for [`INSERT`].
#[must_use]
pub fn row(item: &Item, batch: BatchId, now_ms: i64) -> Vec<Val<'_>> {
    vec![
        item.id.into(),
        item.partner.into(),
        (&item.org_trace_id).into(),
        item.owner.person.as_ref().map(|code| &code.0).into(),
        item.owner.sealed.as_ref().into(),
        item.owner.real_name.into(),
        (&item.content.user_type).into(),
        (&item.content.med_type).into(),
        (&item.content.fee_type).into(),
        (&item.content.item_name).into(),
        item.content.amount_fen.into(),
        item.content.actual_ms.into(),
        item.state.as_number().into(),
        batch.into(),
        now_ms.into(),
        now_ms.into(),
        now_ms.into(),
    ]
}

/// Inserts new records of a batch.
///
/// # Errors
/// [`StoreError::Conflict`] where (partner, orgTraceId) is taken.
pub fn insert(
    tx: &mut Tx<'_>,
    items: &[&Item],
    batch: BatchId,
    now_ms: i64,
) -> Result<(), StoreError> {
    let rows: Vec<_> = items.iter().map(|item| row(item, batch, now_ms)).collect();
    tx.insert_rows(&INSERT, &rows)?;
    Ok(())
}

/// Inserts records, each of its own batch, where (partner, orgTraceId) is not taken; gives how many
/// were.
///
/// # Errors
/// Any [`StoreError`].
pub fn insert_new<'a>(
    tx: &mut Tx<'_>,
    items: impl Iterator<Item = (&'a Item, BatchId)>,
    now_ms: i64,
) -> Result<u64, StoreError> {
    let rows: Vec<_> = items
        .map(|(item, batch)| row(item, batch, now_ms))
        .collect();
    let insert = Insert {
        tail: "ON CONFLICT (partner_id, org_trace_id) DO NOTHING",
        ..INSERT
    };
    tx.insert_rows(&insert, &rows)
}

/// The records of a hospital with these orgTraceIds, in their order.
///
/// # Errors
/// Any [`StoreError`].
pub fn by_org_trace_ids<'a>(
    tx: &mut Tx<'_>,
    partner: PartnerId,
    org_trace_ids: impl Iterator<Item = &'a str>,
) -> Result<Vec<Option<Item>>, StoreError> {
    let sets: Vec<Vec<Val<'_>>> = org_trace_ids
        .map(|id| vec![partner.into(), id.into()])
        .collect();
    tx.query_each(
        select_item!("WHERE partner_id = $1 AND org_trace_id = $2"),
        &sets,
        read_item,
    )
}

/// The records with these ids, in their order; those that are gone are left out.
///
/// # Errors
/// Any [`StoreError`].
pub async fn by_ids(db: &Db, ids: &[ItemId]) -> Result<Vec<Item>, StoreError> {
    let sets: Vec<Vec<Val<'_>>> = ids.iter().map(|id| vec![(*id).into()]).collect();
    let found = db
        .query_each(select_item!("WHERE id = $1"), &sets, read_item)
        .await?;
    Ok(found.into_iter().flatten().collect())
}

/// What a person has unpaid, as `asker` may see it: real-name records of every hospital, and the
/// asker's own besides. `of` narrows it to one hospital. At most `limit` records, in the order in
/// which they were reported. This is the look-up that everybody waits for; it reads nothing but the
/// index by person, and so what it asks for must stand there.
///
/// # Errors
/// Any [`StoreError`].
pub async fn unpaid_of_person(
    db: &Db,
    person: &PersonCode,
    asker: PartnerId,
    of: Option<PartnerId>,
    limit: i64,
) -> Result<Vec<UnpaidItem>, StoreError> {
    let mut unpaid = db
        .look_up(
            "SELECT id, partner_id, fee_type, item_name, amount_fen, actual_ms, appealed \
             FROM overdue_item WHERE person = $1 AND state = 0 \
             AND (real_name = 1 OR partner_id = $2) AND ($3 = 0 OR partner_id = $3) LIMIT $4",
            &[
                (&person.0).into(),
                asker.into(),
                of.map_or(0, |partner| partner.0).into(),
                limit.into(),
            ],
            read_unpaid,
        )
        .await?;
    // Here rather than in the statement: nearly always there is one, or none.
    unpaid.sort_unstable_by_key(|item| item.id);
    Ok(unpaid)
}

/// How many records there are, whatever their state.
///
/// # Errors
/// Any [`StoreError`].
pub async fn count(db: &Db) -> Result<i64, StoreError> {
    let count = db
        .scan(|tx| tx.query_opt("SELECT COUNT(*) FROM overdue_item", &[], |row| row.get(0)))
        .await?;
    Ok(count.unwrap_or(0))
}

/// Name and text of each index of the records, as the database itself has them: whoever fills the
/// table anew may drop them and make them again just as they were.
///
/// # Errors
/// Any [`StoreError`].
pub async fn indexes(db: &Db) -> Result<Vec<(String, String)>, StoreError> {
    db.scan(|tx| {
        // A primary key is no index that could be dropped.
        let listed = match tx.engine() {
            Engine::Sqlite => {
                "SELECT name, sql FROM sqlite_schema \
                 WHERE type = 'index' AND tbl_name = 'overdue_item'"
            }
            Engine::Postgres => {
                "SELECT CAST(indexname AS TEXT), indexdef FROM pg_indexes \
                 WHERE tablename = 'overdue_item' AND indexname <> 'overdue_item_pkey'"
            }
        };
        tx.query(listed, &[], |row| Ok((row.get(0)?, row.get(1)?)))
    })
    .await
}

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
        "SELECT cause FROM overdue_change WHERE item_id = $1 AND to_state = 2 \
         ORDER BY id DESC LIMIT 1",
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

impl State {
    pub(super) const fn as_number(self) -> i64 {
        match self {
            Self::Unpaid => 0,
            Self::Paid => 1,
            Self::Revoked => 2,
        }
    }

    pub(super) fn from_number(number: i64) -> Result<Self, StoreError> {
        match number {
            0 => Ok(Self::Unpaid),
            1 => Ok(Self::Paid),
            2 => Ok(Self::Revoked),
            other => Err(StoreError::Corrupt(format!(
                "overdue_item.state is {other}"
            ))),
        }
    }
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

    pub(super) fn from_text(text: &str) -> Result<Self, StoreError> {
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

impl std::fmt::Debug for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Owner")
            .field("real_name", &self.real_name)
            .finish_non_exhaustive()
    }
}

fn read_item(row: &Row<'_>) -> Result<Item, StoreError> {
    Ok(Item {
        id: ItemId(row.get(0)?),
        partner: PartnerId(row.get(1)?),
        org_trace_id: row.get(2)?,
        owner: Owner {
            person: row.get::<Option<[u8; 32]>>(3)?.map(PersonCode),
            sealed: row.get(4)?,
            real_name: row.get(5)?,
        },
        content: Content {
            user_type: row.get(6)?,
            med_type: row.get(7)?,
            fee_type: row.get(8)?,
            item_name: row.get(9)?,
            amount_fen: row.get(10)?,
            actual_ms: row.get(11)?,
        },
        state: State::from_number(row.get(12)?)?,
    })
}

fn read_unchecked(row: &Row<'_>) -> Result<UncheckedItem, StoreError> {
    Ok(UncheckedItem {
        id: ItemId(row.get(0)?),
        partner: PartnerId(row.get(1)?),
        org_trace_id: row.get(2)?,
        changed_ms: row.get(3)?,
    })
}

fn read_unpaid(row: &Row<'_>) -> Result<UnpaidItem, StoreError> {
    Ok(UnpaidItem {
        id: ItemId(row.get(0)?),
        partner: PartnerId(row.get(1)?),
        fee_type: row.get(2)?,
        item_name: row.get(3)?,
        amount_fen: row.get(4)?,
        actual_ms: row.get(5)?,
        appealed: row.get(6)?,
    })
}
