//! 医疗欠费名单: what a citizen sees of himself.

use banyan_store::db::StoreError;
use banyan_store::overdue::items::{self, ListedItem};
use banyan_store::overdue::links::Visitor;
use banyan_store::vault::Place;

use super::person::Identity;
use crate::app::App;

/// More than anybody has; it bounds what one page can cost.
const MOST_ITEMS: i64 = 500;

/// A citizen's own list.
pub struct OwnList {
    /// The name as shown: all but the last character are hidden.
    pub masked_name: String,
    /// His records with the names of their hospitals, newest first.
    pub items: Vec<(ListedItem, String)>,
}

/// Reads the list of whoever holds a session.
///
/// # Errors
/// Any [`StoreError`].
pub async fn own_list(app: &App, visitor: &Visitor) -> Result<OwnList, StoreError> {
    let identity = Identity::open(&app.vault, Place::CitizenPerson, &visitor.person_sealed)?;
    let listed = items::listed_of_person(&app.db, &visitor.person, MOST_ITEMS).await?;
    let items = listed
        .into_iter()
        .map(|item| {
            let name = app
                .directory
                .by_id(item.partner)
                .map_or_else(String::new, |hospital| hospital.name.clone());
            (item, name)
        })
        .collect();
    Ok(OwnList {
        masked_name: masked(identity.user_name.as_deref().unwrap_or_default()),
        items,
    })
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
