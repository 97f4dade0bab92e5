//! 授权码 (authorization codes) and the tokens that they give.
//!
//! Both are kept as keyed codes ([`TokenCode`]), so whoever reads the database can use neither. They
//! stand here and not in a node's memory, so that a code of one node gives a token at another.

use crate::db::{Db, StoreError, Tx};
use crate::ids::PartnerId;
use crate::overdue::links::TokenCode;

/// What became of a try to turn a code into a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redeemed {
    /// The token is kept.
    Done,
    /// There is no such code of this channel.
    Unknown,
    /// It came too late.
    Expired,
    /// It was used before. Somebody copied it, so the token that it gave ends too.
    UsedBefore,
}

/// Keeps a code until `expires_ms`.
///
/// # Errors
/// Any [`StoreError`].
pub fn issue_code(
    tx: &mut Tx<'_>,
    code: TokenCode,
    partner: PartnerId,
    now_ms: i64,
    expires_ms: i64,
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO channel_code (code, partner_id, created_ms, expires_ms, used_ms) \
         VALUES ($1, $2, $3, $4, NULL)",
        &[
            (&code.0).into(),
            partner.into(),
            now_ms.into(),
            expires_ms.into(),
        ],
    )?;
    Ok(())
}

/// Uses a channel's code up and keeps the token in its place: of any number of tries one succeeds.
/// Commit it whatever it says, for a code that was used before ends a token.
///
/// # Errors
/// Any [`StoreError`].
pub fn redeem(
    tx: &mut Tx<'_>,
    code: TokenCode,
    partner: PartnerId,
    token: TokenCode,
    now_ms: i64,
    token_expires_ms: i64,
) -> Result<Redeemed, StoreError> {
    let used = tx.execute(
        "UPDATE channel_code SET used_ms = $3 \
         WHERE code = $1 AND partner_id = $2 AND used_ms IS NULL AND expires_ms > $3",
        &[(&code.0).into(), partner.into(), now_ms.into()],
    )?;
    if used > 0 {
        tx.execute(
            "INSERT INTO channel_token (token, partner_id, code, created_ms, expires_ms, ended_ms) \
             VALUES ($1, $2, $3, $4, $5, NULL)",
            &[
                (&token.0).into(),
                partner.into(),
                (&code.0).into(),
                now_ms.into(),
                token_expires_ms.into(),
            ],
        )?;
        return Ok(Redeemed::Done);
    }
    let known = tx.query_opt(
        "SELECT used_ms FROM channel_code WHERE code = $1 AND partner_id = $2",
        &[(&code.0).into(), partner.into()],
        |row| row.get::<Option<i64>>(0),
    )?;
    match known {
        None => Ok(Redeemed::Unknown),
        Some(None) => Ok(Redeemed::Expired),
        Some(Some(_)) => {
            tx.execute(
                "UPDATE channel_token SET ended_ms = $3 \
                 WHERE partner_id = $1 AND code = $2 AND ended_ms IS NULL",
                &[partner.into(), (&code.0).into(), now_ms.into()],
            )?;
            Ok(Redeemed::UsedBefore)
        }
    }
}

/// Whether this token lets this channel in now.
///
/// # Errors
/// Any [`StoreError`].
pub async fn check(
    db: &Db,
    token: TokenCode,
    partner: PartnerId,
    now_ms: i64,
) -> Result<bool, StoreError> {
    let found = db
        .look_up_opt(
            "SELECT 1 FROM channel_token \
             WHERE token = $1 AND partner_id = $2 AND expires_ms > $3 AND ended_ms IS NULL",
            &[(&token.0).into(), partner.into(), now_ms.into()],
            |_| Ok(()),
        )
        .await?;
    Ok(found.is_some())
}

/// Ends all tokens and codes of a channel; gives how many tokens.
///
/// # Errors
/// Any [`StoreError`].
pub fn revoke(tx: &mut Tx<'_>, partner: PartnerId, now_ms: i64) -> Result<u64, StoreError> {
    tx.execute(
        "UPDATE channel_code SET expires_ms = $2 \
         WHERE partner_id = $1 AND used_ms IS NULL AND expires_ms > $2",
        &[partner.into(), now_ms.into()],
    )?;
    tx.execute(
        "UPDATE channel_token SET ended_ms = $2 \
         WHERE partner_id = $1 AND ended_ms IS NULL AND expires_ms > $2",
        &[partner.into(), now_ms.into()],
    )
}

/// Removes at most `limit` codes and as many tokens that expired before `before_ms`. That moment
/// lies in the past by the longest life of a token, so that a code that is used again still ends
/// its token.
///
/// # Errors
/// Any [`StoreError`].
pub fn expire(tx: &mut Tx<'_>, before_ms: i64, limit: i64) -> Result<u64, StoreError> {
    let codes = tx.execute(
        "DELETE FROM channel_code WHERE code IN (SELECT code FROM channel_code \
         WHERE expires_ms <= $1 ORDER BY expires_ms LIMIT $2)",
        &[before_ms.into(), limit.into()],
    )?;
    let tokens = tx.execute(
        "DELETE FROM channel_token WHERE token IN (SELECT token FROM channel_token \
         WHERE expires_ms <= $1 ORDER BY expires_ms LIMIT $2)",
        &[before_ms.into(), limit.into()],
    )?;
    Ok(codes + tokens)
}
