//! Everything that was sent about one thing, in the order of its ledger's list of fields.
//!
//! A list of fields only ever grows at its end, so what was kept under a shorter one can still be
//! read. The text is kept as it came, right or wrong: an amount that is no amount and a date that
//! is none are what the insurer said.

use crate::db::StoreError;
use crate::vault::{Place, Vault};

/// What was sent: one text for each field, `None` for one that was absent.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Content(pub Vec<Option<String>>);

impl Content {
    /// Takes the fields one by one.
    pub fn of<'a>(fields: &[&str], mut value: impl FnMut(&str) -> Option<&'a str>) -> Self {
        Self(
            fields
                .iter()
                .map(|field| value(field).map(str::to_owned))
                .collect(),
        )
    }

    /// The value of the field at this place of the list.
    #[must_use]
    pub fn at(&self, place: usize) -> Option<&str> {
        self.0.get(place)?.as_deref()
    }

    /// The value of a field by its name.
    #[must_use]
    pub fn get(&self, fields: &[&str], field: &str) -> Option<&str> {
        self.at(fields.iter().position(|known| *known == field)?)
    }

    pub(super) fn packed(&self) -> Result<Vec<u8>, StoreError> {
        postcard::to_stdvec(&self.0)
            .map_err(|_| StoreError::Corrupt("a content can't be packed".to_owned()))
    }

    pub(super) fn open(vault: &Vault, place: Place, sealed: &[u8]) -> Result<Self, StoreError> {
        let packed = vault.open(place, sealed)?;
        postcard::from_bytes(&packed)
            .map(Self)
            .map_err(|_| StoreError::Corrupt(format!("{place:?}: this is no content")))
    }
}

/// Says how many fields there are: they are persons' data.
impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Content({} fields)", self.0.len())
    }
}
