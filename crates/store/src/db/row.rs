//! A row of an answer, the same for both engines.

use rusqlite::types::ValueRef;
use tokio_postgres::types::Type;

use super::StoreError;

/// A row, alive while its closure runs.
#[derive(Clone, Copy)]
pub struct Row<'a>(Source<'a>);

/// What one place of a row holds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Cell<'a> {
    /// No value.
    Null,
    /// A whole number, or truth as 0 and 1.
    I64(i64),
    /// Text.
    Text(&'a str),
    /// Bytes.
    Blob(&'a [u8]),
}

/// A type that can be read from a cell. Typed ids of other modules may implement it.
pub trait Column: Sized {
    /// What is expected, for the message when something else is found.
    const EXPECTED: &'static str;

    /// The value, or `None` where the cell cannot be one.
    fn from_cell(cell: Cell<'_>) -> Option<Self>;
}

impl Row<'_> {
    /// The value at this place, counted from 0.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] names the place, what it holds and what was expected, but no value.
    pub fn get<C: Column>(&self, index: usize) -> Result<C, StoreError> {
        let cell = self.cell(index)?;
        C::from_cell(cell).ok_or_else(|| {
            StoreError::Corrupt(format!(
                "column {index} holds {}, expected {}",
                cell.kind(),
                C::EXPECTED
            ))
        })
    }

    /// How many places there are.
    #[must_use]
    pub fn columns(&self) -> usize {
        match self.0 {
            Source::Sqlite(row) => row.as_ref().column_count(),
            Source::Postgres(row) => row.len(),
        }
    }

    /// What this place holds.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] for a missing place and for types neither engine shares.
    pub fn cell(&self, index: usize) -> Result<Cell<'_>, StoreError> {
        match self.0 {
            Source::Sqlite(row) => sqlite_cell(row, index),
            Source::Postgres(row) => postgres_cell(row, index),
        }
    }
}

#[derive(Clone, Copy)]
enum Source<'a> {
    Sqlite(&'a rusqlite::Row<'a>),
    Postgres(&'a tokio_postgres::Row),
}

impl<'a> From<&'a rusqlite::Row<'a>> for Row<'a> {
    fn from(row: &'a rusqlite::Row<'a>) -> Self {
        Self(Source::Sqlite(row))
    }
}

impl<'a> From<&'a tokio_postgres::Row> for Row<'a> {
    fn from(row: &'a tokio_postgres::Row) -> Self {
        Self(Source::Postgres(row))
    }
}

fn sqlite_cell<'a>(row: &'a rusqlite::Row<'a>, index: usize) -> Result<Cell<'a>, StoreError> {
    let value = row
        .get_ref(index)
        .map_err(|_| StoreError::Corrupt(format!("there is no column {index}")))?;
    match value {
        ValueRef::Null => Ok(Cell::Null),
        ValueRef::Integer(number) => Ok(Cell::I64(number)),
        ValueRef::Text(bytes) => std::str::from_utf8(bytes)
            .map(Cell::Text)
            .map_err(|_| StoreError::Corrupt(format!("column {index} is not UTF-8"))),
        ValueRef::Blob(bytes) => Ok(Cell::Blob(bytes)),
        ValueRef::Real(_) => Err(unshared(index, "REAL")),
    }
}

fn postgres_cell(row: &tokio_postgres::Row, index: usize) -> Result<Cell<'_>, StoreError> {
    let Some(column) = row.columns().get(index) else {
        return Err(StoreError::Corrupt(format!("there is no column {index}")));
    };
    let cell = match *column.type_() {
        Type::INT8 => row.try_get::<_, Option<i64>>(index)?.map(Cell::I64),
        Type::INT4 => row
            .try_get::<_, Option<i32>>(index)?
            .map(|n| Cell::I64(n.into())),
        Type::INT2 => row
            .try_get::<_, Option<i16>>(index)?
            .map(|n| Cell::I64(n.into())),
        Type::BOOL => row
            .try_get::<_, Option<bool>>(index)?
            .map(|b| Cell::I64(b.into())),
        Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME => {
            row.try_get::<_, Option<&str>>(index)?.map(Cell::Text)
        }
        Type::BYTEA => row.try_get::<_, Option<&[u8]>>(index)?.map(Cell::Blob),
        ref other => return Err(unshared(index, other.name())),
    };
    Ok(cell.unwrap_or(Cell::Null))
}

fn unshared(index: usize, kind: &str) -> StoreError {
    StoreError::Corrupt(format!(
        "column {index} is {kind}, which the engines do not share: CAST it AS BIGINT or TEXT"
    ))
}

impl Cell<'_> {
    fn kind(self) -> &'static str {
        match self {
            Cell::Null => "null",
            Cell::I64(_) => "a number",
            Cell::Text(_) => "text",
            Cell::Blob(_) => "bytes",
        }
    }
}

impl Column for i64 {
    const EXPECTED: &'static str = "a number";

    fn from_cell(cell: Cell<'_>) -> Option<Self> {
        match cell {
            Cell::I64(number) => Some(number),
            _ => None,
        }
    }
}

impl Column for bool {
    const EXPECTED: &'static str = "a number that is 0 or not";

    fn from_cell(cell: Cell<'_>) -> Option<Self> {
        i64::from_cell(cell).map(|number| number != 0)
    }
}

impl Column for String {
    const EXPECTED: &'static str = "text";

    fn from_cell(cell: Cell<'_>) -> Option<Self> {
        match cell {
            Cell::Text(text) => Some(text.to_owned()),
            _ => None,
        }
    }
}

impl Column for Vec<u8> {
    const EXPECTED: &'static str = "bytes";

    fn from_cell(cell: Cell<'_>) -> Option<Self> {
        match cell {
            Cell::Blob(bytes) => Some(bytes.to_vec()),
            _ => None,
        }
    }
}

impl<const N: usize> Column for [u8; N] {
    const EXPECTED: &'static str = "bytes of a fixed length";

    fn from_cell(cell: Cell<'_>) -> Option<Self> {
        match cell {
            Cell::Blob(bytes) => bytes.try_into().ok(),
            _ => None,
        }
    }
}

impl<C: Column> Column for Option<C> {
    const EXPECTED: &'static str = C::EXPECTED;

    fn from_cell(cell: Cell<'_>) -> Option<Self> {
        match cell {
            Cell::Null => Some(None),
            held => C::from_cell(held).map(Some),
        }
    }
}
