//! Partners: who may call, with which secrets, for what; and where they are called.

use crate::db::{Db, Row, StoreError, Tx, Val};
use crate::ids::PartnerId;
use crate::vault::{Place, Vault};

/// A partner with its live secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partner {
    /// Its id.
    pub id: PartnerId,
    /// What it is and how it may be called; everything an operator sets.
    pub profile: Profile,
    /// Its live secrets, the one in use first; at most two.
    pub secrets: Vec<LiveSecret>,
    /// The dialect in which it signed last, as a number of the envelope's own.
    pub dialect: u8,
}

/// Everything about a partner that an operator sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// 应用 ID.
    pub app_id: String,
    /// What it is.
    pub kind: Kind,
    /// 机构 id; hospitals only.
    pub org_id: Option<String>,
    /// 机构名称 or the channel's name.
    pub name: String,
    /// The address that the paths of ORG_001 and ORG_002 are appended to.
    pub base_url: Option<String>,
    /// Hosts that may be called for it besides the base address's own; see `AllowedHosts` of the
    /// client.
    pub hosts: Vec<String>,
    /// Codes of the interfaces that it may call.
    pub grants: Vec<String>,
    /// How many calls a second it may make.
    pub rate_per_second: u32,
    /// Whether its answers may be plain or bare (access guide 4.4.1.4).
    pub plain_replies: bool,
    /// Whether it may call at all.
    pub active: bool,
    /// Whether it is told when a debt that it was shown is revoked.
    pub corrections: bool,
    /// A hospital's 医保定点机构代码 besides its 机构 id; the institutions at whose windows a terminal
    /// stands.
    pub institutions: Vec<String>,
}

/// What a partner is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// 定点医疗机构
    Hospital,
    /// 闽政通
    Mzt,
    /// 商业补充医疗保险的渠道
    Insurer,
    /// 医保业务综合服务终端
    Terminal,
}

/// A secret that still opens messages.
#[derive(Clone, PartialEq, Eq)]
pub struct LiveSecret {
    /// The secret itself.
    pub text: String,
    /// When it stops, in milliseconds since the epoch; `None` for the one in use.
    pub ends_ms: Option<i64>,
}

impl Kind {
    const fn as_text(self) -> &'static str {
        match self {
            Self::Hospital => "hospital",
            Self::Mzt => "mzt",
            Self::Insurer => "insurer",
            Self::Terminal => "terminal",
        }
    }

    fn from_text(text: &str) -> Result<Self, StoreError> {
        match text {
            "hospital" => Ok(Self::Hospital),
            "mzt" => Ok(Self::Mzt),
            "insurer" => Ok(Self::Insurer),
            "terminal" => Ok(Self::Terminal),
            other => Err(StoreError::Corrupt(format!("partner.kind is {other}"))),
        }
    }
}

/// Adds a partner with its first secret.
///
/// # Errors
/// [`StoreError::Conflict`] where its appId or orgId is taken.
pub fn add(
    tx: &mut Tx<'_>,
    vault: &Vault,
    id: PartnerId,
    profile: &Profile,
    secret: &str,
    now_ms: i64,
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO partner (id, app_id, kind, org_id, name, base_url, hosts, grants, \
         rate_per_second, plain_replies, active, dialect, created_ms, changed_ms, corrections, \
         institutions) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 0, $12, $12, $13, $14)",
        &[
            id.into(),
            (&profile.app_id).into(),
            profile.kind.as_text().into(),
            profile.org_id.as_deref().into(),
            (&profile.name).into(),
            profile.base_url.as_deref().into(),
            profile.hosts.join(" ").into(),
            profile.grants.join(" ").into(),
            profile.rate_per_second.into(),
            profile.plain_replies.into(),
            profile.active.into(),
            now_ms.into(),
            profile.corrections.into(),
            profile.institutions.join(" ").into(),
        ],
    )?;
    insert_secret(tx, vault, id, id.0, secret, now_ms)?;
    raise_revision(tx)
}

/// Gives a partner a new secret; the one in use before goes on until `old_ends_ms`, and any older
/// one stops now. `false` where there is no such partner.
///
/// # Errors
/// Any [`StoreError`].
pub fn rotate(
    tx: &mut Tx<'_>,
    vault: &Vault,
    app_id: &str,
    secret_id: i64,
    secret: &str,
    now_ms: i64,
    old_ends_ms: i64,
) -> Result<bool, StoreError> {
    // Held, so that of two rotations at once the second finds the secret of the first.
    let Some((id, _)) = hold(tx, app_id)? else {
        return Ok(false);
    };
    tx.execute(
        "UPDATE partner_secret SET ends_ms = $2 WHERE partner_id = $1 AND ends_ms > $2",
        &[id.into(), now_ms.into()],
    )?;
    tx.execute(
        "UPDATE partner_secret SET ends_ms = $2 WHERE partner_id = $1 AND ends_ms IS NULL",
        &[id.into(), old_ends_ms.into()],
    )?;
    insert_secret(tx, vault, id, secret_id, secret, now_ms)?;
    raise_revision(tx)?;
    Ok(true)
}

/// A partner's id and profile, held until the transaction ends: whoever else changes it waits, so
/// that nobody writes back what another has changed meanwhile. `None` where there is none.
///
/// # Errors
/// Any [`StoreError`].
pub fn hold(tx: &mut Tx<'_>, app_id: &str) -> Result<Option<(PartnerId, Profile)>, StoreError> {
    let sql =
        format!("UPDATE partner SET changed_ms = changed_ms WHERE app_id = $1 RETURNING {COLUMNS}");
    let held = tx.query_opt(&sql, &[app_id.into()], read_partner)?;
    Ok(held.map(|partner| (partner.id, partner.profile)))
}

