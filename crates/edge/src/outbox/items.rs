//! 院内账: each debt as the HIS last said it, and how far the platform knows.

use banyan_protocol::dictionaries::IdType;
use banyan_protocol::dictionaries::ItemState;
use banyan_protocol::overdue::{EhealthCardId, IdNo, UserName};
use banyan_protocol::wire::{self, FieldFault, Scalar as _};
use banyan_store::db::{Cell, Column, Row as DbRow, StoreError, Tx, Val};
use banyan_store::vault::{PersonCode, Place, Vault};

use super::{Outbox, cards, counters};
use crate::edge::Edge;
use crate::rows::{ChangeRow, DebtRow, NameRow, Row, Taken};

/// How far a debt has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It is to be reported.
    Waiting,
    /// It is in a report on its way.
    Reporting,
    /// The platform keeps it.
    Kept,
    /// The platform refused it; the HIS may correct it.
    Refused,
    /// It was settled or revoked before it was reported.
    Withdrawn,
    /// The platform keeps it, and an update of it is on its way.
    Updating,
}

/// A debt that is kept.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub(crate) org_trace_id: String,
    pub(crate) stage: Stage,
    pub(crate) his_state: ItemState,
    pub(crate) trace_id: Option<String>,
    pub(crate) platform_state: Option<ItemState>,
    pub(crate) fault: Option<String>,
    pub(crate) changed_ms: i64,
}

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
    /// The batch that they are in; where all of them are repetitions, the one that they were in.
    pub(crate) batch: String,
    /// How many new debts name somebody whose index nobody knows: the platform takes them as
    /// anonymous.
    pub(crate) without_index: usize,
}

/// Rows in one transaction: a call with thousands of them must not keep others waiting.
const CHUNK: usize = 200;

impl Outbox {
    /// Keeps what the HIS says, row by row; durable when this returns. A row said before changes
    /// nothing, so whoever got no answer says all of them again.
    pub(crate) async fn take(&self, rows: Vec<Row>, at: Moment) -> Result<TakenRows, StoreError> {
        let first = rows.first().map(|row| row.org_trace_id().clone());
        let (mut batch, mut without_index) = (None, 0);
        let mut all = Vec::with_capacity(rows.len());
        let mut rows = rows.into_iter();
        loop {
            let chunk: Vec<Row> = rows.by_ref().take(CHUNK).collect();
            if chunk.is_empty() {
                break;
            }
            let vault = self.vault.clone();
            let chunk = self
                .db
                .write(move |tx| take_chunk(tx, &vault, batch, &chunk, at))
                .await?;
            all.extend(chunk.taken);
            without_index += chunk.without_index;
            batch = Some(chunk.batch);
        }
        let batch = match (first, batch) {
            (Some(first), Some(batch)) => self.batch_name(batch, first.as_str()).await?,
            _ => String::new(),
        };
        Ok(TakenRows {
            taken: all,
            batch,
            without_index,
        })
    }

    async fn batch_name(&self, batch: BatchId, org_trace_id: &str) -> Result<String, StoreError> {
        let name = self
            .db
            .query_opt(
                "SELECT name FROM batch WHERE id = $1 AND item_count > 0
                 UNION ALL SELECT name FROM batch WHERE id =
                   (SELECT batch_id FROM item WHERE org_trace_id = $2) LIMIT 1",
                &[batch.0.into(), org_trace_id.into()],
                |row| row.get::<String>(0),
            )
            .await?;
        Ok(name.unwrap_or_default())
    }

    /// The debt that this 机构跟踪号 names.
    pub(crate) async fn item(&self, org_trace_id: &str) -> Result<Option<Item>, StoreError> {
        const SQL: &str = concat_item_columns!("FROM item WHERE org_trace_id = $1");
        self.db
            .query_opt(SQL, &[org_trace_id.into()], read_item)
            .await
    }

    /// What the HIS itself was asked and said about a debt (ORG_001): the platform takes the same
    /// word, so there is nothing to tell it.
    pub(crate) async fn learn_his_state(
        &self,
        org_trace_id: &str,
        state: ItemState,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        let org_trace_id = org_trace_id.to_owned();
        self.db
            .write(move |tx| {
                tx.execute(
                    "UPDATE item SET his_state = $2, changed_ms = $3
                     WHERE org_trace_id = $1 AND his_state = '0'",
                    &[(&org_trace_id).into(), state.code().into(), now_ms.into()],
                )
            })
            .await
            .map(|_: u64| ())
    }
}

