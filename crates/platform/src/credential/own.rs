//! A citizen's own credential: seeing it, taking one, setting its password, answering whoever waits
//! for it.

use banyan_protocol::credential::dictionaries::BusinessType;
use banyan_store::credential::holders::{self, Holder};
use banyan_store::credential::requests;
use banyan_store::db::StoreError;
use banyan_store::health_card::names::same_name;
use banyan_store::health_card::persons;
use banyan_store::ids::{HealthCardPersonId, PasswordRequestId};

use super::password::{self, Digits};
use crate::app::App;

/// How somebody stands with his credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// He has one.
    Held(Box<Holder>),
    /// He has none yet, but is registered, so that he can take one.
    None(HealthCardPersonId),
    /// He is not registered: without a health card there is no credential.
    NotRegistered,
    /// Under his number somebody of another name is registered.
    NameDiffers,
}

/// An institution that waits for his password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Which request.
    pub id: PasswordRequestId,
    /// Its name.
    pub institution: String,
    /// What for.
    pub business: &'static str,
    /// In which department.
    pub office: String,
    /// Until when.
    pub expires_ms: i64,
}

/// How whoever has this identity stands.
///
/// # Errors
/// Any [`StoreError`].
pub async fn standing(
    app: &App,
    id_type: &str,
    id_no: &str,
    user_name: &str,
) -> Result<Standing, StoreError> {
    let index = app.vault.card_index(id_type, id_no);
    if let Some(holder) = holders::by_index(&app.db, &app.vault, &index).await? {
        let is_his = same_name(&holder.person.identity.user_name, user_name);
        return Ok(if is_his {
            Standing::Held(Box::new(holder))
        } else {
            Standing::NameDiffers
        });
    }
    Ok(
        match persons::by_index(&app.db, &app.vault, &index).await? {
            None => Standing::NotRegistered,
            Some(person) if same_name(&person.identity.user_name, user_name) => {
                Standing::None(person.id)
            }
            Some(_) => Standing::NameDiffers,
        },
    )
}

/// He takes a credential with this place of insurance and password; `false` where he has one.
///
/// # Errors
/// Any [`StoreError`].
pub async fn take(
    app: &App,
    person: HealthCardPersonId,
    insu_org: &'static str,
    digits: Digits,
) -> Result<bool, StoreError> {
    let (digest, now_ms) = (password::digest(app, digits).await?, app.now_ms());
    app.db
        .write(move |tx| holders::open(tx, person, insu_org, Some(&digest), now_ms))
        .await
}

/// Who waits for his password now.
///
/// # Errors
/// Any [`StoreError`].
pub async fn waiting(app: &App, person: HealthCardPersonId) -> Result<Vec<Waiting>, StoreError> {
    let open = requests::open_of(&app.db, person, app.now_ms()).await?;
    let of = |request: requests::Request| Waiting {
        id: request.id,
        institution: app
            .directory
            .by_id(request.partner)
            .map_or_else(String::new, |partner| partner.name.clone()),
        business: BusinessType::from_code(&request.business_type)
            .map_or("办理业务", BusinessType::label),
        office: request.office,
        expires_ms: request.expires_ms,
    };
    Ok(open.into_iter().map(of).collect())
}

/// 参保地: the codes of the province's own places (6.4 refers to the 医保 information system's).
pub const PLACES: [(&str, &str); 11] = [
    ("350100", "福州市"),
    ("350200", "厦门市"),
    ("350300", "莆田市"),
    ("350400", "三明市"),
    ("350500", "泉州市"),
    ("350600", "漳州市"),
    ("350700", "南平市"),
    ("350800", "龙岩市"),
    ("350900", "宁德市"),
    ("350128", "平潭综合实验区"),
    ("359900", "福建省本级"),
];

/// The name of a place of insurance.
#[must_use]
pub fn place_name(code: &str) -> &'static str {
    let place = PLACES.into_iter().find(|(known, _)| *known == code);
    place.map_or("外省", |(_, name)| name)
}