/// Writes a partner's profile anew, as it was [held](hold) and then changed; appId, kind and orgId
/// stay.
///
/// # Errors
/// Any [`StoreError`].
pub fn put(tx: &mut Tx<'_>, profile: &Profile, now_ms: i64) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE partner SET name = $2, base_url = $3, hosts = $4, grants = $5, \
         rate_per_second = $6, plain_replies = $7, active = $8, changed_ms = $9, \
         corrections = $10, institutions = $11 WHERE app_id = $1",
        &[
            (&profile.app_id).into(),
            (&profile.name).into(),
            profile.base_url.as_deref().into(),
            profile.hosts.join(" ").into(),
            profile.grants.join(" ").into(),
            profile.rate_per_second.into(),
            profile.plain_replies.into(),
            profile.active.into(),
            now_ms.into(),
            profile.corrections.into(),
            profile.institutions.join(" ").into(),
        ],
    )?;
    raise_revision(tx)
}

/// Remembers the dialect in which a partner signed, so that a node that never heard it calls it
/// in its own way too; the revision rises, so that nodes that run already learn it.
///
/// # Errors
/// Any [`StoreError`].
pub fn keep_dialect(tx: &mut Tx<'_>, id: PartnerId, dialect: u8) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE partner SET dialect = $2 WHERE id = $1",
        &[id.into(), u32::from(dialect).into()],
    )?;
    raise_revision(tx)
}

/// The number that rises with every change to any partner.
///
/// # Errors
/// Any [`StoreError`].
pub async fn revision(db: &Db) -> Result<i64, StoreError> {
    let revision = db
        .query_opt(
            "SELECT revision FROM partner_revision WHERE id = 1",
            &[],
            |row| row.get(0),
        )
        .await?;
    revision.ok_or_else(|| StoreError::Corrupt("the row of partner_revision is missing".to_owned()))
}

/// Every partner with the secrets that are live at `now_ms`, ordered by appId.
///
/// # Errors
/// Any [`StoreError`]; also where a secret was sealed under another master key.
pub async fn all(db: &Db, vault: &Vault, now_ms: i64) -> Result<Vec<Partner>, StoreError> {
    let vault = vault.clone();
    db.scan(move |tx| {
        let sql = format!("SELECT {COLUMNS} FROM partner ORDER BY app_id");
        let mut partners = tx.query(&sql, &[], read_partner)?;
        // The one in use first; ids of several nodes do not say which is newer.
        let secrets = tx.query(
            "SELECT partner_id, sealed, ends_ms FROM partner_secret \
             WHERE ends_ms IS NULL OR ends_ms > $1 \
             ORDER BY CASE WHEN ends_ms IS NULL THEN 0 ELSE 1 END, created_ms DESC, id DESC",
            &[now_ms.into()],
            |row| {
                Ok((
                    PartnerId(row.get(0)?),
                    row.get::<Vec<u8>>(1)?,
                    row.get::<Option<i64>>(2)?,
                ))
            },
        )?;
        for (id, sealed, ends_ms) in secrets {
            let text = String::from_utf8(vault.open(Place::PartnerSecret, &sealed)?)
                .map_err(|_| StoreError::Corrupt("a secret is no text".to_owned()))?;
            if let Some(partner) = partners.iter_mut().find(|partner| partner.id == id) {
                partner.secrets.push(LiveSecret { text, ends_ms });
            }
        }
        Ok(partners)
    })
    .await
}

/// What [`read_partner`] reads.
const COLUMNS: &str = "id, app_id, kind, org_id, name, base_url, hosts, grants, rate_per_second, \
     plain_replies, active, dialect, corrections, institutions";

fn insert_secret(
    tx: &mut Tx<'_>,
    vault: &Vault,
    partner: PartnerId,
    secret_id: i64,
    secret: &str,
    now_ms: i64,
) -> Result<(), StoreError> {
    let sealed = vault.seal(Place::PartnerSecret, secret.as_bytes());
    tx.execute(
        "INSERT INTO partner_secret (id, partner_id, sealed, created_ms, ends_ms) \
         VALUES ($1, $2, $3, $4, NULL)",
        &[
            secret_id.into(),
            partner.into(),
            sealed.into(),
            now_ms.into(),
        ],
    )?;
    Ok(())
}

pub(crate) fn raise_revision(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE partner_revision SET revision = revision + 1 WHERE id = 1",
        &[] as &[Val<'_>],
    )?;
    Ok(())
}

fn read_partner(row: &Row<'_>) -> Result<Partner, StoreError> {
    let words = |text: String| text.split_whitespace().map(str::to_owned).collect();
    Ok(Partner {
        id: PartnerId(row.get(0)?),
        profile: Profile {
            app_id: row.get(1)?,
            kind: Kind::from_text(&row.get::<String>(2)?)?,
            org_id: row.get(3)?,
            name: row.get(4)?,
            base_url: row.get(5)?,
            hosts: words(row.get(6)?),
            grants: words(row.get(7)?),
            rate_per_second: u32::try_from(row.get::<i64>(8)?)
                .map_err(|_| StoreError::Corrupt("partner.rate_per_second".to_owned()))?,
            plain_replies: row.get(9)?,
            active: row.get(10)?,
            corrections: row.get(12)?,
            institutions: words(row.get(13)?),
        },
        secrets: Vec::new(),
        dialect: u8::try_from(row.get::<i64>(11)?).unwrap_or(0),
    })
}

impl std::fmt::Debug for LiveSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LiveSecret(***, ends {:?})", self.ends_ms)
    }
}
