//! 历史案件 (XY00.00.00.03, hmbExtInfo): the invoices of cases that insurers closed before.
//!
//! What a case says of illnesses goes into the registry of [`super::past_illness`]es with it, for its own
//! service; where it says something else later, what it said before ends there.

use std::ops::Range;

use super::Named;
use super::content::Content;
use super::learning::{self, Learnt};
use super::ledger::{self, Drafts, Kept, Ledger, Page, Version, What};
use super::past_illness::{Origin, hold_denials};
use super::pruning::{self, Pruned};
use crate::db::{ColumnType, Db, Insert, StoreError, Tx};
use crate::ids::PartnerId;
use crate::vault::{Place, Vault};

/// The fields of a content, in its order; `caseStaus` is the document's own spelling.
pub const FIELDS: &[&str] = &[
    "reportTime",
    "applyMethod",
    "caseNo",
    "closeTime",
    "insuredName",
    "insuredCertType",
    "insuredCertno",
    "insuredSex",
    "mainDiagName",
    "mainDiagCode",
    "previousIllnessName",
    "previousIllnessCode",
    "invoiceNum",
    "invoiceAmt",
    "socialPayAmt",
    "scopeInSelfAmt",
    "scopeOutSelfAmt",
    "scopeInExceptAmt",
    "scopeOutExceptAmt",
    "reasonableAmtOne",
    "compenRatioOne",
    "compenAmtOne",
    "reasonableAmtTwo",
    "compenRatioTwo",
    "compenAmtTwo",
    "reasonableAmtThree",
    "compenRatioThree",
    "compenAmtThree",
    "reasonableAmtFour",
    "compenRatioFour",
    "compenAmtFour",
    "reasonableAmtFive",
    "compenRatioFive",
    "compenAmtFive",
    "reasonableAmtSix",
    "compenRatioSix",
    "compenAmtSix",
    "reasonableAmtSeven",
    "compenRatioSeven",
    "compenAmtSeven",
    "caseStaus",
    "claimConclus",
    "reason",
    "compenAmt",
    "payTime",
    "fixmedinsName",
    "dischargeTime",
    "speciDrugNameOne",
    "speciDrugPriceOne",
    "speciDrugNumOne",
    "speciDrugNameTwo",
    "speciDrugPriceTwo",
    "speciDrugNumTwo",
    "speciDrugNameThree",
    "speciDrugPriceThree",
    "speciDrugNumThree",
    "speciDrugNameFour",
    "speciDrugPriceFour",
    "speciDrugNumFour",
    "speciDrugNameFive",
    "speciDrugPriceFive",
    "speciDrugNumFive",
    "serviceId",
];

/// An invoice of a case, about to be kept.
#[derive(Debug, Clone)]
pub struct Case {
    /// 服务 id.
    pub service_id: String,
    /// 案件号.
    pub case_no: String,
    /// 发票号.
    pub invoice_num: String,
    /// The insured.
    pub named: Named,
    /// The year of 结案时间; empty where that is no time.
    pub year: String,
    /// 发票合计金额 in fen, where it is an amount.
    pub invoice_fen: Option<i64>,
    /// 赔付金额 in fen, where it is an amount.
    pub paid_fen: Option<i64>,
    /// Categories of past illnesses that the case's diagnoses mean.
    pub illnesses: Vec<String>,
    /// Everything that was sent, by [`FIELDS`].
    pub content: Content,
}

/// Cases sealed and ready to be kept.
#[derive(Debug)]
pub struct Ready {
    drafts: Drafts,
    learnt: Vec<Learnt>,
    by_whom: String,
    map_version: String,
}

/// Seals a channel's cases, said at this time; `ids` are as many or more, and `origin` is the channel as
/// the registry's provenance names it, and the table by which the cases' illnesses were found. Takes its
/// time, so do it before the transaction.
///
/// # Errors
/// [`StoreError::Corrupt`] where there are fewer ids.
pub fn ready(
    vault: &Vault,
    partner: PartnerId,
    said_ms: i64,
    origin: Origin<'_>,
    mut ids: Range<i64>,
    cases: &[Case],
) -> Result<Ready, StoreError> {
    let mut drafts = Drafts::new(vault, said_ms);
    let mut learnt = Vec::with_capacity(cases.len());
    for case in cases {
        let row = vec![
            ledger::next_id(&mut ids)?.into(),
            partner.into(),
            case.service_id.clone().into(),
            case.case_no.clone().into(),
            case.invoice_num.clone().into(),
            case.named.key().into(),
            case.year.clone().into(),
            case.invoice_fen.into(),
            case.paid_fen.into(),
        ];
        drafts.add(&LEDGER, row, &case.content)?;
        learnt.push(Learnt {
            named: case.named,
            service_id: case.service_id.clone(),
            categories: case.illnesses.clone(),
        });
    }
    Ok(Ready {
        drafts,
        learnt,
        by_whom: origin.by_whom.to_owned(),
        map_version: origin.map_version.to_owned(),
    })
}

impl Ready {
    fn origin(&self) -> Origin<'_> {
        Origin {
            by_whom: &self.by_whom,
            map_version: &self.map_version,
        }
    }
}

