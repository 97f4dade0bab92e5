//! Persons: who has a card, under which index.

use serde::{Deserialize, Serialize};

use crate::db::{Db, Row, StoreError, Tx};
use crate::ids::HealthCardPersonId;
use crate::vault::{CardCode, CardIndex, PersonCode, Place, Vault};

/// Who somebody is, as it is kept sealed. Short names, for there are millions.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// 证件类型.
    #[serde(rename = "t")]
    pub id_type: String,
    /// 证件号.
    #[serde(rename = "n")]
    pub id_no: String,
    /// 姓名, as it was first given.
    #[serde(rename = "u")]
    pub user_name: String,
    /// 性别, as on the wire.
    #[serde(rename = "s", skip_serializing_if = "Option::is_none", default)]
    pub user_sex: Option<String>,
    /// 出生日期, `yyyyMMdd`.
    #[serde(rename = "b", skip_serializing_if = "Option::is_none", default)]
    pub birthday: Option<String>,
    /// 手机号.
    #[serde(rename = "m", skip_serializing_if = "Option::is_none", default)]
    pub mobile_phone: Option<String>,
    /// Nobody vouches for it: he said so himself, behind a link.
    #[serde(rename = "h", skip_serializing_if = "std::ops::Not::not", default)]
    pub by_himself: bool,
}

/// A registered person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The person's id.
    pub id: HealthCardPersonId,
    /// Who it is.
    pub identity: Identity,
}

/// The person with this index.
///
/// # Errors
/// Any [`StoreError`].
pub async fn by_index(
    db: &Db,
    vault: &Vault,
    index: &CardIndex,
) -> Result<Option<Person>, StoreError> {
    let code = vault.card_code(index);
    db.look_up_opt(BY_CODE, &[(&code.0).into()], |row| read(row, vault))
        .await
}

/// The persons with these indexes, in their order. No more than a message has persons.
///
/// # Errors
/// Any [`StoreError`].
pub async fn by_indexes(
    db: &Db,
    vault: &Vault,
    indexes: &[CardIndex],
) -> Result<Vec<Option<Person>>, StoreError> {
    let sets: Vec<_> = indexes
        .iter()
        .map(|index| vec![vault.card_code(index).0.into()])
        .collect();
    db.query_each(BY_CODE, &sets, |row| read(row, vault)).await
}

/// The person with this id.
///
/// # Errors
/// Any [`StoreError`].
pub async fn by_id(
    db: &Db,
    vault: &Vault,
    id: HealthCardPersonId,
) -> Result<Option<Person>, StoreError> {
    db.look_up_opt(BY_ID, &[id.into()], |row| read(row, vault))
        .await
}

/// The same within a transaction.
///
/// # Errors
/// Any [`StoreError`].
pub fn in_tx(
    tx: &mut Tx<'_>,
    vault: &Vault,
    id: HealthCardPersonId,
) -> Result<Option<Person>, StoreError> {
    tx.query_opt(BY_ID, &[id.into()], |row| read(row, vault))
}

/// How many persons are registered; a scan, for reports.
///
/// # Errors
/// Any [`StoreError`].
pub async fn count(db: &Db) -> Result<i64, StoreError> {
    db.scan(|tx| tx.query_opt("SELECT COUNT(*) FROM person", &[], |row| row.get(0)))
        .await
        .map(Option::unwrap_or_default)
}

/// The persons with these codes, in their order.
pub(super) fn by_codes(
    tx: &mut Tx<'_>,
    vault: &Vault,
    codes: &[CardCode],
) -> Result<Vec<Option<Person>>, StoreError> {
    let sets: Vec<_> = codes.iter().map(|code| vec![(&code.0).into()]).collect();
    tx.query_each(BY_CODE, &sets, |row| read(row, vault))
}

/// Changes who somebody is; index and identity number stay. What is changed is read once nobody else
/// can change it, so that of two who change at once neither undoes the other.
pub(super) fn change(
    tx: &mut Tx<'_>,
    vault: &Vault,
    id: HealthCardPersonId,
    now_ms: i64,
    change: impl FnOnce(&mut Identity),
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE person SET changed_ms = $2 WHERE id = $1",
        &[id.into(), now_ms.into()],
    )?;
    let mut person = in_tx(tx, vault, id)?
        .ok_or_else(|| StoreError::Corrupt(format!("person {id} is to be changed and is gone")))?;
    change(&mut person.identity);
    tx.execute(
        "UPDATE person SET sealed = $2 WHERE id = $1",
        &[id.into(), person.identity.seal(vault).into()],
    )?;
    Ok(())
}

impl Person {
    /// 卡号: twelve digits, eleven of the id and a check digit (Luhn), so that a slip in copying it
    /// is noticed.
    #[must_use]
    pub fn card_no(&self) -> String {
        card_no(self.id)
    }
}

impl Identity {
    /// The index of whoever this is.
    #[must_use]
    pub fn index(&self, vault: &Vault) -> CardIndex {
        vault.card_index(&self.id_type, &self.id_no)
    }

    /// The code by which other records name whoever this is.
    #[must_use]
    pub fn person_code(&self, vault: &Vault) -> PersonCode {
        vault.person_code(&self.id_type, &self.id_no)
    }

    pub(super) fn seal(&self, vault: &Vault) -> Vec<u8> {
        vault.seal(Place::HealthCardPerson, self.json().as_bytes())
    }

    pub(super) fn json(&self) -> String {
        serde_json::json!(self).to_string()
    }
}

const BY_CODE: &str = "SELECT id, sealed FROM person WHERE card_code = $1";
const BY_ID: &str = "SELECT id, sealed FROM person WHERE id = $1";

/// A person, from a row that begins with `id` and `sealed`.
pub(crate) fn read(row: &Row<'_>, vault: &Vault) -> Result<Person, StoreError> {
    let id: i64 = row.get(0)?;
    let plain = vault.open(Place::HealthCardPerson, &row.get::<Vec<u8>>(1)?)?;
    let identity = serde_json::from_slice(&plain)
        .map_err(|_| StoreError::Corrupt(format!("person {id} is no identity")))?;
    Ok(Person {
        id: HealthCardPersonId(id),
        identity,
    })
}

fn card_no(id: HealthCardPersonId) -> String {
    let digits = format!("{:011}", id.0);
    // Luhn: from the right, every second digit is doubled, beginning with the last of the body.
    let sum: u32 = digits
        .bytes()
        .rev()
        .zip([2, 1].into_iter().cycle())
        .map(|(digit, weight)| {
            let value = u32::from(digit.saturating_sub(b'0')) * weight;
            value / 10 + value % 10
        })
        .sum();
    format!("{digits}{}", (10 - sum % 10) % 10)
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Identity(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_number_has_twelve_digits_and_checks() {
        // The textbook's example: 7992739871 has the check digit 3.
        assert_eq!(card_no(HealthCardPersonId(7_992_739_871)), "079927398713");
        assert_eq!(card_no(HealthCardPersonId(100_001)), "000001000017");
        assert_eq!(card_no(HealthCardPersonId(99_999_999_999)).len(), 12);
    }
}
