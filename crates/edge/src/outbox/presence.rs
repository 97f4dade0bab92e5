//! What this outbox said of itself, so that another one of the same hospital is noticed; see
//! `sending/presence.rs`.

use banyan_store::db::StoreError;

use super::Outbox;

/// What was said in a period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    /// What set this outbox apart.
    pub(crate) token: String,
    /// Whether it was first in the period or somebody else had been; `None` where it is not known.
    pub(crate) place: Option<i64>,
}

/// Older periods say nothing any more.
const PERIODS_KEPT: i64 = 48;

impl Outbox {
    /// What was said in this period, or is to be said now.
    pub(crate) async fn presence(&self, period: i64) -> Result<Said, StoreError> {
        let token: String = hex::encode(self.vault.nonce::<8>());
        self.db
            .write(move |tx| {
                tx.execute(
                    "INSERT INTO presence (period, token) VALUES ($1, $2)
                     ON CONFLICT (period) DO NOTHING",
                    &[period.into(), (&token).into()],
                )?;
                tx.execute(
                    "DELETE FROM presence WHERE period < $1",
                    &[(period - PERIODS_KEPT).into()],
                )?;
                let said = tx.query_opt(
                    "SELECT token, place FROM presence WHERE period = $1",
                    &[period.into()],
                    |row| {
                        Ok(Said {
                            token: row.get(0)?,
                            place: row.get(1)?,
                        })
                    },
                )?;
                said.ok_or_else(|| StoreError::Corrupt("a period is gone".to_owned()))
            })
            .await
    }

    /// Which place it turned out to have.
    pub(crate) async fn placed(&self, period: i64, place: i64) -> Result<(), StoreError> {
        self.db
            .write(move |tx| {
                tx.execute(
                    "UPDATE presence SET place = $2 WHERE period = $1",
                    &[period.into(), place.into()],
                )
            })
            .await
            .map(|_: u64| ())
    }

    /// The place in a period that is over; `None` where nothing was said, or it was not known.
    pub(crate) async fn place_in(&self, period: i64) -> Result<Option<i64>, StoreError> {
        let place = self
            .db
            .query_opt(
                "SELECT place FROM presence WHERE period = $1",
                &[period.into()],
                |row| row.get::<Option<i64>>(0),
            )
            .await?;
        Ok(place.flatten())
    }
}