/// A batch of the HIS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BatchId(pub(crate) i64);

/// The columns that [`read_item`] reads, before the rest of a statement.
macro_rules! concat_item_columns {
    ($rest:literal) => {
        concat!(
            "SELECT org_trace_id, stage, his_state, trace_id, platform_state, fault, changed_ms ",
            $rest
        )
    };
}
pub(crate) use concat_item_columns;

pub(super) fn read_item(row: &DbRow<'_>) -> Result<Item, StoreError> {
    Ok(Item {
        org_trace_id: row.get(0)?,
        stage: row.get(1)?,
        his_state: state(&row.get::<String>(2)?)?,
        trace_id: row.get(3)?,
        platform_state: known_state(row.get(4)?)?,
        fault: row.get(5)?,
        changed_ms: row.get(6)?,
    })
}

/// A debt as it stands before a row changes it.
struct Standing {
    id: i64,
    stage: Stage,
    his_state: ItemState,
    platform_state: Option<ItemState>,
    content: Vec<u8>,
    content_code: Vec<u8>,
}

fn take_chunk(
    tx: &mut Tx<'_>,
    vault: &Vault,
    batch: Option<BatchId>,
    rows: &[Row],
    at: Moment,
) -> Result<TakenChunk, StoreError> {
    let batch = match batch {
        Some(batch) => batch,
        None => begin_batch(tx, at.now_ms)?,
    };
    let mut chunk = TakenChunk {
        taken: Vec::with_capacity(rows.len()),
        batch,
        without_index: 0,
    };
    for row in rows {
        let taken = take_one(tx, vault, &mut chunk, row, at)?;
        chunk.taken.push(taken);
    }
    let is_new = |taken: &&Taken| **taken == Taken::New;
    grow_batch(tx, batch, chunk.taken.iter().filter(is_new).count())?;
    Ok(chunk)
}

/// What one transaction took.
struct TakenChunk {
    taken: Vec<Taken>,
    batch: BatchId,
    without_index: usize,
}

/// A new batch for what a call or a piece of a file brings.
fn begin_batch(tx: &mut Tx<'_>, now_ms: i64) -> Result<BatchId, StoreError> {
    let number = counters::next(tx, "batch")?;
    tx.execute(
        "INSERT INTO batch (id, name, created_ms, item_count) VALUES ($1, $2, $3, 0)",
        &[number.into(), format!("B{number}").into(), now_ms.into()],
    )?;
    Ok(BatchId(number))
}

fn take_one(
    tx: &mut Tx<'_>,
    vault: &Vault,
    chunk: &mut TakenChunk,
    row: &Row,
    at: Moment,
) -> Result<Taken, StoreError> {
    let standing = standing(tx, row.org_trace_id().as_str())?;
    match row {
        Row::Report(row) => report(tx, vault, chunk, row, standing, at),
        Row::Settle(row) => end(tx, row, ItemState::Paid, standing, at),
        Row::Revoke(row) => end(tx, row, ItemState::Revoked, standing, at),
        Row::RealName(row) => give_name(tx, vault, row, standing, at),
    }
}

