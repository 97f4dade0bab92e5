//! 医疗欠费记录: one unpaid item each.
//!
//! Here a record comes in and is looked up; [`changes`] are what happens to it later, each in its
//! history; [`unchecked`] are those about which their hospital is to be asked.

mod changes;
mod unchecked;

pub use changes::{
    Cause, Change, change_state, change_state_since, make_real_name, report_anew,
    was_revoked_by_appeal,
};
pub use unchecked::{UncheckedItem, mark_checked, unchecked, unchecked_of_person, unpaid};

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

/// The look-up that everybody waits for: it reads nothing but the index of what is unpaid, and so
/// what it asks for must stand there.
macro_rules! unpaid_of_person {
    () => {
        "SELECT id, partner_id, fee_type, item_name, amount_fen, actual_ms, appealed \
         FROM overdue_item WHERE person = $1 AND state = 0 \
         AND (real_name = 1 OR partner_id = $2) \
         AND (CAST($3 AS BIGINT) = 0 OR partner_id = $3) LIMIT $4"
    };
}

/// What a person has unpaid, as `asker` may see it: real-name records of every hospital, and the
/// asker's own besides. `of` narrows it to one hospital. At most `limit` records, in the order in
/// which they were reported.
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
            unpaid_of_person!(),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::overdue::own;
    use crate::testing::{TestDb, debt, open};

    fn person() -> PersonCode {
        PersonCode([3; 32])
    }

    async fn keep(db: &TestDb, item: Item) {
        db.write(move |tx| insert(tx, &[&item], BatchId(1), 1_000))
            .await
            .unwrap();
    }

    crate::on_both_engines! {
        async fn a_hospital_of_any_id_is_found(db: &TestDb) {
            let hospital = PartnerId(1 << 40);
            keep(db, Item { partner: hospital, ..debt(1, person()) }).await;
            keep(db, debt(2, person())).await;
            let found = |of| async move {
                let found = unpaid_of_person(db, &person(), PartnerId(9), of, 10).await.unwrap();
                found.iter().map(|item| item.id.0).collect::<Vec<_>>()
            };
            assert_eq!(found(Some(hospital)).await, [1]);
            assert_eq!(found(None).await, [1, 2]);
        }

        async fn what_happened_is_told_in_the_order_of_time(db: &TestDb) {
            // Two processes take turns; the one that began later has the higher ids.
            let (server, desk) = (100, 70_000);
            keep(db, debt(1, person())).await;
            let revoke = |id, cause, at_ms| async move {
                let change = Change { id, item: ItemId(1), from: State::Unpaid, to: State::Revoked, cause, batch: None };
                assert!(db.write(move |tx| change_state(tx, &change, at_ms)).await.unwrap());
            };
            let by_appeal = || db.write(move |tx| was_revoked_by_appeal(tx, ItemId(1)));
            revoke(desk, Cause::Appeal, 2_000).await;
            assert!(by_appeal().await.unwrap());
            let anew = Change { id: server, item: ItemId(1), from: State::Revoked, to: State::Unpaid, cause: Cause::ReportedAnew, batch: None };
            let again = debt(1, person());
            assert!(db.write(move |tx| report_anew(tx, &anew, &again, BatchId(2), 3_000)).await.unwrap());
            assert_eq!(own::history(db, ItemId(1), 10).await.unwrap(), [], "what was before is another story");
            revoke(server + 1, Cause::Update, 4_000).await;
            let told = own::history(db, ItemId(1), 10).await.unwrap();
            assert_eq!(told.iter().map(|happened| happened.cause).collect::<Vec<_>>(), [Cause::Update]);
            assert!(!by_appeal().await.unwrap(), "its hospital did");
        }
    }

    #[tokio::test]
    async fn the_look_up_reads_nothing_but_the_index_of_what_is_unpaid() {
        let db = open(Engine::Sqlite).await;
        let plan = db
            .query(
                concat!("EXPLAIN QUERY PLAN ", unpaid_of_person!()),
                &[
                    (&[0_u8; 32]).into(),
                    1_i64.into(),
                    0_i64.into(),
                    9_i64.into(),
                ],
                |row| row.get::<String>(3),
            )
            .await
            .unwrap();
        assert_eq!(
            plan,
            ["SEARCH overdue_item USING COVERING INDEX overdue_item_unpaid (person=?)"]
        );
    }
}
