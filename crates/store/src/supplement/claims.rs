//! 理赔信息 (CI00.03.00.03): what became of each case, and what deductible it left.

use std::ops::Range;

use super::content::Content;
use super::ledger::{self, Drafts, Kept, Ledger, Page, Version};
use super::pruning::{self, Pruned};
use super::{Named, half};
use crate::db::{ColumnType, Db, Insert, StoreError, Tx};
use crate::ids::PartnerId;
use crate::vault::{PersonCode, Place, Vault};

/// The fields of a content, in its order. `dutOLeaDed` is kept as `dut0LeaDed`: both are 责任1.
pub const FIELDS: &[&str] = &[
    "caseNo",
    "certType",
    "certno",
    "psnName",
    "closeTime",
    "year",
    "claimTotal",
    "invoiceTotal",
    "serviceId",
    "dut0LeaDed",
    "dutTLeaDed",
    "dutFLeaDed",
];

/// A claim about to be kept.
#[derive(Debug, Clone)]
pub struct Claim {
    /// 服务 id; empty where none was sent (before revision 1.2).
    pub service_id: String,
    /// 案件号.
    pub case_no: String,
    /// The insured.
    pub named: Named,
    /// 报销年度, as it was sent.
    pub year: String,
    /// 理赔总金额 in fen, where it is an amount.
    pub claim_fen: Option<i64>,
    /// 发票总金额 in fen, where it is an amount.
    pub invoice_fen: Option<i64>,
    /// 剩余免赔额, where there are any.
    pub left: Left,
    /// Everything that was sent, by [`FIELDS`].
    pub content: Content,
}

/// 剩余免赔额 by liability, in fen; `None` where no amount was sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Left {
    /// 责任1.
    pub one_fen: Option<i64>,
    /// 责任2.
    pub two_fen: Option<i64>,
    /// 责任4.
    pub four_fen: Option<i64>,
}

/// Claims sealed and ready to be kept.
#[derive(Debug)]
pub struct Ready(Drafts);

/// Seals a channel's claims, said at this time; `ids` are as many or more. Takes its time, so do it
/// before the transaction.
///
/// # Errors
/// [`StoreError::Corrupt`] where there are fewer ids.
pub fn ready(
    vault: &Vault,
    partner: PartnerId,
    said_ms: i64,
    mut ids: Range<i64>,
    claims: &[Claim],
) -> Result<Ready, StoreError> {
    let mut drafts = Drafts::new(vault, said_ms);
    for claim in claims {
        let row = vec![
            ledger::next_id(&mut ids)?.into(),
            partner.into(),
            claim.service_id.clone().into(),
            claim.case_no.clone().into(),
            claim.named.key().into(),
            claim.year.clone().into(),
            claim.claim_fen.into(),
            claim.invoice_fen.into(),
            claim.left.one_fen.into(),
            claim.left.two_fen.into(),
            claim.left.four_fen.into(),
        ];
        drafts.add(&LEDGER, row, &claim.content)?;
    }
    Ok(Ready(drafts))
}

/// Keeps claims; gives what became of each, in their order.
///
/// # Errors
/// Any [`StoreError`].
pub fn keep(tx: &mut Tx<'_>, ready: &Ready, now_ms: i64) -> Result<Vec<Kept>, StoreError> {
    ledger::keep_plain(tx, &LEDGER, &ready.0, now_ms)
}

