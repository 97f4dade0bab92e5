//! How an insurer's channel speaks, and what it may name. Who it is, its secrets and its grants are
//! those of any partner ([`crate::partners`]).

use serde::{Deserialize, Serialize};

use crate::db::{Db, StoreError, Tx};
use crate::ids::PartnerId;
use crate::partners;
use crate::vault::{Place, Vault};

/// What an operator sets for a channel, besides its partner's profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// 安全等级, 1 to 4.
    pub level: u8,
    /// encType, a code of its dictionary.
    pub enc_type: String,
    /// signType, a code of its dictionary.
    pub sign_type: String,
    /// The services that it may name.
    pub service_ids: Vec<String>,
    /// Whether it is held to the document; otherwise what is off is noted and accepted.
    pub strict: bool,
    /// RSA keys and certificates, where its algorithms want them.
    pub keys: Keys,
}

/// Keys of a channel, as PEM; `Debug` shows none.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keys {
    /// The channel's public key or certificate: it verifies what the channel signs, and what is
    /// sent to the channel is encrypted for it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub theirs: Option<String>,
    /// Our private key for this channel.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ours: Option<String>,
    /// Our certificate for it, which goes with the private key.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub our_certificate: Option<String>,
}

/// Sets a channel, anew or for the first time.
///
/// # Errors
/// Any [`StoreError`].
pub fn put(
    tx: &mut Tx<'_>,
    vault: &Vault,
    partner: PartnerId,
    channel: &Channel,
    now_ms: i64,
) -> Result<(), StoreError> {
    let sealed = (channel.keys != Keys::default()).then(|| {
        let keys = serde_json::json!(channel.keys).to_string();
        vault.seal(Place::ChannelKeys, keys.as_bytes())
    });
    tx.execute(
        "INSERT INTO insurer_channel (partner_id, level, enc_type, sign_type, service_ids, strict, \
         keys_sealed, changed_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
         ON CONFLICT (partner_id) DO UPDATE SET level = excluded.level, \
         enc_type = excluded.enc_type, sign_type = excluded.sign_type, \
         service_ids = excluded.service_ids, strict = excluded.strict, \
         keys_sealed = excluded.keys_sealed, changed_ms = excluded.changed_ms",
        &[
            partner.into(),
            u32::from(channel.level).into(),
            (&channel.enc_type).into(),
            (&channel.sign_type).into(),
            channel.service_ids.join(" ").into(),
            channel.strict.into(),
            sealed.into(),
            now_ms.into(),
        ],
    )?;
    partners::raise_revision(tx)
}

/// Every channel. Changes raise the partners' revision.
///
/// # Errors
/// Any [`StoreError`]; also where keys were sealed under another master key.
pub async fn all(db: &Db, vault: &Vault) -> Result<Vec<(PartnerId, Channel)>, StoreError> {
    let vault = vault.clone();
    db.scan(move |tx| {
        tx.query(
            "SELECT partner_id, level, enc_type, sign_type, service_ids, strict, keys_sealed \
             FROM insurer_channel ORDER BY partner_id",
            &[],
            |row| {
                let corrupt = |what: &str| StoreError::Corrupt(format!("insurer_channel.{what}"));
                let keys = match row.get::<Option<Vec<u8>>>(6)? {
                    None => Keys::default(),
                    Some(sealed) => {
                        serde_json::from_slice(&vault.open(Place::ChannelKeys, &sealed)?)
                            .map_err(|_| corrupt("keys_sealed"))?
                    }
                };
                let service_ids: String = row.get(4)?;
                let channel = Channel {
                    level: u8::try_from(row.get::<i64>(1)?).map_err(|_| corrupt("level"))?,
                    enc_type: row.get(2)?,
                    sign_type: row.get(3)?,
                    service_ids: service_ids.split_whitespace().map(str::to_owned).collect(),
                    strict: row.get(5)?,
                    keys,
                };
                Ok((PartnerId(row.get(0)?), channel))
            },
        )
    })
    .await
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys(***)")
    }
}
