//! 应用入口链接: links that lead a citizen to his own list, and the sessions that they open.

use crate::db::{Db, Row, StoreError, Tx};
use crate::ids::PartnerId;
use crate::vault::PersonCode;

/// Who came in, and through whom.
#[derive(Clone, PartialEq, Eq)]
pub struct Visitor {
    /// Which partner asked for the link.
    pub partner: PartnerId,
    /// Whose list it opens.
    pub person: PersonCode,
    /// Who that is, sealed.
    pub person_sealed: Vec<u8>,
}

/// A token that only its holder knows, as it is kept: its keyed code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenCode(pub [u8; 32]);

/// Keeps a link until `expires_ms`.
///
/// # Errors
/// Any [`StoreError`].
pub fn add(
    tx: &mut Tx<'_>,
    token: TokenCode,
    visitor: &Visitor,
    now_ms: i64,
    expires_ms: i64,
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO entry_link (token, partner_id, person, person_sealed, created_ms, expires_ms, \
         used_ms) VALUES ($1, $2, $3, $4, $5, $6, NULL)",
        &[
            (&token.0).into(),
            visitor.partner.into(),
            (&visitor.person.0).into(),
            (&visitor.person_sealed).into(),
            now_ms.into(),
            expires_ms.into(),
        ],
    )?;
    Ok(())
}

/// Whether a link could be used now.
///
/// # Errors
/// Any [`StoreError`].
pub async fn can_enter(db: &Db, link: TokenCode, now_ms: i64) -> Result<bool, StoreError> {
    let found = db
        .query_opt(
            "SELECT 1 FROM entry_link WHERE token = $1 AND used_ms IS NULL AND expires_ms > $2",
            &[(&link.0).into(), now_ms.into()],
            |_| Ok(()),
        )
        .await?;
    Ok(found.is_some())
}

/// Uses a link up and opens a session in its place: of any number of tries one succeeds.
///
/// # Errors
/// Any [`StoreError`].
pub fn enter(
    tx: &mut Tx<'_>,
    link: TokenCode,
    session: TokenCode,
    now_ms: i64,
    session_expires_ms: i64,
) -> Result<bool, StoreError> {
    let used = tx.execute(
        "UPDATE entry_link SET used_ms = $2 \
         WHERE token = $1 AND used_ms IS NULL AND expires_ms > $2",
        &[(&link.0).into(), now_ms.into()],
    )?;
    if used == 0 {
        return Ok(false);
    }
    tx.execute(
        "INSERT INTO citizen_session (token, partner_id, person, person_sealed, created_ms, \
         expires_ms) SELECT $2, partner_id, person, person_sealed, $3, $4 \
         FROM entry_link WHERE token = $1",
        &[
            (&link.0).into(),
            (&session.0).into(),
            now_ms.into(),
            session_expires_ms.into(),
        ],
    )?;
    Ok(true)
}

/// Opens a session without a link, for whoever has shown otherwise who he is.
///
/// # Errors
/// Any [`StoreError`].
pub fn open(
    tx: &mut Tx<'_>,
    session: TokenCode,
    visitor: &Visitor,
    now_ms: i64,
    expires_ms: i64,
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO citizen_session (token, partner_id, person, person_sealed, created_ms, \
         expires_ms) VALUES ($1, $2, $3, $4, $5, $6)",
        &[
            (&session.0).into(),
            visitor.partner.into(),
            (&visitor.person.0).into(),
            (&visitor.person_sealed).into(),
            now_ms.into(),
            expires_ms.into(),
        ],
    )?;
    Ok(())
}

/// Who holds this session.
///
/// # Errors
/// Any [`StoreError`].
pub async fn visitor(
    db: &Db,
    session: TokenCode,
    now_ms: i64,
) -> Result<Option<Visitor>, StoreError> {
    db.query_opt(
        "SELECT partner_id, person, person_sealed FROM citizen_session \
         WHERE token = $1 AND expires_ms > $2",
        &[(&session.0).into(), now_ms.into()],
        |row: &Row<'_>| {
            Ok(Visitor {
                partner: PartnerId(row.get(0)?),
                person: PersonCode(row.get(1)?),
                person_sealed: row.get(2)?,
            })
        },
    )
    .await
}

/// Ends a session before its time.
///
/// # Errors
/// Any [`StoreError`].
pub fn leave(tx: &mut Tx<'_>, session: TokenCode) -> Result<(), StoreError> {
    tx.execute(
        "DELETE FROM citizen_session WHERE token = $1",
        &[(&session.0).into()],
    )?;
    Ok(())
}

/// Removes at most `limit` links and as many sessions that are over.
///
/// # Errors
/// Any [`StoreError`].
pub fn expire(tx: &mut Tx<'_>, now_ms: i64, limit: i64) -> Result<u64, StoreError> {
    let links = tx.execute(
        "DELETE FROM entry_link WHERE token IN \
         (SELECT token FROM entry_link WHERE expires_ms <= $1 LIMIT $2)",
        &[now_ms.into(), limit.into()],
    )?;
    let sessions = tx.execute(
        "DELETE FROM citizen_session WHERE token IN \
         (SELECT token FROM citizen_session WHERE expires_ms <= $1 LIMIT $2)",
        &[now_ms.into(), limit.into()],
    )?;
    Ok(links + sessions)
}

impl std::fmt::Debug for Visitor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Visitor(partner {})", self.partner)
    }
}
