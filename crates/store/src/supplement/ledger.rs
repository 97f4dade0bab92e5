//! What the four ledgers have in common.
//!
//! Records are sealed before the transaction ([`Drafts`]), because the writer's time is everybody's.
//! A batch of new records is one insert; only where some of its keys were there before are they
//! looked at one by one.

use std::collections::HashSet;
use std::ops::Range;

use super::content::Content;
use crate::db::{ColumnType, Db, Insert, Row, StoreError, Tx, Val};
use crate::ids::PartnerId;
use crate::vault::{Place, Vault};

/// How many columns end each ledger that are not content: `version`, `created_ms`, `changed_ms`,
/// `said_ms`.
const BOOKKEEPING: usize = 4;

/// One of the ledgers: the id, the key, what is looked up, `sealed`, and the
/// bookkeeping. Its statements follow from that.
pub(super) struct Ledger {
    /// Its name, as operators call it.
    pub(super) insert: Insert<'static>,
    /// Where its contents belong.
    pub(super) place: Place,
    /// How many columns after the id are the key.
    pub(super) key_columns: usize,
}

/// What became of one thing that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// The record's id: the one that was there before, if one was.
    pub id: i64,
    /// What happened to it.
    pub what: What,
}

/// What happened to a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// It is new.
    New,
    /// It was there with the same content: nothing changed.
    Same,
    /// It was there with other content, which is now a past version.
    Changed,
    /// It was there with other content that was said later: nothing changed.
    Overtaken,
}

/// A record as it is read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its id.
    pub id: i64,
    /// Which channel sent it.
    pub partner: PartnerId,
    /// Which version this is, from 1.
    pub version: i64,
    /// When its first version came.
    pub created_ms: i64,
    /// When this one came.
    pub changed_ms: i64,
    /// What was sent.
    pub content: Content,
}

/// A version of a record, the present one among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Counted from 1.
    pub version: i64,
    /// When it came.
    pub at_ms: i64,
    /// What was sent.
    pub content: Content,
}

/// A part of a ledger in the order of ids.
#[derive(Debug)]
pub struct Page {
    /// The records.
    pub records: Vec<Record>,
    /// The id to go on after; `None` at the end.
    pub next: Option<i64>,
}

/// Sealed records that wait to be kept, of one message.
pub(super) struct Drafts {
    /// When the message was made.
    said_ms: i64,
    /// Opens what is kept under the same keys, to be held against the drafts.
    vault: Vault,
    drafts: Vec<Draft>,
}

/// A row of its ledger from the id on up to `sealed`, and what is sealed in it.
struct Draft {
    row: Vec<Val<'static>>,
    packed: Vec<u8>,
}

/// What was kept, with whom the record was about before it changed.
pub(super) struct Outcome {
    pub(super) kept: Kept,
    pub(super) person_before: Option<[u8; 16]>,
}

impl Drafts {
    pub(super) fn new(vault: &Vault, said_ms: i64) -> Self {
        Self {
            said_ms,
            vault: vault.clone(),
            drafts: Vec::new(),
        }
    }

    /// Seals a record; `row` is everything before `sealed`.
    pub(super) fn add(
        &mut self,
        ledger: &Ledger,
        mut row: Vec<Val<'static>>,
        content: &Content,
    ) -> Result<(), StoreError> {
        let packed = content.packed()?;
        row.push(self.vault.seal(ledger.place, &packed).into());
        self.drafts.push(Draft { row, packed });
        Ok(())
    }
}

/// Keeps the drafts in their order; of two with the same key the later stands. What was said before
/// what stands changes nothing: it is a copy of an older message, or one that was long on its way.
///
/// # Errors
/// Any [`StoreError`].
pub(super) fn keep(
    tx: &mut Tx<'_>,
    ledger: &Ledger,
    drafts: &Drafts,
    now_ms: i64,
) -> Result<Vec<Outcome>, StoreError> {
    let mut outcomes: Vec<Option<Outcome>> = drafts.drafts.iter().map(|_| None).collect();
    for round in rounds(ledger, &drafts.drafts) {
        let kept = keep_round(tx, ledger, drafts, &round, now_ms)?;
        for (place, outcome) in round.into_iter().zip(kept) {
            outcomes[place] = Some(outcome);
        }
    }
    Ok(outcomes.into_iter().flatten().collect())
}

