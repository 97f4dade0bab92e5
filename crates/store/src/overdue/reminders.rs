//! 催缴提醒: who is to be reminded of what he owes, and when he last was.
//!
//! All debtors are walked over in the order of their codes, a bounded piece at a time. What a piece
//! leaves (reminders and their jobs) and how far the walk has come commit together, and only for
//! whoever read the piece where the walk still stood: so each piece is done once, by whichever
//! node, whatever dies in between. No piece holds more unpaid records than it was told to, however few
//! of them are anybody's to be reminded of.

use std::collections::HashMap;

use crate::db::{ColumnType, Db, Insert, Row, StoreError, Tx, Val};
use crate::ids::{JobId, PartnerId};
use crate::queue::{self, JobKind, NewJob};
use crate::vault::PersonCode;

/// The records that a person is reminded of: not those that he contests.
macro_rules! reminded_of {
    () => {
        "state = 0 AND real_name = 1 AND appealed = 0"
    };
}

/// What [`read_debts`] reads, in its order, from the second column on.
macro_rules! debts {
    () => {
        "COUNT(*), CAST(SUM(amount_fen) AS BIGINT), COUNT(DISTINCT partner_id), MIN(actual_ms), \
         MIN(changed_ms), MAX(changed_ms)"
    };
}

/// What a person owes under his name, in all hospitals together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Debts {
    /// How many unpaid records.
    pub items: i64,
    /// What they come to, in fen.
    pub amount_fen: i64,
    /// From how many hospitals.
    pub hospitals: i64,
    /// 产生时间 of the oldest.
    pub oldest_ms: i64,
    /// Since when the first of them has stood against him as it does.
    pub since_ms: i64,
    /// Since when the last of them has.
    pub newest_ms: i64,
}

/// The last reminder of a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Last {
    /// Its row.
    pub id: i64,
    /// Whether it still waits to be told.
    pub waits: bool,
    /// When it was made.
    pub made_ms: i64,
    /// When one was last told.
    pub told_ms: Option<i64>,
    /// How often in a row the same debts were told.
    pub times: i64,
    /// Whether the debts are still those that it told.
    pub unchanged: bool,
}

/// Somebody who owes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Debtor {
    /// Who.
    pub person: PersonCode,
    /// What.
    pub debts: Debts,
    /// When he was reminded, if ever.
    pub last: Option<Last>,
}

/// Where a walk over all debtors stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Walk {
    begun_ms: i64,
    /// The last person of the pieces done; empty at the beginning.
    person: Vec<u8>,
}

/// The next piece of a walk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The last person in it; `None` where it is the last piece.
    end: Option<Vec<u8>>,
    /// Who owes in it, in the order of their codes.
    pub debtors: Vec<Debtor>,
}

/// A reminder about to be left.
#[derive(Debug, Clone, Copy)]
pub struct NewReminder {
    /// The person's row: the one he has, or a new one.
    pub id: i64,
    /// The job that tells it.
    pub job: JobId,
    /// Whom to remind.
    pub person: PersonCode,
}

/// Behind every person's code.
const END: [u8; 33] = [0xff; 33];

/// Begins a walk, or goes on with one that was begun after `after_ms` and never ended.
///
/// # Errors
/// Any [`StoreError`].
pub fn begin(tx: &mut Tx<'_>, now_ms: i64, after_ms: i64) -> Result<Walk, StoreError> {
    let start: &[u8] = &[];
    tx.execute(
        "INSERT INTO overdue_reminder_walk (id, begun_ms, person, ended_ms) VALUES (1, $1, $2, NULL) \
         ON CONFLICT (id) DO UPDATE SET begun_ms = $1, person = $2, ended_ms = NULL \
         WHERE overdue_reminder_walk.ended_ms IS NOT NULL OR overdue_reminder_walk.begun_ms <= $3",
        &[now_ms.into(), start.into(), after_ms.into()],
    )?;
    let walk = tx.query_opt(
        "SELECT begun_ms, person FROM overdue_reminder_walk WHERE id = 1",
        &[],
        read_walk,
    )?;
    walk.ok_or_else(|| StoreError::Corrupt("the row of overdue_reminder_walk is gone".to_owned()))
}

/// Where the walk stands that is under way; `None` where none is.
///
/// # Errors
/// Any [`StoreError`].
pub async fn under_way(db: &Db) -> Result<Option<Walk>, StoreError> {
    db.query_opt(
        "SELECT begun_ms, person FROM overdue_reminder_walk WHERE id = 1 AND ended_ms IS NULL",
        &[],
        read_walk,
    )
    .await
}

