//! 人员编号 at the insurance: which person each leads to.

use super::persons::{self, Person};
use crate::db::{Db, StoreError, Tx};
use crate::ids::HealthCardPersonId;
use crate::vault::{InsuredCode, Vault};

/// The person to whom this number leads.
///
/// # Errors
/// Any [`StoreError`]; also [`StoreError::Corrupt`] where the number leads to nobody.
pub async fn person(
    db: &Db,
    vault: &Vault,
    number: &InsuredCode,
) -> Result<Option<Person>, StoreError> {
    let id = db
        .look_up_opt(OWNER, &[(&number.0).into()], |row| {
            Ok(HealthCardPersonId(row.get(0)?))
        })
        .await?;
    match id {
        None => Ok(None),
        Some(id) => persons::by_id(db, vault, id)
            .await?
            .map(Some)
            .ok_or_else(|| StoreError::Corrupt(format!("a number of the insured leads to {id}"))),
    }
}

/// To whom these numbers lead, in their order.
pub(super) fn owners(
    tx: &mut Tx<'_>,
    numbers: &[InsuredCode],
) -> Result<Vec<Option<HealthCardPersonId>>, StoreError> {
    let sets: Vec<_> = numbers.iter().map(|code| vec![(&code.0).into()]).collect();
    tx.query_each(OWNER, &sets, |row| Ok(HealthCardPersonId(row.get(0)?)))
}

/// Has a number lead to another person than before.
pub(super) fn lead_to(
    tx: &mut Tx<'_>,
    number: &InsuredCode,
    person: HealthCardPersonId,
    now_ms: i64,
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO insured_number (psn, person_id, first_ms) VALUES ($1, $2, $3) \
         ON CONFLICT (psn) DO UPDATE SET person_id = excluded.person_id",
        &[(&number.0).into(), person.into(), now_ms.into()],
    )?;
    Ok(())
}

const OWNER: &str = "SELECT person_id FROM insured_number WHERE psn = $1";
