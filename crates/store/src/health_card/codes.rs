//! 电子健康码: which QR codes were used. The codes themselves are kept nowhere.

use crate::db::{StoreError, Tx};
use crate::ids::{HealthCardPersonId, PartnerId};

/// The keyed code of a QR code's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodeId(pub [u8; 32]);

/// Uses a code up: of any number of tries one gets `true`.
///
/// # Errors
/// Any [`StoreError`].
pub fn use_up(
    tx: &mut Tx<'_>,
    code: CodeId,
    person: HealthCardPersonId,
    partner: PartnerId,
    now_ms: i64,
    expires_ms: i64,
) -> Result<bool, StoreError> {
    let used = tx.execute(
        "INSERT INTO ehc_code_use (code_id, person_id, partner_id, used_ms, expires_ms) \
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT (code_id) DO NOTHING",
        &[
            (&code.0).into(),
            person.into(),
            partner.into(),
            now_ms.into(),
            expires_ms.into(),
        ],
    )?;
    Ok(used > 0)
}

/// Forgets at most `limit` codes that expired before `before_ms`. That moment lies well in the
/// past, so that no node whose clock is behind takes a forgotten code for a living one.
///
/// # Errors
/// Any [`StoreError`].
pub fn forget(tx: &mut Tx<'_>, before_ms: i64, limit: i64) -> Result<u64, StoreError> {
    tx.execute(
        "DELETE FROM ehc_code_use WHERE code_id IN (SELECT code_id FROM ehc_code_use \
         WHERE expires_ms < $1 ORDER BY expires_ms LIMIT $2)",
        &[before_ms.into(), limit.into()],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    crate::on_both_engines! {
        async fn of_many_at_once_one_uses_it_up(db: &TestDb) {
            let tries = (0..20).map(|partner| {
                db.write(move |tx| {
                    use_up(tx, CodeId([1; 32]), HealthCardPersonId(1), PartnerId(partner), 10, 20)
                })
            });
            let won = futures_util::future::join_all(tries).await;
            assert_eq!(won.into_iter().filter(|won: &Result<bool, StoreError>| *won.as_ref().unwrap()).count(), 1);
            let forget = |before| async move { db.write(move |tx| forget(tx, before, 10)).await.map_err(|e: StoreError| e).unwrap() };
            assert_eq!((forget(20).await, forget(21).await), (0, 1));
        }
    }
}
