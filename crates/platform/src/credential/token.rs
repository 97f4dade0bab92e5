//! 令牌 (ecToken): that an institution had somebody before it, until a certain minute.
//!
//! 20 bytes as 40 hexadecimal digits, which is what the standard has room for: half a keyed code
//! over who, until when, and for whom; and who and until when, hidden under another keyed code. It is
//! kept nowhere.

use banyan_protocol::credential::EcToken;
use banyan_protocol::wire::{Private, Scalar as _, Text};
use banyan_store::ids::{HealthCardPersonId, PartnerId};
use subtle::ConstantTimeEq as _;

use crate::app::App;

/// Why a token is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotTaken {
    /// It was not made here, or for another institution.
    NotOurs,
    /// Its time is over.
    Over,
}

const HALF: usize = 10;
/// Minutes are counted from the first of 2020, so that three bytes last until 2051.
const FIRST_MINUTE: i64 = 1_577_836_800_000 / MINUTE_MS;
const MINUTE_MS: i64 = 60_000;

/// A new token. `None` where an id or a moment is larger than it has room for.
#[must_use]
pub fn issue(app: &App, person: HealthCardPersonId, to: PartnerId, now_ms: i64) -> Option<EcToken> {
    let until_ms = now_ms + app.settings.credential.token_ttl_ms;
    // Rounded up: it lives for as long as it was promised.
    let minute = until_ms.div_euclid(MINUTE_MS) + 1 - FIRST_MINUTE;
    let [0, 0, 0, id @ ..] = person.0.to_be_bytes() else {
        return None;
    };
    let [0, 0, 0, 0, 0, minute @ ..] = minute.to_be_bytes() else {
        return None;
    };
    let mut said = [0; HALF];
    said[..5].copy_from_slice(&id);
    said[5..8].copy_from_slice(&minute);
    app.world.random.fill(&mut said[8..]);
    let tag = tag(app, to, &said);
    let mut token = [0; 2 * HALF];
    token[..HALF].copy_from_slice(&tag);
    token[HALF..].copy_from_slice(&hidden(app, &tag, &said));
    let text = Text::parse(&hex::encode_upper(token)).ok()?;
    Some(Private::new(text))
}

/// Whom an institution's token stands for.
///
/// # Errors
/// See [`NotTaken`].
pub fn read(
    app: &App,
    by: PartnerId,
    text: &str,
    now_ms: i64,
) -> Result<HealthCardPersonId, NotTaken> {
    let mut token = [[0; HALF]; 2];
    hex::decode_to_slice(text.trim(), token.as_flattened_mut()).map_err(|_| NotTaken::NotOurs)?;
    let [stated, rest] = &token;
    let said = hidden(app, stated, rest);
    if !bool::from(tag(app, by, &said).ct_eq(stated)) {
        return Err(NotTaken::NotOurs);
    }
    let [a, b, c, d, e, x, y, z, ..] = said;
    let minute = i64::from_be_bytes([0, 0, 0, 0, 0, x, y, z]) + FIRST_MINUTE;
    if now_ms >= minute * MINUTE_MS {
        return Err(NotTaken::Over);
    }
    Ok(HealthCardPersonId(i64::from_be_bytes([
        0, 0, 0, a, b, c, d, e,
    ])))
}

fn tag(app: &App, partner: PartnerId, said: &[u8; HALF]) -> [u8; HALF] {
    let partner = partner.0.to_be_bytes();
    half(&app.vault.credential_code("token", &[&partner, said]))
}

/// Hides what is said, and shows it again.
fn hidden(app: &App, tag: &[u8; HALF], said: &[u8; HALF]) -> [u8; HALF] {
    let mut mask = half(&app.vault.credential_code("token mask", &[tag]));
    for (mask, byte) in mask.iter_mut().zip(said) {
        *mask ^= byte;
    }
    mask
}

fn half(code: &[u8; 32]) -> [u8; HALF] {
    let mut half = [0; HALF];
    half.copy_from_slice(&code[..HALF]);
    half
}
