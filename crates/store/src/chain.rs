//! Hash chains: what was written down can't be changed or taken out without a trace.
//!
//! Sealing runs behind the messages, never on their path: it gathers entries that stand in no
//! block yet, in the order of their ids, and closes a block over them: digest = SM3-HMAC under a key
//! of the vault over the previous digest, number, time, count and every entry's SM3. Whoever holds
//! the database alone can't rebuild it. Entries that commit late simply land in a later block. Old
//! blocks are pruned whole, oldest first; their digests stay, so that the rest can still be
//! verified. A tail that was cut off shows only against an earlier note of the last digest, which
//! the log has.

use banyan_protocol::crypto::sm3::{self, Sm3Digest};

use crate::db::{Cell, Db, Row, StoreError, Tx};
use crate::vault::Vault;

/// A table that is sealed into a chain.
#[derive(Debug, Clone, Copy)]
pub struct Chain {
    /// Its name.
    pub name: &'static str,
    /// Entries in no block, in the order of their ids, at most `$1`. The first column is the id.
    pub unsealed: &'static str,
    /// The entries of block `$1`, in the order of their ids.
    pub of_block: &'static str,
    /// Puts the unsealed entries from `$2` to `$3` into block `$1`.
    pub mark: &'static str,
    /// Removes the entries of block `$1`.
    pub remove: &'static str,
}

/// What a chain's verification found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    /// Blocks whose entries were looked at.
    pub blocks: i64,
    /// Blocks whose entries were pruned before; only their links were looked at.
    pub pruned: i64,
    /// Entries that stand as they were sealed.
    pub entries: i64,
    /// The first block that does not fit; `None` where all do.
    pub broken: Option<i64>,
}

/// Closes one block over at most `limit` entries; gives how many.
///
/// # Errors
/// Any [`StoreError`]; [`StoreError::Conflict`] where two nodes tried at once and the other won.
pub fn seal_next(
    tx: &mut Tx<'_>,
    chain: &Chain,
    vault: &Vault,
    now_ms: i64,
    limit: usize,
) -> Result<usize, StoreError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let entries = tx.query(chain.unsealed, &[limit.into()], read_entry)?;
    if entries.is_empty() {
        return Ok(0);
    }
    let last = tx.query_opt(
        "SELECT number, digest FROM chain_block WHERE chain = $1 ORDER BY number DESC LIMIT 1",
        &[chain.name.into()],
        |row| Ok((row.get::<i64>(0)?, row.get::<[u8; 32]>(1)?)),
    )?;
    let (number, previous) = last.map_or((1, GENESIS), |(number, digest)| (number + 1, digest));
    let count = i64::try_from(entries.len()).unwrap_or(i64::MAX);
    let digest = block_digest(vault, chain, &previous, [number, now_ms, count], &entries);
    tx.execute(
        "INSERT INTO chain_block (chain, number, sealed_ms, entries, digest, pruned_ms) \
         VALUES ($1, $2, $3, $4, $5, NULL)",
        &[
            chain.name.into(),
            number.into(),
            now_ms.into(),
            count.into(),
            (&digest).into(),
        ],
    )?;
    // The entries are the first unsealed ones, so those between their ends are exactly they, unless
    // another one committed in this very moment: then the next attempt takes it along.
    let ends = entries.first().zip(entries.last());
    let (first, last) = ends.map_or((0, 0), |(first, last)| (first.id, last.id));
    let marked = tx.execute(chain.mark, &[number.into(), first.into(), last.into()])?;
    if i64::try_from(marked) != Ok(count) {
        return Err(StoreError::Busy);
    }
    Ok(entries.len())
}

