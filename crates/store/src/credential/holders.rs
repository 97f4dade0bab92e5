//! 持有人: who has a credential, and how his password stands.

use crate::db::{Db, Row, StoreError, Tx};
use crate::health_card::persons::{self, Person};
use crate::ids::HealthCardPersonId;
use crate::vault::{CardIndex, Vault};

/// Somebody who has a credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Who it is.
    pub person: Person,
    /// 参保地区编码.
    pub insu_org: String,
    /// How his password stands.
    pub password: Password,
}

/// How somebody's password stands.
#[derive(Clone, PartialEq, Eq)]
pub struct Password {
    /// Its digest, sealed; `None` where none is set.
    pub sealed: Option<Vec<u8>>,
    /// How often it was wrong since it was last right.
    pub wrong_tries: u32,
    /// Until when none is taken.
    pub locked_until_ms: Option<i64>,
}

impl Password {
    /// Until when none is taken, where that lies ahead.
    #[must_use]
    pub fn locked_until(&self, now_ms: i64) -> Option<i64> {
        self.locked_until_ms.filter(|until_ms| *until_ms > now_ms)
    }
}

macro_rules! select_holder {
    ($condition:literal) => {
        concat!(
            "SELECT p.id, p.sealed, c.insu_org, c.password_sealed, c.wrong_tries, c.locked_until_ms \
             FROM person p JOIN credential c ON c.person_id = p.id ",
            $condition
        )
    };
}

/// The holder with this id.
///
/// # Errors
/// Any [`StoreError`].
pub async fn by_id(
    db: &Db,
    vault: &Vault,
    id: HealthCardPersonId,
) -> Result<Option<Holder>, StoreError> {
    db.look_up_opt(select_holder!("WHERE p.id = $1"), &[id.into()], |row| {
        read(row, vault)
    })
    .await
}

/// The holder with this index of the health card.
///
/// # Errors
/// Any [`StoreError`].
pub async fn by_index(
    db: &Db,
    vault: &Vault,
    index: &CardIndex,
) -> Result<Option<Holder>, StoreError> {
    let code = vault.card_code(index);
    db.look_up_opt(
        select_holder!("WHERE p.card_code = $1"),
        &[(&code.0).into()],
        |row| read(row, vault),
    )
    .await
}

/// How somebody's password stands; `None` where he has no credential.
///
/// # Errors
/// Any [`StoreError`].
pub async fn password(db: &Db, person: HealthCardPersonId) -> Result<Option<Password>, StoreError> {
    db.query_opt(
        "SELECT password_sealed, wrong_tries, locked_until_ms FROM credential WHERE person_id = $1",
        &[person.into()],
        |row| read_password(row, 0),
    )
    .await
}

/// Gives somebody a credential; `false` where he has one, which stays as it is.
///
/// # Errors
/// Any [`StoreError`].
pub fn open(
    tx: &mut Tx<'_>,
    person: HealthCardPersonId,
    insu_org: &str,
    password_sealed: Option<&[u8]>,
    now_ms: i64,
) -> Result<bool, StoreError> {
    let opened = tx.execute(
        "INSERT INTO credential (person_id, insu_org, password_sealed, wrong_tries, \
         locked_until_ms, created_ms, changed_ms) VALUES ($1, $2, $3, 0, NULL, $4, $4) \
         ON CONFLICT (person_id) DO NOTHING",
        &[
            person.into(),
            insu_org.into(),
            password_sealed.into(),
            now_ms.into(),
        ],
    )?;
    Ok(opened > 0)
}

/// How somebody's password stands, once nobody else can change it before this transaction ends;
/// `None` where he has no credential.
///
/// # Errors
/// Any [`StoreError`].
pub fn hold_password(
    tx: &mut Tx<'_>,
    person: HealthCardPersonId,
) -> Result<Option<Password>, StoreError> {
    tx.query_opt(
        "UPDATE credential SET wrong_tries = wrong_tries WHERE person_id = $1 \
         RETURNING password_sealed, wrong_tries, locked_until_ms",
        &[person.into()],
        |row| read_password(row, 0),
    )
}

/// Writes down how somebody's password stands now.
///
/// # Errors
/// Any [`StoreError`].
pub fn put_password(
    tx: &mut Tx<'_>,
    person: HealthCardPersonId,
    password: &Password,
    now_ms: i64,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE credential SET password_sealed = $2, wrong_tries = $3, locked_until_ms = $4, \
         changed_ms = $5 WHERE person_id = $1",
        &[
            person.into(),
            password.sealed.as_deref().into(),
            password.wrong_tries.into(),
            password.locked_until_ms.into(),
            now_ms.into(),
        ],
    )?;
    Ok(())
}

fn read(row: &Row<'_>, vault: &Vault) -> Result<Holder, StoreError> {
    Ok(Holder {
        person: persons::read(row, vault)?,
        insu_org: row.get(2)?,
        password: read_password(row, 3)?,
    })
}

fn read_password(row: &Row<'_>, first: usize) -> Result<Password, StoreError> {
    Ok(Password {
        sealed: row.get(first)?,
        wrong_tries: u32::try_from(row.get::<i64>(first + 1)?)
            .map_err(|_| StoreError::Corrupt("credential.wrong_tries".to_owned()))?,
        locked_until_ms: row.get(first + 2)?,
    })
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Password")
            .field("set", &self.sealed.is_some())
            .field("wrong_tries", &self.wrong_tries)
            .field("locked_until_ms", &self.locked_until_ms)
            .finish()
    }
}
