//! 收到的通知 (ORG_002): each kept once, with its effect, before it is acknowledged.

use banyan_store::db::StoreError;
use banyan_store::vault::Place;

use super::Outbox;
use super::outcomes::{self, Outcome};

/// A notice as it came.
#[derive(Debug)]
pub(crate) struct Incoming {
    /// Its id, the same however often it is sent.
    pub(crate) notify_id: String,
    /// 通知类型.
    pub(crate) notify_type: &'static str,
    /// The business JSON.
    pub(crate) business: String,
    /// What it says became of debts.
    pub(crate) outcome: Outcome,
}

/// A notice that was kept.
pub(crate) struct Notice {
    pub(crate) seq: i64,
    pub(crate) notify_type: String,
    pub(crate) business: String,
    pub(crate) received_ms: i64,
}

impl Outbox {
    /// Keeps a notice and what it says in one transaction; `false` where it was kept before.
    pub(crate) async fn receive(
        &self,
        incoming: Incoming,
        now_ms: i64,
    ) -> Result<bool, StoreError> {
        let sealed = self
            .vault
            .seal(Place::EdgeNotice, incoming.business.as_bytes());
        self.db
            .write(move |tx| {
                let is_new = tx.execute(
                    "INSERT INTO notice (notify_id, notify_type, content, received_ms)
                     VALUES ($1, $2, $3, $4) ON CONFLICT (notify_id) DO NOTHING",
                    &[
                        (&incoming.notify_id).into(),
                        incoming.notify_type.into(),
                        (&sealed).into(),
                        now_ms.into(),
                    ],
                )? > 0;
                // A repetition may carry what changed since: it is built anew each time.
                outcomes::learn(tx, &incoming.outcome, now_ms)?;
                Ok(is_new)
            })
            .await
    }

    /// The notices after this place, in the order in which they came.
    pub(crate) async fn notices_after(
        &self,
        after: i64,
        most: i64,
    ) -> Result<Vec<Notice>, StoreError> {
        let vault = self.vault.clone();
        self.db
            .scan(move |tx| {
                tx.query(
                    "SELECT seq, notify_type, content, received_ms FROM notice WHERE seq > $1
                     ORDER BY seq LIMIT $2",
                    &[after.into(), most.into()],
                    |row| {
                        let business = vault.open(Place::EdgeNotice, &row.get::<Vec<u8>>(2)?)?;
                        Ok(Notice {
                            seq: row.get(0)?,
                            notify_type: row.get(1)?,
                            business: String::from_utf8(business).map_err(|_| {
                                StoreError::Corrupt("a notice's content".to_owned())
                            })?,
                            received_ms: row.get(3)?,
                        })
                    },
                )
            })
            .await
    }
}
