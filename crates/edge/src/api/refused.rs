//! `GET /v1/overdue/refused`: the debts that the platform refused. They name what the hospital
//! knows its patients by, so the open page only counts them.

use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use super::overdue::shown;
use super::place::Asked;
use super::reply::{Answer, Reply};
use crate::edge::Edge;

/// How many are wanted.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    limit: Option<i64>,
}

const MOST_ROWS: i64 = 1000;
/// What one looks through on a screen.
const DEFAULT_ROWS: i64 = 100;

/// The latest first.
pub(super) async fn refused(State(edge): State<Edge>, Asked(wanted): Asked<Wanted>) -> Answer {
    let most = wanted.limit.unwrap_or(DEFAULT_ROWS).clamp(1, MOST_ROWS);
    let items = edge.outbox.refused_items(most).await?;
    let items: Vec<Value> = items.iter().map(shown).collect();
    Ok(Reply::done(json!({ "items": items })))
}
