//! What operators do with insurers' channels.

use banyan_protocol::supplement::ServiceId;
use banyan_protocol::wire::Scalar as _;
use banyan_store::db::StoreError;
use banyan_store::ids::PartnerId;
use banyan_store::journal;
use banyan_store::partners::Kind;
use banyan_store::supplement::channels::{self, Channel};
use banyan_store::supplement::tokens;

use super::{AdminError, Desk, Issued, NewPartner};
use crate::directory::InsurerChannel;

impl Desk {
    /// Adds an insurer with its channel and issues its first secret.
    ///
    /// # Errors
    /// [`AdminError::Input`] where something given can't be.
    pub async fn add_insurer(
        &self,
        new: NewPartner,
        channel: Channel,
    ) -> Result<Issued, AdminError> {
        check(&channel)?;
        let new = NewPartner {
            kind: Kind::Insurer,
            ..new
        };
        self.add(new, Some(channel)).await
    }

    /// Every channel with the partner whose it is.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub async fn channels(&self) -> Result<Vec<(PartnerId, Channel)>, AdminError> {
        Ok(channels::all(&self.db, &self.vault).await?)
    }

    /// How an insurer's channel is set.
    ///
    /// # Errors
    /// [`AdminError::Input`] where there is no such insurer.
    pub async fn channel(&self, app_id: &str) -> Result<Channel, AdminError> {
        let partner = self.partner(app_id).await?.id;
        let channels = self.channels().await?;
        let own = channels.into_iter().find(|(id, _)| *id == partner);
        own.map(|(_, channel)| channel).ok_or_else(no_insurer)
    }

    /// Sets an insurer's channel anew. Tokens that it holds go on.
    ///
    /// # Errors
    /// [`AdminError::Input`] where there is no such insurer or something given can't be.
    pub async fn set_channel(&self, app_id: &str, channel: Channel) -> Result<(), AdminError> {
        check(&channel)?;
        let partner = self.partner(app_id).await?;
        if partner.profile.kind != Kind::Insurer {
            return Err(no_insurer());
        }
        let detail = format!(
            "level {}, encType {}, signType {}, services {}, strict {}",
            channel.level,
            channel.enc_type,
            channel.sign_type,
            channel.service_ids.join(" "),
            channel.strict
        );
        let act = self.act("insurer.set", app_id, detail).await?;
        let vault = self.vault.clone();
        self.change(act, move |tx, now_ms| {
            channels::put(tx, &vault, partner.id, &channel, now_ms)?;
            Ok(true)
        })
        .await
    }

    /// Ends all tokens and codes of an insurer at once; gives how many tokens.
    ///
    /// # Errors
    /// [`AdminError::Input`] where there is no such partner.
    pub async fn revoke_tokens(&self, app_id: &str) -> Result<u64, AdminError> {
        let partner = self.partner(app_id).await?.id;
        let act = self
            .act("insurer.revoke_tokens", app_id, String::new())
            .await?;
        let revoked = self
            .db
            .write(move |tx| -> Result<u64, StoreError> {
                let revoked = tokens::revoke(tx, partner, act.at_ms)?;
                journal::note_operator(tx, &act)?;
                Ok(revoked)
            })
            .await?;
        Ok(revoked)
    }
}

/// What no type of a channel says.
fn check(channel: &Channel) -> Result<(), AdminError> {
    InsurerChannel::new(channel).map_err(AdminError::Input)?;
    if channel.service_ids.is_empty() {
        return Err(AdminError::Input(
            "至少给出一个服务 id（--service）".to_owned(),
        ));
    }
    for id in &channel.service_ids {
        let unfit = |why: &str| AdminError::Input(format!("服务 id {id}：{why}"));
        ServiceId::parse(id).map_err(|invalid| unfit(&invalid.0))?;
        if id.contains(char::is_whitespace) {
            return Err(unfit("不可含空白"));
        }
    }
    Ok(())
}

fn no_insurer() -> AdminError {
    AdminError::Input("该接入方不是保险渠道".to_owned())
}
