//! What operators do with appeals. Whose an appeal is they see only as far as it is needed: the
//! list shows nobody, a single appeal what was written and how to call back, and that it was
//! opened stands in the audit and in the citizen's own progress.

use banyan_store::db::StoreError;
use banyan_store::ids::{AppealId, JobId};
use banyan_store::journal;
use banyan_store::overdue::appeals::{self, Appeal, Decided, Decision};
use banyan_store::vault::Place;

use super::{AdminError, Desk};
use crate::overdue::appeal::{self, OpenedAppeal};

/// The longest answer, in Unicode characters.
const MOST_ANSWER: usize = 500;

impl Desk {
    /// Appeals that are open, longest waiting first; or those that ended, the latest first.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub async fn appeals(&self, ended: bool, limit: i64) -> Result<Vec<Appeal>, AdminError> {
        Ok(appeals::recent(&self.db, ended, limit).await?)
    }

    /// One appeal with what was written. The citizen sees that somebody looked.
    ///
    /// # Errors
    /// [`AdminError::Input`] where there is no such appeal.
    pub async fn show_appeal(&self, id: AppealId) -> Result<OpenedAppeal, AdminError> {
        let appeal = appeals::by_id(&self.db, id)
            .await?
            .ok_or_else(unknown_appeal)?;
        let act = self
            .act("appeal.show", &id.to_string(), String::new())
            .await?;
        self.db
            .write(move |tx| -> Result<(), StoreError> {
                appeals::note_viewed(tx, id, act.at_ms)?;
                journal::note_operator(tx, &act)
            })
            .await?;
        let steps = appeals::steps(&self.db, id).await?;
        Ok(appeal::open(&self.vault, appeal, steps)?)
    }

    /// Finds an appeal right: its record is revoked, the citizen reads the answer.
    ///
    /// # Errors
    /// [`AdminError::Input`] where it is not open or the answer says nothing.
    pub async fn uphold_appeal(&self, id: AppealId, answer: &str) -> Result<(), AdminError> {
        let ids = self.ids.take(2).await?;
        let decision = Decision::Uphold {
            change: ids.start,
            revocation_job: JobId(ids.start + 1),
        };
        self.decide_appeal(id, decision, "appeal.uphold", answer)
            .await
    }

    /// Finds an appeal wrong: its record stays, the citizen reads the answer.
    ///
    /// # Errors
    /// [`AdminError::Input`] where it is not open or the answer says nothing.
    pub async fn reject_appeal(&self, id: AppealId, answer: &str) -> Result<(), AdminError> {
        self.decide_appeal(id, Decision::Reject, "appeal.reject", answer)
            .await
    }

    async fn decide_appeal(
        &self,
        id: AppealId,
        decision: Decision,
        action: &'static str,
        answer: &str,
    ) -> Result<(), AdminError> {
        let answer = answer.trim();
        if answer.is_empty() || answer.chars().count() > MOST_ANSWER {
            return Err(AdminError::Input(format!(
                "请写明答复（--answer），患者会看到，最多 {MOST_ANSWER} 字"
            )));
        }
        if answer
            .chars()
            .any(|letter| letter.is_control() && letter != '\n')
        {
            return Err(AdminError::Input("答复中有控制字符".to_owned()));
        }
        let sealed = self.vault.seal(Place::AppealAnswer, answer.as_bytes());
        let act = self.act(action, &id.to_string(), String::new()).await?;
        let decided = self
            .db
            .write(move |tx| -> Result<Decided, StoreError> {
                let by = &act.actor;
                let decided = appeals::decide(tx, id, decision, &sealed, by, act.at_ms)?;
                if decided == Decided::Done {
                    journal::note_operator(tx, &act)?;
                }
                Ok(decided)
            })
            .await?;
        match decided {
            Decided::Done => Ok(()),
            Decided::NotOpen(_) => Err(AdminError::Input(
                "该申诉已结束（撤回、了结或已有答复），请用 banyan appeal show 查看".to_owned(),
            )),
            Decided::Unknown => Err(unknown_appeal()),
        }
    }
}

fn unknown_appeal() -> AdminError {
    AdminError::Input("没有这个申诉：请用 banyan appeal list 查看".to_owned())
}
