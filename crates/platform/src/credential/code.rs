//! 医保码: the QR code that a person shows.

use banyan_protocol::credential::CentreCode;
use banyan_protocol::envelope::Environment;
use banyan_store::ids::HealthCardPersonId;
use banyan_store::vault::Place;

use super::refuse;
use super::shown::Shown;
use crate::app::App;
use crate::directory::Partner;
use crate::living_code::{CodeKind, LivingCode, Unreadable};
use crate::refusal::Refusal;

/// The codes of this room.
const CODES: CodeKind = CodeKind {
    prefix: "YBM1",
    place: Place::CredentialCode,
};

/// What a code for trying things out begins with: taken in a test environment alone.
const FOR_TESTS: &str = "YBT1";

/// A new code for this person.
#[must_use]
pub fn issue(app: &App, person: HealthCardPersonId) -> Option<LivingCode> {
    CODES.issue(app, person, app.settings.credential.code_ttl_ms)
}

/// The text of a new code, for whoever draws it himself.
#[must_use]
pub fn new_text(app: &App, person: HealthCardPersonId) -> String {
    let expires_ms = app.now_ms() + app.settings.credential.code_ttl_ms;
    CODES.text(app, person, expires_ms)
}

/// A code for trying things out: it lives for ever, is always the same for the same person, and may
/// be shown to everybody.
#[must_use]
pub fn for_tests(app: &App, person: HealthCardPersonId) -> String {
    let id = person.0.to_be_bytes();
    let code = app.vault.credential_code("code for tests", &[&id]);
    format!(
        "{FOR_TESTS}{}{}",
        hex::encode_upper(id),
        hex::encode_upper(&code[..16])
    )
}

fn read_for_tests(app: &App, text: &str) -> Option<HealthCardPersonId> {
    let id = text.get(..16)?;
    let person = HealthCardPersonId(i64::from_str_radix(id, 16).ok()?);
    let is_ours = for_tests(app, person).strip_prefix(FOR_TESTS) == Some(text);
    is_ours.then_some(person)
}

/// Whose code an institution scanned.
///
/// # Errors
/// 500159 where it is no 医保码, 500049 where it is forged, 500005 where it is over, 501001 where
/// another institution has had it.
pub(super) fn read(
    app: &App,
    by: &Partner,
    text: &str,
    now_ms: i64,
) -> Result<HealthCardPersonId, Refusal> {
    if let Some(rest) = text.trim().strip_prefix(FOR_TESTS) {
        let taken = app.environment == Environment::Test;
        let person = read_for_tests(app, rest).filter(|_| taken);
        return person.ok_or_else(|| refuse(CentreCode::BadCode));
    }
    let content = CODES.read(app, text).map_err(|unreadable| {
        refuse(match unreadable {
            Unreadable::OfAnother => CentreCode::NotOurCode,
            Unreadable::Forged => CentreCode::BadCode,
        })
    })?;
    if now_ms >= content.expires_ms {
        return Err(refuse(CentreCode::CodeOver));
    }
    match app
        .shown_codes
        .show(&content.id, by.id, content.expires_ms, now_ms)
    {
        Shown::Here => Ok(content.person),
        Shown::Elsewhere => Err(refuse(CentreCode::TokenOver)),
        Shown::TooMany => Err(refuse(CentreCode::RateLimited)),
    }
}
