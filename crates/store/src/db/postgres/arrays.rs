//! Many rows or keys in one statement: a column each as an array.
//!
//! A statement costs PostgreSQL about as much as the row that it touches, and each is a message
//! more on the line; so what comes in hundreds goes over as arrays.

use std::fmt::Write as _;

use tokio_postgres::types::ToSql;

use crate::db::{ColumnType, StoreError, Val};

/// Which rows are wanted for each set of parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// The first, where there is one.
    First,
    /// All of them.
    All,
}

/// The statement that answers `sql`, a `SELECT` by `$1`, `$2`, .. for one set of parameters, for all
/// sets at once: the rows that are wanted of each, and behind their columns the set's number,
/// counted from 1.
pub(super) fn each_text(sql: &str, kinds: &[ColumnType], wanted: Wanted) -> String {
    let mut text = String::with_capacity(sql.len() + 200);
    text.push_str("SELECT found.*, sets.place FROM UNNEST(");
    for (index, kind) in kinds.iter().enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        // Writing into a string never fails.
        let _ = write!(text, "{comma}${}::{}[]", index + 1, kind.on_postgres());
    }
    text.push_str(") WITH ORDINALITY AS sets (");
    for number in 1..=kinds.len() {
        let _ = write!(text, "p{number}, ");
    }
    text.push_str("place) CROSS JOIN LATERAL (SELECT * FROM (");
    let mut rest = sql;
    while let Some((before, after)) = rest.split_once('$') {
        text.push_str(before);
        // A `$` that is no parameter stays what it is.
        let is_number = after.starts_with(|next: char| next.is_ascii_digit());
        text.push_str(if is_number { "sets.p" } else { "$" });
        rest = after;
    }
    text.push_str(rest);
    text.push_str(match wanted {
        Wanted::First => ") AS every LIMIT 1) AS found",
        Wanted::All => ") AS every) AS found",
    });
    text
}

/// The types of each place in these sets of parameters: that of the first that has a value.
pub(super) fn kinds(sets: &[Vec<Val<'_>>]) -> Vec<ColumnType> {
    let places = sets.first().map_or(0, Vec::len);
    (0..places)
        .map(|place| {
            let kind = |set: &Vec<Val<'_>>| match set.get(place) {
                Some(Val::I64(_)) => Some(ColumnType::I64),
                Some(Val::Text(_)) => Some(ColumnType::Text),
                Some(Val::Blob(_)) => Some(ColumnType::Blob),
                Some(Val::Null) | None => None,
            };
            sets.iter().find_map(kind).unwrap_or(ColumnType::Text)
        })
        .collect()
}

/// The columns of these rows.
pub(super) fn columns<'a>(
    kinds: &[ColumnType],
    rows: &'a [Vec<Val<'a>>],
) -> Result<Vec<Box<dyn ToSql + Sync + Send + 'a>>, StoreError> {
    kinds
        .iter()
        .enumerate()
        .map(|(index, kind)| column(*kind, index, rows))
        .collect()
}

fn column<'a>(
    kind: ColumnType,
    index: usize,
    rows: &'a [Vec<Val<'a>>],
) -> Result<Box<dyn ToSql + Sync + Send + 'a>, StoreError> {
    let cells = rows.iter().map(|row| row.get(index).unwrap_or(&Val::Null));
    Ok(match kind {
        ColumnType::I64 => Box::new(
            cells
                .map(|cell| match cell {
                    Val::Null => Ok(None),
                    Val::I64(number) => Ok(Some(*number)),
                    other => Err(unfit(other, "a number")),
                })
                .collect::<Result<Vec<Option<i64>>, _>>()?,
        ),
        ColumnType::Text => Box::new(
            cells
                .map(|cell| match cell {
                    Val::Null => Ok(None),
                    Val::Text(_) if cell.holds_nul() => Err(StoreError::nul()),
                    Val::Text(text) => Ok(Some(&**text)),
                    other => Err(unfit(other, "text")),
                })
                .collect::<Result<Vec<Option<&str>>, _>>()?,
        ),
        ColumnType::Blob => Box::new(
            cells
                .map(|cell| match cell {
                    Val::Null => Ok(None),
                    Val::Blob(bytes) => Ok(Some(&**bytes)),
                    other => Err(unfit(other, "bytes")),
                })
                .collect::<Result<Vec<Option<&[u8]>>, _>>()?,
        ),
    })
}

fn unfit(value: &Val<'_>, wanted: &str) -> StoreError {
    StoreError::Sql(format!(
        "a row holds {} where {wanted} belongs",
        value.kind()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_becomes_a_column_of_the_sets() {
        let sql = "SELECT a FROM t WHERE a = $1 AND b = $2 AND c = '$' AND d = $11";
        let text = |wanted| each_text(sql, &[ColumnType::I64, ColumnType::Text], wanted);
        let all = "SELECT found.*, sets.place FROM UNNEST($1::BIGINT[], $2::TEXT[]) WITH ORDINALITY \
             AS sets (p1, p2, place) CROSS JOIN LATERAL (SELECT * FROM (SELECT a FROM t \
             WHERE a = sets.p1 AND b = sets.p2 AND c = '$' AND d = sets.p11) AS every";
        assert_eq!(text(Wanted::First), format!("{all} LIMIT 1) AS found"));
        assert_eq!(text(Wanted::All), format!("{all}) AS found"));
    }

    #[test]
    fn a_place_has_the_type_of_its_first_value() {
        let sets = vec![
            vec![Val::Null, 1.into(), Val::Null],
            vec!["x".into(), Val::Null, Val::Null],
        ];
        let found = kinds(&sets);
        assert_eq!(found, [ColumnType::Text, ColumnType::I64, ColumnType::Text]);
        assert!(kinds(&[]).is_empty());
    }
}
