//! The result lists of ORG_MDL_005 and ORG_002: records by person.

use banyan_protocol::overdue::{ItemResult, OrgName, PersonResult, TraceId};
use banyan_protocol::wire::{OrEmpty, Private, Scalar, Text};
use banyan_store::db::StoreError;
use banyan_store::ids::ItemId;
use banyan_store::overdue::items;
use banyan_store::vault::Place;

use super::on_wire;
use super::person::Identity;
use crate::app::App;
use crate::directory::Partner;

/// The records as they stand now, each run of one person in a row of its own.
pub(super) async fn by_person(app: &App, ids: &[ItemId]) -> Result<Vec<PersonResult>, StoreError> {
    let mut rows: Vec<(Identity, PersonResult)> = Vec::new();
    // Records that one message brought share their sealed person to the byte.
    let mut last_sealed: Option<Vec<u8>> = None;
    for item in items::by_ids(&app.db, ids).await? {
        let corrupt = |what: &str| StoreError::Corrupt(format!("item {}: {what}", item.id));
        let result = ItemResult {
            orgTraceId: Scalar::parse(&item.org_trace_id).map_err(|_| corrupt("orgTraceId"))?,
            traceId: trace_id(item.id)?,
            state: on_wire(item.state),
        };
        if let Some((_, row)) = rows.last_mut()
            && last_sealed == item.owner.sealed
        {
            row.itemList.push(result);
            continue;
        }
        let identity = match &item.owner.sealed {
            Some(sealed) => Identity::open(&app.vault, Place::ItemPerson, sealed)?,
            None => Identity::default(),
        };
        last_sealed = item.owner.sealed;
        match rows.last_mut() {
            Some((last, row)) if *last == identity => row.itemList.push(result),
            _ => {
                let row = PersonResult {
                    idNo: OrEmpty(private(identity.id_no.as_deref())),
                    userName: OrEmpty(private(identity.user_name.as_deref())),
                    itemList: vec![result],
                };
                rows.push((identity, row));
            }
        }
    }
    Ok(rows.into_iter().map(|(_, row)| row).collect())
}

/// 平台跟踪号 of a record.
pub(super) fn trace_id(id: ItemId) -> Result<TraceId, StoreError> {
    TraceId::parse(&id.to_string()).map_err(|_| StoreError::Corrupt(format!("item id {id}")))
}

/// 机构名称 as a message carries it.
pub(super) fn org_name(partner: &Partner) -> Result<OrgName, StoreError> {
    OrgName::parse(&partner.name)
        .map_err(|_| StoreError::Corrupt(format!("the name of partner {}", partner.id)))
}

fn private<const MAX: usize>(text: Option<&str>) -> Option<Private<Text<MAX>>> {
    text.and_then(|text| Text::parse(text).ok())
        .map(Private::new)
}
