//! A person's own card: its number, and the QR code that he shows at a window.
//!
//! The code is kept nowhere ([`crate::living_code`]); what is kept is only that it was used, and it
//! is used once.

use banyan_store::db::StoreError;
use banyan_store::health_card::persons::{self, Person};
use banyan_store::ids::HealthCardPersonId;
use banyan_store::vault::Place;

use crate::app::App;
use crate::living_code::{CodeKind, Content, LivingCode};
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

/// The codes of this room.
const CODES: CodeKind = CodeKind {
    prefix: "EHC1",
    place: Place::EhealthCode,
};

/// A new code for this person.
#[must_use]
pub fn issue_code(app: &App, person: HealthCardPersonId) -> Option<LivingCode> {
    CODES.issue(app, person, app.settings.health_card.code_ttl_ms)
}

/// Reads a code that somebody showed.
///
/// # Errors
/// Why it is not taken, in Chinese.
pub(super) fn read_code(app: &App, text: &str, now_ms: i64) -> Result<Content, &'static str> {
    let content = CODES.read(app, text).map_err(|_| NO_CODE)?;
    if now_ms >= content.expires_ms {
        return Err("电子健康码已过期，请患者刷新后重新出示");
    }
    Ok(content)
}

pub(super) const NO_CODE: &str = "不是有效的电子健康码，请患者打开电子健康卡重新出示";
pub(super) const USED: &str = "电子健康码已使用过，请患者刷新后重新出示";

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