/// The number and digest of a chain's last block, for a note that stands outside the database.
///
/// # Errors
/// Any [`StoreError`].
pub async fn head(db: &Db, chain: &Chain) -> Result<Option<(i64, Sm3Digest)>, StoreError> {
    db.query_opt(
        "SELECT number, digest FROM chain_block WHERE chain = $1 ORDER BY number DESC LIMIT 1",
        &[chain.name.into()],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
    .await
}

/// Recomputes a chain from its first block on. `progress` is told the number of the last block
/// done, again and again.
///
/// # Errors
/// Any [`StoreError`].
pub async fn verify(
    db: &Db,
    chain: &'static Chain,
    vault: &Vault,
    mut progress: impl FnMut(i64),
) -> Result<Verification, StoreError> {
    let mut state = Walk {
        found: Verification {
            blocks: 0,
            pruned: 0,
            entries: 0,
            broken: None,
        },
        previous: GENESIS,
        next: 1,
    };
    loop {
        // A snapshot for each stretch: one over the whole walk would keep SQLite's log from
        // being moved into its file for as long.
        let (vault, before) = (vault.clone(), state.next);
        state = db.scan(move |tx| walk(tx, chain, &vault, state)).await?;
        progress(state.next - 1);
        if state.found.broken.is_some() || state.next == before {
            return Ok(state.found);
        }
    }
}

/// Blocks looked at in one snapshot.
const STRETCH: i64 = 100;

struct Walk {
    found: Verification,
    previous: Sm3Digest,
    next: i64,
}

fn walk(
    tx: &mut Tx<'_>,
    chain: &Chain,
    vault: &Vault,
    mut state: Walk,
) -> Result<Walk, StoreError> {
    let end = state.next + STRETCH;
    while state.next < end {
        let number = state.next;
        let block = tx.query_opt(
            "SELECT sealed_ms, entries, digest, pruned_ms FROM chain_block \
             WHERE chain = $1 AND number = $2",
            &[chain.name.into(), number.into()],
            |row| {
                Ok((
                    row.get::<i64>(0)?,
                    row.get::<i64>(1)?,
                    row.get::<[u8; 32]>(2)?,
                    row.get::<Option<i64>>(3)?,
                ))
            },
        )?;
        let Some((sealed_ms, count, digest, pruned_ms)) = block else {
            // The end of the chain, unless a block stands beyond the missing one.
            let beyond = tx.query_opt(
                "SELECT MIN(number) FROM chain_block WHERE chain = $1 AND number > $2",
                &[chain.name.into(), number.into()],
                |row| row.get::<Option<i64>>(0),
            )?;
            state.found.broken = beyond.flatten().map(|_| number);
            return Ok(state);
        };
        if pruned_ms.is_some() {
            // Only the oldest are ever pruned: one behind a block that stands is a forgery.
            if state.found.blocks > 0 {
                state.found.broken = Some(number);
                return Ok(state);
            }
            state.found.pruned += 1;
        } else {
            let entries = tx.query(chain.of_block, &[number.into()], read_entry)?;
            let complete = i64::try_from(entries.len()) == Ok(count);
            let facts = [number, sealed_ms, count];
            let made = block_digest(vault, chain, &state.previous, facts, &entries);
            if !complete || made != digest {
                state.found.broken = Some(number);
                return Ok(state);
            }
            state.found.blocks += 1;
            state.found.entries += count;
        }
        state.previous = digest;
        state.next = number + 1;
    }
    Ok(state)
}

/// Removes the entries of the oldest block if it was sealed before `before_ms`; its link stays.
/// Gives whether there was one.
///
/// # Errors
/// Any [`StoreError`].
pub fn prune_oldest(
    tx: &mut Tx<'_>,
    chain: &Chain,
    before_ms: i64,
    now_ms: i64,
) -> Result<bool, StoreError> {
    let oldest = tx.query_opt(
        "SELECT number FROM chain_block WHERE chain = $1 AND pruned_ms IS NULL AND sealed_ms < $2 \
         ORDER BY number LIMIT 1",
        &[chain.name.into(), before_ms.into()],
        |row| row.get::<i64>(0),
    )?;
    let Some(number) = oldest else {
        return Ok(false);
    };
    tx.execute(chain.remove, &[number.into()])?;
    tx.execute(
        "UPDATE chain_block SET pruned_ms = $3 WHERE chain = $1 AND number = $2",
        &[chain.name.into(), number.into(), now_ms.into()],
    )?;
    Ok(true)
}

const GENESIS: Sm3Digest = [0; 32];

struct Entry {
    id: i64,
    digest: Sm3Digest,
}

/// `facts` are the block's number, when it was sealed, and how many entries it has.
fn block_digest(
    vault: &Vault,
    chain: &Chain,
    previous: &Sm3Digest,
    facts: [i64; 3],
    entries: &[Entry],
) -> Sm3Digest {
    let facts = facts.map(i64::to_be_bytes);
    let mut parts: Vec<&[u8]> = vec![chain.name.as_bytes(), previous];
    parts.extend(facts.iter().map(|fact| &fact[..]));
    parts.extend(entries.iter().map(|entry| &entry.digest[..]));
    vault.chain_code(&parts)
}

/// An entry's digest covers each column with its type, so that NULL differs from an empty text.
fn read_entry(row: &Row<'_>) -> Result<Entry, StoreError> {
    let mut parts: Vec<Vec<u8>> = Vec::with_capacity(row.columns());
    for index in 0..row.columns() {
        parts.push(match row.cell(index)? {
            Cell::Null => b"n".to_vec(),
            Cell::I64(number) => [b"i", &number.to_be_bytes()[..]].concat(),
            Cell::Text(text) => [b"t", text.as_bytes()].concat(),
            Cell::Blob(bytes) => [b"b", bytes].concat(),
        });
    }
    let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    Ok(Entry {
        id: row.get(0)?,
        digest: sm3::digest_parts(&parts),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::PartnerId;
    use crate::journal::{self, Direction, JOURNAL};
    use crate::testing::TestDb;

    async fn write_entries(db: &TestDb, ids: std::ops::Range<i64>) {
        db.write(move |tx| {
            let entries: Vec<journal::Entry> = ids
                .clone()
                .map(|id| journal::Entry {
                    id,
                    at_ms: 1_000 + id,
                    partner: PartnerId(5),
                    interface: "ORG_MDL_002".into(),
                    direction: Direction::Received,
                    result: "000000".into(),
                    person: (id % 2 == 0).then_some(crate::vault::PersonCode([7; 32])),
                    purpose: Some("01101".to_owned()),
                    subject: None,
                    digest: Some([9; 32]),
                })
                .collect();
            journal::append(tx, &entries)
        })
        .await
        .unwrap();
    }

    fn vault() -> Vault {
        crate::vault::tests::vault(1)
    }

    async fn seal(db: &TestDb, limit: usize) -> usize {
        let vault = vault();
        db.write(move |tx| seal_next(tx, &JOURNAL, &vault, 2_000, limit))
            .await
            .unwrap()
    }

    async fn tamper(db: &TestDb, sql: &'static str) -> Option<i64> {
        db.write(move |tx| tx.execute(sql, &[])).await.unwrap();
        verify(db, &JOURNAL, &vault(), |_| {}).await.unwrap().broken
    }

    crate::on_both_engines! {
        async fn a_chain_shows_whether_it_is_whole(db: &TestDb) {
            assert_eq!(seal(db, 10).await, 0);
            write_entries(db, 1..8).await;
            assert_eq!(seal(db, 3).await, 3);
            // An entry with a lower id that commits late lands in the next block.
            write_entries(db, 0..1).await;
            assert_eq!(seal(db, 10).await, 5);
            let whole = verify(db, &JOURNAL, &vault(), |_| {}).await.unwrap();
            assert_eq!(
                whole,
                Verification { blocks: 2, pruned: 0, entries: 8, broken: None }
            );
        }

        async fn what_was_changed_shows(db: &TestDb) {
            write_entries(db, 0..9).await;
            for _ in 0..3 {
                assert_eq!(seal(db, 3).await, 3);
            }
            assert_eq!(tamper(db, "UPDATE journal SET result = '000001' WHERE id = 4").await, Some(2));
            assert_eq!(tamper(db, "UPDATE journal SET result = '000000' WHERE id = 4").await, None);
            assert_eq!(tamper(db, "UPDATE journal SET subject = '' WHERE id = 7").await, Some(3));
            assert_eq!(tamper(db, "UPDATE journal SET subject = NULL WHERE id = 7").await, None);
            assert_eq!(tamper(db, "DELETE FROM chain_block WHERE number = 2").await, Some(2));
        }

        async fn what_was_taken_out_shows(db: &TestDb) {
            write_entries(db, 0..6).await;
            for _ in 0..2 {
                assert_eq!(seal(db, 3).await, 3);
            }
            assert_eq!(tamper(db, "DELETE FROM journal WHERE id = 5").await, Some(2));
        }

        async fn old_blocks_go_whole_and_leave_their_link(db: &TestDb) {
            write_entries(db, 0..6).await;
            for _ in 0..2 {
                assert_eq!(seal(db, 3).await, 3);
            }
            let prune = |before_ms| async move {
                db.write(move |tx| prune_oldest(tx, &JOURNAL, before_ms, 3_000)).await.unwrap()
            };
            assert!(!prune(2_000).await);
            assert!(prune(2_001).await);
            let rest = verify(db, &JOURNAL, &vault(), |_| {}).await.unwrap();
            assert_eq!(
                rest,
                Verification { blocks: 1, pruned: 1, entries: 3, broken: None }
            );
            assert_eq!(tamper(db, "UPDATE journal SET result = 'x' WHERE id = 4").await, Some(2));
        }

        async fn a_block_that_only_says_it_was_pruned_shows(db: &TestDb) {
            write_entries(db, 0..9).await;
            for _ in 0..3 {
                assert_eq!(seal(db, 3).await, 3);
            }
            let forged = tamper(db, "UPDATE chain_block SET pruned_ms = 9 WHERE number = 2").await;
            assert_eq!(forged, Some(2));
        }

        async fn a_chain_made_without_the_key_shows(db: &TestDb) {
            write_entries(db, 0..3).await;
            assert_eq!(seal(db, 3).await, 3);
            let other = crate::vault::tests::vault(2);
            assert_eq!(verify(db, &JOURNAL, &other, |_| {}).await.unwrap().broken, Some(1));
            assert_eq!(head(db, &JOURNAL).await.unwrap().unwrap().0, 1);
        }
    }
}
