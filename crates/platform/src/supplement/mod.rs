//! 商业补充医疗保险: the supplementary-insurance exchange (统一对外接口).
//!
//! What enters: an insurer's channel tells of claims that it settled ([`ci00_03_00_03`]), of persons
//! who paid in cash ([`ci00_02_00_07`]), and hands over historical cases and medicine-box orders, at
//! most 500 at a time ([`xy00_00_00_03`]). A call is kept whole or not at all, together with its
//! entry in the journal. The same content again changes nothing; other content under the same
//! number becomes the next version, and the one before stays readable.
//!
//! What is kept: four ledgers, in which each channel has its own records, and the registry of past
//! illnesses, fed by operators and by the diagnoses of historical cases. Everything that was said
//! stands there sealed, right or wrong; what can be read as an amount or a year stands beside it.
//!
//! What leaves: which categories of past illness a person is known to have, as far as the channel's
//! services may know ([`ci00_03_00_01`]). Each such look is in the journal, so that the person can
//! see who asked.
//!
//! A channel is held to the document (strict) or what is off is noted and accepted (warn); either way
//! it may only name the services that an operator gave it.

pub mod ci00_02_00_07;
pub mod ci00_03_00_01;
pub mod ci00_03_00_03;
pub mod export;
pub mod icd10;
pub mod import;
pub mod inspection;
pub mod ledgers;
pub(crate) mod reading;
pub mod xy00_00_00_03;

use banyan_protocol::result_code::ResultCode;
use banyan_protocol::supplement::{Faults, moment_ms};
use banyan_store::supplement::{Kept, What};

use crate::directory::InsurerChannel;
use crate::inbound::call::Call;
use crate::refusal::Refusal;

/// The caller's channel. Whoever came in through `/fjs/api` has one.
fn channel<'a>(call: &'a Call<'_>) -> Result<&'a InsurerChannel, Refusal> {
    let channel = call.partner.channel.as_deref();
    channel.ok_or_else(|| Refusal::ours("the caller has no channel"))
}

/// Refuses a service that an operator did not give to the channel.
fn own_service(channel: &InsurerChannel, path: &str, service_id: &str) -> Result<(), Refusal> {
    if channel.service_ids.iter().any(|own| own == service_id) {
        return Ok(());
    }
    Err(Refusal::caller(
        ResultCode::NotGranted,
        format!("{path}：该渠道未开通此服务 id"),
    ))
}

/// Weighs what is off in a message: a strict channel is refused for the first of it, any other has
/// it noted. Gives what the journal says of it, which names members and no values.
fn weighed(
    call: &Call<'_>,
    channel: &InsurerChannel,
    faults: Faults,
) -> Result<Option<String>, Refusal> {
    let Some(first) = faults.named.first() else {
        return Ok(None);
    };
    if channel.strict {
        return Err(first.clone().into());
    }
    let note = format!("warn {}: {}", faults.count, first.path);
    tracing::info!(
        partner = &*call.partner.app_id,
        interface = call.interface.code(),
        count = faults.count,
        first = first.to_string(),
        "a message was accepted though something is off in it"
    );
    Ok(Some(note))
}

/// Notes where a message said less than it seemed to: what it repeats was overtaken by a later one.
fn note_overtaken(call: &Call<'_>, kept: &[Kept]) {
    let overtaken = kept.iter().filter(|kept| kept.what == What::Overtaken);
    let count = overtaken.count();
    if count > 0 {
        tracing::info!(
            partner = &*call.partner.app_id,
            interface = call.interface.code(),
            count,
            said_ms = call.said_ms,
            "records keep what was said of them later than this message"
        );
    }
}

/// The year of a moment or a day; empty where it is none.
fn year_of(said: Option<&str>) -> String {
    said.filter(|text| moment_ms(text).is_some())
        .and_then(|text| text.split_once('-'))
        .map(|(year, _)| year.to_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::year_of;

    #[test]
    fn what_is_no_time_has_no_year() {
        for (said, year) in [
            ("2025-01-10 18:33:21", "2025"),
            ("2025-12-31", "2025"),
            ("2025-99-01", ""),
            ("2025-02-30", ""),
            ("2025", ""),
            ("closeTime3", ""),
        ] {
            assert_eq!(year_of(Some(said)), year, "{said}");
        }
        assert_eq!(year_of(None), "");
    }
}