/// The next piece of a walk: the persons of at most `entries` unpaid records.
///
/// # Errors
/// Any [`StoreError`].
pub async fn next_piece(db: &Db, walk: &Walk, entries: i64) -> Result<Piece, StoreError> {
    let from = walk.person.clone();
    db.scan(move |tx| {
        let end = tx.query_opt(
            "SELECT person FROM overdue_item WHERE person > $1 AND state = 0 \
             ORDER BY person LIMIT 1 OFFSET $2",
            &[(&from).into(), (entries - 1).into()],
            |row| row.get::<Vec<u8>>(0),
        )?;
        let to: &[u8] = end.as_deref().unwrap_or(&END);
        let range = [(&from).into(), to.into()];
        let mut lasts: HashMap<PersonCode, (Last, [i64; 3])> = tx
            .query(
                "SELECT r.person, r.id, j.state, r.told_ms, r.times, r.items, r.amount_fen, \
                 r.newest_ms, r.made_ms FROM overdue_reminder r LEFT JOIN job j ON j.id = r.job_id \
                 WHERE r.person > $1 AND r.person <= $2",
                &range,
                |row| {
                    let last = Last {
                        id: row.get(1)?,
                        waits: row.get::<Option<i64>>(2)? == Some(0),
                        made_ms: row.get(8)?,
                        told_ms: row.get(3)?,
                        times: row.get(4)?,
                        unchanged: false,
                    };
                    let told = [row.get(5)?, row.get(6)?, row.get(7)?];
                    Ok((PersonCode(row.get(0)?), (last, told)))
                },
            )?
            .into_iter()
            .collect();
        let owing = tx.query(
            concat!(
                "SELECT person, ",
                debts!(),
                " FROM overdue_item WHERE person > $1 AND person <= $2 AND ",
                reminded_of!(),
                " GROUP BY person ORDER BY person"
            ),
            &range,
            |row| Ok((PersonCode(row.get(0)?), read_debts(row)?)),
        )?;
        let debtors = owing
            .into_iter()
            .map(|(person, debts)| Debtor {
                person,
                debts,
                last: lasts.remove(&person).map(|(last, told)| Last {
                    unchanged: told == debts.marks(),
                    ..last
                }),
            })
            .collect();
        Ok(Piece { end, debtors })
    })
    .await
}

/// Leaves the reminders of a piece to the channel `partner`, forgets whom nobody reminded since
/// `forget_ms` and who owes nothing now, and moves the walk on. `false`, and nothing of it, where
/// the piece was done by somebody else.
///
/// # Errors
/// Any [`StoreError`].
pub fn leave(
    tx: &mut Tx<'_>,
    walk: &Walk,
    piece: &Piece,
    reminders: &[NewReminder],
    partner: Option<PartnerId>,
    forget_ms: i64,
    now_ms: i64,
) -> Result<bool, StoreError> {
    let to: &[u8] = piece.end.as_deref().unwrap_or(&END);
    let ended_ms = piece.end.is_none().then_some(now_ms);
    let moved = tx.execute(
        "UPDATE overdue_reminder_walk SET person = $3, ended_ms = $4 \
         WHERE id = 1 AND begun_ms = $1 AND person = $2 AND ended_ms IS NULL",
        &[
            walk.begun_ms.into(),
            (&walk.person).into(),
            to.into(),
            ended_ms.into(),
        ],
    )?;
    if moved == 0 {
        return Ok(false);
    }
    tx.execute(
        concat!(
            "DELETE FROM overdue_reminder WHERE person > $1 AND person <= $2 AND made_ms < $3 \
             AND NOT EXISTS (SELECT 1 FROM overdue_item i \
             WHERE i.person = overdue_reminder.person AND ",
            reminded_of!(),
            ")"
        ),
        &[(&walk.person).into(), to.into(), forget_ms.into()],
    )?;
    let Some(partner) = partner else {
        return Ok(true);
    };
    let rows: Vec<Vec<Val<'_>>> = reminders
        .iter()
        .map(|reminder| {
            let none = 0_i64;
            vec![
                reminder.id.into(),
                (&reminder.person.0).into(),
                reminder.job.into(),
                now_ms.into(),
                none.into(),
                none.into(),
                none.into(),
                none.into(),
            ]
        })
        .collect();
    let insert = Insert {
        table: "overdue_reminder",
        columns: COLUMNS,
        tail: "ON CONFLICT (person) DO UPDATE SET job_id = excluded.job_id, \
               made_ms = excluded.made_ms",
    };
    tx.insert_rows(&insert, &rows)?;
    let jobs: Vec<NewJob> = reminders
        .iter()
        .map(|reminder| NewJob {
            id: reminder.job,
            kind: JobKind::Reminder,
            lane: partner.0,
            subject: reminder.id,
            due_ms: now_ms,
        })
        .collect();
    queue::leave_many(tx, &jobs, now_ms)?;
    Ok(true)
}

