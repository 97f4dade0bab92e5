//! Statements on one SQLite connection, prepared once and cached.
//!
//! SQLite takes `$1` for a *named* parameter and numbers names by first appearance, so in
//! `.. WHERE b = $2 AND a = $1` the name `$2` has index 1. We bind by name: the digits after `$`
//! say which value belongs there. So the text needs no rewriting, and `$1` within a string
//! literal stays what it is.

use rusqlite::{CachedStatement, Connection};

use crate::db::{Row, StoreError, Val};

pub(in crate::db) fn execute(
    connection: &Connection,
    sql: &str,
    params: &[Val<'_>],
) -> Result<u64, StoreError> {
    run(&mut connection.prepare_cached(sql)?, params)
}

pub(in crate::db) fn execute_each(
    connection: &Connection,
    sql: &str,
    param_sets: &[Vec<Val<'_>>],
) -> Result<u64, StoreError> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut changed = 0;
    for params in param_sets {
        changed += run(&mut statement, params)?;
    }
    Ok(changed)
}

pub(in crate::db) fn query_opt<T>(
    connection: &Connection,
    sql: &str,
    params: &[Val<'_>],
    map: impl FnOnce(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Option<T>, StoreError> {
    first(&mut connection.prepare_cached(sql)?, params, map)
}

pub(in crate::db) fn query_each<T>(
    connection: &Connection,
    sql: &str,
    param_sets: &[Vec<Val<'_>>],
    mut map: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Vec<Option<T>>, StoreError> {
    let mut statement = connection.prepare_cached(sql)?;
    param_sets
        .iter()
        .map(|params| first(&mut statement, params, &mut map))
        .collect()
}

pub(in crate::db) fn query<T>(
    connection: &Connection,
    sql: &str,
    params: &[Val<'_>],
    mut map: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let mut statement = connection.prepare_cached(sql)?;
    bind(&mut statement, params)?;
    let mut rows = statement.raw_query();
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(map(&row.into())?);
    }
    Ok(all)
}

fn run(statement: &mut CachedStatement<'_>, params: &[Val<'_>]) -> Result<u64, StoreError> {
    bind(statement, params)?;
    let changed = statement.raw_execute()?;
    Ok(changed.try_into().unwrap_or(u64::MAX))
}

fn first<T>(
    statement: &mut CachedStatement<'_>,
    params: &[Val<'_>],
    map: impl FnOnce(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Option<T>, StoreError> {
    bind(statement, params)?;
    let mut rows = statement.raw_query();
    rows.next()?.map(|row| map(&row.into())).transpose()
}

fn bind(statement: &mut CachedStatement<'_>, params: &[Val<'_>]) -> Result<(), StoreError> {
    let wanted = statement.parameter_count();
    if wanted != params.len() {
        return Err(StoreError::wrong_count(wanted, params.len()));
    }
    for index in 1..=wanted {
        let value = statement
            .parameter_name(index)
            .and_then(|name| name.strip_prefix('$')?.parse::<usize>().ok())
            .and_then(|number| params.get(number.checked_sub(1)?))
            .ok_or_else(|| StoreError::Sql("parameters are written $1, $2, ..".to_owned()))?;
        if value.holds_nul() {
            return Err(StoreError::nul());
        }
        statement.raw_bind_parameter(index, value)?;
    }
    Ok(())
}
