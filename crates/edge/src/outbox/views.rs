//! What people and the HIS look at: how much stands where, and what became of a batch.

use banyan_store::db::StoreError;

use super::Outbox;
use super::items::{BatchId, Item, Stage, concat_item_columns, read_item};

/// How much stands where.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Backlog {
    /// Debts to be reported.
    pub(crate) waiting_items: i64,
    /// When the next of them is due.
    pub(crate) next_due_ms: Option<i64>,
    /// Messages to be sent.
    pub(crate) unsent: i64,
    /// Since when the oldest of them waits.
    pub(crate) oldest_unsent_ms: Option<i64>,
    /// Messages whose outcome is awaited.
    pub(crate) awaited: i64,
    /// Since when the oldest of them is.
    pub(crate) oldest_awaited_ms: Option<i64>,
    /// Why the oldest unsent message was not sent when it was tried last, in Chinese.
    pub(crate) unsent_fault: Option<String>,
    /// Debts of which the platform refused what was last said.
    pub(crate) refused_items: i64,
    /// When the platform last took a message.
    pub(crate) last_accepted_ms: Option<i64>,
}

/// One batch of the HIS, and how far its debts have come.
#[derive(Debug, Clone)]
pub(crate) struct BatchView {
    pub(crate) name: String,
    pub(crate) created_ms: i64,
    pub(crate) item_count: i64,
    /// How many debts stand at each stage.
    pub(crate) stages: Vec<(Stage, i64)>,
    /// 请求批次号 that its debts went out under.
    pub(crate) messages: Vec<String>,
    pub(crate) items: Vec<Item>,
}

impl Outbox {
    /// How much stands where.
    pub(crate) async fn backlog(&self) -> Result<Backlog, StoreError> {
        self.db
            .scan(|tx| {
                let mut backlog = Backlog::default();
                tx.query_opt(
                    "SELECT COUNT(*), MIN(due_ms) FROM item WHERE stage = 0",
                    &[],
                    |row| {
                        backlog.waiting_items = row.get(0)?;
                        backlog.next_due_ms = row.get(1)?;
                        Ok(())
                    },
                )?;
                tx.query_opt(
                    "SELECT COUNT(*), MIN(created_ms) FROM message WHERE state = 0 AND state < 2",
                    &[],
                    |row| {
                        backlog.unsent = row.get(0)?;
                        backlog.oldest_unsent_ms = row.get(1)?;
                        Ok(())
                    },
                )?;
                tx.query_opt(
                    "SELECT COUNT(*), MIN(accepted_ms) FROM message WHERE state = 1 AND state < 2",
                    &[],
                    |row| {
                        backlog.awaited = row.get(0)?;
                        backlog.oldest_awaited_ms = row.get(1)?;
                        Ok(())
                    },
                )?;
                tx.query_opt(
                    "SELECT COUNT(*) FROM item WHERE fault IS NOT NULL",
                    &[],
                    |row| {
                        backlog.refused_items = row.get(0)?;
                        Ok(())
                    },
                )?;
                tx.query_opt(
                    "SELECT fault FROM message WHERE state = 0 AND state < 2 AND fault IS NOT NULL
                     ORDER BY id LIMIT 1",
                    &[],
                    |row| {
                        backlog.unsent_fault = row.get(0)?;
                        Ok(())
                    },
                )?;
                tx.query_opt(
                    "SELECT accepted_ms FROM message WHERE accepted_ms IS NOT NULL
                     ORDER BY id DESC LIMIT 1",
                    &[],
                    |row| {
                        backlog.last_accepted_ms = row.get(0)?;
                        Ok(())
                    },
                )?;
                Ok::<_, StoreError>(backlog)
            })
            .await
    }

    /// The debts that the platform refused, the latest first.
    pub(crate) async fn refused_items(&self, most: i64) -> Result<Vec<Item>, StoreError> {
        const SQL: &str = concat_item_columns!(
            "FROM item WHERE fault IS NOT NULL ORDER BY changed_ms DESC LIMIT $1"
        );
        self.db.query(SQL, &[most.into()], read_item).await
    }

    /// A batch by its name, or the debts of a message by 请求批次号.
    pub(crate) async fn batch(
        &self,
        name: &str,
        offset: i64,
        most: i64,
    ) -> Result<Option<BatchView>, StoreError> {
        const BY_BATCH: &str =
            concat_item_columns!("FROM item WHERE batch_id = $1 ORDER BY id LIMIT $2 OFFSET $3");
        const BY_MESSAGE: &str =
            concat_item_columns!("FROM item WHERE message_id = $1 ORDER BY id LIMIT $2 OFFSET $3");
        let name = name.to_owned();
        self.db
            .scan(move |tx| {
                let mut found = None;
                for (sql, by_batch) in [
                    (
                        "SELECT id, created_ms, item_count FROM batch WHERE name = $1",
                        true,
                    ),
                    (
                        "SELECT id, created_ms, item_count FROM message WHERE name = $1",
                        false,
                    ),
                ] {
                    found = tx.query_opt(sql, &[(&name).into()], |row| {
                        Ok((
                            BatchId(row.get(0)?),
                            row.get::<i64>(1)?,
                            row.get::<i64>(2)?,
                            by_batch,
                        ))
                    })?;
                    if found.is_some() {
                        break;
                    }
                }
                let Some((id, created_ms, item_count, by_batch)) = found else {
                    return Ok::<_, StoreError>(None);
                };
                let (stages, messages, items) = if by_batch {
                    (
                        "SELECT stage, COUNT(*) FROM item WHERE batch_id = $1 GROUP BY stage",
                        "SELECT name FROM message WHERE id IN (SELECT message_id FROM item
                           WHERE batch_id = $1) ORDER BY id LIMIT 1000",
                        BY_BATCH,
                    )
                } else {
                    (
                        "SELECT stage, COUNT(*) FROM item WHERE message_id = $1 GROUP BY stage",
                        "SELECT name FROM message WHERE id = $1",
                        BY_MESSAGE,
                    )
                };
                Ok(Some(BatchView {
                    created_ms,
                    item_count,
                    stages: tx
                        .query(stages, &[id.0.into()], |row| Ok((row.get(0)?, row.get(1)?)))?,
                    messages: tx.query(messages, &[id.0.into()], |row| row.get(0))?,
                    items: tx.query(
                        items,
                        &[id.0.into(), most.into(), offset.into()],
                        read_item,
                    )?,
                    name,
                }))
            })
            .await
    }
}
