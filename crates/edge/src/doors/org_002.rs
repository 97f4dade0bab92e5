//! 结果回调通知 (ORG_002), access guide 4.4.2: kept with its effect, then acknowledged.

use banyan_protocol::crypto::sm3;
use banyan_protocol::dictionaries::Receipt;
use banyan_protocol::envelope::Refusal;
use banyan_protocol::overdue::org_002::{NotifyReply, NotifyRequest};
use banyan_protocol::wire::{self, ExtData};

use super::{is_for_us, ours, unfit};
use crate::edge::Edge;
use crate::outbox::notices::Incoming;
use crate::outbox::outcomes::Outcome;
use crate::sending::presence;

pub(super) async fn answer(edge: &Edge, business: &str) -> Result<String, Refusal> {
    let request: NotifyRequest = wire::read(business).map_err(unfit)?;
    is_for_us(edge, &request.orgId)?;
    let ext_data = request.extData.as_ref();
    let name = text(ext_data, "orgRequestId");
    if name.as_deref().is_some_and(presence::is_name) {
        // Of the edge's own empty batches there is nothing to tell the HIS.
        return Ok(acknowledged());
    }
    // Another maker's platform may give its notices no id: then the content is one.
    let notify_id =
        text(ext_data, "notifyId").unwrap_or_else(|| hex::encode(sm3::digest(business.as_bytes())));
    let lists = [request.reportResultList, request.updateResultList];
    let incoming = Incoming {
        notify_id,
        notify_type: request.notifyType.code(),
        business: business.to_owned(),
        outcome: Outcome::new(name, lists.concat(), ext_data, true),
    };
    edge.outbox
        .receive(incoming, edge.now_ms())
        .await
        .map_err(|error| ours("notice", &error))?;
    edge.bell.notify_one();
    Ok(acknowledged())
}

fn acknowledged() -> String {
    wire::write(&NotifyReply {
        state: Receipt::Success,
        msg: None,
        extData: None,
    })
}

fn text(ext_data: Option<&ExtData>, member: &str) -> Option<String> {
    let text = ext_data?.0.get(member)?.as_str()?;
    (!text.is_empty()).then(|| text.to_owned())
}
