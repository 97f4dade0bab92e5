//! The edge's own records, on SQLite, synced before anybody is answered.
//!
//! A debt (`items`) is what the HIS last said of it; messages (`messages`) are made of the debts
//! that changed and go to the platform byte for byte the same until it has said what became of
//! them. So what has to be sent is never a list that could be lost or doubled: it is the
//! difference between what the HIS said last and what the last message carried.
//!
//! All SQL of the edge is in this folder.

pub(crate) mod adopting;
pub(crate) mod cards;
mod counters;
pub(crate) mod forming;
pub(crate) mod items;
pub(crate) mod messages;
pub(crate) mod notices;
pub(crate) mod outcomes;
pub(crate) mod presence;
mod retention;
pub(crate) mod taking;
#[cfg(test)]
mod tests;
pub(crate) mod views;

use std::path::Path;

use banyan_store::db::{Db, DbSettings, MigrationText, StoreError};
use banyan_store::vault::Vault;

/// The records and the key to what is sealed in them.
#[derive(Debug, Clone)]
pub(crate) struct Outbox {
    pub(crate) db: Db,
    pub(crate) vault: Vault,
}

const MIGRATIONS: &[MigrationText] = &[(
    "V0001__outbox",
    include_str!("../../migrations/V0001__outbox.sql"),
)];

/// A hospital's gateway shares its machine with others.
const CACHE_KIB: u32 = 8 * 1024;

impl Outbox {
    /// Opens the records in this folder, and makes them where there are none.
    ///
    /// # Errors
    /// Any [`StoreError`]; `Corrupt` where they were sealed under another key.
    pub(crate) async fn open(folder: &Path, vault: Vault) -> Result<Self, StoreError> {
        let mut settings = DbSettings::new(format!("sqlite:{}", folder.join(FILE_NAME).display()));
        settings.cache_kib = CACHE_KIB;
        settings.readers_cache_kib = CACHE_KIB;
        let db = Db::open(&settings).await?;
        db.migrate_with(MIGRATIONS).await?;
        vault.check(&db).await?;
        Ok(Self { db, vault })
    }
}

/// The name of the database in the data folder.
pub(crate) const FILE_NAME: &str = "edge.db";
