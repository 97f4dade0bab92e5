//! What operators do with partners and appeals, each act with its entry in the audit.

mod again;
mod appeals;
mod credentials;
mod insurers;
mod partners;

use banyan_protocol::ambient::World;
use banyan_store::db::{Db, StoreError, Tx};
use banyan_store::ids::Ids;
use banyan_store::journal::{self, OperatorAct};
use banyan_store::partners::Partner;
use banyan_store::vault::Vault;

pub use again::Resend;
pub use credentials::CredentialStanding;
pub use partners::{Edit, Issued, NewPartner, usual_grants};

use crate::app::App;

/// What an operator's act needs.
#[derive(Debug, Clone)]
pub struct Desk {
    /// The records.
    pub db: Db,
    /// What is sealed.
    pub vault: Vault,
    /// Ids of new records.
    pub ids: Ids,
    /// Time and randomness.
    pub world: World,
    /// Who acts: a login name.
    pub actor: String,
}

impl Desk {
    /// The desk of a platform that is open in this process.
    #[must_use]
    pub fn of(app: &App, actor: &str) -> Self {
        Self {
            db: app.db.clone(),
            vault: app.vault.clone(),
            ids: app.ids.clone(),
            world: app.world.clone(),
            actor: actor.to_owned(),
        }
    }
}

/// Why an act was not done.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// The database.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// What was asked can't be; in Chinese, for the operator at the terminal.
    #[error("{0}")]
    Input(String),
}

impl Desk {
    /// An act that is about to be done, as the audit will have it.
    pub(crate) async fn act(
        &self,
        action: &'static str,
        target: &str,
        detail: String,
    ) -> Result<OperatorAct, AdminError> {
        Ok(OperatorAct {
            id: self.ids.next().await?,
            at_ms: self.world.clock.now_ms(),
            actor: self.actor.clone(),
            action,
            target: target.to_owned(),
            detail,
        })
    }

    /// Notes an act that changes nothing: that somebody looked, or took something out.
    pub(crate) async fn note(
        &self,
        action: &'static str,
        target: &str,
        detail: String,
    ) -> Result<(), AdminError> {
        let act = self.act(action, target, detail).await?;
        self.db
            .write(move |tx| journal::note_operator(tx, &act))
            .await?;
        Ok(())
    }

    async fn partner(&self, app_id: &str) -> Result<Partner, AdminError> {
        self.partners()
            .await?
            .into_iter()
            .find(|partner| partner.profile.app_id == app_id)
            .ok_or_else(unknown_partner)
    }

    /// Does an act with its entry in one transaction; `false` from within means that there is no such
    /// partner.
    async fn change(
        &self,
        act: OperatorAct,
        mut change: impl FnMut(&mut Tx<'_>, i64) -> Result<bool, StoreError> + Send + 'static,
    ) -> Result<(), AdminError> {
        let changed = self
            .db
            .write(move |tx| -> Result<bool, StoreError> {
                let changed = change(tx, act.at_ms)?;
                if changed {
                    journal::note_operator(tx, &act)?;
                }
                Ok(changed)
            })
            .await?;
        if changed {
            Ok(())
        } else {
            Err(unknown_partner())
        }
    }
}

fn unknown_partner() -> AdminError {
    AdminError::Input("没有这个接入方：请用 banyan partner list 查看".to_owned())
}