/// The deductibles that are left to somebody on a service in a year, by his claims of whichever
/// channel; `None` where there is no claim. For each liability the newest claim counts that names
/// an amount, so one that names none hides nothing.
///
/// The newest is the one that first came last, because closing times are not always times: a claim
/// that is corrected stays in its place, and what it says of the deductible is as old as it is.
///
/// # Errors
/// Any [`StoreError`].
pub async fn left(
    db: &Db,
    person: &PersonCode,
    service_id: &str,
    year: &str,
) -> Result<Option<Left>, StoreError> {
    let claims = db
        .query(
            "SELECT left_one_fen, left_two_fen, left_four_fen FROM supplement_claim \
             WHERE person = $1 AND service_id = $2 AND year = $3 \
             ORDER BY created_ms DESC, id DESC LIMIT $4",
            &[
                half(person).into(),
                service_id.into(),
                year.into(),
                MOST_CLAIMS.into(),
            ],
            |row| {
                Ok(Left {
                    one_fen: row.get(0)?,
                    two_fen: row.get(1)?,
                    four_fen: row.get(2)?,
                })
            },
        )
        .await?;
    Ok(claims.into_iter().reduce(|newer, older| Left {
        one_fen: newer.one_fen.or(older.one_fen),
        two_fen: newer.two_fen.or(older.two_fen),
        four_fen: newer.four_fen.or(older.four_fen),
    }))
}

/// More than anybody has of one service in a year; it bounds what [`left`] reads.
const MOST_CLAIMS: i64 = 1_000;

/// What a channel's claims on a service come to in a year.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Total {
    /// Which channel.
    pub partner: PartnerId,
    /// 服务 id.
    pub service_id: String,
    /// 报销年度, as it was sent.
    pub year: String,
    /// How many claims.
    pub claims: i64,
    /// 理赔总金额 in fen.
    pub claim_fen: i64,
    /// 发票总金额 in fen.
    pub invoice_fen: i64,
    /// Claims of which an amount could not be read, so that it is missing from the sums.
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
             CAST(COALESCE(SUM(claim_fen), 0) AS BIGINT), \
             CAST(COALESCE(SUM(invoice_fen), 0) AS BIGINT), \
             COUNT(CASE WHEN claim_fen IS NULL OR invoice_fen IS NULL THEN 1 END) \
             FROM supplement_claim GROUP BY partner_id, service_id, year \
             ORDER BY partner_id, service_id, year",
            &[],
            |row| {
                Ok(Total {
                    partner: PartnerId(row.get(0)?),
                    service_id: row.get(1)?,
                    year: row.get(2)?,
                    claims: row.get(3)?,
                    claim_fen: row.get(4)?,
                    invoice_fen: row.get(5)?,
                    unreadable: row.get(6)?,
                })
            },
        )
    })
    .await
}

/// Everything that a channel said about a case, the newest first.
///
/// # Errors
/// Any [`StoreError`].
pub async fn history(
    db: &Db,
    vault: &Vault,
    partner: PartnerId,
    service_id: &str,
    case_no: &str,
) -> Result<Vec<Version>, StoreError> {
    let key = [
        partner.into(),
        service_id.to_owned().into(),
        case_no.to_owned().into(),
    ];
    ledger::history(db, &LEDGER, vault, key).await
}

/// At most `limit` claims after this id, in the order of ids.
///
/// # Errors
/// Any [`StoreError`].
pub async fn page(db: &Db, vault: &Vault, after: i64, limit: u32) -> Result<Page, StoreError> {
    ledger::page(db, &LEDGER, vault, after, limit).await
}

/// Looks at no more than `limit` claims after this id in the order of ids, and removes those of which
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
        table: "supplement_claim",
        columns: &[
            ("id", ColumnType::I64),
            ("partner_id", ColumnType::I64),
            ("service_id", ColumnType::Text),
            ("case_no", ColumnType::Text),
            ("person", ColumnType::Blob),
            ("year", ColumnType::Text),
            ("claim_fen", ColumnType::I64),
            ("invoice_fen", ColumnType::I64),
            ("left_one_fen", ColumnType::I64),
            ("left_two_fen", ColumnType::I64),
            ("left_four_fen", ColumnType::I64),
            ("sealed", ColumnType::Blob),
            ("version", ColumnType::I64),
            ("created_ms", ColumnType::I64),
            ("changed_ms", ColumnType::I64),
            ("said_ms", ColumnType::I64),
        ],
        tail: "ON CONFLICT (partner_id, service_id, case_no) DO NOTHING",
    },
    place: Place::SupplementClaim,
    key_columns: 3,
};
