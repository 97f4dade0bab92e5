//! 小药箱 (XY00.00.00.03, hmbYyxInfo): who has ordered one, and who was paid back.

use std::ops::Range;

use super::content::Content;
use super::ledger::{self, Drafts, Kept, Ledger, Page, Version};
use super::pruning::{self, Pruned};
use super::{Named, half};
use crate::db::{ColumnType, Db, Insert, StoreError, Tx};
use crate::ids::PartnerId;
use crate::vault::{PersonCode, Place, Vault};

/// The fields of a content, in its order.
pub const FIELDS: &[&str] = &["psnName", "certno", "serviceId", "status"];

/// How an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// 1 有效
    Valid,
    /// 2 退款
    Refunded,
    /// Neither was sent; the content says what was.
    Unknown,
}

/// An order about to be kept.
#[derive(Debug, Clone)]
pub struct Order {
    /// 服务 id.
    pub service_id: String,
    /// Whose it is.
    pub named: Named,
    /// 订单状态.
    pub state: State,
    /// Everything that was sent, by [`FIELDS`].
    pub content: Content,
}

/// Orders sealed and ready to be kept.
#[derive(Debug)]
pub struct Ready(Drafts);

/// Seals a channel's orders, said at this time; `ids` are as many or more. Takes its time, so do it
/// before the transaction.
///
/// # Errors
/// [`StoreError::Corrupt`] where there are fewer ids.
pub fn ready(
    vault: &Vault,
    partner: PartnerId,
    said_ms: i64,
    mut ids: Range<i64>,
    orders: &[Order],
) -> Result<Ready, StoreError> {
    let mut drafts = Drafts::new(vault, said_ms);
    for order in orders {
        let row = vec![
            ledger::next_id(&mut ids)?.into(),
            partner.into(),
            order.service_id.clone().into(),
            order.named.key().into(),
            order.state.as_number().into(),
        ];
        drafts.add(&LEDGER, row, &order.content)?;
    }
    Ok(Ready(drafts))
}

/// Keeps orders; gives what became of each, in their order.
///
/// # Errors
/// Any [`StoreError`].
pub fn keep(tx: &mut Tx<'_>, ready: &Ready, now_ms: i64) -> Result<Vec<Kept>, StoreError> {
    ledger::keep_plain(tx, &LEDGER, &ready.0, now_ms)
}

/// How somebody's order with a channel stands, and since when.
///
/// # Errors
/// Any [`StoreError`].
pub async fn state_of(
    db: &Db,
    partner: PartnerId,
    service_id: &str,
    person: &PersonCode,
) -> Result<Option<(State, i64)>, StoreError> {
    db.query_opt(
        "SELECT state, changed_ms FROM supplement_medicine_box \
         WHERE partner_id = $1 AND service_id = $2 AND person = $3",
        &[partner.into(), service_id.into(), half(person).into()],
        |row| Ok((State::from_number(row.get(0)?)?, row.get(1)?)),
    )
    .await
}

/// How many orders of a channel's service stand, and how many were paid back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Total {
    /// Which channel.
    pub partner: PartnerId,
    /// 服务 id.
    pub service_id: String,
    /// Orders in all.
    pub orders: i64,
    /// 有效.
    pub valid: i64,
    /// 退款.
    pub refunded: i64,
}

/// All totals; a scan, for reports.
///
/// # Errors
/// Any [`StoreError`].
pub async fn totals(db: &Db) -> Result<Vec<Total>, StoreError> {
    db.scan(|tx| {
        tx.query(
            "SELECT partner_id, service_id, COUNT(*), COUNT(CASE WHEN state = 1 THEN 1 END), \
             COUNT(CASE WHEN state = 2 THEN 1 END) \
             FROM supplement_medicine_box GROUP BY partner_id, service_id \
             ORDER BY partner_id, service_id",
            &[],
            |row| {
                Ok(Total {
                    partner: PartnerId(row.get(0)?),
                    service_id: row.get(1)?,
                    orders: row.get(2)?,
                    valid: row.get(3)?,
                    refunded: row.get(4)?,
                })
            },
        )
    })
    .await
}

/// Everything that a channel said about somebody's order, the newest first.
///
/// # Errors
/// Any [`StoreError`].
pub async fn history(
    db: &Db,
    vault: &Vault,
    partner: PartnerId,
    service_id: &str,
    person: &PersonCode,
) -> Result<Vec<Version>, StoreError> {
    let key = [
        partner.into(),
        service_id.to_owned().into(),
        half(person).into(),
    ];
    ledger::history(db, &LEDGER, vault, key).await
}

/// At most `limit` orders after this id, in the order of ids.
///
/// # Errors
/// Any [`StoreError`].
pub async fn page(db: &Db, vault: &Vault, after: i64, limit: u32) -> Result<Page, StoreError> {
    ledger::page(db, &LEDGER, vault, after, limit).await
}

impl State {
    const fn as_number(self) -> i64 {
        match self {
            Self::Unknown => 0,
            Self::Valid => 1,
            Self::Refunded => 2,
        }
    }

    fn from_number(number: i64) -> Result<Self, StoreError> {
        [Self::Unknown, Self::Valid, Self::Refunded]
            .into_iter()
            .find(|state| state.as_number() == number)
            .ok_or_else(|| {
                StoreError::Corrupt(format!("supplement_medicine_box.state is {number}"))
            })
    }
}

/// Looks at no more than `limit` orders after this id in the order of ids, and removes those of which
/// the last word came before `before_ms`, with their past versions.
///
/// # Errors
/// Any [`StoreError`].
pub fn prune(
    tx: &mut Tx<'_>,
    before_ms: i64,
    after: i64,
    limit: i64,
) -> Result<Pruned, StoreError> {
    Ok(pruning::prune(tx, &LEDGER, before_ms, after, limit)?.0)
}

static LEDGER: Ledger = Ledger {
    insert: Insert {
        table: "supplement_medicine_box",
        columns: &[
            ("id", ColumnType::I64),
            ("partner_id", ColumnType::I64),
            ("service_id", ColumnType::Text),
            ("person", ColumnType::Blob),
            ("state", ColumnType::I64),
            ("sealed", ColumnType::Blob),
            ("version", ColumnType::I64),
            ("created_ms", ColumnType::I64),
            ("changed_ms", ColumnType::I64),
            ("said_ms", ColumnType::I64),
        ],
        tail: "ON CONFLICT (partner_id, service_id, person) DO NOTHING",
    },
    place: Place::SupplementMedicineBox,
    key_columns: 3,
};
