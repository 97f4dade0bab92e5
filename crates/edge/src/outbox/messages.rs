//! 报文 on their way to the platform.

use banyan_protocol::overdue::org_mdl_001::{ReportRequest, UnsettledPerson};
use banyan_protocol::overdue::org_mdl_003::UpdateRequest;
use banyan_protocol::overdue::{OrgRequestId, OrgTraceId};
use banyan_protocol::wire::{self, Message, Scalar as _};
use banyan_store::db::{StoreError, Tx};
use banyan_store::vault::{Place, Vault};

use super::forming::{MessageKind, NewMessage, Sender, UNREADABLE, insert, name_of};
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
        sender: &Sender,
        reason: &str,
        now_ms: i64,
    ) -> Result<Blamed, StoreError> {
        let (vault, sender) = (self.vault.clone(), sender.clone());
        let reason = reason.to_owned();
        self.db
            .write(move |tx| {
                let Some(message) = unsent(tx, id)? else {
                    return Ok(Blamed::Divided);
                };
                if message.item_count <= 1 && message.renamed > 0 {
                    let refused =
                        "UPDATE message SET state = 3, fault = $2, ended_ms = $3 WHERE id = $1";
                    tx.execute(refused, &[id.into(), (&reason).into(), now_ms.into()])?;
                    refuse_items(tx, id, &reason, now_ms)?;
                    return Ok(Blamed::Item);
                }
                let renamed = i64::from(message.item_count <= 1);
                let parts = message.parts(&vault, true)?;
                replace(tx, &vault, &sender, id, parts, renamed, now_ms)?;
                Ok(Blamed::Divided)
            })
            .await
    }

    /// What the message says of this hospital is not what the settings say any more, and the
    /// platform has refused it for that: it goes out anew. `false` where it says the same.
    pub(crate) async fn renew(
        &self,
        id: i64,
        sender: &Sender,
        now_ms: i64,
    ) -> Result<bool, StoreError> {
        let (vault, sender) = (self.vault.clone(), sender.clone());
        self.db
            .write(move |tx| {
                let Some(message) = unsent(tx, id)? else {
                    return Ok(false);
                };
                let (renamed, parts) = (message.renamed, message.parts(&vault, false)?);
                if parts.iter().all(|part| part.is_of(&sender)) {
                    return Ok(false);
                }
                replace(tx, &vault, &sender, id, parts, renamed, now_ms)?;
                Ok(true)
            })
            .await
    }

    /// A message that can't be read is set aside, and its debts are formed anew.
    pub(crate) async fn set_aside(&self, id: i64, now_ms: i64) -> Result<(), StoreError> {
        self.db
            .write(move |tx| {
                tx.execute(
                    "UPDATE message SET state = 3, fault = $2, ended_ms = $3 WHERE id = $1",
                    &[id.into(), UNREADABLE.into(), now_ms.into()],
                )?;
                tx.execute(
                    "UPDATE item SET stage = CASE stage WHEN 1 THEN 0 ELSE 2 END,
                       version = version + 1, message_id = NULL, due_ms = $2
                     WHERE message_id = $1 AND stage IN (1, 5)",
                    &[id.into(), now_ms.into()],
                )
            })
            .await
            .map(|_| ())
    }
}

/// A message that waits to be sent.
struct Unsent {
    kind: i64,
    sealed: Vec<u8>,
    item_count: i64,
    renamed: i64,
}

fn unsent(tx: &mut Tx<'_>, id: i64) -> Result<Option<Unsent>, StoreError> {
    tx.query_opt(
        "SELECT kind, content, item_count, renamed FROM message WHERE id = $1 AND state = 0",
        &[id.into()],
        |row| {
            Ok(Unsent {
                kind: row.get(0)?,
                sealed: row.get(1)?,
                item_count: row.get(2)?,
                renamed: row.get(3)?,
            })
        },
    )
}

impl Unsent {
    /// The message whole, or in two where it can be divided.
    fn parts(&self, vault: &Vault, divided: bool) -> Result<Vec<Part>, StoreError> {
        let json = open(vault, &self.sealed)?;
        let kind = MessageKind::from_number(self.kind)
            .ok_or_else(|| StoreError::Corrupt("a message's kind".to_owned()))?;
        let whole = Part::read(kind, &json)?;
        Ok(if divided { whole.halves() } else { vec![whole] })
    }
}

