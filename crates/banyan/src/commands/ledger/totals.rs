//! `banyan ledger totals`: what the ledgers come to.

use std::collections::BTreeMap;

use anyhow::Result;
use banyan_platform::admin::Desk;
use banyan_protocol::wire::yuan;
use banyan_store::ids::PartnerId;
use banyan_store::supplement::{cases, claims, medicine_box, payments};

use crate::terminal;

pub(super) async fn show(desk: &Desk) -> Result<()> {
    let partners = desk.partners().await?;
    let names: BTreeMap<PartnerId, String> = partners
        .into_iter()
        .map(|partner| (partner.id, partner.profile.name))
        .collect();
    let name = |id: &PartnerId| names.get(id).map_or("-", String::as_str);
    terminal::say("理赔信息");
    for total in claims::totals(&desk.db).await? {
        terminal::say(format!(
            "  {}  服务 {}  年度 {}  {} 件  理赔 {} 元  发票 {} 元{}",
            name(&total.partner),
            shown(&total.service_id),
            shown(&total.year),
            total.claims,
            yuan(total.claim_fen),
            yuan(total.invoice_fen),
            left_out(total.unreadable)
        ));
    }
    terminal::say("历史案件");
    for total in cases::totals(&desk.db).await? {
        terminal::say(format!(
            "  {}  服务 {}  结案年 {}  {} 件 {} 张发票  发票 {} 元  赔付 {} 元{}",
            name(&total.partner),
            shown(&total.service_id),
            shown(&total.year),
            total.cases,
            total.invoices,
            yuan(total.invoice_fen),
            yuan(total.paid_fen),
            left_out(total.unreadable)
        ));
    }
    terminal::say("现金支付");
    for total in payments::totals(&desk.db).await? {
        terminal::say(format!(
            "  {}  服务 {}  支付年 {}  {} 笔  {} 元{}",
            name(&total.partner),
            shown(&total.service_id),
            shown(&total.year),
            total.payments,
            yuan(total.amount_fen),
            left_out(total.unreadable)
        ));
    }
    terminal::say("小药箱");
    for total in medicine_box::totals(&desk.db).await? {
        terminal::say(format!(
            "  {}  服务 {}  {} 单  有效 {}  退款 {}",
            name(&total.partner),
            shown(&total.service_id),
            total.orders,
            total.valid,
            total.refunded
        ));
    }
    Ok(())
}

fn shown(text: &str) -> &str {
    if text.is_empty() {
        "（未注明）"
    } else {
        text
    }
}

/// Amounts that could not be read are missing from a sum, and whoever reads it must know.
fn left_out(count: i64) -> String {
    match count {
        0 => String::new(),
        count => format!("  （另有 {count} 条金额无法识别，未计入）"),
    }
}
