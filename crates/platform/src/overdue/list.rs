//! 医疗欠费名单: what a citizen sees of himself.

use banyan_protocol::catalogue::{Interface, Room};
use banyan_protocol::dictionaries::BusinessType;
use banyan_store::db::StoreError;
use banyan_store::ids::PartnerId;
use banyan_store::journal::{self, Look};
use banyan_store::overdue::items::{self, ListedItem};
use banyan_store::overdue::links::Visitor;
use banyan_store::vault::Place;

use super::person::Identity;
use crate::app::App;

/// More than anybody has; it bounds what one page can cost.
const MOST_ITEMS: i64 = 500;

/// Looks of the last ninety days are shown, and no more of them than a page can hold.
const LOOKS_MS: i64 = 90 * 86_400_000;
const MOST_LOOKS: i64 = 50;

/// A citizen's own list.
pub struct OwnList {
    /// The name as shown: all but the last character are hidden.
    pub masked_name: String,
    /// His records with the names of their hospitals, newest first.
    pub items: Vec<(ListedItem, String)>,
    /// Who asked about him, newest first.
    pub looks: Vec<SeenBy>,
}

/// Somebody who asked about a citizen.
pub struct SeenBy {
    /// When.
    pub at_ms: i64,
    /// Who.
    pub name: String,
    /// What for, in Chinese.
    pub purpose: &'static str,
}

/// Reads the list of whoever holds a session.
///
/// # Errors
/// Any [`StoreError`].
pub async fn own_list(app: &App, visitor: &Visitor) -> Result<OwnList, StoreError> {
    let identity = Identity::open(&app.vault, Place::CitizenPerson, &visitor.person_sealed)?;
    let listed = items::listed_of_person(&app.db, &visitor.person, MOST_ITEMS).await?;
    let name_of = |partner: PartnerId| {
        app.directory
            .by_id(partner)
            .map_or_else(String::new, |partner| partner.name.clone())
    };
    let items = listed
        .into_iter()
        .map(|item| {
            let name = name_of(item.partner);
            (item, name)
        })
        .collect();
    let since_ms = app.now_ms() - LOOKS_MS;
    let looks = journal::looks_at(&app.db, &visitor.person, since_ms, MOST_LOOKS)
        .await?
        .into_iter()
        .map(|look| SeenBy {
            at_ms: look.at_ms,
            name: name_of(look.partner),
            purpose: purpose(&look),
        })
        .collect();
    Ok(OwnList {
        masked_name: masked(identity.user_name.as_deref().unwrap_or_default()),
        items,
        looks,
    })
}

fn purpose(look: &Look) -> &'static str {
    let stated = look.purpose.as_deref().and_then(BusinessType::from_code);
    match stated {
        Some(business) => business.label(),
        None if look.interface == Interface::OrgMdl004.code() => "为您打开本页面",
        None => Interface::from_code(&look.interface)
            .filter(|interface| interface.spec().room == Room::HealthCard)
            .map_or("查询", |interface| interface.spec().name),
    }
}

fn masked(name: &str) -> String {
    let count = name.chars().count();
    name.chars()
        .enumerate()
        .map(|(place, letter)| if place + 1 == count { letter } else { '＊' })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_shows_its_last_character() {
        assert_eq!(masked("张三"), "＊三");
        assert_eq!(masked("欧阳𠮷"), "＊＊𠮷");
        assert_eq!(masked(""), "");
    }
}
