//! Who holds a session of the pages: sealed when it is opened, read where a page needs it.

use banyan_store::db::StoreError;
use banyan_store::ids::PartnerId;
use banyan_store::overdue::links::Visitor;
use banyan_store::vault::Place;

use super::person::Identity;
use crate::app::App;

/// Who somebody is, as his session was told.
#[derive(Clone, PartialEq, Eq)]
pub struct Known {
    /// 证件类型, as on the wire.
    pub id_type: String,
    /// 证件号码.
    pub id_no: String,
    /// 姓名.
    pub user_name: String,
}

/// A visitor who came through this partner.
#[must_use]
pub fn visitor(app: &App, partner: PartnerId, known: Known) -> Visitor {
    let person = app.vault.person_code(&known.id_type, &known.id_no);
    let identity = Identity {
        id_type: Some(known.id_type),
        id_no: Some(known.id_no),
        user_name: Some(known.user_name),
        mobile_phone: None,
    };
    Visitor {
        partner,
        person,
        person_sealed: app.vault.seal(Place::CitizenPerson, &identity.to_bytes()),
    }
}

/// Who a visitor is.
///
/// # Errors
/// [`StoreError::Corrupt`] where it can't be opened.
pub fn known(app: &App, visitor: &Visitor) -> Result<Known, StoreError> {
    let identity = Identity::open(&app.vault, Place::CitizenPerson, &visitor.person_sealed)?;
    Ok(Known {
        id_type: identity.id_type.unwrap_or_default(),
        id_no: identity.id_no.unwrap_or_default(),
        user_name: identity.user_name.unwrap_or_default(),
    })
}

impl std::fmt::Debug for Known {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Known(***)")
    }
}
