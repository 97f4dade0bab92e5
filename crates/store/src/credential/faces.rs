//! 实人认证: whose face a terminal recognised, and which institution may know it, once.

use crate::db::{Db, StoreError, Tx};
use crate::ids::{HealthCardPersonId, PartnerId};

/// A face that was recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Face {
    /// Whose it is.
    pub person: HealthCardPersonId,
    /// Which institution may know it.
    pub partner: PartnerId,
    /// Until when.
    pub expires_ms: i64,
    /// When it was told.
    pub used_ms: Option<i64>,
}

/// Keeps that a face was recognised, under the code of the number that the terminal is told.
///
/// # Errors
/// Any [`StoreError`].
pub fn add(
    tx: &mut Tx<'_>,
    auth_no: &[u8; 32],
    face: &Face,
    terminal: PartnerId,
    now_ms: i64,
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO credential_face (auth_no, person_id, partner_id, terminal_id, created_ms, \
         expires_ms, used_ms) VALUES ($1, $2, $3, $4, $5, $6, NULL)",
        &[
            auth_no.into(),
            face.person.into(),
            face.partner.into(),
            terminal.into(),
            now_ms.into(),
            face.expires_ms.into(),
        ],
    )?;
    Ok(())
}

/// The face under this code.
///
/// # Errors
/// Any [`StoreError`].
pub async fn by_code(db: &Db, auth_no: &[u8; 32]) -> Result<Option<Face>, StoreError> {
    db.query_opt(
        "SELECT person_id, partner_id, expires_ms, used_ms FROM credential_face \
         WHERE auth_no = $1",
        &[auth_no.into()],
        |row| {
            Ok(Face {
                person: HealthCardPersonId(row.get(0)?),
                partner: PartnerId(row.get(1)?),
                expires_ms: row.get(2)?,
                used_ms: row.get(3)?,
            })
        },
    )
    .await
}

/// Uses it up: of any number of tries one gets `true`.
///
/// # Errors
/// Any [`StoreError`].
pub fn use_up(tx: &mut Tx<'_>, auth_no: &[u8; 32], now_ms: i64) -> Result<bool, StoreError> {
    let used = tx.execute(
        "UPDATE credential_face SET used_ms = $2 WHERE auth_no = $1 AND used_ms IS NULL",
        &[auth_no.into(), now_ms.into()],
    )?;
    Ok(used > 0)
}

/// Has it be told again, where the transaction that used it up found that it may not.
///
/// # Errors
/// Any [`StoreError`].
pub fn give_back(tx: &mut Tx<'_>, auth_no: &[u8; 32]) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE credential_face SET used_ms = NULL WHERE auth_no = $1",
        &[auth_no.into()],
    )?;
    Ok(())
}

/// Forgets at most `limit` that were over before `before_ms`.
///
/// # Errors
/// Any [`StoreError`].
pub fn prune(tx: &mut Tx<'_>, before_ms: i64, limit: i64) -> Result<u64, StoreError> {
    tx.execute(
        "DELETE FROM credential_face WHERE auth_no IN (SELECT auth_no FROM credential_face \
         WHERE expires_ms < $1 ORDER BY expires_ms LIMIT $2)",
        &[before_ms.into(), limit.into()],
    )
}
