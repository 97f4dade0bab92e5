//! The sandbox's partners at the platform: found, or added at the first start.

use anyhow::{Context as _, Result};
use banyan_platform::admin::{Desk, NewPartner};
use banyan_protocol::dictionaries::{EncType, SignType};
use banyan_sandbox::InsurerAccess;
use banyan_store::partners::{Kind, Partner};
use banyan_store::supplement::channels::{Channel, Keys};
use url::Url;

use super::{HOSPITALS, window};

/// The sandbox's partner with this orgId (or of this kind, where it has none); added where it is
/// missing.
pub(super) async fn partner(
    desk: &Desk,
    kind: Kind,
    org_id: Option<&str>,
    name: &str,
) -> Result<Partner> {
    for second_look in [false, true] {
        let found = desk.partners().await?.into_iter().find(|partner| {
            partner.profile.kind == kind && partner.profile.org_id.as_deref() == org_id
        });
        if let Some(partner) = found {
            return Ok(partner);
        }
        if !second_look {
            desk.add_partner(NewPartner {
                kind,
                org_id: org_id.map(str::to_owned),
                name: name.to_owned(),
                base_url: None,
                hosts: Vec::new(),
                grants: None,
                rate_per_second: 100_000,
                plain_replies: true,
                corrections: false,
                institutions: match kind {
                    // It stands at the first hospital, whichever of its codes is used there.
                    Kind::Terminal => std::iter::once(HOSPITALS[0].0)
                        .chain(window::PRINTED_INSTITUTIONS)
                        .map(str::to_owned)
                        .collect(),
                    Kind::Hospital | Kind::Mzt | Kind::Insurer => Vec::new(),
                },
            })
            .await?;
        }
    }
    anyhow::bail!("登记 {name} 失败")
}

/// The sandbox's insurer of this name; added where it is missing.
pub(super) async fn insurer(
    desk: &Desk,
    name: &str,
    level: u8,
    service_ids: &[&str],
) -> Result<InsurerAccess> {
    for second_look in [false, true] {
        let found =
            desk.partners().await?.into_iter().find(|partner| {
                partner.profile.kind == Kind::Insurer && partner.profile.name == name
            });
        if let Some(partner) = found {
            let channel = desk.channel(&partner.profile.app_id).await?;
            return Ok(InsurerAccess {
                chs_fjs_appsecret: live_secret(&partner)?,
                chs_fjs_appid: partner.profile.app_id,
                level: channel.level,
                service_ids: channel.service_ids,
            });
        }
        if !second_look {
            let new = NewPartner {
                kind: Kind::Insurer,
                org_id: None,
                name: name.to_owned(),
                base_url: None,
                hosts: Vec::new(),
                grants: None,
                rate_per_second: 100_000,
                plain_replies: true,
                corrections: false,
                institutions: Vec::new(),
            };
            let channel = Channel {
                level,
                enc_type: EncType::Sm4.code().to_owned(),
                sign_type: SignType::Sm3.code().to_owned(),
                service_ids: service_ids.iter().map(|id| (*id).to_owned()).collect(),
                strict: false,
                keys: Keys::default(),
            };
            desk.add_insurer(new, channel).await?;
        }
    }
    anyhow::bail!("登记 {name} 失败")
}

/// The secret that a partner uses.
pub(super) fn live_secret(partner: &Partner) -> Result<String> {
    let secret = partner.secrets.first().context("接入方没有有效密钥")?;
    Ok(secret.text.clone())
}

/// Scheme, host and port of an address.
pub(super) fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}
