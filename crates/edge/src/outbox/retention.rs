//! What is over is forgotten in time.

use banyan_store::db::StoreError;

use super::Outbox;

/// Rows in a transaction.
const CHUNK: i64 = 500;

impl Outbox {
    /// Forgets what is older; a bounded number of rows, `true` where there is more.
    pub(crate) async fn prune(
        &self,
        items_before_ms: i64,
        messages_before_ms: i64,
    ) -> Result<bool, StoreError> {
        self.db
            .write(move |tx| {
                let mut pruned = tx.execute(
                    "DELETE FROM item WHERE id IN (SELECT id FROM item WHERE his_state <> '0'
                       AND changed_ms < $1 AND fault IS NULL AND (stage = 4 OR (stage = 2
                       AND version = sent_version AND platform_state = his_state))
                       ORDER BY changed_ms LIMIT $2)",
                    &[items_before_ms.into(), CHUNK.into()],
                )?;
                for sql in [
                    "DELETE FROM message WHERE id IN (SELECT id FROM message WHERE state >= 2
                       AND ended_ms < $1 ORDER BY ended_ms LIMIT $2)",
                    "DELETE FROM notice WHERE seq IN (SELECT seq FROM notice
                       WHERE received_ms < $1 ORDER BY received_ms LIMIT $2)",
                    "DELETE FROM batch WHERE id IN (SELECT id FROM batch WHERE created_ms < $1
                       AND NOT EXISTS (SELECT 1 FROM item WHERE batch_id = batch.id)
                       ORDER BY created_ms LIMIT $2)",
                ] {
                    pruned += tx.execute(sql, &[messages_before_ms.into(), CHUNK.into()])?;
                }
                Ok::<_, StoreError>(pruned >= CHUNK.unsigned_abs())
            })
            .await
    }
}