/// Ends a message and lets its parts go out under names of their own.
fn replace(
    tx: &mut Tx<'_>,
    vault: &Vault,
    sender: &Sender,
    id: i64,
    parts: Vec<Part>,
    renamed: i64,
    now_ms: i64,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE message SET state = 3, ended_ms = $2 WHERE id = $1",
        &[id.into(), now_ms.into()],
    )?;
    for part in parts {
        let number = counters::next(tx, "message")?;
        let name = name_of(vault, number);
        let json = part.named(&name, sender)?;
        let traces = part.traces();
        insert(
            tx,
            &NewMessage {
                number,
                kind: part.kind(),
                name: &name,
                sealed: &vault.seal(Place::EdgeMessage, json.as_bytes()),
                item_count: traces.len(),
                renamed,
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
    Ok(())
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
        refuse_one(tx, id, &reason, place, now_ms)?;
    }
    Ok(())
}

/// A debt that the platform does not take. One that was settled meanwhile needs no report any more;
/// a name that was not taken is none.
pub(super) fn refuse_one(
    tx: &mut Tx<'_>,
    id: i64,
    reason: &str,
    place: i64,
    now_ms: i64,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE item SET
           fault = CASE WHEN stage = 1 AND his_state <> '0' THEN NULL ELSE $5 END,
           stage = CASE WHEN stage = 5 THEN $2 WHEN his_state <> '0' THEN $3 ELSE $4 END,
           claim = CASE WHEN version = sent_version THEN NULL ELSE claim END,
           claim_person = CASE WHEN version = sent_version THEN NULL ELSE claim_person END,
           outcome_seq = $6, changed_ms = $7
         WHERE id = $1",
        &[
            id.into(),
            Stage::Kept.into(),
            Stage::Withdrawn.into(),
            Stage::Refused.into(),
            reason.into(),
            place.into(),
            now_ms.into(),
        ],
    )?;
    Ok(())
}

/// Longer reasons are cut; the guide gives 描述 100 characters.
pub(super) const MAX_REASON: usize = 200;

/// A message, or a part of one, that is to go out under a name of its own.
enum Part {
    Report(ReportRequest),
    Update(UpdateRequest),
}

impl Part {
    fn read(kind: MessageKind, json: &str) -> Result<Self, StoreError> {
        Ok(match kind {
            MessageKind::Report => Self::Report(read(json)?),
            MessageKind::Update => Self::Update(read(json)?),
        })
    }

    const fn kind(&self) -> MessageKind {
        match self {
            Self::Report(_) => MessageKind::Report,
            Self::Update(_) => MessageKind::Update,
        }
    }

    /// In two, or as it is where it holds a single item.
    fn halves(self) -> Vec<Self> {
        match self {
            Self::Report(request) => {
                // A row for each item, so that any item can stand on either side.
                let rows: Vec<UnsettledPerson> = request
                    .persons()
                    .iter()
                    .flat_map(|person| {
                        person.itemList.iter().map(|item| UnsettledPerson {
                            itemList: vec![item.clone()],
                            ..person.clone()
                        })
                    })
                    .collect();
                halved(rows)
                    .map(|rows| {
                        Self::Report(ReportRequest {
                            unsettleList: Some(rows),
                            ..request.clone()
                        })
                    })
                    .collect()
            }
            Self::Update(request) => halved(request.itemList.clone())
                .map(|items| {
                    Self::Update(UpdateRequest {
                        itemList: items,
                        ..request.clone()
                    })
                })
                .collect(),
        }
    }

    /// Whether it says of the hospital what the hospital says of itself now.
    fn is_of(&self, sender: &Sender) -> bool {
        match self {
            Self::Report(request) => {
                request.orgId == sender.org_id
                    && request.orgName == sender.org_name
                    && request.notifyUrl == sender.notify_url
            }
            Self::Update(request) => {
                request.orgId == sender.org_id && request.notifyUrl == sender.notify_url
            }
        }
    }

    fn named(&self, name: &str, sender: &Sender) -> Result<String, StoreError> {
        let name = OrgRequestId::parse(name)
            .map_err(|invalid| StoreError::Corrupt(format!("a message's name: {}", invalid.0)))?;
        Ok(match self {
            Self::Report(request) => wire::write(&ReportRequest {
                orgId: sender.org_id.clone(),
                orgName: sender.org_name.clone(),
                notifyUrl: sender.notify_url.clone(),
                orgRequestId: name,
                ..request.clone()
            }),
            Self::Update(request) => wire::write(&UpdateRequest {
                orgId: sender.org_id.clone(),
                notifyUrl: sender.notify_url.clone(),
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

fn halved<T>(mut rows: Vec<T>) -> impl Iterator<Item = Vec<T>> {
    let second = rows.split_off(rows.len().div_ceil(2));
    [rows, second].into_iter().filter(|half| !half.is_empty())
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
