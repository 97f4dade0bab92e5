//! What can go wrong with the store, in words for the operator.
//!
//! No message holds a parameter's value: what PostgreSQL adds as detail, and its messages on
//! malformed data, quote values, and are left out.

use rusqlite::ErrorCode;
use tokio_postgres::error::{DbError, SqlState};

/// A failure of the store.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// A unique index already holds this key.
    #[error("a row with this key exists already ({constraint})")]
    Conflict {
        /// The constraint's name on PostgreSQL; on SQLite the columns, as `table.column, ..`.
        constraint: String,
    },
    /// The queue of writes, or the pool of connections, stayed full for as long as we wait.
    #[error("the database is busy: its queue stayed full")]
    Busy,
    /// The database cannot be used now: connection lost, disk full, I/O error. Where this meets a
    /// PostgreSQL commit, the transaction may or may not have been kept.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
    /// A statement or a lock took longer than its limit.
    #[error("the database took too long")]
    Timeout,
    /// A closure panicked; nothing of its transaction was kept.
    #[error("a database transaction panicked and was rolled back")]
    Panicked,
    /// A stored value is not what its column may hold.
    #[error("a stored value cannot be: {0}")]
    Corrupt(String),
    /// The database was closed.
    #[error("the database is closed")]
    Closed,
    /// A statement is wrong, or breaks a rule of the schema other than uniqueness.
    #[error("the database refused a statement: {0}")]
    Sql(String),
}

impl StoreError {
    /// Whether a unique index already held the key.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Conflict { .. })
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let (failure, message) = match error {
            rusqlite::Error::SqliteFailure(failure, message) => (failure, message),
            rusqlite::Error::SqlInputError { error, msg, .. } => (error, Some(msg)),
            // The rest are misuses of the library; none of those we can meet quotes a value.
            other => return Self::Sql(other.to_string()),
        };
        let message = message.unwrap_or_else(|| failure.to_string());
        match failure.code {
            ErrorCode::ConstraintViolation if is_unique(failure.extended_code) => Self::Conflict {
                constraint: message
                    .strip_prefix("UNIQUE constraint failed: ")
                    .unwrap_or(&message)
                    .to_owned(),
            },
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Self::Timeout,
            ErrorCode::OperationInterrupted => Self::Timeout,
            ErrorCode::DiskFull
            | ErrorCode::SystemIoFailure
            | ErrorCode::CannotOpen
            | ErrorCode::OutOfMemory
            | ErrorCode::PermissionDenied
            | ErrorCode::ReadOnly
            | ErrorCode::FileLockingProtocolFailed => Self::Unavailable(message),
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Self::Corrupt(message),
            _ => Self::Sql(format!("{message} (SQLite {})", failure.extended_code)),
        }
    }
}

fn is_unique(extended_code: i32) -> bool {
    extended_code == rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE
        || extended_code == rusqlite::ffi::SQLITE_CONSTRAINT_PRIMARYKEY
        || extended_code == rusqlite::ffi::SQLITE_CONSTRAINT_ROWID
}

impl From<tokio_postgres::Error> for StoreError {
    fn from(error: tokio_postgres::Error) -> Self {
        if let Some(refusal) = error.as_db_error() {
            return from_refusal(refusal);
        }
        // Our own `ToSql` names the parameter's kind and the column's, never the value.
        let cause = std::error::Error::source(&error)
            .map_or_else(String::new, |cause| format!(": {cause}"));
        let text = format!("{error}").replace('\n', " ");
        let message = if text.ends_with(&cause) {
            text
        } else {
            format!("{text}{cause}")
        };
        if error.is_closed() || is_io(&error) {
            Self::Unavailable(message)
        } else {
            Self::Sql(message)
        }
    }
}

/// Whether the line to the server is at fault.
pub(super) fn is_io(error: &tokio_postgres::Error) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        if inner.is::<std::io::Error>() {
            return true;
        }
        cause = inner.source();
    }
    // Errors of connecting carry their kind only in words.
    let text = error.to_string();
    text.contains("error connecting") || text.contains("timeout") || text.contains("TLS")
}

fn from_refusal(refusal: &DbError) -> StoreError {
    let code = refusal.code();
    let text = describe(refusal);
    if *code == SqlState::UNIQUE_VIOLATION {
        let constraint = refusal.constraint().unwrap_or("unnamed").to_owned();
        return StoreError::Conflict { constraint };
    }
    if *code == SqlState::QUERY_CANCELED || *code == SqlState::LOCK_NOT_AVAILABLE {
        return StoreError::Timeout;
    }
    match code.code().get(..2) {
        // Connection, authorisation, resources, intervention by an operator, system error,
        // read-only transaction (a standby), unknown database.
        Some("08" | "28" | "53" | "57" | "58" | "3D") => StoreError::Unavailable(text),
        Some("25") if *code == SqlState::READ_ONLY_SQL_TRANSACTION => StoreError::Unavailable(text),
        // Deadlocks and serialization failures that outlived their re-runs: nothing was kept.
        Some("40") => StoreError::Busy,
        Some("XX") => StoreError::Corrupt(text),
        _ => StoreError::Sql(text),
    }
}

/// Code, message, constraint and table: detail, hint and context may quote values, and so does
/// the message itself in class 22 ("invalid input syntax for type ..").
fn describe(refusal: &DbError) -> String {
    let code = refusal.code().code();
    let mut text = if code.starts_with("22") {
        "a value does not fit its column".to_owned()
    } else {
        refusal.message().to_owned()
    };
    if let Some(table) = refusal.table() {
        text.push_str(&format!(", table {table}"));
    }
    if let Some(constraint) = refusal.constraint() {
        text.push_str(&format!(", constraint {constraint}"));
    }
    text.push_str(&format!(" (PostgreSQL {code})"));
    text
}

/// Refusals that both engines give in the same words.
impl StoreError {
    pub(super) fn wrong_count(wanted: usize, given: usize) -> Self {
        Self::Sql(format!(
            "a statement takes {wanted} parameters, {given} were given"
        ))
    }

    pub(super) fn nul() -> Self {
        Self::Sql("a text parameter holds U+0000, which PostgreSQL cannot store".to_owned())
    }
}
