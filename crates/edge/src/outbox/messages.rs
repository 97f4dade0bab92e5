//! 报文 on their way to the platform.

use banyan_protocol::overdue::org_mdl_001::ReportRequest;
use banyan_protocol::overdue::org_mdl_003::UpdateRequest;
use banyan_protocol::overdue::{OrgRequestId, OrgTraceId};
use banyan_protocol::wire::{self, Message, Scalar as _};
use banyan_store::db::{StoreError, Tx};
use banyan_store::vault::{Place, Vault};

use super::forming::{MessageKind, NewMessage, insert, name_of};
use super::items::Stage;
use super::{Outbox, counters};

/// A message that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) id: i64,
    pub(crate) kind: MessageKind,
    /// 请求批次号.
    pub(crate) name: String,
    pub(crate) item_count: i64,
    pub(crate) attempts: u32,
}

/// What is due about a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// To send it.
    Send,
    /// To ask what became of it (ORG_MDL_005).
    FollowUp,
}

/// A message refused for its content: which part of it is to blame is found by halving it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Blamed {
    /// It went on in new messages.
    Divided,
    /// It is a single debt, refused under two names.
    Item,
}

impl Outbox {
    /// The messages that are due, those that wait longest first.
    pub(crate) async fn due(
        &self,
        step: Step,
        now_ms: i64,
        most: i64,
    ) -> Result<Vec<Due>, StoreError> {
        self.db
            .query(
                "SELECT id, kind, name, item_count, attempts FROM message
                 WHERE state = $1 AND state < 2 AND due_ms <= $2 ORDER BY due_ms, id LIMIT $3",
                &[step.state().into(), now_ms.into(), most.into()],
                |row| {
                    Ok(Due {
                        id: row.get(0)?,
                        kind: MessageKind::from_number(row.get(1)?)
                            .ok_or_else(|| StoreError::Corrupt("a message's kind".to_owned()))?,
                        name: row.get(2)?,
                        item_count: row.get(3)?,
                        attempts: u32::try_from(row.get::<i64>(4)?).unwrap_or(u32::MAX),
                    })
                },
            )
            .await
    }

    /// The business JSON of a message, as it is sent each time.
    pub(crate) async fn content(&self, id: i64) -> Result<String, StoreError> {
        let sealed = self
            .db
            .query_opt(
                "SELECT content FROM message WHERE id = $1",
                &[id.into()],
                |row| row.get::<Vec<u8>>(0),
            )
            .await?
            .ok_or_else(|| StoreError::Corrupt("a message is gone".to_owned()))?;
        open(&self.vault, &sealed)
    }

    /// The platform has it; its outcome is asked for at `follow_up_ms` if it is not told before.
    pub(crate) async fn accepted(
        &self,
        id: i64,
        now_ms: i64,
        follow_up_ms: i64,
    ) -> Result<(), StoreError> {
        self.db
            .write(move |tx| {
                tx.execute(
                    "UPDATE message SET state = 1, due_ms = $2, attempts = 0, fault = NULL,
                       accepted_ms = $3 WHERE id = $1 AND state = 0",
                    &[id.into(), follow_up_ms.into(), now_ms.into()],
                )
            })
            .await
            .map(|_| ())
    }

    /// It is looked at again later.
    pub(crate) async fn again(
        &self,
        id: i64,
        due_ms: i64,
        fault: Option<String>,
    ) -> Result<(), StoreError> {
        self.db
            .write(move |tx| {
                tx.execute(
                    "UPDATE message SET due_ms = $2, attempts = attempts + 1, fault = $3
                     WHERE id = $1 AND state < 2",
                    &[id.into(), due_ms.into(), fault.clone().into()],
                )
            })
            .await
            .map(|_| ())
    }

    /// The platform does not know it though it had accepted it: it is sent once more, the same.
    pub(crate) async fn forgotten(&self, id: i64, now_ms: i64) -> Result<(), StoreError> {
        self.db
            .write(move |tx| {
                tx.execute(
                    "UPDATE message SET state = 0, due_ms = $2 WHERE id = $1 AND state = 1",
                    &[id.into(), now_ms.into()],
                )
            })
            .await
            .map(|_| ())
    }

    /// The platform refused its content: it is divided, and what is a single debt is tried once
    /// under another name, for the name itself may have been taken.
    pub(crate) async fn refused(
        &self,
        id: i64,
        reason: &str,
        now_ms: i64,
    ) -> Result<Blamed, StoreError> {
        let (vault, reason) = (self.vault.clone(), reason.to_owned());
        self.db
            .write(move |tx| {
                let read = tx.query_opt(
                    "SELECT kind, content, item_count, renamed FROM message
                     WHERE id = $1 AND state = 0",
                    &[id.into()],
                    |row| {
                        Ok((
                            row.get::<i64>(0)?,
                            row.get::<Vec<u8>>(1)?,
                            row.get::<i64>(2)?,
                            row.get::<i64>(3)?,
                        ))
                    },
                )?;
                let Some((kind, sealed, item_count, renamed)) = read else {
                    return Ok(Blamed::Divided);
                };
                tx.execute(
                    "UPDATE message SET state = 3, fault = $2, ended_ms = $3 WHERE id = $1",
                    &[id.into(), (&reason).into(), now_ms.into()],
                )?;
                if item_count <= 1 && renamed > 0 {
                    refuse_items(tx, id, &reason, now_ms)?;
                    return Ok(Blamed::Item);
                }
                let json = open(&vault, &sealed)?;
                let kind = MessageKind::from_number(kind)
                    .ok_or_else(|| StoreError::Corrupt("a message's kind".to_owned()))?;
                for half in halves(kind, &json)? {
                    let number = counters::next(tx, "message")?;
                    let name = name_of(&vault, number);
                    let json = half.named(&name)?;
                    let traces = half.traces();
                    insert(
                        tx,
                        &NewMessage {
                            number,
                            kind,
                            name: &name,
                            sealed: &vault.seal(Place::EdgeMessage, json.as_bytes()),
                            item_count: traces.len(),
                            renamed: i64::from(item_count <= 1),
                        },
                        now_ms,
                    )?;
                    let moves: Vec<_> = traces
                        .iter()
                        .map(|trace| vec![trace.as_str().into(), number.into(), id.into()])
                        .collect();
                    tx.execute_each(
                        "UPDATE item SET message_id = $2 WHERE org_trace_id = $1 AND message_id = $3",
                        &moves,
                    )?;
                }
                Ok(Blamed::Divided)
            })
            .await
    }
}

