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
            .scan(move |tx| {
                tx.query(SQL, &[after.into(), most.into()], |row| {
                    Ok(Told {
                        item: read_item(row)?,
                        seq: row.get(7)?,
                    })
                })
            })
            .await
    }
}

/// The same within a transaction.
///
/// What is told of a message counts for the debts that are in it now: news of an older one, a
/// callback that was late or is sent again, must not undo what came after it.
pub(super) fn learn(tx: &mut Tx<'_>, outcome: &Outcome, now_ms: i64) -> Result<(), StoreError> {
    let message = match &outcome.name {
        None => About::Unnamed,
        Some(name) => tx
            .query_opt(
                "SELECT id FROM message WHERE name = $1",
                &[name.into()],
                |row| row.get::<i64>(0),
            )?
            .map_or(About::Foreign, About::Message),
    };
    for item in outcome.persons.iter().flat_map(|person| &person.itemList) {
        let (trace, org_trace_id) = (item.traceId.as_str(), item.orgTraceId.as_str());
        match find(tx, org_trace_id, message)? {
            Some(id) => {
                let place = counters::next(tx, "outcome")?;
                tx.execute(
                    "UPDATE item SET stage = $2, trace_id = $3, fault = NULL,
                       content = CASE WHEN claim IS NOT NULL AND version = sent_version
                         THEN claim ELSE content END,
                       person_code = CASE WHEN claim IS NOT NULL AND version = sent_version
                         THEN claim_person ELSE person_code END,
                       claim = CASE WHEN version = sent_version THEN NULL ELSE claim END,
                       claim_person = CASE WHEN version = sent_version THEN NULL
                         ELSE claim_person END,
                       outcome_seq = CASE WHEN stage <> 2 OR platform_state IS NULL
                         OR platform_state <> $4 THEN $5 ELSE outcome_seq END,
                       platform_state = $4, changed_ms = $6
                     WHERE id = $1",
                    &[
                        id.into(),
                        Stage::Kept.into(),
                        trace.into(),
                        item.state.code().into(),
                        place.into(),
                        now_ms.into(),
                    ],
                )?;
            }
            // Of a debt that is not in this message only its number can be learned.
            None => {
                tx.execute(
                    "UPDATE item SET trace_id = $2 WHERE org_trace_id = $1 AND trace_id IS NULL",
                    &[org_trace_id.into(), trace.into()],
                )?;
            }
        }
    }
    for (org_trace_id, reason) in &outcome.errors {
        let reason: String = reason.chars().take(MAX_REASON).collect();
        if let Some(id) = find(tx, org_trace_id, message)?
            && is_on_its_way(tx, id)?
        {
            let place = counters::next(tx, "outcome")?;
            messages::refuse_one(tx, id, &reason, place, now_ms)?;
        }
    }
    let (About::Message(id), true) = (message, outcome.is_complete) else {
        return Ok(());
    };
    let ended = tx.execute(
        "UPDATE message SET state = 2, ended_ms = $2, fault = NULL WHERE id = $1 AND state < 2",
        &[id.into(), now_ms.into()],
    )?;
    if ended > 0 {
        messages::refuse_items(tx, id, "平台的处理结果中没有这一项", now_ms)?;
    }
    Ok(())
}

/// Which message an outcome is about.
#[derive(Clone, Copy)]
enum About {
    Message(i64),
    /// One that the outbox does not have: the HIS may have sent it past the edge.
    Foreign,
    /// It is not told, as the guide allows.
    Unnamed,
}

/// The debt, where the outcome is about it as it stands now.
fn find(tx: &mut Tx<'_>, org_trace_id: &str, about: About) -> Result<Option<i64>, StoreError> {
    let (sql, message) = match about {
        About::Foreign => return Ok(None),
        About::Message(id) => (
            "SELECT id FROM item WHERE org_trace_id = $1 AND message_id = $2 AND stage <> 0",
            id,
        ),
        About::Unnamed => (
            "SELECT id FROM item WHERE org_trace_id = $1 AND $2 = 0 AND stage IN (1, 5)",
            0,
        ),
    };
    tx.query_opt(sql, &[org_trace_id.into(), message.into()], |row| {
        row.get(0)
    })
}

fn is_on_its_way(tx: &mut Tx<'_>, id: i64) -> Result<bool, StoreError> {
    let found = tx.query_opt(
        "SELECT id FROM item WHERE id = $1 AND stage IN (1, 5)",
        &[id.into()],
        |row| row.get::<i64>(0),
    )?;
    Ok(found.is_some())
}