/// [`keep`] where nobody asks whom a record was about before.
///
/// # Errors
/// Any [`StoreError`].
pub(super) fn keep_plain(
    tx: &mut Tx<'_>,
    ledger: &Ledger,
    drafts: &Drafts,
    now_ms: i64,
) -> Result<Vec<Kept>, StoreError> {
    let outcomes = keep(tx, ledger, drafts, now_ms)?;
    Ok(outcomes.into_iter().map(|outcome| outcome.kept).collect())
}

/// Inserts the drafts without looking at what became of them; gives their ids.
pub(super) fn insert_alone(
    tx: &mut Tx<'_>,
    ledger: &Ledger,
    drafts: &Drafts,
    now_ms: i64,
) -> Result<Vec<i64>, StoreError> {
    let rows: Vec<_> = drafts
        .drafts
        .iter()
        .map(|draft| draft.full_row(drafts.said_ms, now_ms))
        .collect();
    tx.insert_rows(&ledger.insert, &rows)?;
    Ok(drafts.drafts.iter().map(Draft::id).collect())
}

/// The versions of the record with this key, the newest first; empty where there is no such record.
///
/// # Errors
/// Any [`StoreError`].
pub(super) async fn history<const KEY: usize>(
    db: &Db,
    ledger: &'static Ledger,
    vault: &Vault,
    key: [Val<'static>; KEY],
) -> Result<Vec<Version>, StoreError> {
    let vault = vault.clone();
    db.scan(move |tx| versions(tx, ledger, &vault, &key)).await
}

fn versions(
    tx: &mut Tx<'_>,
    ledger: &Ledger,
    vault: &Vault,
    key: &[Val<'_>],
) -> Result<Vec<Version>, StoreError> {
    let found = tx.query_opt(&ledger.by_key(), key, |row| read_found(row, ledger, vault))?;
    let Some(found) = found else {
        return Ok(Vec::new());
    };
    let now = tx.query_opt(&ledger.page(), &[(found.id - 1).into(), 1.into()], |row| {
        read(row, ledger, vault)
    })?;
    let mut versions: Vec<Version> = now
        .into_iter()
        .map(|record| Version {
            version: record.version,
            at_ms: record.changed_ms,
            content: record.content,
        })
        .collect();
    versions.extend(tx.query(
        "SELECT version, at_ms, sealed FROM supplement_past WHERE record_id = $1 \
         ORDER BY version DESC LIMIT 1000",
        &[found.id.into()],
        |row| {
            Ok(Version {
                version: row.get(0)?,
                at_ms: row.get(1)?,
                content: Content::open(vault, ledger.place, &row.get::<Vec<u8>>(2)?)?,
            })
        },
    )?);
    Ok(versions)
}

/// At most `limit` records after this id, opened off the runtime's threads.
///
/// # Errors
/// Any [`StoreError`].
pub(super) async fn page(
    db: &Db,
    ledger: &'static Ledger,
    vault: &Vault,
    after: i64,
    limit: u32,
) -> Result<Page, StoreError> {
    let vault = vault.clone();
    db.scan(move |tx| {
        let records = tx.query(&ledger.page(), &[after.into(), limit.into()], |row| {
            read(row, ledger, &vault)
        })?;
        let full = records.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
        let next = records.last().filter(|_| full).map(|record| record.id);
        Ok(Page { records, next })
    })
    .await
}

/// Which drafts are kept together: no key twice in a round, and the rounds in the drafts' order.
/// Within a round keys ascend, so that no two batches wait for one another.
fn rounds(ledger: &Ledger, drafts: &[Draft]) -> Vec<Vec<usize>> {
    let mut rounds = Vec::new();
    let mut left: Vec<usize> = (0..drafts.len()).collect();
    while !left.is_empty() {
        let mut keys = HashSet::new();
        let (mut round, later): (Vec<usize>, Vec<usize>) = left
            .into_iter()
            .partition(|place| keys.insert(key_text(ledger.key(&drafts[*place]))));
        round.sort_by_cached_key(|place| key_text(ledger.key(&drafts[*place])));
        rounds.push(round);
        left = later;
    }
    rounds
}

fn keep_round(
    tx: &mut Tx<'_>,
    ledger: &Ledger,
    sent: &Drafts,
    round: &[usize],
    now_ms: i64,
) -> Result<Vec<Outcome>, StoreError> {
    let Drafts {
        said_ms,
        vault,
        drafts,
    } = sent;
    let rows: Vec<Vec<Val<'_>>> = round
        .iter()
        .map(|place| drafts[*place].full_row(*said_ms, now_ms))
        .collect();
    let inserted = tx.insert_rows(&ledger.insert, &rows)?;
    if usize::try_from(inserted) == Ok(rows.len()) {
        return Ok(round
            .iter()
            .map(|place| Outcome::new(drafts[*place].id(), What::New))
            .collect());
    }
    let keys: Vec<_> = round
        .iter()
        .map(|place| ledger.key(&drafts[*place]).to_vec())
        .collect();
    let found = tx.query_each(&ledger.by_key(), &keys, |row| {
        read_found(row, ledger, vault)
    })?;
    let mut outcomes = Vec::with_capacity(round.len());
    let mut differing = Vec::new();
    for ((nth, place), found) in round.iter().enumerate().zip(found) {
        let draft = &drafts[*place];
        let found = found.ok_or_else(|| {
            StoreError::Corrupt(format!("{} lost what it refused", ledger.insert.table))
        })?;
        let what = if found.id == draft.id() {
            What::New
        } else {
            if found.packed != draft.packed {
                differing.push((nth, *place, found.id));
            }
            What::Same
        };
        outcomes.push(Outcome::new(found.id, what));
    }
    change(tx, ledger, sent, differing, &mut outcomes, now_ms)?;
    Ok(outcomes)
}

/// Gives records other content: (place in the round, place of the draft, id of the record).
fn change(
    tx: &mut Tx<'_>,
    ledger: &Ledger,
    sent: &Drafts,
    mut differing: Vec<(usize, usize, i64)>,
    outcomes: &mut [Outcome],
    now_ms: i64,
) -> Result<(), StoreError> {
    if differing.is_empty() {
        return Ok(());
    }
    differing.sort_by_key(|(_, _, id)| *id);
    let ids: Vec<Vec<Val<'_>>> = differing
        .iter()
        .map(|(.., id)| vec![(*id).into()])
        .collect();
    // What changes is read once nobody else can change it; another node may have been faster.
    tx.execute_each(&ledger.lock(), &ids)?;
    let found = tx.query_each(&ledger.by_id(), &ids, |row| {
        read_found(row, ledger, &sent.vault)
    })?;
    let (mut past, mut updates) = (Vec::new(), Vec::new());
    for ((nth, place, id), found) in differing.into_iter().zip(found) {
        let draft = &sent.drafts[place];
        let Some(found) = found.filter(|found| found.packed != draft.packed) else {
            continue;
        };
        if sent.said_ms < found.said_ms {
            outcomes[nth] = Outcome::new(id, What::Overtaken);
            continue;
        }
        past.push(vec![id.into()]);
        let mut row = vec![id.into(), now_ms.into(), sent.said_ms.into()];
        row.extend_from_slice(&draft.row[1 + ledger.key_columns..]);
        updates.push(row);
        outcomes[nth] = Outcome {
            kept: Kept {
                id,
                what: What::Changed,
            },
            person_before: Some(found.person),
        };
    }
    tx.execute_each(&ledger.to_past(), &past)?;
    tx.execute_each(&ledger.update(), &updates)?;
    Ok(())
}

impl Ledger {
    fn key<'a>(&self, draft: &'a Draft) -> &'a [Val<'static>] {
        &draft.row[1..=self.key_columns]
    }

    /// Finds a record by its key, from `$1` on.
    fn by_key(&self) -> String {
        let table = self.insert.table;
        let key = numbered(&self.insert.columns[1..=self.key_columns], 1).join(" AND ");
        format!("SELECT id, sealed, person, said_ms FROM {table} WHERE {key}")
    }

    fn by_id(&self) -> String {
        let table = self.insert.table;
        format!("SELECT id, sealed, person, said_ms FROM {table} WHERE id = $1")
    }

    /// Keeps record `$1` from changing until the end of the transaction.
    pub(super) fn lock(&self) -> String {
        let table = self.insert.table;
        format!("UPDATE {table} SET version = version WHERE id = $1")
    }

    /// Gives record `$1` at time `$2` other content, said at `$3`: everything between the key and the
    /// version.
    fn update(&self) -> String {
        let table = self.insert.table;
        let columns = self.insert.columns;
        let content = &columns[1 + self.key_columns..columns.len() - BOOKKEEPING];
        let content = numbered(content, 4).join(", ");
        format!(
            "UPDATE {table} SET version = version + 1, changed_ms = $2, said_ms = $3, {content} \
             WHERE id = $1"
        )
    }

    /// Moves the present version of record `$1` to the past ones.
    fn to_past(&self) -> String {
        let table = self.insert.table;
        format!(
            "INSERT INTO supplement_past (record_id, version, at_ms, sealed) \
             SELECT id, version, changed_ms, sealed FROM {table} WHERE id = $1"
        )
    }

    /// At most `$2` records after the id `$1`, for [`read`].
    fn page(&self) -> String {
        let table = self.insert.table;
        format!(
            "SELECT id, partner_id, version, created_ms, changed_ms, sealed FROM {table} \
             WHERE id > $1 ORDER BY id LIMIT $2"
        )
    }
}

