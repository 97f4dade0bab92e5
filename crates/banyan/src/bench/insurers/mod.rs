//! An insurer at the 统一对外接口, at its highest level: SM4, SM3 and a token.

pub(super) mod cases;
pub(super) mod illness;

use std::sync::Arc;

use anyhow::{Result, anyhow, ensure};
use banyan_platform::admin::{Desk, NewPartner};
use banyan_platform::app::App;
use banyan_platform::token::Token;
use banyan_protocol::catalogue::Interface;
use banyan_protocol::envelope::Secret;
use banyan_protocol::envelope::fjs::{
    Answered, Calling, Channel, Cipher, Level, Manner, Signer, answer,
};
use banyan_store::db::StoreError;
use banyan_store::ids::PartnerId;
use banyan_store::partners::Kind;
use banyan_store::supplement::channels;
use banyan_store::supplement::past_illness::Origin;
use banyan_store::supplement::tokens::{self, Redeemed};

use super::wire_load;
use crate::commands::real_world;

/// Every call goes there.
const PATH: &str = "/fjs/api";
/// The services that the insurer may name; it asks about the first.
const SERVICES: [&str; 3] = ["100005", "100002", "100007"];
/// Longer than any measurement takes.
const TOKEN_TTL_MS: i64 = 86_400_000;

/// What the benchmark fills the registry by.
const ORIGIN: Origin<'static> = Origin {
    by_whom: "bench",
    map_version: "",
};

/// What the insurer needs to call.
pub(super) struct Insurer {
    id: PartnerId,
    app_id: String,
    secret: Arc<Secret>,
    token: String,
    channel: Channel,
}

impl Insurer {
    /// Registers an insurer and gives it a token.
    async fn register(app: &App) -> Result<Self> {
        let desk = Desk::of(app, "bench");
        let new = NewPartner {
            kind: Kind::Insurer,
            org_id: None,
            name: "压测保险".to_owned(),
            base_url: None,
            hosts: Vec::new(),
            grants: None,
            // Rates are what is measured, not what is granted.
            rate_per_second: 1_000_000_000,
            plain_replies: false,
            corrections: false,
            institutions: Vec::new(),
        };
        let channel = channels::Channel {
            level: 4,
            enc_type: "SM4".to_owned(),
            sign_type: "SM3".to_owned(),
            service_ids: SERVICES.map(str::to_owned).into(),
            strict: false,
            keys: channels::Keys::default(),
        };
        let issued = desk.add_insurer(new, channel).await?;
        let known = desk.partners().await?;
        let id = known
            .iter()
            .find(|partner| partner.profile.app_id == issued.app_id)
            .map(|partner| partner.id)
            .ok_or_else(|| anyhow!("登记的保险渠道不见了"))?;
        let random = &*app.world.random;
        let (code, token) = (Token::generate(random), Token::generate(random));
        let (used, kept, now_ms) = (code.code(&app.vault), token.code(&app.vault), app.now_ms());
        let ends_ms = now_ms + TOKEN_TTL_MS;
        let redeemed = app
            .db
            .write(move |tx| -> Result<_, StoreError> {
                tokens::issue_code(tx, used, id, now_ms, ends_ms)?;
                tokens::redeem(tx, used, id, kept, now_ms, ends_ms)
            })
            .await?;
        ensure!(redeemed == Redeemed::Done, "未能取得令牌");
        // Many connections begin at once; only the first of strangers makes the platform look.
        app.directory.renew(now_ms).await?;
        Ok(Self {
            id,
            secret: Arc::new(Secret::parse(&issued.secret)?),
            app_id: issued.app_id,
            token: token.text(),
            channel: Channel {
                level: Level::Encrypted,
                cipher: Cipher::Sm4,
                signer: Signer::Sm3,
            },
        })
    }

    /// A call to this path, ready to be written.
    fn request(
        &self,
        path: &str,
        interface: Interface,
        business: &str,
        timestamp_ms: i64,
    ) -> Vec<u8> {
        let calling = Calling {
            app_id: &self.app_id,
            token: Some(&self.token),
            funid: Some(interface.code()),
            timestamp_ms,
            business: Some(business),
            manner: Manner::FIRST,
        };
        let sealed = calling.seal(&self.channel, &self.secret, &*real_world().random);
        // A call that could not be sealed is refused by the server, which ends the measurement.
        wire_load::request(path, &sealed.unwrap_or_default())
    }

    /// The answer, opened; what is refused is an error.
    fn opened(&self, body: &[u8]) -> Result<Answered> {
        let random = real_world().random;
        let answered = answer::open(body, &self.channel, &self.secret, &*random)
            .map_err(|fault| anyhow!("应答打不开：{fault}"))?;
        ensure!(
            answered.code == answer::DONE,
            "应答有误：{} {}",
            answered.code,
            answered.message
        );
        Ok(answered)
    }
}