fn report(
    tx: &mut Tx<'_>,
    vault: &Vault,
    chunk: &mut TakenChunk,
    row: &DebtRow,
    standing: Option<Standing>,
    at: Moment,
) -> Result<Taken, StoreError> {
    let row = match with_index(tx, vault, row)? {
        Ok(row) => row,
        Err(fault) => return Ok(Taken::Refused(fault)),
    };
    let json = wire::write(&row);
    let code = vault.content_code(json.as_bytes());
    if let Some(standing) = &standing {
        let same = standing.content_code == code;
        let reopens = match standing.stage {
            Stage::Waiting | Stage::Refused | Stage::Withdrawn => true,
            // What was revoked may be reported anew, once the platform knows that it was.
            Stage::Kept => standing.platform_state == Some(ItemState::Revoked),
            Stage::Reporting | Stage::Updating => false,
        };
        if same && (!reopens || standing.stage == Stage::Waiting) {
            return Ok(Taken::Repeated);
        }
        if !reopens {
            return Ok(Taken::Refused(FieldFault::new(
                "orgTraceId",
                "该跟踪号已以不同内容上报；如有误请先撤销，撤销完成后再以更正的内容上报",
            )));
        }
    }
    let content = vault.seal(Place::EdgeItem, json.as_bytes());
    let values: [Val<'_>; 7] = [
        row.orgTraceId.as_str().into(),
        chunk.batch.0.into(),
        (&content).into(),
        (&code).into(),
        person_code(vault, row.idType, row.idNo.as_ref())
            .map(|code| code.0.to_vec())
            .into(),
        at.report_due_ms.into(),
        at.now_ms.into(),
    ];
    tx.execute(
        "INSERT INTO item (org_trace_id, batch_id, content, content_code, person_code, stage,
           his_state, version, sent_version, due_ms, changed_ms)
         VALUES ($1, $2, $3, $4, $5, 0, '0', 1, 0, $6, $7)
         ON CONFLICT (org_trace_id) DO UPDATE SET batch_id = $2, content = $3, content_code = $4,
           person_code = $5, stage = 0, his_state = '0', version = item.version + 1, due_ms = $6,
           message_id = NULL, fault = NULL, changed_ms = $7",
        &values,
    )?;
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
    standing: Option<Standing>,
    at: Moment,
) -> Result<Taken, StoreError> {
    let Some(standing) = standing else {
        return Ok(Taken::Refused(unknown()));
    };
    if standing.his_state == state {
        return Ok(Taken::Repeated);
    }
    if standing.his_state != ItemState::Unpaid {
        return Ok(Taken::Refused(FieldFault::new(
            "orgTraceId",
            format!("该项已{}，状态不可再变更", standing.his_state.label()),
        )));
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

fn give_name(
    tx: &mut Tx<'_>,
    vault: &Vault,
    row: &NameRow,
    standing: Option<Standing>,
    at: Moment,
) -> Result<Taken, StoreError> {
    let Some(standing) = standing else {
        return Ok(Taken::Refused(unknown()));
    };
    let mut debt = open_content(vault, &standing.content)?;
    let named = DebtRow {
        idNo: Some(row.idNo.clone()),
        idType: Some(row.idType),
        userName: Some(row.userName.clone()),
        ehealthCardId: row.ehealthCardId.clone(),
        mobilePhone: row.mobilePhone.clone().or(debt.mobilePhone.clone()),
        ..debt.clone()
    };
    let named = match with_index(tx, vault, &named)? {
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
        return Ok(if named == debt {
            Taken::Repeated
        } else {
            Taken::Refused(FieldFault::new(
                "orgTraceId",
                "该项已是实名，不可再改为他人",
            ))
        });
    }
    debt = named;
    let stage = match standing.stage {
        Stage::Refused => Stage::Waiting,
        other => other,
    };
    let json = wire::write(&debt);
    let content = vault.seal(Place::EdgeItem, json.as_bytes());
    tx.execute(
        "UPDATE item SET content = $2, content_code = $3, person_code = $4, stage = $5,
           version = version + 1, fault = NULL, trace_id = COALESCE(trace_id, $6), due_ms = $7,
           changed_ms = $8 WHERE id = $1",
        &[
            standing.id.into(),
            (&content).into(),
            (&vault.content_code(json.as_bytes())).into(),
            person_code(vault, debt.idType, debt.idNo.as_ref())
                .map(|code| code.0.to_vec())
                .into(),
            stage.into(),
            row.traceId.as_ref().map(|id| id.as_str().to_owned()).into(),
            at.report_due_ms.into(),
            at.now_ms.into(),
        ],
    )?;
    Ok(Taken::New)
}

fn unknown() -> FieldFault {
    FieldFault::new(
        "orgTraceId",
        "前置机没有这一项；不经前置机上报的，请以 /v1/call/ORG_MDL_003 更新",
    )
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

fn incomplete(member: &str) -> FieldFault {
    FieldFault::new(
        member,
        "实名患者须同时给出 idNo、idType、userName；非实名患者请全部留空",
    )
}

fn person_code(vault: &Vault, id_type: Option<IdType>, id_no: Option<&IdNo>) -> Option<PersonCode> {
    Some(code_of(vault, id_type?, id_no?))
}

/// The code by which a person is looked up in the edge's records.
pub(crate) fn code_of(vault: &Vault, id_type: IdType, id_no: &IdNo) -> PersonCode {
    vault.person_code(id_type.code(), id_no.expose().as_str())
}

/// Whether two rows name the same person in the same words.
pub(super) fn same_person(one: &DebtRow, other: &DebtRow) -> bool {
    fn words(
        row: &DebtRow,
    ) -> (
        Option<&IdNo>,
        Option<IdType>,
        Option<&UserName>,
        Option<&EhealthCardId>,
    ) {
        (
            row.idNo.as_ref(),
            row.idType,
            row.userName.as_ref(),
            row.ehealthCardId.as_ref(),
        )
    }
    one.idNo.is_some() && words(one) == words(other)
}

pub(super) fn open_content(vault: &Vault, sealed: &[u8]) -> Result<DebtRow, StoreError> {
    let json = vault.open(Place::EdgeItem, sealed)?;
    std::str::from_utf8(&json)
        .ok()
        .and_then(|json| wire::read(json).ok())
        .ok_or_else(|| StoreError::Corrupt("a debt's content is no row".to_owned()))
}

fn standing(tx: &mut Tx<'_>, org_trace_id: &str) -> Result<Option<Standing>, StoreError> {
    tx.query_opt(
        "SELECT id, stage, his_state, content, content_code, platform_state
         FROM item WHERE org_trace_id = $1",
        &[org_trace_id.into()],
        |row| {
            Ok(Standing {
                id: row.get(0)?,
                stage: row.get(1)?,
                his_state: state(&row.get::<String>(2)?)?,
                content: row.get(3)?,
                content_code: row.get(4)?,
                platform_state: known_state(row.get(5)?)?,
            })
        },
    )
}

fn grow_batch(tx: &mut Tx<'_>, batch: BatchId, by: usize) -> Result<(), StoreError> {
    let by = i64::try_from(by).unwrap_or(i64::MAX);
    tx.execute(
        "UPDATE batch SET item_count = item_count + $2 WHERE id = $1",
        &[batch.0.into(), by.into()],
    )?;
    Ok(())
}

fn known_state(code: Option<String>) -> Result<Option<ItemState>, StoreError> {
    code.as_deref().map(state).transpose()
}

pub(super) fn state(code: &str) -> Result<ItemState, StoreError> {
    ItemState::from_code(code)
        .ok_or_else(|| StoreError::Corrupt("a state is not in the dictionary".to_owned()))
}

impl Stage {
    const fn number(self) -> i64 {
        match self {
            Self::Waiting => 0,
            Self::Reporting => 1,
            Self::Kept => 2,
            Self::Refused => 3,
            Self::Withdrawn => 4,
            Self::Updating => 5,
        }
    }

    /// In words for the HIS.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Waiting => "待上报",
            Self::Reporting => "上报中",
            Self::Kept => "平台已登记",
            Self::Refused => "平台未通过",
            Self::Withdrawn => "未上报即已结清或撤销",
            Self::Updating => "更新中",
        }
    }

    /// One word for programs.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Reporting => "reporting",
            Self::Kept => "kept",
            Self::Refused => "refused",
            Self::Withdrawn => "withdrawn",
            Self::Updating => "updating",
        }
    }
}

impl Column for Stage {
    const EXPECTED: &'static str = "a stage";

    fn from_cell(cell: Cell<'_>) -> Option<Self> {
        let Cell::I64(number) = cell else {
            return None;
        };
        [
            Self::Waiting,
            Self::Reporting,
            Self::Kept,
            Self::Refused,
            Self::Withdrawn,
            Self::Updating,
        ]
        .into_iter()
        .find(|stage| stage.number() == number)
    }
}

impl From<Stage> for Val<'_> {
    fn from(stage: Stage) -> Self {
        stage.number().into()
    }
}