impl Draft {
    fn id(&self) -> i64 {
        match self.row.first() {
            Some(Val::I64(id)) => *id,
            _ => 0,
        }
    }

    fn full_row(&self, said_ms: i64, now_ms: i64) -> Vec<Val<'_>> {
        let mut row: Vec<Val<'_>> = self.row.iter().map(borrowed).collect();
        row.extend([1.into(), now_ms.into(), now_ms.into(), said_ms.into()]);
        row
    }
}

impl Outcome {
    const fn new(id: i64, what: What) -> Self {
        Self {
            kept: Kept { id, what },
            person_before: None,
        }
    }
}

/// The ids of a batch of so many records.
pub(super) fn next_id(ids: &mut Range<i64>) -> Result<i64, StoreError> {
    ids.next()
        .ok_or_else(|| StoreError::Corrupt("a batch was given too few ids".to_owned()))
}

fn borrowed<'a>(value: &'a Val<'static>) -> Val<'a> {
    match value {
        Val::Null => Val::Null,
        Val::I64(number) => Val::I64(*number),
        Val::Text(text) => Val::Text((&**text).into()),
        Val::Blob(bytes) => Val::Blob((&**bytes).into()),
    }
}

/// `column = $n` for each, counted from `first`.
fn numbered(columns: &[(&str, ColumnType)], first: usize) -> Vec<String> {
    let columns = columns.iter().zip(first..);
    columns
        .map(|((name, _), nth)| format!("{name} = ${nth}"))
        .collect()
}

