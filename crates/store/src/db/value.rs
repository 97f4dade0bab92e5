//! A parameter's value, the same for both engines.

use std::borrow::Cow;
use std::error::Error;

use bytes::BytesMut;
use rusqlite::types::{ToSqlOutput, ValueRef};
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

/// A parameter. Text may not hold U+0000, which PostgreSQL cannot store; both engines refuse it.
#[derive(Clone, PartialEq, Eq)]
pub enum Val<'a> {
    /// No value.
    Null,
    /// A whole number; also truth (0 or 1) and moments (milliseconds since the epoch).
    I64(i64),
    /// Text.
    Text(Cow<'a, str>),
    /// Bytes.
    Blob(Cow<'a, [u8]>),
}

impl Val<'_> {
    /// The same value, owning its content, to be moved into a closure.
    #[must_use]
    pub fn into_owned(self) -> Val<'static> {
        match self {
            Val::Null => Val::Null,
            Val::I64(number) => Val::I64(number),
            Val::Text(text) => Val::Text(Cow::Owned(text.into_owned())),
            Val::Blob(bytes) => Val::Blob(Cow::Owned(bytes.into_owned())),
        }
    }

    pub(super) fn kind(&self) -> &'static str {
        match self {
            Val::Null => "null",
            Val::I64(_) => "i64",
            Val::Text(_) => "text",
            Val::Blob(_) => "blob",
        }
    }

    /// Whether this is text that PostgreSQL could not store.
    pub(super) fn holds_nul(&self) -> bool {
        matches!(self, Val::Text(text) if text.as_bytes().contains(&0))
    }
}

/// Shows the kind and the length only: parameters hold names and identity numbers.
impl std::fmt::Debug for Val<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Val::Null => f.write_str("Null"),
            Val::I64(_) => f.write_str("I64"),
            Val::Text(text) => write!(f, "Text({} bytes)", text.len()),
            Val::Blob(bytes) => write!(f, "Blob({} bytes)", bytes.len()),
        }
    }
}

impl From<i64> for Val<'_> {
    fn from(number: i64) -> Self {
        Val::I64(number)
    }
}

impl From<i32> for Val<'_> {
    fn from(number: i32) -> Self {
        Val::I64(i64::from(number))
    }
}

impl From<u32> for Val<'_> {
    fn from(number: u32) -> Self {
        Val::I64(i64::from(number))
    }
}

impl From<bool> for Val<'_> {
    fn from(truth: bool) -> Self {
        Val::I64(i64::from(truth))
    }
}

impl<'a> From<&'a str> for Val<'a> {
    fn from(text: &'a str) -> Self {
        Val::Text(Cow::Borrowed(text))
    }
}

impl<'a> From<&'a String> for Val<'a> {
    fn from(text: &'a String) -> Self {
        Val::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Val<'_> {
    fn from(text: String) -> Self {
        Val::Text(Cow::Owned(text))
    }
}

impl<'a> From<Cow<'a, str>> for Val<'a> {
    fn from(text: Cow<'a, str>) -> Self {
        Val::Text(text)
    }
}

impl<'a> From<&'a [u8]> for Val<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Val::Blob(Cow::Borrowed(bytes))
    }
}

impl<'a> From<&'a Vec<u8>> for Val<'a> {
    fn from(bytes: &'a Vec<u8>) -> Self {
        Val::Blob(Cow::Borrowed(bytes))
    }
}

impl From<Vec<u8>> for Val<'_> {
    fn from(bytes: Vec<u8>) -> Self {
        Val::Blob(Cow::Owned(bytes))
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Val<'a> {
    fn from(bytes: &'a [u8; N]) -> Self {
        Val::Blob(Cow::Borrowed(bytes))
    }
}

impl<const N: usize> From<[u8; N]> for Val<'_> {
    fn from(bytes: [u8; N]) -> Self {
        Val::Blob(Cow::Owned(bytes.to_vec()))
    }
}

impl<'a, T: Into<Val<'a>>> From<Option<T>> for Val<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Val::Null, Into::into)
    }
}

impl rusqlite::ToSql for Val<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Val::Null => ValueRef::Null,
            Val::I64(number) => ValueRef::Integer(*number),
            Val::Text(text) => ValueRef::Text(text.as_bytes()),
            Val::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

impl ToSql for Val<'_> {
    fn to_sql(
        &self,
        column: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self {
            Val::Null => Ok(IsNull::Yes),
            Val::I64(number) if *column == Type::INT8 => number.to_sql(column, out),
            Val::I64(number) if *column == Type::INT4 => {
                i32::try_from(*number)?.to_sql(column, out)
            }
            Val::I64(number) if *column == Type::INT2 => {
                i16::try_from(*number)?.to_sql(column, out)
            }
            Val::I64(number) if *column == Type::BOOL => (*number != 0).to_sql(column, out),
            Val::Text(text) if <&str as ToSql>::accepts(column) => (&**text).to_sql(column, out),
            Val::Blob(bytes) if *column == Type::BYTEA => (&**bytes).to_sql(column, out),
            other => Err(format!(
                "a parameter is {}, the statement wants {column}",
                other.kind()
            )
            .into()),
        }
    }

    // Which kind goes into which column depends on the value, so `to_sql` decides.
    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}
