//! What operators do with somebody's 医保电子凭证: look how it stands, lift a lock, take a forgotten
//! password away. Nobody can read or set a password.

use banyan_store::credential::holders::{self, Holder, Password};
use banyan_store::db::StoreError;
use banyan_store::journal;
use banyan_store::vault::CardIndex;

use super::{AdminError, Desk};
use crate::credential::own::place_name;
use crate::masking::{masked_name, masked_number};

/// How somebody's credential stands, as an operator may see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialStanding {
    /// 姓名, all but its last character hidden.
    pub masked_name: String,
    /// 证件号, most of it hidden.
    pub masked_id_no: String,
    /// 参保地.
    pub place: &'static str,
    /// Whether a password is set.
    pub has_password: bool,
    /// How often it was wrong since it was last right.
    pub wrong_tries: u32,
    /// Until when none is taken, where that lies ahead.
    pub locked_until_ms: Option<i64>,
}

impl Desk {
    /// How the credential of whoever has this index stands.
    ///
    /// # Errors
    /// [`AdminError::Input`] where the index is none, or nobody of it holds a credential.
    pub async fn credential(&self, card_index: &str) -> Result<CredentialStanding, AdminError> {
        let holder = self.holder(card_index).await?;
        let target = format!("person {}", holder.person.id);
        self.note("credential.show", &target, String::new()).await?;
        let identity = &holder.person.identity;
        Ok(CredentialStanding {
            masked_name: masked_name(&identity.user_name),
            masked_id_no: masked_number(&identity.id_no),
            place: place_name(&holder.insu_org),
            has_password: holder.password.sealed.is_some(),
            wrong_tries: holder.password.wrong_tries,
            locked_until_ms: holder.password.locked_until(self.world.clock.now_ms()),
        })
    }

    /// Lifts a lock; `false` where there was none.
    ///
    /// # Errors
    /// As [`Desk::credential`].
    pub async fn unlock_credential(&self, card_index: &str) -> Result<bool, AdminError> {
        let now_ms = self.world.clock.now_ms();
        self.change_password("credential.unlock", card_index, move |password| {
            let was_locked = password.locked_until(now_ms).is_some();
            password.wrong_tries = 0;
            password.locked_until_ms = None;
            was_locked
        })
        .await
    }

    /// Takes a password away, so that its holder can set another on his own page; `false` where
    /// there was none.
    ///
    /// # Errors
    /// As [`Desk::credential`].
    pub async fn clear_credential_password(&self, card_index: &str) -> Result<bool, AdminError> {
        self.change_password("credential.clear_password", card_index, |password| {
            password.wrong_tries = 0;
            password.locked_until_ms = None;
            password.sealed.take().is_some()
        })
        .await
    }

    async fn change_password(
        &self,
        action: &'static str,
        card_index: &str,
        change: impl Fn(&mut Password) -> bool + Send + 'static,
    ) -> Result<bool, AdminError> {
        let holder = self.holder(card_index).await?;
        let person = holder.person.id;
        let target = format!("person {person}");
        let act = self.act(action, &target, String::new()).await?;
        let changed = self
            .db
            .write(move |tx| -> Result<bool, StoreError> {
                let Some(mut password) = holders::hold_password(tx, person)? else {
                    return Ok(false);
                };
                let changed = change(&mut password);
                holders::put_password(tx, person, &password, act.at_ms)?;
                journal::note_operator(tx, &act)?;
                Ok(changed)
            })
            .await?;
        Ok(changed)
    }

    async fn holder(&self, card_index: &str) -> Result<Holder, AdminError> {
        let index = CardIndex::parse(card_index.trim())
            .ok_or_else(|| AdminError::Input("主索引应为 64 位十六进制数字".to_owned()))?;
        holders::by_index(&self.db, &self.vault, &index)
            .await?
            .ok_or_else(|| AdminError::Input("没有医保电子凭证登记在这个主索引下".to_owned()))
    }
}
