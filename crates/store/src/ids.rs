//! Ids of records: whole numbers, made by the application.
//!
//! A node takes a block of numbers in one small transaction and hands them out from memory, so
//! that no insert waits for a sequence and no two nodes ever make the same id. Numbers left over
//! when a node stops are lost, which does no harm: ids say nothing but who is who.

use std::sync::{Arc, Mutex, PoisonError};

use crate::db::{Db, StoreError};

/// At twenty thousand ids a second a block lasts three seconds: each new one is a commit, after
/// which SQLite's readers forget what they remember. A restart wastes what is left of one, and there
/// are numbers for a hundred million million blocks.
const BLOCK: i64 = 65_536;

/// Hands out ids; clones share their block.
#[derive(Debug, Clone)]
pub struct Ids {
    db: Db,
    name: &'static str,
    block: Arc<Mutex<Block>>,
    /// One caller at a time takes a new block; the others wait for it.
    refill: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Debug, Clone, Copy)]
struct Block {
    next: i64,
    end: i64,
}

impl Ids {
    /// Ids of this database's records.
    #[must_use]
    pub fn new(db: Db) -> Self {
        Self::named(db, "record")
    }

    /// Ids of persons: a sequence of their own, because a card's number has room for eleven digits,
    /// which is a block for each start of a node a million and a half times.
    #[must_use]
    pub fn of_persons(db: Db) -> Self {
        Self::named(db, "person")
    }

    fn named(db: Db, name: &'static str) -> Self {
        Self {
            db,
            name,
            block: Arc::new(Mutex::new(Block { next: 0, end: 0 })),
            refill: Arc::default(),
        }
    }

    /// The next id.
    ///
    /// # Errors
    /// Where a new block can't be taken.
    pub async fn next(&self) -> Result<i64, StoreError> {
        Ok(self.take(1).await?.start)
    }

    /// The next `count` ids, one after the other.
    ///
    /// # Errors
    /// Where a new block can't be taken.
    pub async fn take(&self, count: usize) -> Result<std::ops::Range<i64>, StoreError> {
        let count = i64::try_from(count).map_err(|_| StoreError::Busy)?;
        match self.in_block(count) {
            Some(range) => Ok(range),
            // Apart, for it is rare and large, and a part of nearly every call.
            None => Box::pin(self.take_of_a_new_block(count)).await,
        }
    }

    async fn take_of_a_new_block(&self, count: i64) -> Result<std::ops::Range<i64>, StoreError> {
        let _alone = self.refill.lock().await;
        if let Some(range) = self.in_block(count) {
            return Ok(range);
        }
        let (size, name) = (BLOCK.max(count), self.name);
        let end = self
            .db
            .write(move |tx| {
                tx.query_opt(
                    "UPDATE id_block SET next = next + $1 WHERE name = $2 RETURNING next",
                    &[size.into(), name.into()],
                    |row| row.get::<i64>(0),
                )
            })
            .await?
            .ok_or_else(|| StoreError::Corrupt("the row of id_block is missing".to_owned()))?;
        let start = end - size;
        *self.lock() = Block {
            next: start + count,
            end,
        };
        Ok(start..start + count)
    }

    fn in_block(&self, count: i64) -> Option<std::ops::Range<i64>> {
        let mut block = self.lock();
        let start = block.next;
        if start + count > block.end {
            return None;
        }
        block.next += count;
        Some(start..start + count)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Block> {
        // A number can't be half taken, so a block left by a panicking thread is as good as any.
        self.block.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Declares an id: a whole number that can't be taken for another table's.
macro_rules! id_type {
    ($($(#[$doc:meta])* $name:ident;)+) => {$(
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord,
            serde::Serialize, serde::Deserialize,
        )]
        pub struct $name(pub i64);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl From<$name> for crate::db::Val<'_> {
            fn from(id: $name) -> Self {
                Self::I64(id.0)
            }
        }
    )+};
}

id_type! {
    /// A partner.
    PartnerId;
    /// A batch of ORG_MDL_001 or ORG_MDL_003.
    BatchId;
    /// A record of an unpaid item; the wire shows it as traceId.
    ItemId;
    /// An appeal against a record.
    AppealId;
    /// A job.
    JobId;
    /// A running process that takes leases.
    NodeId;
    /// A holder of a health card; his 卡号 is made of it.
    HealthCardPersonId;
    /// An authorisation that a hospital asked for by ORG_EHC_001.
    AuthorisationId;
    /// A claim that contradicts what is registered.
    ReviewId;
    /// An institution that waits for somebody's password.
    PasswordRequestId;
}
