//! Whose an item is: the claim that a message makes, checked against the health-card index and
//! whoever is registered under it.

use std::collections::HashMap;

use banyan_protocol::dictionaries::IdType;
use banyan_protocol::overdue::org_mdl_001::UnsettledPerson;
use banyan_protocol::overdue::org_mdl_003::UpdateRequest;
use banyan_protocol::overdue::{EhealthCardId, IdNo, MobilePhone, UserName};
use banyan_store::db::StoreError;
use banyan_store::health_card::names::same_name;
use banyan_store::health_card::persons::{self, Person};
use banyan_store::health_card::reviews;
use banyan_store::ids::HealthCardPersonId;
use banyan_store::overdue::items::Owner;
use banyan_store::vault::{CardIndex, Place, Vault};
use serde::{Deserialize, Serialize};

use crate::app::App;
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

/// Who is registered, of those whom one batch claims to be real-name.
#[derive(Debug, Default)]
pub(super) struct Registry(HashMap<CardIndex, Person>);

impl Registry {
    /// Looks all of them up at once.
    pub(super) async fn look_up(app: &App, claims: &[Claimed<'_>]) -> Result<Self, StoreError> {
        let mut indexes: Vec<_> = claims
            .iter()
            .filter_map(|claimed| CardIndex::parse(exposed(claimed.ehealth_card_id)?))
            .collect();
        indexes.sort_unstable();
        indexes.dedup();
        let found = persons::by_indexes(&app.db, &app.vault, &indexes).await?;
        let known = indexes
            .into_iter()
            .zip(found)
            .filter_map(|(index, person)| Some((index, person?)));
        Ok(Self(known.collect()))
    }

    /// The claims that give a registered person another name, for people to decide.
    pub(super) fn contradictions(
        &self,
        vault: &Vault,
        claims: &[Claimed<'_>],
    ) -> Vec<(HealthCardPersonId, reviews::Claimed)> {
        claims
            .iter()
            .filter_map(|claimed| self.contradiction(vault, claimed))
            .collect()
    }

    fn contradiction(
        &self,
        vault: &Vault,
        claimed: &Claimed<'_>,
    ) -> Option<(HealthCardPersonId, reviews::Claimed)> {
        let (id_type, id_no) = claimed.number()?;
        let name = exposed(claimed.user_name)?;
        let index = CardIndex::parse(exposed(claimed.ehealth_card_id)?)?;
        let person = self.0.get(&index)?;
        let is_his = vault.card_index(id_type, id_no) == index;
        if !is_his || same_name(&person.identity.user_name, name) {
            return None;
        }
        let identity = persons::Identity {
            user_name: name.to_owned(),
            by_himself: false,
            ..person.identity.clone()
        };
        let claim = reviews::Claimed {
            identity,
            psn_no: None,
        };
        Some((person.id, claim))
    }
}

impl<'a> Claimed<'a> {
    pub(super) fn of_report(person: &'a UnsettledPerson) -> Self {
        Self {
            id_no: person.idNo.as_ref(),
            id_type: person.idType,
            user_name: person.userName.as_ref(),
            ehealth_card_id: person.ehealthCardId.as_ref(),
            mobile_phone: person.mobilePhone.as_ref(),
        }
    }

    pub(super) fn of_update(request: &'a UpdateRequest) -> Self {
        Self {
            id_no: request.idNo.as_ref(),
            id_type: request.idType,
            user_name: request.userName.as_ref(),
            ehealth_card_id: request.ehealthCardId.as_ref(),
            mobile_phone: None,
        }
    }

    fn number(&self) -> Option<(&str, &str)> {
        self.id_type.map(IdType::code).zip(exposed(self.id_no))
    }
}

/// Judges the claim. A person is real-name where the index is given and is his, registered, and
/// under this name; without an index he is anonymous, whatever else was given, and nothing is
/// checked (guide 4.3.1.2).
///
/// # Errors
/// The reason in Chinese, for the hospital.
pub(super) fn owner(
    vault: &Vault,
    registry: &Registry,
    claimed: &Claimed<'_>,
) -> Result<Owner, &'static str> {
    let identity = Identity {
        id_type: claimed.id_type.map(|id_type| id_type.code().to_owned()),
        id_no: exposed(claimed.id_no).map(str::to_owned),
        user_name: exposed(claimed.user_name).map(str::to_owned),
        mobile_phone: exposed(claimed.mobile_phone).map(str::to_owned),
    };
    let named = identity.id_type.as_deref().zip(identity.id_no.as_deref());
    if let Some(index) = exposed(claimed.ehealth_card_id) {
        let (Some((id_type, id_no)), Some(user_name)) = (named, &identity.user_name) else {
            return Err("实名患者须同时提供 idNo、idType、userName 与 ehealthCardId");
        };
        let own = vault.card_index(id_type, id_no);
        if CardIndex::parse(index) != Some(own) {
            return Err("ehealthCardId 与证件信息不符");
        }
        let person = registry
            .0
            .get(&own)
            .ok_or("该患者尚未登记电子健康卡，请先通过 ORG_EHC_001 至 004 获取主索引")?;
        // A name that somebody gave himself behind a link stands against no hospital's, which reads
        // papers: else a debtor could put himself out of every hospital's reach. People decide.
        let registered = &person.identity;
        if !registered.by_himself && !same_name(&registered.user_name, user_name) {
            return Err("userName 与电子健康卡登记的姓名不一致，已转人工核实");
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
