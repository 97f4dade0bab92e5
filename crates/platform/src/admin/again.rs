//! Having callbacks sent and batches judged again.

use banyan_store::db::StoreError;
use banyan_store::ids::JobId;
use banyan_store::journal;
use banyan_store::queue::{self, JobKind, Which};

use super::{AdminError, Desk};

/// Which callbacks are to be sent again.
#[derive(Debug, Clone)]
pub enum Resend {
    /// Those with these notifyIds, whatever became of them.
    Some(Vec<i64>),
    /// Those of a partner that were made in a window of time and were not delivered.
    Window {
        /// The partner.
        app_id: String,
        /// From this moment on.
        from_ms: i64,
        /// Before this moment.
        to_ms: i64,
        /// Also those that were delivered.
        delivered: bool,
    },
}

impl Desk {
    /// Has callbacks sent again; gives how many.
    ///
    /// # Errors
    /// [`AdminError::Input`] where there is no such partner.
    pub async fn resend(&self, resend: Resend) -> Result<u64, AdminError> {
        let (which, target) = match resend {
            Resend::Some(ids) => {
                let target = format!("{} callbacks", ids.len());
                let which = ids.into_iter().map(|id| Which::One(JobId(id))).collect();
                (which, target)
            }
            Resend::Window {
                app_id,
                from_ms,
                to_ms,
                delivered,
            } => {
                let lane = self.partner(&app_id).await?.id.0;
                let mut which = vec![Which::Undone {
                    lane,
                    from_ms,
                    to_ms,
                }];
                if delivered {
                    which.push(Which::Done {
                        lane,
                        from_ms,
                        to_ms,
                    });
                }
                (which, app_id)
            }
        };
        self.redo(JobKind::Callback, which, "callback.resend", &target)
            .await
    }

    /// Has the batches judged again that were set aside, and whom to tell of a revocation found
    /// again where that was; gives how many.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub async fn retry_batches(&self) -> Result<u64, AdminError> {
        let again = |kind| self.redo(kind, vec![Which::GivenUp], "batch.retry", kind.name());
        Ok(again(JobKind::Judge).await? + again(JobKind::Revocation).await?)
    }

    async fn redo(
        &self,
        kind: JobKind,
        which: Vec<Which>,
        action: &'static str,
        target: &str,
    ) -> Result<u64, AdminError> {
        let act = self.act(action, target, format!("{which:?}")).await?;
        let redone = self
            .db
            .write(move |tx| -> Result<u64, StoreError> {
                let mut redone = 0;
                for which in &which {
                    redone += queue::redo(tx, kind, *which, act.at_ms)?;
                }
                journal::note_operator(tx, &act)?;
                Ok(redone)
            })
            .await?;
        Ok(redone)
    }
}
