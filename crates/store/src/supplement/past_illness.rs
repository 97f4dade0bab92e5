//! 既往症: which illnesses somebody had, each entry with its source.
//!
//! An operator's file says so, for one service or for all ([`import`]); a historical case says so
//! for its own service ([`super::learning`]). What an operator found to be wrong stays away, whatever
//! cases say, until an operator says otherwise. Nothing is deleted: what no longer counts moves to
//! the ended entries, and [`history`] shows both.

use std::collections::HashSet;

use super::{Named, half};
use crate::db::{ColumnType, Db, Engine, Insert, Row, StoreError, Tx, Val};
use crate::vault::PersonCode;

/// What is known of somebody, as one service may know it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// Categories, each once, in the order of their names.
    pub categories: Vec<String>,
    /// Whether there is something under this number that came with another name, and is therefore
    /// not told.
    pub other_name: bool,
}

/// What is known of somebody, as far as one of these services may know it. An entry that came with
/// a name is told only to whoever gives the same: a slip in a number tells nobody about a stranger.
///
/// This is the look-up that insurers wait for; it reads nothing but the primary key.
///
/// # Errors
/// Any [`StoreError`].
pub async fn of(db: &Db, named: &Named, services: &[&str]) -> Result<Known, StoreError> {
    let entries = db
        .look_up(
            "SELECT DISTINCT service_id, category, name FROM past_illness WHERE person = $1 \
             LIMIT $2",
            &[named.key().into(), MOST_CATEGORIES.into()],
            |row| {
                Ok((
                    row.get::<String>(0)?,
                    row.get::<String>(1)?,
                    row.get::<i64>(2)?,
                ))
            },
        )
        .await?;
    let mut known = Known::default();
    for (service, category, name) in entries {
        if !service.is_empty() && !services.contains(&service.as_str()) {
            continue;
        }
        if name == 0 || name == named.name.0 {
            known.categories.push(category);
        } else {
            known.other_name = true;
        }
    }
    known.categories.sort_unstable();
    known.categories.dedup();
    Ok(known)
}

/// A line of an operator's file.
#[derive(Debug, Clone)]
pub struct Line {
    /// Whom it is about.
    pub named: Named,
    /// The service that may know; empty for all.
    pub service_id: String,
    /// 既往症分类名称.
    pub category: String,
    /// What it says of that.
    pub says: Says,
}

/// What an operator's line says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Says {
    /// It is so.
    Had,
    /// It is not so, and whatever said so was wrong. Without a service, of all services.
    HadNot,
    /// [`Says::HadNot`], of a category that the table of categories no longer has: it must stand, or a
    /// slip of the pen would be taken for a correction.
    HadNotAsItStands,
}

/// What became of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Imported {
    /// It was added.
    Added,
    /// An import said so before.
    Known,
    /// What said so no longer counts.
    Ended,
    /// Nothing said so; it is noted that nothing shall.
    NothingToEnd,
    /// An import for all services says so: what a line for one of them says does not reach it.
    StandsForAll,
    /// Nothing said so, and there is no such category: nothing was done.
    NoCategory,
}

/// Takes an operator's lines in; gives what became of each, in their order.
///
/// # Errors
/// Any [`StoreError`].
pub fn import(
    tx: &mut Tx<'_>,
    lines: &[Line],
    by_whom: &str,
    now_ms: i64,
) -> Result<Vec<Imported>, StoreError> {
    let mut outcomes = Vec::with_capacity(lines.len());
    if lines.iter().any(|line| line.says != Says::Had) {
        // Before anything else is locked, so that nobody waits in a circle.
        await_learning(tx)?;
    }
    // Lines of one kind that follow one another go together, so that their order counts.
    let is_had = |line: &Line| line.says == Says::Had;
    for run in lines.chunk_by(|one, next| is_had(one) == is_had(next)) {
        outcomes.extend(match run.first() {
            Some(first) if is_had(first) => add(tx, run, by_whom, now_ms)?,
            _ => deny(tx, run, by_whom, now_ms)?,
        });
    }
    Ok(outcomes)
}

/// An entry with its source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The service that may know; empty for all.
    pub service_id: String,
    /// 既往症分类名称.
    pub category: String,
    /// What says so.
    pub source: Source,
    /// The operator or the channel.
    pub by_whom: String,
    /// By which version of the table of diagnoses a case means it; empty where no case does, or where
    /// that was not kept yet.
    pub map_version: String,
    /// Since when.
    pub at_ms: i64,
    /// When it ceased to count, and who said so.
    pub ended: Option<(i64, String)>,
}

/// What says that somebody had an illness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// An operator's file.
    Import,
    /// The case with this id.
    Case(i64),
}

