//! 现金支付人员信息 (CI00.02.00.07): who paid in cash for a service, known by 支付流水号.

use std::ops::Range;

use super::Named;
use super::content::Content;
use super::ledger::{self, Drafts, Kept, Ledger, Page, Version};
use super::pruning::{self, Pruned};
use crate::db::{ColumnType, Db, Insert, StoreError, Tx};
use crate::ids::PartnerId;
use crate::vault::{Place, Vault};

/// The fields of a content, in its order.
pub const FIELDS: &[&str] = &[
    "hi_pay_no",
    "hi_pay_date",
    "medfee_sumamt",
    "pay_kind",
    "name",
    "idcard",
    "appid",
    "service_id",
    "org_code",
    "region",
];

/// A payment about to be kept.
#[derive(Debug, Clone)]
pub struct Payment {
    /// 第三方平台支付流水号.
    pub hi_pay_no: String,
    /// Who paid.
    pub named: Named,
    /// 服务 id.
    pub service_id: String,
    /// The year of 实际支付时间; empty where that is no time.
    pub year: String,
    /// 医保支付总金额 in fen, where it is an amount.
    pub amount_fen: Option<i64>,
    /// Everything that was sent, by [`FIELDS`].
    pub content: Content,
}

/// Payments sealed and ready to be kept.
#[derive(Debug)]
pub struct Ready(Drafts);

/// Seals a channel's payments, said at this time; `ids` are as many or more. Takes its time, so do it
/// before the transaction.
///
/// # Errors
/// [`StoreError::Corrupt`] where there are fewer ids.
pub fn ready(
    vault: &Vault,
    partner: PartnerId,
    said_ms: i64,
    mut ids: Range<i64>,
    payments: &[Payment],
) -> Result<Ready, StoreError> {
    let mut drafts = Drafts::new(vault, said_ms);
    for payment in payments {
        let row = vec![
            ledger::next_id(&mut ids)?.into(),
            partner.into(),
            payment.hi_pay_no.clone().into(),
            payment.named.key().into(),
            payment.service_id.clone().into(),
            payment.year.clone().into(),
            payment.amount_fen.into(),
        ];
        drafts.add(&LEDGER, row, &payment.content)?;
    }
    Ok(Ready(drafts))
}

/// Keeps payments; gives what became of each, in their order.
///
/// # Errors
/// Any [`StoreError`].
pub fn keep(tx: &mut Tx<'_>, ready: &Ready, now_ms: i64) -> Result<Vec<Kept>, StoreError> {
    ledger::keep_plain(tx, &LEDGER, &ready.0, now_ms)
}

/// What a channel's payments for a service come to in a year.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Total {
    /// Which channel.
    pub partner: PartnerId,
    /// 服务 id.
    pub service_id: String,
    /// The year of payment; empty where it could not be read.
    pub year: String,
    /// How many payments.
    pub payments: i64,
    /// Their sum in fen.
    pub amount_fen: i64,
    /// Payments of which the amount could not be read.
    pub unreadable: i64,
}

/// All totals; a scan, for reports.
///
/// # Errors
/// Any [`StoreError`].
pub async fn totals(db: &Db) -> Result<Vec<Total>, StoreError> {
    db.scan(|tx| {
        tx.query(
            "SELECT partner_id, service_id, year, COUNT(*), \
             CAST(COALESCE(SUM(amount_fen), 0) AS BIGINT), \
             COUNT(CASE WHEN amount_fen IS NULL THEN 1 END) \
             FROM supplement_payment GROUP BY partner_id, service_id, year \
             ORDER BY partner_id, service_id, year",
            &[],
            |row| {
                Ok(Total {
                    partner: PartnerId(row.get(0)?),
                    service_id: row.get(1)?,
                    year: row.get(2)?,
                    payments: row.get(3)?,
                    amount_fen: row.get(4)?,
                    unreadable: row.get(5)?,
                })
            },
        )
    })
    .await
}

/// Everything that a channel said about a payment, the newest first.
///
/// # Errors
/// Any [`StoreError`].
pub async fn history(
    db: &Db,
    vault: &Vault,
    partner: PartnerId,
    hi_pay_no: &str,
) -> Result<Vec<Version>, StoreError> {
    let key = [partner.into(), hi_pay_no.to_owned().into()];
    ledger::history(db, &LEDGER, vault, key).await
}

/// At most `limit` payments after this id, in the order of ids.
///
/// # Errors
/// Any [`StoreError`].
pub async fn page(db: &Db, vault: &Vault, after: i64, limit: u32) -> Result<Page, StoreError> {
    ledger::page(db, &LEDGER, vault, after, limit).await
}

/// Looks at no more than `limit` payments after this id in the order of ids, and removes those of which
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
        table: "supplement_payment",
        columns: &[
            ("id", ColumnType::I64),
            ("partner_id", ColumnType::I64),
            ("hi_pay_no", ColumnType::Text),
            ("person", ColumnType::Blob),
            ("service_id", ColumnType::Text),
            ("year", ColumnType::Text),
            ("amount_fen", ColumnType::I64),
            ("sealed", ColumnType::Blob),
            ("version", ColumnType::I64),
            ("created_ms", ColumnType::I64),
            ("changed_ms", ColumnType::I64),
            ("said_ms", ColumnType::I64),
        ],
        tail: "ON CONFLICT (partner_id, hi_pay_no) DO NOTHING",
    },
    place: Place::SupplementPayment,
    key_columns: 2,
};
