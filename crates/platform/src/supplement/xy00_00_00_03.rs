//! 历史案件迁移与小药箱数据同步 (XY00.00.00.03): cases and orders that an insurer hands over.

use banyan_protocol::dictionaries::{OrderStatus, Topic};
use banyan_protocol::envelope::Environment;
use banyan_protocol::supplement::fen;
use banyan_protocol::supplement::xy00_00_00_03::{
    HistoricalCase, MedicineBoxOrder, MigrationRequest, NotRead,
};
use banyan_store::db::StoreError;
use banyan_store::journal;
use banyan_store::supplement::past_illness::Origin;
use banyan_store::supplement::{Named, cases, content::Content, medicine_box};

use super::{channel, note_overtaken, own_service, reading, weighed, year_of};
use crate::app::App;
use crate::inbound::call::{About, Call};
use crate::refusal::Refusal;

/// Answers XY00.00.00.03, whichever of its topics the message is about.
///
/// # Errors
/// 000105 where a member is wrong, -4 where a service is not the channel's; nothing is kept then.
pub async fn handle(call: &Call<'_>, json: &str) -> Result<(), Refusal> {
    let request = MigrationRequest::read(json).map_err(|not_read| match not_read {
        NotRead::Fault(fault) => fault.into(),
        NotRead::UnknownTopic => unknown_topic(call.app),
    })?;
    let channel = channel(call)?;
    request.check()?;
    let services: Vec<&str> = match &request {
        MigrationRequest::Cases(cases) => {
            let rows = cases.hmbList.iter();
            rows.map(|case| case.serviceId.as_str()).collect()
        }
        MigrationRequest::MedicineBox(orders) => {
            let rows = orders.hmbList.iter();
            rows.map(|order| order.serviceId.as_str()).collect()
        }
    };
    for (row, service) in services.iter().enumerate() {
        own_service(channel, &format!("hmbList[{row}].serviceId"), service)?;
    }
    let note = weighed(call, channel, request.faults())?;
    let rows = services.len();
    match request {
        MigrationRequest::Cases(request) => keep_cases(call, &request.hmbList, note).await,
        MigrationRequest::MedicineBox(request) => keep_orders(call, &request.hmbList, note).await,
    }?;
    tracing::debug!(partner = &*call.partner.app_id, rows, "migrated");
    Ok(())
}

async fn keep_cases(
    call: &Call<'_>,
    rows: &[HistoricalCase],
    note: Option<String>,
) -> Result<(), Refusal> {
    let app = call.app;
    let cases: Vec<cases::Case> = rows.iter().map(|case| kept_case(app, case)).collect();
    let ids = app.ids.take(rows.len()).await?;
    let origin = Origin {
        by_whom: &call.partner.app_id,
        map_version: app.illnesses.origin().1,
    };
    let ready = cases::ready(
        &app.vault,
        call.partner.id,
        call.said_ms,
        origin,
        ids,
        &cases,
    )?;
    let entry = call
        .entry(about(Topic::HmbExtInfo, rows.len(), note))
        .await?;
    let now_ms = call.now_ms;
    let kept = app
        .db
        .write(move |tx| -> Result<_, StoreError> {
            let kept = cases::keep(tx, &ready, now_ms)?;
            journal::append(tx, std::slice::from_ref(&entry))?;
            Ok(kept)
        })
        .await?;
    note_overtaken(call, &kept);
    Ok(())
}

fn kept_case(app: &App, case: &HistoricalCase) -> cases::Case {
    let content = Content::of(cases::FIELDS, |field| case.said(field));
    // As it is read again when the table of diagnoses is replaced.
    let learnt = reading::learnt(&app.vault, &app.illnesses, &content);
    cases::Case {
        service_id: learnt.service_id,
        case_no: case.caseNo.as_str().to_owned(),
        invoice_num: case.invoiceNum.as_str().to_owned(),
        named: learnt.named,
        year: year_of(case.closeTime.filled()),
        invoice_fen: case.invoiceAmt.filled().and_then(fen),
        paid_fen: case.compenAmt.filled().and_then(fen),
        illnesses: learnt.categories,
        content,
    }
}

async fn keep_orders(
    call: &Call<'_>,
    rows: &[MedicineBoxOrder],
    note: Option<String>,
) -> Result<(), Refusal> {
    let app = call.app;
    let orders: Vec<medicine_box::Order> = rows
        .iter()
        .map(|order| {
            let (number, name) = (order.certno.expose(), order.psnName.expose());
            medicine_box::Order {
                service_id: order.serviceId.as_str().to_owned(),
                named: Named::new(&app.vault, number.as_str(), name.as_str()),
                state: match order.status {
                    OrderStatus::Valid => medicine_box::State::Valid,
                    OrderStatus::Refunded => medicine_box::State::Refunded,
                },
                content: Content::of(medicine_box::FIELDS, |field| order.said(field)),
            }
        })
        .collect();
    let ids = app.ids.take(rows.len()).await?;
    let ready = medicine_box::ready(&app.vault, call.partner.id, call.said_ms, ids, &orders)?;
    let entry = call
        .entry(about(Topic::HmbYyxInfo, rows.len(), note))
        .await?;
    let now_ms = call.now_ms;
    let kept = app
        .db
        .write(move |tx| -> Result<_, StoreError> {
            let kept = medicine_box::keep(tx, &ready, now_ms)?;
            journal::append(tx, std::slice::from_ref(&entry))?;
            Ok(kept)
        })
        .await?;
    note_overtaken(call, &kept);
    Ok(())
}

fn about(topic: Topic, rows: usize, note: Option<String>) -> About {
    About {
        person: None,
        purpose: note,
        subject: Some(format!("{} {rows}", topic.code())),
    }
}

/// Partners who only try something out are told what there is.
fn unknown_topic(app: &App) -> Refusal {
    let mut expected = "没有该业务类型".to_owned();
    if app.environment == Environment::Test {
        let known: Vec<&str> = Topic::ENTRIES.iter().map(|entry| entry.code).collect();
        expected = format!("{expected}，应为下列之一：{}", known.join("、"));
    }
    Refusal::field("topic", expected)
}
