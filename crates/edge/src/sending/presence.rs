//! Two edges with the same 机构 id are noticed.
//!
//! In each period an edge reports an empty batch, under a name made of the period and with a token
//! of its own inside. The platform takes a name with other content only once (that is what keeps
//! batches from being doubled), so of two edges the second is refused, and takes the next name. The
//! first looks, a period later, whether that next name was taken. It needs nothing of the platform
//! that the guide does not ask for, and works across machines, with copied folders too: a copy draws
//! its own token when the next period begins.

use std::sync::atomic::Ordering;

use banyan_client::CallFault;
use banyan_protocol::catalogue::Interface;
use banyan_protocol::overdue::OrgRequestId;
use banyan_protocol::overdue::org_mdl_001::{ReportReply, ReportRequest};
use banyan_protocol::overdue::org_mdl_005::{ResultReply, ResultRequest};
use banyan_protocol::wire::{ExtData, Scalar as _};
use banyan_store::db::StoreError;
use serde_json::Value;

use super::transmit::field;
use crate::edge::Edge;

/// The places in a period: whoever is refused both is at least the third.
const PLACES: [i64; 2] = [1, 2];

/// Says that this edge is there, once in a period, and looks whether it is alone.
pub(super) async fn tell(edge: &Edge, now_ms: i64) -> Result<(), StoreError> {
    let every_ms = edge.settings.sending.presence_every_ms;
    if every_ms <= 0 || edge.line.is_away() {
        return Ok(());
    }
    let period = now_ms.div_euclid(every_ms);
    let asked_ms = edge.twin_asked_ms.load(Ordering::Relaxed);
    if asked_ms > 0 && asked_ms.div_euclid(every_ms) == period {
        return Ok(());
    }
    let said = edge.outbox.presence(period).await?;
    let place = match said.place {
        Some(place) => place,
        None => match take_place(edge, period, &said.token).await {
            Ok(place) => {
                edge.outbox.placed(period, place).await?;
                place
            }
            // It is not known, and asked again in the next period.
            Err(CallFault::Refused { .. }) => {
                edge.twin_asked_ms.store(now_ms, Ordering::Relaxed);
                return Ok(());
            }
            Err(_) => return Ok(()),
        },
    };
    let was_first = edge.outbox.place_in(period - 1).await? == Some(1);
    let twin = place > 1 || (was_first && second_was_taken(edge, period - 1).await);
    if twin {
        tracing::error!(
            org_id = edge.settings.org_id,
            "another edge reports for the same orgId"
        );
        edge.twin_seen_ms.store(now_ms, Ordering::Relaxed);
    } else {
        edge.twin_seen_ms.store(0, Ordering::Relaxed);
    }
    edge.twin_asked_ms.store(now_ms, Ordering::Relaxed);
    edge.twin_sought_ms.store(now_ms, Ordering::Relaxed);
    Ok(())
}

async fn take_place(edge: &Edge, period: i64, token: &str) -> Result<i64, CallFault> {
    for place in PLACES {
        let Some(name) = name(period, place) else {
            break;
        };
        let request = ReportRequest {
            orgId: edge.sender.org_id.clone(),
            orgName: edge.sender.org_name.clone(),
            notifyUrl: edge.sender.notify_url.clone(),
            orgRequestId: name,
            unsettleList: None,
            extData: Some(ExtData(
                [("edge".to_owned(), Value::String(token.to_owned()))]
                    .into_iter()
                    .collect(),
            )),
        };
        match edge
            .line
            .call_typed::<_, ReportReply>(Interface::OrgMdl001, &request)
            .await
        {
            Ok(_) => return Ok(place),
            // The name is taken, by other content. Any other refusal says nothing of anybody.
            Err(CallFault::Refused { message, .. }) if field(&message) == "orgRequestId" => {}
            Err(fault) => return Err(fault),
        }
    }
    Ok(3)
}

async fn second_was_taken(edge: &Edge, period: i64) -> bool {
    let Some(name) = name(period, 2) else {
        return false;
    };
    let request = ResultRequest {
        orgId: edge.sender.org_id.clone(),
        orgRequestId: name,
        extData: None,
    };
    edge.line
        .call_typed::<_, ResultReply>(Interface::OrgMdl005, &request)
        .await
        .is_ok()
}

/// Whether a message's name is one of these.
pub(crate) fn is_name(name: &str) -> bool {
    name.starts_with(PREFIX)
}

const PREFIX: &str = "EDGE-";

fn name(period: i64, place: i64) -> Option<OrgRequestId> {
    OrgRequestId::parse(&format!("{PREFIX}{period}-{place}")).ok()
}
