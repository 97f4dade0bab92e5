//! The journal of exchanged messages, and the operators' audit.
//!
//! A write's entry commits together with its state; a read's entry is appended shortly after. Both
//! tables are sealed into hash chains by [`crate::chain`].

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::chain::Chain;
use crate::db::{ColumnType, Db, Insert, StoreError, Tx, Val};
use crate::ids::PartnerId;
use crate::vault::PersonCode;

/// One exchanged message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its id.
    pub id: i64,
    /// When it was exchanged.
    pub at_ms: i64,
    /// With whom.
    pub partner: PartnerId,
    /// By which interface code.
    pub interface: Cow<'static, str>,
    /// Who began.
    pub direction: Direction,
    /// The result code, or the fault of a call that got no answer.
    pub result: Cow<'static, str>,
    /// About whom, where it was about one person.
    pub person: Option<PersonCode>,
    /// What for: businessType of a query, notifyType of a callback.
    pub purpose: Option<String>,
    /// About what: the batch number, the record.
    pub subject: Option<String>,
    /// What tells the message from any other: its signature, or the SM3 of one that is not of 32
    /// bytes; `None` where it has none. Who holds the journal alone can't guess by it what was said.
    pub digest: Option<[u8; 32]>,
}

/// Who began an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Direction {
    /// The partner called us.
    Received,
    /// We called the partner.
    Sent,
}

/// What an operator did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorAct {
    /// Its id.
    pub id: i64,
    /// When.
    pub at_ms: i64,
    /// Who: the login name at the console or the machine.
    pub actor: String,
    /// What, such as `partner.rotate`.
    pub action: &'static str,
    /// On what, such as an appId.
    pub target: String,
    /// In which way; no secrets, no personal data.
    pub detail: String,
}

/// The chain over the journal.
pub const JOURNAL: Chain = Chain {
    name: "journal",
    unsealed: "SELECT id, at_ms, partner_id, interface, direction, result, person, purpose, \
               subject, digest FROM journal WHERE block IS NULL ORDER BY id LIMIT $1",
    of_block: "SELECT id, at_ms, partner_id, interface, direction, result, person, purpose, \
               subject, digest FROM journal WHERE block = $1 ORDER BY id",
    mark: "UPDATE journal SET block = $1 WHERE id >= $2 AND id <= $3 AND block IS NULL",
    remove: "DELETE FROM journal WHERE block = $1",
};

/// The chain over the operators' audit.
pub const OPERATOR_AUDIT: Chain = Chain {
    name: "operator_audit",
    unsealed: "SELECT id, at_ms, actor, action, target, detail \
               FROM operator_audit WHERE block IS NULL ORDER BY id LIMIT $1",
    of_block: "SELECT id, at_ms, actor, action, target, detail \
               FROM operator_audit WHERE block = $1 ORDER BY id",
    mark: "UPDATE operator_audit SET block = $1 WHERE id >= $2 AND id <= $3 AND block IS NULL",
    remove: "DELETE FROM operator_audit WHERE block = $1",
};

const JOURNAL_COLUMNS: &[(&str, ColumnType)] = &[
    ("id", ColumnType::I64),
    ("at_ms", ColumnType::I64),
    ("partner_id", ColumnType::I64),
    ("interface", ColumnType::Text),
    ("direction", ColumnType::I64),
    ("result", ColumnType::Text),
    ("person", ColumnType::Blob),
    ("purpose", ColumnType::Text),
    ("subject", ColumnType::Text),
    ("digest", ColumnType::Blob),
];

/// Appends entries.
///
/// # Errors
/// Any [`StoreError`].
pub fn append(tx: &mut Tx<'_>, entries: &[Entry]) -> Result<(), StoreError> {
    insert(tx, entries, "")
}

/// Appends entries of which some may have been appended before.
///
/// # Errors
/// Any [`StoreError`].
pub fn append_once(tx: &mut Tx<'_>, entries: &[Entry]) -> Result<(), StoreError> {
    insert(tx, entries, "ON CONFLICT (id) DO NOTHING")
}