/// The debts of a message that the platform does not take: a new one is refused, one that the
/// platform keeps stays as the platform has it.
pub(super) fn refuse_items(
    tx: &mut Tx<'_>,
    message: i64,
    reason: &str,
    now_ms: i64,
) -> Result<(), StoreError> {
    let reason: String = reason.chars().take(MAX_REASON).collect();
    let ids = tx.query(
        "SELECT id FROM item WHERE message_id = $1 AND stage IN (1, 5) ORDER BY id",
        &[message.into()],
        |row| row.get::<i64>(0),
    )?;
    for id in ids {
        let place = counters::next(tx, "outcome")?;
        tx.execute(
            "UPDATE item SET stage = CASE stage WHEN 1 THEN $2 ELSE $3 END, fault = $4,
               outcome_seq = $5, changed_ms = $6 WHERE id = $1",
            &[
                id.into(),
                Stage::Refused.into(),
                Stage::Kept.into(),
                (&reason).into(),
                place.into(),
                now_ms.into(),
            ],
        )?;
    }
    Ok(())
}

/// Longer reasons are cut; the guide gives 描述 100 characters.
pub(super) const MAX_REASON: usize = 200;

/// A part of a message that is to go out under a name of its own.
enum Part {
    Report(ReportRequest),
    Update(UpdateRequest),
}

/// The message in two, or as it is where it can't be divided.
fn halves(kind: MessageKind, json: &str) -> Result<Vec<Part>, StoreError> {
    Ok(match kind {
        MessageKind::Report => {
            let request: ReportRequest = read(json)?;
            let (first, second) = halved(flat(&request));
            [first, second]
                .into_iter()
                .filter(|rows| !rows.is_empty())
                .map(|rows| {
                    Part::Report(ReportRequest {
                        unsettleList: Some(rows),
                        ..request.clone()
                    })
                })
                .collect()
        }
        MessageKind::Update => {
            let request: UpdateRequest = read(json)?;
            let (first, second) = halved(request.itemList.clone());
            [first, second]
                .into_iter()
                .filter(|items| !items.is_empty())
                .map(|items| {
                    Part::Update(UpdateRequest {
                        itemList: items,
                        ..request.clone()
                    })
                })
                .collect()
        }
    })
}

/// A person for each item, so that any item can stand on either side.
fn flat(request: &ReportRequest) -> Vec<banyan_protocol::overdue::org_mdl_001::UnsettledPerson> {
    request
        .persons()
        .iter()
        .flat_map(|person| {
            person.itemList.iter().map(|item| {
                banyan_protocol::overdue::org_mdl_001::UnsettledPerson {
                    itemList: vec![item.clone()],
                    ..person.clone()
                }
            })
        })
        .collect()
}

fn halved<T>(mut rows: Vec<T>) -> (Vec<T>, Vec<T>) {
    let second = rows.split_off(rows.len().div_ceil(2));
    (rows, second)
}

impl Part {
    fn named(&self, name: &str) -> Result<String, StoreError> {
        let name = OrgRequestId::parse(name)
            .map_err(|invalid| StoreError::Corrupt(format!("a message's name: {}", invalid.0)))?;
        Ok(match self {
            Self::Report(request) => wire::write(&ReportRequest {
                orgRequestId: name,
                ..request.clone()
            }),
            Self::Update(request) => wire::write(&UpdateRequest {
                orgRequestId: name,
                ..request.clone()
            }),
        })
    }

    fn traces(&self) -> Vec<OrgTraceId> {
        match self {
            Self::Report(request) => request
                .persons()
                .iter()
                .flat_map(|person| person.itemList.iter().map(|item| item.orgTraceId.clone()))
                .collect(),
            Self::Update(request) => request
                .itemList
                .iter()
                .map(|item| item.orgTraceId.clone())
                .collect(),
        }
    }
}

fn read<M: Message>(json: &str) -> Result<M, StoreError> {
    wire::read(json).map_err(|_| StoreError::Corrupt("a message's content".to_owned()))
}

fn open(vault: &Vault, sealed: &[u8]) -> Result<String, StoreError> {
    String::from_utf8(vault.open(Place::EdgeMessage, sealed)?)
        .map_err(|_| StoreError::Corrupt("a message's content is no text".to_owned()))
}

impl Step {
    const fn state(self) -> i64 {
        match self {
            Self::Send => 0,
            Self::FollowUp => 1,
        }
    }
}
