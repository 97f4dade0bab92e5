//! A person's own card: its number, and the QR code that he shows at a window.
//!
//! The code is kept nowhere. It holds, sealed, whose it is and until when, so that nobody can make
//! one or read who is behind it; what is kept is only that it was used, and it is used once.

use banyan_protocol::crypto::base64;
use banyan_store::db::StoreError;
use banyan_store::health_card::codes::CodeId;
use banyan_store::health_card::persons::{self, Person};
use banyan_store::ids::HealthCardPersonId;
use banyan_store::vault::Place;
use qrcode::render::svg;
use qrcode::{EcLevel, QrCode};

use crate::app::App;
use crate::masking::{masked_name, masked_number};

/// A card as its holder's page shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Card {
    /// Whose it is.
    pub person: HealthCardPersonId,
    /// 卡号.
    pub card_no: String,
    /// 姓名, all but its last character hidden.
    pub masked_name: String,
    /// 证件号, most of it hidden.
    pub masked_id_no: String,
}

/// A QR code that lives for a short while.
#[derive(Clone, PartialEq, Eq)]
pub struct LivingCode {
    /// 码值, at most 128 characters.
    pub text: String,
    /// The same as a picture.
    pub svg: String,
    /// Until when it is taken.
    pub expires_ms: i64,
}

/// The card of a registered person.
///
/// # Errors
/// Any [`StoreError`].
pub async fn of_person(app: &App, person: HealthCardPersonId) -> Result<Option<Card>, StoreError> {
    let person = persons::by_id(&app.db, &app.vault, person).await?;
    Ok(person.as_ref().map(Card::of))
}

/// The card of whoever has this identity, if he is registered.
///
/// # Errors
/// Any [`StoreError`].
pub async fn of_identity(
    app: &App,
    id_type: &str,
    id_no: &str,
) -> Result<Option<Card>, StoreError> {
    let index = app.vault.card_index(id_type, id_no);
    let person = persons::by_index(&app.db, &app.vault, &index).await?;
    Ok(person.as_ref().map(Card::of))
}

/// A new code for this person. `None` where the picture can't be drawn, which no code's length
/// gives cause for.
#[must_use]
pub fn issue_code(app: &App, person: HealthCardPersonId) -> Option<LivingCode> {
    let expires_ms = app.now_ms() + app.settings.health_card.code_ttl_ms;
    let mut plain = Vec::with_capacity(PLAIN_BYTES);
    plain.extend_from_slice(&person.0.to_be_bytes());
    plain.extend_from_slice(&expires_ms.to_be_bytes());
    let mut nonce = [0; 8];
    app.world.random.fill(&mut nonce);
    plain.extend_from_slice(&nonce);
    let sealed = base64::encode(&app.vault.seal(Place::EhealthCode, &plain));
    let text = format!("{PREFIX}{}", sealed.trim_end_matches('='));
    let svg = qr_svg(&text)?;
    Some(LivingCode {
        text,
        svg,
        expires_ms,
    })
}

/// A text as a QR code: an SVG that fits into a page and stands alone. `None` where it is too long
/// for one.
#[must_use]
pub fn qr_svg(text: &str) -> Option<String> {
    let code = QrCode::with_error_correction_level(text, EcLevel::M).ok()?;
    let svg = code
        .render::<svg::Color<'_>>()
        .min_dimensions(PICTURE, PICTURE)
        .build();
    let start = svg.find("<svg")?;
    Some(svg[start..].to_owned())
}

/// What a code holds.
#[derive(Debug)]
pub(super) struct CodeContent {
    pub(super) id: CodeId,
    pub(super) person: HealthCardPersonId,
    pub(super) expires_ms: i64,
}

/// Reads a code that somebody showed.
///
/// # Errors
/// Why it is not taken, in Chinese.
pub(super) fn read_code(app: &App, text: &str, now_ms: i64) -> Result<CodeContent, &'static str> {
    let plain = text
        .trim()
        .strip_prefix(PREFIX)
        .and_then(|sealed| base64::decode(sealed).ok())
        .and_then(|sealed| app.vault.open(Place::EhealthCode, &sealed).ok())
        .ok_or(NO_CODE)?;
    let number = |from: usize| {
        let bytes = plain.get(from..from + 8)?;
        bytes.try_into().ok().map(i64::from_be_bytes)
    };
    let (Some(person), Some(expires_ms)) = (number(0), number(8)) else {
        return Err(NO_CODE);
    };
    if now_ms >= expires_ms {
        return Err("电子健康码已过期，请患者刷新后重新出示");
    }
    Ok(CodeContent {
        // Of what was sealed, not of the text: base64 can write the same bytes in several ways.
        id: CodeId(app.vault.content_code(&plain)),
        person: HealthCardPersonId(person),
        expires_ms,
    })
}

pub(super) const NO_CODE: &str = "不是有效的电子健康码，请患者打开电子健康卡重新出示";
pub(super) const USED: &str = "电子健康码已使用过，请患者刷新后重新出示";

const PREFIX: &str = "EHC1";
const PLAIN_BYTES: usize = 24;
/// Pixels that a code measures at least, where a page does not say otherwise.
const PICTURE: u32 = 240;

impl Card {
    pub(super) fn of(person: &Person) -> Self {
        Self {
            person: person.id,
            card_no: person.card_no(),
            masked_name: masked_name(&person.identity.user_name),
            masked_id_no: masked_number(&person.identity.id_no),
        }
    }
}

impl std::fmt::Debug for Card {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Card(person {})", self.person)
    }
}

impl std::fmt::Debug for LivingCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LivingCode(***, until {})", self.expires_ms)
    }
}
