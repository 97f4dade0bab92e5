//! What the platform says became of debts, by callback (ORG_002) or when asked (ORG_MDL_005).

use banyan_protocol::overdue::{PersonResult, judged_bad};
use banyan_protocol::wire::ExtData;
use banyan_store::db::{StoreError, Tx};

use super::items::{Item, Stage, concat_item_columns, read_item};
use super::messages::MAX_REASON;
use super::{Outbox, counters, messages};

/// What the platform said of one message.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    /// 请求批次号, where it is told.
    pub(crate) name: Option<String>,
    pub(crate) persons: Vec<PersonResult>,
    /// Debts judged bad, and why.
    pub(crate) errors: Vec<(String, String)>,
    /// Whether the platform has judged all of the message.
    pub(crate) is_complete: bool,
}

/// What the HIS is told of a debt.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    /// Its place in the feed.
    pub(crate) seq: i64,
    pub(crate) item: Item,
}

impl Outcome {
    /// From what the two messages have in common.
    pub(crate) fn new(
        name: Option<String>,
        persons: Vec<PersonResult>,
        ext_data: Option<&ExtData>,
        is_complete: bool,
    ) -> Self {
        Self {
            name,
            persons,
            errors: ext_data.map(judged_bad).unwrap_or_default(),
            is_complete,
        }
    }
}

impl Outbox {
    /// Takes in what the platform said; saying it twice changes nothing.
    pub(crate) async fn learn(&self, outcome: Outcome, now_ms: i64) -> Result<(), StoreError> {
        self.db.write(move |tx| learn(tx, &outcome, now_ms)).await
    }

    /// What became of debts after this place, in the order in which it became known.
    pub(crate) async fn told_after(&self, after: i64, most: i64) -> Result<Vec<Told>, StoreError> {
        const SQL: &str = concat_item_columns!(
            ", outcome_seq FROM item WHERE outcome_seq > $1 ORDER BY outcome_seq LIMIT $2"
        );
        self.db
            .query(SQL, &[after.into(), most.into()], |row| {
                Ok(Told {
                    item: read_item(row)?,
                    seq: row.get(7)?,
                })
            })
            .await
    }
}

/// The same within a transaction.
pub(super) fn learn(tx: &mut Tx<'_>, outcome: &Outcome, now_ms: i64) -> Result<(), StoreError> {
    for item in outcome.persons.iter().flat_map(|person| &person.itemList) {
        let place = counters::next(tx, "outcome")?;
        // A debt that is to be reported anew stands at 0 and is not touched by old news; one that is
        // in another message waits for that one's outcome.
        tx.execute(
            "UPDATE item SET stage = CASE WHEN stage IN (1, 5) AND message_id <>
                 (SELECT id FROM message WHERE name = $7) THEN stage ELSE $2 END, trace_id = $3, platform_state = $4, fault = NULL,
               outcome_seq = CASE WHEN stage IN (1, 5) OR platform_state IS NULL
                 OR platform_state <> $4 THEN $5 ELSE outcome_seq END,
               changed_ms = $6
             WHERE org_trace_id = $1 AND stage IN (1, 2, 5)",
            &[
                item.orgTraceId.as_str().into(),
                Stage::Kept.into(),
                item.traceId.as_str().into(),
                item.state.code().into(),
                place.into(),
                now_ms.into(),
                outcome.name.as_deref().into(),
            ],
        )?;
    }
    for (org_trace_id, reason) in &outcome.errors {
        let reason: String = reason.chars().take(MAX_REASON).collect();
        let place = counters::next(tx, "outcome")?;
        tx.execute(
            "UPDATE item SET stage = CASE stage WHEN 1 THEN $2 ELSE $3 END, fault = $4,
               outcome_seq = $5, changed_ms = $6
             WHERE org_trace_id = $1 AND stage IN (1, 5)",
            &[
                org_trace_id.as_str().into(),
                Stage::Refused.into(),
                Stage::Kept.into(),
                reason.into(),
                place.into(),
                now_ms.into(),
            ],
        )?;
    }
    let (Some(name), true) = (&outcome.name, outcome.is_complete) else {
        return Ok(());
    };
    let ended = tx.query_opt(
        "UPDATE message SET state = 2, ended_ms = $2, fault = NULL WHERE name = $1 AND state < 2
         RETURNING id",
        &[name.into(), now_ms.into()],
        |row| row.get::<i64>(0),
    )?;
    if let Some(id) = ended {
        messages::refuse_items(tx, id, "平台的处理结果中没有这一项", now_ms)?;
    }
    Ok(())
}