/// Everything that is or was said of somebody, at most a thousand entries of either kind.
///
/// # Errors
/// Any [`StoreError`].
pub async fn history(db: &Db, person: &PersonCode) -> Result<Vec<Entry>, StoreError> {
    let key = half(person);
    let mut entries = db
        .query(
            "SELECT service_id, category, case_id, by_whom, at_ms, map_version FROM past_illness \
             WHERE person = $1 ORDER BY service_id, category, name, case_id LIMIT 1000",
            &[(&key).into()],
            read_entry,
        )
        .await?;
    let ended = db
        .query(
            "SELECT service_id, category, case_id, by_whom, at_ms, map_version, ended_ms, ended_by \
             FROM past_illness_ended WHERE person = $1 \
             ORDER BY ended_ms, service_id, category, case_id LIMIT 1000",
            &[(&key).into()],
            |row| {
                Ok(Entry {
                    ended: Some((row.get(6)?, row.get(7)?)),
                    ..read_entry(row)?
                })
            },
        )
        .await?;
    entries.extend(ended);
    Ok(entries)
}

/// Takes entries out of the registry and keeps with them when and by whom they were ended; gives how
/// many. `which` are the parameters of the condition.
pub(super) fn end(
    tx: &mut Tx<'_>,
    condition: &str,
    which: &[Val<'_>],
    by_whom: &str,
    now_ms: i64,
) -> Result<u64, StoreError> {
    let (at, whom) = (which.len() + 1, which.len() + 2);
    tx.execute(
        &format!(
            "INSERT INTO past_illness_ended (person, service_id, category, name, case_id, by_whom, \
             at_ms, map_version, ended_ms, ended_by) SELECT person, service_id, category, name, \
             case_id, by_whom, at_ms, map_version, ${at}, ${whom} FROM past_illness WHERE {condition}"
        ),
        &[which, &[now_ms.into(), by_whom.into()]].concat(),
    )?;
    tx.execute(
        &format!("DELETE FROM past_illness WHERE {condition}"),
        which,
    )
}

/// Keeps denials from changing until the end of the transaction: whoever learns asks for them, and
/// must not miss one that is committed meanwhile. On SQLite there is one writer anyway. Call it
/// before anything else is locked.
pub(super) fn hold_denials(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    lock_denials(tx, "ROW SHARE")
}

/// Waits until nobody learns who did not know what is about to be denied, and keeps others from
/// beginning. Imports that correct something are rare and short.
fn await_learning(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    lock_denials(tx, "EXCLUSIVE")
}

fn lock_denials(tx: &mut Tx<'_>, mode: &str) -> Result<(), StoreError> {
    if tx.engine() == Engine::Postgres {
        tx.execute(
            &format!("LOCK TABLE past_illness_denied IN {mode} MODE"),
            &[],
        )?;
    }
    Ok(())
}

/// Removes at most `limit` entries that ended before `before_ms`.
///
/// # Errors
/// Any [`StoreError`].
pub fn prune_ended(tx: &mut Tx<'_>, before_ms: i64, limit: i64) -> Result<u64, StoreError> {
    // Nothing names an ended entry, so the engines' own names of rows do.
    let row = match tx.engine() {
        Engine::Sqlite => "rowid",
        Engine::Postgres => "ctid",
    };
    tx.execute(
        &format!(
            "DELETE FROM past_illness_ended WHERE {row} IN (SELECT {row} FROM past_illness_ended \
             WHERE ended_ms < $1 ORDER BY ended_ms LIMIT $2)"
        ),
        &[before_ms.into(), limit.into()],
    )
}

/// How many entries count, whatever their source; a scan, for reports.
///
/// # Errors
/// Any [`StoreError`].
pub async fn count(db: &Db) -> Result<i64, StoreError> {
    db.scan(|tx| tx.query_opt("SELECT COUNT(*) FROM past_illness", &[], |row| row.get(0)))
        .await
        .map(Option::unwrap_or_default)
}

/// More than any person has of different ones; it bounds what a look-up can bring.
const MOST_CATEGORIES: i64 = 1_000;

/// The case of an entry that no case brought.
const NO_CASE: i64 = 0;

/// Where an entry comes from.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// The operator or the channel.
    pub by_whom: &'a str,
    /// By which version of the table of diagnoses; empty where none was asked.
    pub map_version: &'a str,
}

/// The statement that entries are added by; the benchmark fills its registry by it too.
pub const INSERT: Insert<'static> = Insert {
    table: "past_illness",
    columns: &[
        ("person", ColumnType::Blob),
        ("service_id", ColumnType::Text),
        ("category", ColumnType::Text),
        ("name", ColumnType::I64),
        ("case_id", ColumnType::I64),
        ("by_whom", ColumnType::Text),
        ("at_ms", ColumnType::I64),
        ("map_version", ColumnType::Text),
    ],
    tail: "ON CONFLICT (person, service_id, category, name, case_id) DO NOTHING",
};

