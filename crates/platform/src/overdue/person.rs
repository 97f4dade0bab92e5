//! Whose an item is: the claim that a message makes, checked against the health-card index.

use banyan_protocol::dictionaries::IdType;
use banyan_protocol::overdue::{EhealthCardId, IdNo, MobilePhone, UserName};
use banyan_store::db::StoreError;
use banyan_store::overdue::items::Owner;
use banyan_store::vault::{Place, Vault};
use serde::{Deserialize, Serialize};

use crate::inbound::call::exposed;

/// Who somebody is, as it is kept sealed. Short names, for it is kept with every record.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Identity {
    /// 证件类型.
    #[serde(rename = "t", skip_serializing_if = "Option::is_none", default)]
    pub(super) id_type: Option<String>,
    /// 证件号码.
    #[serde(rename = "n", skip_serializing_if = "Option::is_none", default)]
    pub(super) id_no: Option<String>,
    /// 姓名.
    #[serde(rename = "u", skip_serializing_if = "Option::is_none", default)]
    pub(super) user_name: Option<String>,
    /// 手机号码.
    #[serde(rename = "m", skip_serializing_if = "Option::is_none", default)]
    pub(super) mobile_phone: Option<String>,
}

/// The members of a message that say whose it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Claimed<'a> {
    pub(super) id_no: Option<&'a IdNo>,
    pub(super) id_type: Option<IdType>,
    pub(super) user_name: Option<&'a UserName>,
    pub(super) ehealth_card_id: Option<&'a EhealthCardId>,
    pub(super) mobile_phone: Option<&'a MobilePhone>,
}

/// Judges the claim. A person is real-name where the index is given and is his; without an index
/// he is anonymous, whatever else was given, and nothing is checked (guide 4.3.1.2).
///
/// # Errors
/// The reason in Chinese, for the hospital.
pub(super) fn owner(vault: &Vault, claimed: &Claimed<'_>) -> Result<Owner, &'static str> {
    let identity = Identity {
        id_type: claimed.id_type.map(|id_type| id_type.code().to_owned()),
        id_no: exposed(claimed.id_no).map(str::to_owned),
        user_name: exposed(claimed.user_name).map(str::to_owned),
        mobile_phone: exposed(claimed.mobile_phone).map(str::to_owned),
    };
    let named = identity.id_type.as_deref().zip(identity.id_no.as_deref());
    if let Some(index) = exposed(claimed.ehealth_card_id) {
        let (Some((id_type, id_no)), Some(_)) = (named, &identity.user_name) else {
            return Err("实名患者须同时提供 idNo、idType、userName 与 ehealthCardId");
        };
        if !vault
            .ehealth_card_id(id_type, id_no)
            .eq_ignore_ascii_case(index)
        {
            return Err("ehealthCardId 与证件信息不符");
        }
    }
    let empty = identity == Identity::default();
    Ok(Owner {
        person: named.map(|(id_type, id_no)| vault.person_code(id_type, id_no)),
        sealed: (!empty).then(|| vault.seal(Place::ItemPerson, &identity.to_bytes())),
        real_name: claimed.ehealth_card_id.is_some(),
    })
}

impl Identity {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        serde_json::json!(self).to_string().into_bytes()
    }

    pub(super) fn open(vault: &Vault, place: Place, sealed: &[u8]) -> Result<Self, StoreError> {
        serde_json::from_slice(&vault.open(place, sealed)?)
            .map_err(|_| StoreError::Corrupt(format!("{place:?} is no identity")))
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Identity(***)")
    }
}
