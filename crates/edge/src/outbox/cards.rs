//! 患者电子健康卡主索引 id 留存 (access guide 3.2.5.2): asked for once, retained from then on.

use banyan_store::db::{StoreError, Tx};
use banyan_store::vault::{PersonCode, Place, Vault};
use serde::{Deserialize, Serialize};

use super::Outbox;

/// A retained index.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Card {
    /// 电子健康卡主索引 id.
    #[serde(rename = "i")]
    pub(crate) ehealth_card_id: String,
    /// 姓名 as it was stated then.
    #[serde(rename = "u")]
    pub(crate) user_name: String,
    /// By which interface it came, or `his`.
    #[serde(rename = "s")]
    pub(crate) source: String,
    /// When it was retained last.
    #[serde(rename = "t")]
    pub(crate) kept_ms: i64,
}

impl Outbox {
    /// Whose index is this person's.
    pub(crate) async fn card(&self, code: &PersonCode) -> Result<Option<Card>, StoreError> {
        self.db
            .query_opt(BY_CODE, &[(&code.0).into()], |row| {
                read(&self.vault, &row.get::<Vec<u8>>(0)?)
            })
            .await
    }

    /// Retains an index; what was retained before gives way.
    pub(crate) async fn keep_card(&self, code: PersonCode, card: &Card) -> Result<(), StoreError> {
        let json = serde_json::to_vec(card)
            .map_err(|error| StoreError::Corrupt(format!("a card: {error}")))?;
        let sealed = self.vault.seal(Place::EdgeCard, &json);
        self.db
            .write(move |tx| {
                tx.execute(
                    "INSERT INTO card (person_code, sealed) VALUES ($1, $2)
                     ON CONFLICT (person_code) DO UPDATE SET sealed = $2",
                    &[(&code.0).into(), (&sealed).into()],
                )
            })
            .await
            .map(|_: u64| ())
    }
}

/// The same within a transaction.
pub(super) fn by_code(
    tx: &mut Tx<'_>,
    vault: &Vault,
    code: &PersonCode,
) -> Result<Option<Card>, StoreError> {
    tx.query_opt(BY_CODE, &[(&code.0).into()], |row| {
        read(vault, &row.get::<Vec<u8>>(0)?)
    })
}

const BY_CODE: &str = "SELECT sealed FROM card WHERE person_code = $1";

fn read(vault: &Vault, sealed: &[u8]) -> Result<Card, StoreError> {
    let json = vault.open(Place::EdgeCard, sealed)?;
    serde_json::from_slice(&json).map_err(|_| StoreError::Corrupt("a retained card".to_owned()))
}
