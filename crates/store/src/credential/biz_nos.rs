//! 业务流水号: an institution's own numbers, each used once.

use crate::db::{StoreError, Tx};
use crate::ids::PartnerId;

/// Uses a number up: of any number of tries one gets `true`.
///
/// # Errors
/// Any [`StoreError`].
pub fn use_up(
    tx: &mut Tx<'_>,
    partner: PartnerId,
    out_biz_no: &str,
    now_ms: i64,
) -> Result<bool, StoreError> {
    let used = tx.execute(
        "INSERT INTO credential_biz_no (partner_id, out_biz_no, used_ms) VALUES ($1, $2, $3) \
         ON CONFLICT (partner_id, out_biz_no) DO NOTHING",
        &[partner.into(), out_biz_no.into(), now_ms.into()],
    )?;
    Ok(used > 0)
}

/// Forgets at most `limit` that were used before `before_ms`.
///
/// # Errors
/// Any [`StoreError`].
pub fn prune(tx: &mut Tx<'_>, before_ms: i64, limit: i64) -> Result<u64, StoreError> {
    tx.execute(
        "DELETE FROM credential_biz_no WHERE (partner_id, out_biz_no) IN \
         (SELECT partner_id, out_biz_no FROM credential_biz_no WHERE used_ms < $1 \
         ORDER BY used_ms LIMIT $2)",
        &[before_ms.into(), limit.into()],
    )
}
