//! Taking what the HIS says, row by row: kept as it was said, durable when it is answered.

use banyan_protocol::dictionaries::ItemState;
use banyan_protocol::overdue::EhealthCardId;
use banyan_protocol::wire::{self, FieldFault, Scalar as _};
use banyan_store::db::{StoreError, Tx};
use banyan_store::vault::{Place, Vault};

use super::items::{
    BatchId, Stage, code_of, known_state, open_content, person_code, same_person, state,
};
use super::{Outbox, cards, counters};
use crate::edge::Edge;
use crate::rows::{ChangeRow, DebtRow, NameRow, Row, Taken};

/// When the rows of a call were said, and when reports of them are due.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) now_ms: i64,
    pub(crate) report_due_ms: i64,
}

impl Moment {
    /// Now; reports wait for the night, unless they are urgent.
    pub(crate) fn of(edge: &Edge, now_ms: i64, is_urgent: bool) -> Self {
        let report_due_ms = if is_urgent || edge.settings.sending.at_once {
            now_ms
        } else {
            edge.checked.window.next_ms(now_ms)
        };
        Self {
            now_ms,
            report_due_ms,
        }
    }
}

/// What became of the rows of a call or of a piece of a file.
#[derive(Debug)]
pub(crate) struct TakenRows {
    /// In their order.
    pub(crate) taken: Vec<Taken>,
    /// The batch of the reports among them; where all of those are repetitions, the one that they
    /// were in. `None` where nothing was reported.
    pub(crate) batch: Option<String>,
    /// How many new debts name somebody whose index nobody knows: the platform takes them as
    /// anonymous.
    pub(crate) without_index: usize,
}

/// Rows in one transaction: a call with thousands of them must not keep others waiting.
const CHUNK: usize = 200;

impl Outbox {
    /// Keeps what the HIS says. A row said before changes nothing, so whoever got no answer says
    /// all of them again.
    pub(crate) async fn take(&self, rows: Vec<Row>, at: Moment) -> Result<TakenRows, StoreError> {
        let is_report = |row: &&Row| matches!(row, Row::Report(_));
        let first = rows
            .iter()
            .find(is_report)
            .map(|row| row.org_trace_id().clone());
        let (mut batch, mut without_index) = (None, 0);
        let mut all = Vec::with_capacity(rows.len());
        let mut rows = rows.into_iter();
        loop {
            let rows: Vec<Row> = rows.by_ref().take(CHUNK).collect();
            if rows.is_empty() {
                break;
            }
            let vault = self.vault.clone();
            let chunk = self
                .db
                .write(move |tx| {
                    let mut chunk = Chunk {
                        batch,
                        ..Chunk::default()
                    };
                    for row in &rows {
                        let taken = take_one(tx, &vault, &mut chunk, row, at)?;
                        chunk.taken.push(taken);
                    }
                    chunk.count(tx)?;
                    Ok::<_, StoreError>(chunk)
                })
                .await?;
            all.extend(chunk.taken);
            without_index += chunk.without_index;
            batch = chunk.batch;
        }
        let batch = match first {
            Some(first) => self.batch_name(batch, first.as_str()).await?,
            None => None,
        };
        Ok(TakenRows {
            taken: all,
            batch,
            without_index,
        })
    }

    async fn batch_name(
        &self,
        batch: Option<BatchId>,
        org_trace_id: &str,
    ) -> Result<Option<String>, StoreError> {
        self.db
            .query_opt(
                "SELECT name FROM batch WHERE id = COALESCE($1,
                   (SELECT batch_id FROM item WHERE org_trace_id = $2))",
                &[batch.map(|batch| batch.0).into(), org_trace_id.into()],
                |row| row.get::<String>(0),
            )
            .await
    }
}

/// What one transaction takes.
#[derive(Default)]
struct Chunk {
    taken: Vec<Taken>,
    /// Begun with the first new report.
    batch: Option<BatchId>,
    reported: i64,
    without_index: usize,
}

impl Chunk {
    fn batch(&mut self, tx: &mut Tx<'_>, now_ms: i64) -> Result<BatchId, StoreError> {
        if let Some(batch) = self.batch {
            return Ok(batch);
        }
        let number = counters::next(tx, "batch")?;
        tx.execute(
            "INSERT INTO batch (id, name, created_ms, item_count) VALUES ($1, $2, $3, 0)",
            &[number.into(), format!("B{number}").into(), now_ms.into()],
        )?;
        self.batch = Some(BatchId(number));
        Ok(BatchId(number))
    }

    fn count(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        if let Some(batch) = self.batch {
            tx.execute(
                "UPDATE batch SET item_count = item_count + $2 WHERE id = $1",
                &[batch.0.into(), self.reported.into()],
            )?;
        }
        Ok(())
    }
}

/// A debt as it stands before a row changes it.
struct Standing {
    id: i64,
    stage: Stage,
    his_state: ItemState,
    platform_state: Option<ItemState>,
    content: Vec<u8>,
    content_code: Vec<u8>,
    claim: Option<Vec<u8>>,
    /// What the last message carried is what the HIS said last.
    is_sent: bool,
    has_fault: bool,
}