/// The values of one row for [`INSERT`]; `case_id` is 0 where no case says so.
#[must_use]
pub fn row<'a>(
    named: &Named,
    service_id: &'a str,
    category: &'a str,
    case_id: i64,
    origin: Origin<'a>,
    now_ms: i64,
) -> Vec<Val<'a>> {
    vec![
        named.key().into(),
        service_id.into(),
        category.into(),
        named.name.0.into(),
        case_id.into(),
        origin.by_whom.into(),
        now_ms.into(),
        origin.map_version.into(),
    ]
}

pub(super) fn order<'a>(row: &'a [Val<'_>]) -> (&'a [u8], &'a str, &'a str) {
    match row {
        [
            Val::Blob(person),
            Val::Text(service),
            Val::Text(category),
            ..,
        ] => (person, service, category),
        _ => (&[], "", ""),
    }
}

fn add(
    tx: &mut Tx<'_>,
    lines: &[Line],
    by_whom: &str,
    now_ms: i64,
) -> Result<Vec<Imported>, StoreError> {
    let keys: Vec<Vec<Val<'_>>> = lines
        .iter()
        .map(|line| {
            vec![
                line.named.key().into(),
                (&line.service_id).into(),
                (&line.category).into(),
                line.named.name.0.into(),
            ]
        })
        .collect();
    let known = tx.query_each(
        "SELECT 1 FROM past_illness WHERE person = $1 AND service_id = $2 AND category = $3 \
         AND name = $4 AND case_id = 0",
        &keys,
        |_| Ok(()),
    )?;
    let mut seen = HashSet::new();
    let mut outcomes = Vec::with_capacity(lines.len());
    let mut rows = Vec::new();
    for (line, known) in lines.iter().zip(known) {
        let named = &line.named;
        let key = (named.key(), &line.service_id, &line.category, named.name.0);
        if known.is_some() || !seen.insert(key) {
            outcomes.push(Imported::Known);
            continue;
        }
        outcomes.push(Imported::Added);
        rows.push(row(
            named,
            &line.service_id,
            &line.category,
            NO_CASE,
            Origin {
                by_whom,
                map_version: "",
            },
            now_ms,
        ));
    }
    let no_longer: Vec<Vec<Val<'_>>> = keys.iter().map(|key| key[..3].to_vec()).collect();
    tx.execute_each(
        "DELETE FROM past_illness_denied WHERE person = $1 AND service_id = $2 AND category = $3",
        &no_longer,
    )?;
    tx.insert_rows(&INSERT, &rows)?;
    Ok(outcomes)
}

fn deny(
    tx: &mut Tx<'_>,
    lines: &[Line],
    by_whom: &str,
    now_ms: i64,
) -> Result<Vec<Imported>, StoreError> {
    let mut outcomes = Vec::with_capacity(lines.len());
    for line in lines {
        let key = line.named.key();
        let (person, service, category) = (
            Val::from(&key),
            Val::from(&line.service_id),
            Val::from(&line.category),
        );
        let which = [person.clone(), service.clone(), category.clone()];
        let those = "person = $1 AND ($2 = '' OR service_id = $2) AND category = $3";
        let ended = end(tx, those, &which, by_whom, now_ms)?;
        let for_all = tx.query_opt(
            "SELECT 1 FROM past_illness WHERE person = $1 AND service_id = '' AND category = $2 \
             LIMIT 1",
            &[person.clone(), category.clone()],
            |_| Ok(()),
        )?;
        let outcome = match (for_all, ended) {
            // One that is for all services was ended above, so this line is for one of them.
            (Some(()), _) => Imported::StandsForAll,
            (None, 0) if line.says == Says::HadNotAsItStands => Imported::NoCategory,
            (None, 0) => Imported::NothingToEnd,
            (None, _) => Imported::Ended,
        };
        if outcome != Imported::NoCategory {
            tx.execute(
                "INSERT INTO past_illness_denied (person, service_id, category, by_whom, at_ms) \
                 VALUES ($1, $2, $3, $4, $5) ON CONFLICT (person, category, service_id) DO NOTHING",
                &[person, service, category, by_whom.into(), now_ms.into()],
            )?;
        }
        outcomes.push(outcome);
    }
    Ok(outcomes)
}

fn read_entry(row: &Row<'_>) -> Result<Entry, StoreError> {
    Ok(Entry {
        service_id: row.get(0)?,
        category: row.get(1)?,
        source: match row.get::<i64>(2)? {
            NO_CASE => Source::Import,
            id => Source::Case(id),
        },
        by_whom: row.get(3)?,
        at_ms: row.get(4)?,
        map_version: row.get(5)?,
        ended: None,
    })
}
