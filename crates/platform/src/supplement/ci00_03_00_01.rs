//! 接收既往症结果 (CI00.03.00.01): which past illnesses is this person known to have?

use banyan_protocol::dictionaries::PastIllnessCheck;
use banyan_protocol::supplement::ci00_03_00_01::{
    PastIllness, PastIllnessReply, PastIllnessRequest,
};
use banyan_protocol::wire::Text;
use banyan_store::supplement::{Named, past_illness};

use super::{channel, own_service};
use crate::inbound::call::{About, Call};
use crate::refusal::Refusal;

/// Answers CI00.03.00.01.
///
/// # Errors
/// 000105 where a member is wrong, -4 where the service is not the channel's.
pub async fn handle(
    call: &Call<'_>,
    request: PastIllnessRequest,
) -> Result<PastIllnessReply, Refusal> {
    let app = call.app;
    let channel = channel(call)?;
    // Before revision 1.2 no service was named; then the channel's own are meant.
    let services: Vec<&str> = match &request.serviceId {
        Some(service) => {
            own_service(channel, "serviceId", service.as_str())?;
            vec![service.as_str()]
        }
        None => channel.service_ids.iter().map(String::as_str).collect(),
    };
    let (number, name) = (request.idcard.expose(), request.name.expose());
    let named = Named::new(&app.vault, number.as_str(), name.as_str());
    let known = past_illness::of(&app.db, &named, &services).await?;
    call.journal_read(About {
        person: Some(named.person),
        purpose: None,
        subject: request.serviceId.map(|id| id.as_str().to_owned()),
    })
    .await?;
    let past_illness: Vec<PastIllness> = known
        .categories
        .iter()
        .filter_map(|category| {
            let name = Text::truncated(category)?;
            Some(PastIllness {
                illness_name: name.clone(),
                illness_type_name: name,
            })
        })
        .collect();
    let past_illness_check = if past_illness.is_empty() {
        PastIllnessCheck::None
    } else {
        PastIllnessCheck::Some
    };
    Ok(PastIllnessReply {
        past_illness_check,
        past_illness,
    })
}