fn take_one(
    tx: &mut Tx<'_>,
    vault: &Vault,
    chunk: &mut Chunk,
    row: &Row,
    at: Moment,
) -> Result<Taken, StoreError> {
    let standing = standing(tx, row.org_trace_id().as_str())?;
    match (row, standing) {
        (Row::Report(row), standing) => report(tx, vault, chunk, row, standing.as_ref(), at),
        (_, None) => Ok(refused(
            "前置机没有这一项；不经前置机上报的，请以 /v1/call/ORG_MDL_003 更新",
        )),
        (Row::Settle(row), Some(standing)) => end(tx, row, ItemState::Paid, &standing, at),
        (Row::Revoke(row), Some(standing)) => end(tx, row, ItemState::Revoked, &standing, at),
        (Row::RealName(row), Some(standing)) => give_name(tx, vault, row, &standing, at),
    }
}

fn report(
    tx: &mut Tx<'_>,
    vault: &Vault,
    chunk: &mut Chunk,
    said: &DebtRow,
    standing: Option<&Standing>,
    at: Moment,
) -> Result<Taken, StoreError> {
    let row = match with_index(tx, vault, said)? {
        Ok(row) => row,
        Err(fault) => return Ok(Taken::Refused(fault)),
    };
    // Of the row as it was said: what the edge filled in may be known the one time and not the other.
    let code = vault.content_code(wire::write(said).as_bytes());
    if let Some(standing) = standing {
        let is_same = standing.content_code == code;
        match standing.stage {
            Stage::Waiting if is_same => {
                // Said again as urgent, it does not wait for the night any more.
                tx.execute(
                    "UPDATE item SET due_ms = $2 WHERE id = $1 AND due_ms > $2",
                    &[standing.id.into(), at.report_due_ms.into()],
                )?;
                return Ok(Taken::Repeated);
            }
            Stage::Waiting | Stage::Refused => {}
            // A HIS that merely repeats itself must not bring back what is over.
            _ if is_same => return Ok(Taken::Repeated),
            Stage::Withdrawn => {}
            // What was revoked may be reported anew, once the platform knows that it was.
            Stage::Kept if standing.platform_state == Some(ItemState::Revoked) => {}
            Stage::Kept | Stage::Reporting | Stage::Updating => {
                return Ok(refused(
                    "该跟踪号已以不同内容上报；如有误请先撤销，撤销完成后再以更正的内容上报",
                ));
            }
        }
    }
    let batch = chunk.batch(tx, at.now_ms)?;
    let content = vault.seal(Place::EdgeItem, wire::write(&row).as_bytes());
    tx.execute(
        "INSERT INTO item (org_trace_id, batch_id, content, content_code, person_code, stage,
           his_state, version, sent_version, due_ms, changed_ms)
         VALUES ($1, $2, $3, $4, $5, 0, '0', 1, 0, $6, $7)
         ON CONFLICT (org_trace_id) DO UPDATE SET batch_id = $2, content = $3, content_code = $4,
           person_code = $5, claim = NULL, claim_person = NULL, stage = 0, his_state = '0',
           version = item.version + 1, due_ms = $6, message_id = NULL, fault = NULL,
           changed_ms = $7",
        &[
            row.orgTraceId.as_str().into(),
            batch.0.into(),
            (&content).into(),
            (&code).into(),
            person_code(vault, &row).into(),
            at.report_due_ms.into(),
            at.now_ms.into(),
        ],
    )?;
    chunk.reported += 1;
    if row.idNo.is_some() && row.ehealthCardId.is_none() {
        chunk.without_index += 1;
    }
    Ok(Taken::New)
}

/// Settled or revoked: nothing is told of a debt that the platform never heard of.
fn end(
    tx: &mut Tx<'_>,
    row: &ChangeRow,
    state: ItemState,
    standing: &Standing,
    at: Moment,
) -> Result<Taken, StoreError> {
    let is_said = standing.his_state == state;
    if is_said {
        // Said again though the platform did not take it: it is sent again.
        let is_open = standing.stage == Stage::Kept
            && standing.is_sent
            && (standing.has_fault || standing.platform_state != Some(state));
        if !is_open {
            return Ok(Taken::Repeated);
        }
    } else if standing.his_state != ItemState::Unpaid {
        return Ok(refused(match standing.his_state {
            ItemState::Paid => "该项已缴清，状态不可再变更",
            _ => "该项已撤销，状态不可再变更",
        }));
    }
    let stage = match standing.stage {
        Stage::Waiting | Stage::Refused => Stage::Withdrawn,
        other => other,
    };
    let trace_id = row.traceId.as_ref().map(|id| id.as_str().to_owned());
    tx.execute(
        "UPDATE item SET his_state = $2, stage = $3, version = version + 1, fault = NULL,
           trace_id = COALESCE(trace_id, $4), changed_ms = $5 WHERE id = $1",
        &[
            standing.id.into(),
            state.code().into(),
            stage.into(),
            trace_id.into(),
            at.now_ms.into(),
        ],
    )?;
    Ok(Taken::New)
}