/// The columns of a new reminder; `told_ms` stays empty.
const COLUMNS: &[(&str, ColumnType)] = &[
    ("id", ColumnType::I64),
    ("person", ColumnType::Blob),
    ("job_id", ColumnType::I64),
    ("made_ms", ColumnType::I64),
    ("times", ColumnType::I64),
    ("items", ColumnType::I64),
    ("amount_fen", ColumnType::I64),
    ("newest_ms", ColumnType::I64),
];

/// Whom a reminder is about, and what he owes at this moment, with who he is as the record has it
/// that was reported last. `None` where he owes nothing any more, the reminder is gone, or `job` is
/// not its latest: a later one has taken its place.
///
/// # Errors
/// Any [`StoreError`].
pub async fn owed(
    db: &Db,
    reminder: i64,
    job: JobId,
) -> Result<Option<(PersonCode, Debts, Vec<u8>)>, StoreError> {
    let person = db
        .query_opt(
            "SELECT person FROM overdue_reminder WHERE id = $1 AND job_id = $2",
            &[reminder.into(), job.into()],
            |row| row.get::<[u8; 32]>(0),
        )
        .await?;
    let Some(person) = person else {
        return Ok(None);
    };
    let debts = db
        .query_opt(
            concat!(
                "SELECT person, ",
                debts!(),
                " FROM overdue_item WHERE person = $1 AND ",
                reminded_of!(),
                " GROUP BY person"
            ),
            &[(&person).into()],
            read_debts,
        )
        .await?;
    let sealed = db
        .query_opt(
            concat!(
                "SELECT person_sealed FROM overdue_item WHERE person = $1 AND ",
                reminded_of!(),
                " ORDER BY changed_ms DESC, id DESC LIMIT 1"
            ),
            &[(&person).into()],
            |row| row.get::<Option<Vec<u8>>>(0),
        )
        .await?;
    Ok(debts
        .zip(sealed.flatten())
        .map(|(debts, sealed)| (PersonCode(person), debts, sealed)))
}

/// Notes that a reminder of these debts was taken.
///
/// # Errors
/// Any [`StoreError`].
pub fn note_told(
    tx: &mut Tx<'_>,
    reminder: i64,
    debts: &Debts,
    now_ms: i64,
) -> Result<(), StoreError> {
    let [items, amount_fen, newest_ms] = debts.marks();
    tx.execute(
        "UPDATE overdue_reminder SET told_ms = $2, times = CASE \
         WHEN items = $3 AND amount_fen = $4 AND newest_ms = $5 THEN times + 1 ELSE 1 END, \
         items = $3, amount_fen = $4, newest_ms = $5 WHERE id = $1",
        &[
            reminder.into(),
            now_ms.into(),
            items.into(),
            amount_fen.into(),
            newest_ms.into(),
        ],
    )?;
    Ok(())
}

/// Whether anybody was ever reminded, as far as it is still known.
///
/// # Errors
/// Any [`StoreError`].
pub async fn any(db: &Db) -> Result<bool, StoreError> {
    let found = db
        .query_opt("SELECT 1 FROM overdue_reminder LIMIT 1", &[], |_| Ok(()))
        .await?;
    Ok(found.is_some())
}

impl Debts {
    /// By these a change shows: something paid or revoked, something new.
    const fn marks(&self) -> [i64; 3] {
        [self.items, self.amount_fen, self.newest_ms]
    }
}

fn read_walk(row: &Row<'_>) -> Result<Walk, StoreError> {
    Ok(Walk {
        begun_ms: row.get(0)?,
        person: row.get(1)?,
    })
}

fn read_debts(row: &Row<'_>) -> Result<Debts, StoreError> {
    Ok(Debts {
        items: row.get(1)?,
        amount_fen: row.get(2)?,
        hospitals: row.get(3)?,
        oldest_ms: row.get(4)?,
        since_ms: row.get(5)?,
        newest_ms: row.get(6)?,
    })
}

#[cfg(test)]
mod tests;
