//! Stories about the ledgers, the registry, and who is let in.

mod illnesses;
mod ledgers;
mod tokens;
mod walks;

use super::Kept;
use super::Named;
use super::cases::{self, Case};
use super::content::Content;
use super::past_illness::Origin;
use crate::db::{Db, StoreError};
use crate::ids::PartnerId;
use crate::vault::Vault;
use crate::vault::tests::vault as vault_of;

const SERVICE: &str = "100005";

fn vault() -> Vault {
    vault_of(1)
}

/// An invoice of somebody's case; `diagnosis` stands in its content and among its illnesses.
fn case(case_no: &str, invoice: &str, cert_no: &str, diagnosis: &str) -> Case {
    let named = Named::new(&vault(), cert_no, "张三");
    Case {
        service_id: SERVICE.to_owned(),
        case_no: case_no.to_owned(),
        invoice_num: invoice.to_owned(),
        named,
        year: "2025".to_owned(),
        invoice_fen: Some(10_000),
        paid_fen: Some(2_500),
        illnesses: match diagnosis {
            "" => Vec::new(),
            name => vec![name.to_owned()],
        },
        content: Content::of(cases::FIELDS, |field| match field {
            "caseNo" => Some(case_no),
            "insuredCertno" => Some(cert_no),
            "mainDiagName" => Some(diagnosis),
            "payTime" => Some(""),
            _ => None,
        }),
    }
}

async fn keep(db: &Db, partner: i64, first_id: i64, cases: &[Case], now_ms: i64) -> Vec<Kept> {
    try_keep(db, partner, first_id, cases, now_ms)
        .await
        .unwrap()
}

/// Kept when it was said.
async fn try_keep(
    db: &Db,
    partner: i64,
    first_id: i64,
    cases: &[Case],
    now_ms: i64,
) -> Result<Vec<Kept>, StoreError> {
    keep_said(db, partner, first_id, cases, now_ms, now_ms).await
}

async fn keep_said(
    db: &Db,
    partner: i64,
    first_id: i64,
    cases: &[Case],
    said_ms: i64,
    now_ms: i64,
) -> Result<Vec<Kept>, StoreError> {
    let ids = first_id..first_id + cases.len() as i64;
    let ready = cases::ready(
        &vault(),
        PartnerId(partner),
        said_ms,
        Origin {
            by_whom: &format!("channel-{partner}"),
            map_version: "1",
        },
        ids,
        cases,
    )?;
    db.write(move |tx| cases::keep(tx, &ready, now_ms)).await
}
