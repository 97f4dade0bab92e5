//! QR codes that a person shows and that live for a short while.
//!
//! A code is kept nowhere. It holds, sealed, whose it is and until when, so that nobody can make
//! one or read who is behind it. Each room has a kind of its own, which opens in no other.

use banyan_protocol::crypto::base64;
use banyan_store::ids::HealthCardPersonId;
use banyan_store::vault::Place;
use qrcode::render::svg;
use qrcode::{EcLevel, QrCode};

use crate::app::App;

/// A kind of code.
#[derive(Debug, Clone, Copy)]
pub struct CodeKind {
    /// What its texts begin with.
    pub prefix: &'static str,
    /// What it is sealed for.
    pub place: Place,
}

/// A code that lives for a short while.
#[derive(Clone, PartialEq, Eq)]
pub struct LivingCode {
    /// 码值, at most 128 characters.
    pub text: String,
    /// The same as a picture.
    pub svg: String,
    /// Until when it is taken.
    pub expires_ms: i64,
}

/// What a code holds.
#[derive(Debug, Clone, Copy)]
pub struct Content {
    /// The keyed code of what it holds; of that and not of the text, for base64 can write the same
    /// bytes in several ways.
    pub id: [u8; 32],
    /// Whose it is.
    pub person: HealthCardPersonId,
    /// Until when it is taken.
    pub expires_ms: i64,
}

/// Why a text is no code of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreadable {
    /// It does not even look like one.
    OfAnother,
    /// It looks like one and was not made here.
    Forged,
}

impl CodeKind {
    /// The text of a new code.
    #[must_use]
    pub fn text(self, app: &App, person: HealthCardPersonId, expires_ms: i64) -> String {
        let mut plain = Vec::with_capacity(PLAIN_BYTES);
        plain.extend_from_slice(&person.0.to_be_bytes());
        plain.extend_from_slice(&expires_ms.to_be_bytes());
        let mut nonce = [0; 8];
        app.world.random.fill(&mut nonce);
        plain.extend_from_slice(&nonce);
        let sealed = base64::encode(&app.vault.seal(self.place, &plain));
        format!("{}{}", self.prefix, sealed.trim_end_matches('='))
    }

    /// A new code that lives for this long. `None` where the picture can't be drawn, which no
    /// code's length gives cause for.
    #[must_use]
    pub fn issue(self, app: &App, person: HealthCardPersonId, ttl_ms: i64) -> Option<LivingCode> {
        let expires_ms = app.now_ms() + ttl_ms;
        let text = self.text(app, person, expires_ms);
        let svg = qr_svg(&text)?;
        Some(LivingCode {
            text,
            svg,
            expires_ms,
        })
    }

    /// Reads a code that somebody showed; whether it still lives is for the caller to say.
    ///
    /// # Errors
    /// See [`Unreadable`].
    pub fn read(self, app: &App, text: &str) -> Result<Content, Unreadable> {
        let sealed = text
            .trim()
            .strip_prefix(self.prefix)
            .ok_or(Unreadable::OfAnother)?;
        let plain = base64::decode(sealed)
            .ok()
            .and_then(|sealed| app.vault.open(self.place, &sealed).ok())
            .ok_or(Unreadable::Forged)?;
        let number = |from: usize| {
            let bytes = plain.get(from..from + 8)?;
            bytes.try_into().ok().map(i64::from_be_bytes)
        };
        let (Some(person), Some(expires_ms)) = (number(0), number(8)) else {
            return Err(Unreadable::Forged);
        };
        Ok(Content {
            id: app.vault.content_code(&plain),
            person: HealthCardPersonId(person),
            expires_ms,
        })
    }
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

const PLAIN_BYTES: usize = 24;
/// Pixels that a code measures at least, where a page does not say otherwise.
const PICTURE: u32 = 240;

impl std::fmt::Debug for LivingCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LivingCode(***, until {})", self.expires_ms)
    }
}