fn insert(tx: &mut Tx<'_>, entries: &[Entry], tail: &str) -> Result<(), StoreError> {
    if entries.is_empty() {
        return Ok(());
    }
    let rows: Vec<Vec<Val<'_>>> = entries
        .iter()
        .map(|entry| {
            vec![
                entry.id.into(),
                entry.at_ms.into(),
                entry.partner.into(),
                (&*entry.interface).into(),
                match entry.direction {
                    Direction::Received => 0.into(),
                    Direction::Sent => 1.into(),
                },
                (&*entry.result).into(),
                entry.person.as_ref().map(|code| &code.0).into(),
                entry.purpose.as_deref().into(),
                entry.subject.as_deref().into(),
                entry.digest.as_ref().into(),
            ]
        })
        .collect();
    let insert = Insert {
        table: "journal",
        columns: JOURNAL_COLUMNS,
        tail,
    };
    tx.insert_rows(&insert, &rows)?;
    Ok(())
}

/// Notes what an operator did.
///
/// # Errors
/// Any [`StoreError`].
pub fn note_operator(tx: &mut Tx<'_>, act: &OperatorAct) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO operator_audit (id, at_ms, actor, action, target, detail) \
         VALUES ($1, $2, $3, $4, $5, $6)",
        &[
            act.id.into(),
            act.at_ms.into(),
            (&act.actor).into(),
            act.action.into(),
            (&act.target).into(),
            (&act.detail).into(),
        ],
    )?;
    Ok(())
}

/// An entry as an operator may see it who holds its number: about whom it was stays out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// When it was exchanged.
    pub at_ms: i64,
    /// 应用 ID of the partner.
    pub app_id: String,
    /// By which interface code.
    pub interface: String,
    /// Who began.
    pub direction: Direction,
    /// The result code, or the fault of a call that got no answer.
    pub result: String,
    /// What tells the message from any other, see [`Entry::digest`].
    pub digest: Option<Vec<u8>>,
}

/// The entry of this number.
///
/// # Errors
/// Any [`StoreError`].
pub async fn one(db: &Db, id: i64) -> Result<Option<Seen>, StoreError> {
    db.query_opt(
        "SELECT journal.at_ms, partner.app_id, journal.interface, journal.direction, \
         journal.result, journal.digest \
         FROM journal JOIN partner ON partner.id = journal.partner_id WHERE journal.id = $1",
        &[id.into()],
        |row| {
            Ok(Seen {
                at_ms: row.get(0)?,
                app_id: row.get(1)?,
                interface: row.get(2)?,
                direction: match row.get::<i64>(3)? {
                    0 => Direction::Received,
                    _ => Direction::Sent,
                },
                result: row.get(4)?,
                digest: row.get(5)?,
            })
        },
    )
    .await
}

/// A look at a person's records, as that person may see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// When.
    pub at_ms: i64,
    /// Who looked.
    pub partner: PartnerId,
    /// By which interface code.
    pub interface: String,
    /// What for, as on the wire.
    pub purpose: Option<String>,
}

/// A part of who looked a person up or was told of him, newest first.
///
/// # Errors
/// Any [`StoreError`].
pub async fn looks_at(
    db: &Db,
    person: &PersonCode,
    since_ms: i64,
    skip: i64,
    limit: i64,
) -> Result<Vec<Look>, StoreError> {
    db.query(
        "SELECT at_ms, partner_id, interface, purpose FROM journal \
         WHERE person = $1 AND at_ms >= $2 AND (direction = 0 OR (direction = 1 \
         AND result = 'success' AND purpose IN ('REMIND', 'CORRECT'))) \
         ORDER BY at_ms DESC, id DESC LIMIT $3 OFFSET $4",
        &[
            (&person.0).into(),
            since_ms.into(),
            limit.into(),
            skip.into(),
        ],
        |row| {
            Ok(Look {
                at_ms: row.get(0)?,
                partner: PartnerId(row.get(1)?),
                interface: row.get(2)?,
                purpose: row.get(3)?,
            })
        },
    )
    .await
}