/// The name of an anonymous debt. Where the platform keeps it already, the name is a claim until the
/// platform has taken it: a wrong one must not stay with the debt.
fn give_name(
    tx: &mut Tx<'_>,
    vault: &Vault,
    row: &NameRow,
    standing: &Standing,
    at: Moment,
) -> Result<Taken, StoreError> {
    let debt = open_content(vault, &standing.content)?;
    let named = match with_index(tx, vault, &row.of(&debt))? {
        Ok(named) => named,
        Err(fault) => return Ok(Taken::Refused(fault)),
    };
    if named.ehealthCardId.is_none() {
        return Ok(Taken::Refused(FieldFault::new(
            "ehealthCardId",
            "转实名必填；前置机尚未留存该患者的主索引，可先经 /v1/health-card 取得",
        )));
    }
    if debt.ehealthCardId.is_some() {
        return Ok(if same_person(&debt, &named) {
            Taken::Repeated
        } else {
            refused("该项已是实名，不可再改为他人")
        });
    }
    let sealed = vault.seal(Place::EdgeItem, wire::write(&named).as_bytes());
    let person = person_code(vault, &named);
    let trace_id = row.traceId.as_ref().map(|id| id.as_str().to_owned());
    let is_kept = match standing.stage {
        Stage::Waiting | Stage::Refused | Stage::Withdrawn => false,
        Stage::Reporting | Stage::Kept | Stage::Updating => true,
    };
    if is_kept {
        let claimed = standing.claim.as_deref();
        let claimed = claimed
            .map(|claim| open_content(vault, claim))
            .transpose()?;
        if claimed.is_some_and(|claimed| same_person(&claimed, &named)) {
            return Ok(Taken::Repeated);
        }
        tx.execute(
            "UPDATE item SET claim = $2, claim_person = $3, version = version + 1, fault = NULL,
               trace_id = COALESCE(trace_id, $4), changed_ms = $5 WHERE id = $1",
            &[
                standing.id.into(),
                (&sealed).into(),
                person.into(),
                trace_id.into(),
                at.now_ms.into(),
            ],
        )?;
        return Ok(Taken::New);
    }
    tx.execute(
        "UPDATE item SET content = $2, person_code = $3, version = version + 1, fault = NULL,
           stage = CASE WHEN stage = 3 THEN 0 ELSE stage END,
           due_ms = CASE WHEN stage = 3 THEN $4 ELSE due_ms END, changed_ms = $5
         WHERE id = $1",
        &[
            standing.id.into(),
            (&sealed).into(),
            person.into(),
            at.report_due_ms.into(),
            at.now_ms.into(),
        ],
    )?;
    Ok(Taken::New)
}

/// The row with its 主索引, from what is retained where the HIS did not say it and somebody found it
/// out before. A debt has a whole identity or none.
fn with_index(
    tx: &mut Tx<'_>,
    vault: &Vault,
    row: &DebtRow,
) -> Result<Result<DebtRow, FieldFault>, StoreError> {
    let (id_no, id_type) = match (&row.idNo, row.idType, &row.userName) {
        (Some(id_no), Some(id_type), Some(_)) => (id_no, id_type),
        (None, None, None) if row.ehealthCardId.is_none() => return Ok(Ok(row.clone())),
        (None, ..) => return Ok(Err(incomplete("idNo"))),
        (_, None, _) => return Ok(Err(incomplete("idType"))),
        (_, _, None) => return Ok(Err(incomplete("userName"))),
    };
    if row.ehealthCardId.is_some() {
        return Ok(Ok(row.clone()));
    }
    let code = code_of(vault, id_type, id_no);
    let Some(card) = cards::by_code(tx, vault, &code)? else {
        return Ok(Ok(row.clone()));
    };
    let index = EhealthCardId::parse(&card.ehealth_card_id)
        .map_err(|_| StoreError::Corrupt("a retained index is none".to_owned()))?;
    Ok(Ok(DebtRow {
        ehealthCardId: Some(index),
        ..row.clone()
    }))
}

fn refused(reason: &str) -> Taken {
    Taken::Refused(FieldFault::new("orgTraceId", reason))
}

fn incomplete(member: &str) -> FieldFault {
    FieldFault::new(
        member,
        "实名患者须同时给出 idNo、idType、userName；非实名患者请全部留空",
    )
}

fn standing(tx: &mut Tx<'_>, org_trace_id: &str) -> Result<Option<Standing>, StoreError> {
    tx.query_opt(
        "SELECT id, stage, his_state, platform_state, content, content_code, claim,
           version = sent_version, fault IS NOT NULL
         FROM item WHERE org_trace_id = $1",
        &[org_trace_id.into()],
        |row| {
            Ok(Standing {
                id: row.get(0)?,
                stage: row.get(1)?,
                his_state: state(&row.get::<String>(2)?)?,
                platform_state: known_state(row.get(3)?)?,
                content: row.get(4)?,
                content_code: row.get(5)?,
                claim: row.get(6)?,
                is_sent: row.get::<i64>(7)? != 0,
                has_fault: row.get::<i64>(8)? != 0,
            })
        },
    )
}