/// Keeps cases and what they say of illnesses; gives what became of each case, in their order.
///
/// # Errors
/// Any [`StoreError`].
pub fn keep(tx: &mut Tx<'_>, ready: &Ready, now_ms: i64) -> Result<Vec<Kept>, StoreError> {
    hold_denials(tx)?;
    let outcomes = ledger::keep(tx, &LEDGER, &ready.drafts, now_ms)?;
    let mut news: Vec<(i64, &Learnt)> = Vec::new();
    for (outcome, learnt) in outcomes.iter().zip(&ready.learnt) {
        let id = outcome.kept.id;
        match outcome.kept.what {
            What::Same | What::Overtaken => continue,
            What::New => {}
            What::Changed => {
                if let Some(person) = &outcome.person_before {
                    learning::end_case(tx, person, id, &ready.by_whom, now_ms)?;
                }
                // Of one that came twice in this batch the later stands.
                news.retain(|(known, _)| *known != id);
            }
        }
        news.push((id, learnt));
    }
    learning::learn(tx, &news, ready.origin(), now_ms)?;
    Ok(outcomes.into_iter().map(|outcome| outcome.kept).collect())
}

/// Inserts the rows of new cases and nothing else: what the benchmark holds [`keep`] against.
///
/// # Errors
/// Any [`StoreError`].
pub fn insert_alone(tx: &mut Tx<'_>, ready: &Ready, now_ms: i64) -> Result<(), StoreError> {
    let ids = ledger::insert_alone(tx, &LEDGER, &ready.drafts, now_ms)?;
    let said: Vec<_> = ids.into_iter().zip(&ready.learnt).collect();
    learning::learn_blindly(tx, &said, ready.origin(), now_ms)
}

/// What a channel's cases of a service come to in a year.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Total {
    /// Which channel.
    pub partner: PartnerId,
    /// 服务 id.
    pub service_id: String,
    /// The year in which they were closed; empty where it could not be read.
    pub year: String,
    /// How many cases.
    pub cases: i64,
    /// How many invoices.
    pub invoices: i64,
    /// 发票合计金额 in fen.
    pub invoice_fen: i64,
    /// 赔付金额 of the invoices in fen.
    pub paid_fen: i64,
    /// Invoices of which an amount could not be read.
    pub unreadable: i64,
}

/// All totals; a scan, for reports.
///
/// # Errors
/// Any [`StoreError`].
pub async fn totals(db: &Db) -> Result<Vec<Total>, StoreError> {
    db.scan(|tx| {
        tx.query(
            "SELECT partner_id, service_id, year, COUNT(DISTINCT case_no), COUNT(*), \
             CAST(COALESCE(SUM(invoice_fen), 0) AS BIGINT), \
             CAST(COALESCE(SUM(paid_fen), 0) AS BIGINT), \
             COUNT(CASE WHEN invoice_fen IS NULL OR paid_fen IS NULL THEN 1 END) \
             FROM supplement_case GROUP BY partner_id, service_id, year \
             ORDER BY partner_id, service_id, year",
            &[],
            |row| {
                Ok(Total {
                    partner: PartnerId(row.get(0)?),
                    service_id: row.get(1)?,
                    year: row.get(2)?,
                    cases: row.get(3)?,
                    invoices: row.get(4)?,
                    invoice_fen: row.get(5)?,
                    paid_fen: row.get(6)?,
                    unreadable: row.get(7)?,
                })
            },
        )
    })
    .await
}

/// Everything that a channel said about an invoice of a case, the newest first.
///
/// # Errors
/// Any [`StoreError`].
pub async fn history(
    db: &Db,
    vault: &Vault,
    partner: PartnerId,
    service_id: &str,
    case_no: &str,
    invoice_num: &str,
) -> Result<Vec<Version>, StoreError> {
    let key = [
        partner.into(),
        service_id.to_owned().into(),
        case_no.to_owned().into(),
        invoice_num.to_owned().into(),
    ];
    ledger::history(db, &LEDGER, vault, key).await
}

/// At most `limit` cases after this id, in the order of ids.
///
/// # Errors
/// Any [`StoreError`].
pub async fn page(db: &Db, vault: &Vault, after: i64, limit: u32) -> Result<Page, StoreError> {
    ledger::page(db, &LEDGER, vault, after, limit).await
}

/// Looks at no more than `limit` cases after this id in the order of ids, and removes those of which
/// the last word came before `before_ms`, with their past versions and what they said of illnesses.
///
/// # Errors
/// Any [`StoreError`].
pub fn prune(
    tx: &mut Tx<'_>,
    before_ms: i64,
    after: i64,
    limit: i64,
) -> Result<Pruned, StoreError> {
    let (pruned, gone) = pruning::prune(tx, &LEDGER, before_ms, after, limit)?;
    learning::forget_cases(tx, &gone)?;
    Ok(pruned)
}

pub(super) static LEDGER: Ledger = Ledger {
    insert: Insert {
        table: "supplement_case",
        columns: &[
            ("id", ColumnType::I64),
            ("partner_id", ColumnType::I64),
            ("service_id", ColumnType::Text),
            ("case_no", ColumnType::Text),
            ("invoice_num", ColumnType::Text),
            ("person", ColumnType::Blob),
            ("year", ColumnType::Text),
            ("invoice_fen", ColumnType::I64),
            ("paid_fen", ColumnType::I64),
            ("sealed", ColumnType::Blob),
            ("version", ColumnType::I64),
            ("created_ms", ColumnType::I64),
            ("changed_ms", ColumnType::I64),
            ("said_ms", ColumnType::I64),
        ],
        tail: "ON CONFLICT (partner_id, service_id, case_no, invoice_num) DO NOTHING",
    },
    place: Place::SupplementCase,
    key_columns: 4,
};