/// Tells keys of one ledger apart, and orders them.
fn key_text(key: &[Val<'_>]) -> Vec<u8> {
    let mut text = Vec::new();
    for value in key {
        match value {
            Val::Null => {}
            Val::I64(number) => text.extend(number.to_be_bytes()),
            Val::Text(word) => text.extend(word.as_bytes()),
            Val::Blob(bytes) => text.extend(&**bytes),
        }
        // No text holds it, and whole numbers and codes have one length.
        text.push(0);
    }
    text
}

struct Found {
    id: i64,
    /// What is sealed in it.
    packed: Vec<u8>,
    person: [u8; 16],
    said_ms: i64,
}

fn read_found(row: &Row<'_>, ledger: &Ledger, vault: &Vault) -> Result<Found, StoreError> {
    Ok(Found {
        id: row.get(0)?,
        packed: vault.open(ledger.place, &row.get::<Vec<u8>>(1)?)?,
        person: row.get(2)?,
        said_ms: row.get(3)?,
    })
}

fn read(row: &Row<'_>, ledger: &Ledger, vault: &Vault) -> Result<Record, StoreError> {
    Ok(Record {
        id: row.get(0)?,
        partner: PartnerId(row.get(1)?),
        version: row.get(2)?,
        created_ms: row.get(3)?,
        changed_ms: row.get(4)?,
        content: Content::open(vault, ledger.place, &row.get::<Vec<u8>>(5)?)?,
    })
}

impl std::fmt::Debug for Drafts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(&self.drafts).finish()
    }
}

impl std::fmt::Debug for Draft {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Draft({})", self.id())
    }
}
