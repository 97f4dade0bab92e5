//! From debts to messages: what the HIS said and no message has carried yet.

use banyan_protocol::overdue::org_mdl_001::{ReportRequest, UnsettledItem, UnsettledPerson};
use banyan_protocol::overdue::org_mdl_003::{ItemUpdate, UpdateRequest};
use banyan_protocol::overdue::{MAX_ITEMS_PER_CALL, OrgId, OrgName, OrgRequestId, TraceId};
use banyan_protocol::wire::{self, Scalar, WebAddress};
use banyan_store::db::{StoreError, Tx, Val};
use banyan_store::vault::{Place, Vault};

use super::items::{Stage, open_content, same_person, state};
use super::{Outbox, counters};
use crate::rows::DebtRow;

/// Who reports, as every message says it.
#[derive(Debug, Clone)]
pub(crate) struct Sender {
    pub(crate) org_id: OrgId,
    pub(crate) org_name: OrgName,
    pub(crate) notify_url: WebAddress,
}

/// Which message a debt goes out in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MessageKind {
    /// ORG_MDL_001
    Report,
    /// ORG_MDL_003
    Update,
}

/// A debt about to be put into a message.
struct Formed {
    id: i64,
    version: i64,
    row: DebtRow,
    state: String,
    trace_id: Option<String>,
}

impl Outbox {
    /// Puts the next debts that are due into messages, at most `most` of them; how many were made.
    pub(crate) async fn form(
        &self,
        sender: &Sender,
        now_ms: i64,
        most: usize,
    ) -> Result<usize, StoreError> {
        let mut made = 0;
        while made < most {
            let (vault, sender) = (self.vault.clone(), sender.clone());
            let one = self
                .db
                .write(move |tx| {
                    Ok::<_, StoreError>(
                        form_update(tx, &vault, &sender, now_ms)?
                            || form_report(tx, &vault, &sender, now_ms)?,
                    )
                })
                .await?;
            if !one {
                break;
            }
            made += 1;
        }
        Ok(made)
    }

    /// Nothing waits longer than until the next night, no retry and no question longer than the
    /// longest: where something does, the clock was set back since.
    pub(crate) async fn pull_forward(&self, latest: Latest) -> Result<(), StoreError> {
        self.db
            .write(move |tx| {
                for (sql, latest_ms) in [
                    (
                        "UPDATE item SET due_ms = $1 WHERE stage = 0 AND due_ms > $1",
                        latest.night_ms,
                    ),
                    (
                        "UPDATE message SET due_ms = $1 WHERE state = 0 AND due_ms > $1",
                        latest.retry_ms,
                    ),
                    (
                        "UPDATE message SET due_ms = $1 WHERE state = 1 AND due_ms > $1",
                        latest.question_ms,
                    ),
                ] {
                    tx.execute(sql, &[latest_ms.into()])?;
                }
                Ok(())
            })
            .await
    }
}

/// When things are due at the latest.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Latest {
    /// Reports.
    pub(crate) night_ms: i64,
    /// Messages to be sent again.
    pub(crate) retry_ms: i64,
    /// Questions about messages that were accepted.
    pub(crate) question_ms: i64,
}

fn form_report(
    tx: &mut Tx<'_>,
    vault: &Vault,
    sender: &Sender,
    now_ms: i64,
) -> Result<bool, StoreError> {
    let found = read(
        tx,
        vault,
        "SELECT id, version, content, his_state, trace_id FROM item
         WHERE stage = 0 AND his_state = '0' AND due_ms <= $1 ORDER BY due_ms, id LIMIT $2",
        &[now_ms.into(), most_items().into()],
    )?;
    if found.is_empty() {
        return Ok(false);
    }
    let due = readable(tx, found, now_ms)?;
    if !due.is_empty() {
        keep_message(tx, vault, sender, MessageKind::Report, &due, now_ms)?;
    }
    Ok(true)
}

/// An update is about one person, or about several items of patients without a name.
fn form_update(
    tx: &mut Tx<'_>,
    vault: &Vault,
    sender: &Sender,
    now_ms: i64,
) -> Result<bool, StoreError> {
    let found = read(
        tx,
        vault,
        "SELECT id, version, COALESCE(claim, content), his_state, trace_id FROM item
         WHERE stage = 2 AND version > sent_version AND trace_id IS NOT NULL
         ORDER BY COALESCE(claim_person, person_code), id LIMIT $1",
        &[most_items().into()],
    )?;
    if found.is_empty() {
        return Ok(false);
    }
    let mut changed = readable(tx, found, now_ms)?;
    if let Some(first) = changed.first() {
        let first = first.row.clone();
        changed.retain(|formed| {
            same_person(&first, &formed.row) || (first.idNo.is_none() && formed.row.idNo.is_none())
        });
        keep_message(tx, vault, sender, MessageKind::Update, &changed, now_ms)?;
    }
    Ok(true)
}

/// What was found, or the id of a debt whose content can't be read.
fn read(
    tx: &mut Tx<'_>,
    vault: &Vault,
    sql: &str,
    params: &[Val<'_>],
) -> Result<Vec<Result<Formed, i64>>, StoreError> {
    tx.query(sql, params, |row| {
        let id = row.get(0)?;
        let content = open_content(vault, &row.get::<Vec<u8>>(2)?);
        let (version, state, trace_id) = (row.get(1)?, row.get(3)?, row.get(4)?);
        Ok(content.map_err(|_| id).map(|row| Formed {
            id,
            version,
            row,
            state,
            trace_id,
        }))
    })
}

/// A debt that can't be read is set aside, so that it keeps no other waiting.
fn readable(
    tx: &mut Tx<'_>,
    found: Vec<Result<Formed, i64>>,
    now_ms: i64,
) -> Result<Vec<Formed>, StoreError> {
    let mut readable = Vec::with_capacity(found.len());
    for one in found {
        match one {
            Ok(formed) => readable.push(formed),
            Err(id) => {
                tracing::error!(item = id, "a debt can't be read and is set aside");
                tx.execute(
                    "UPDATE item SET stage = 3, fault = $2, changed_ms = $3 WHERE id = $1",
                    &[id.into(), UNREADABLE.into(), now_ms.into()],
                )?;
            }
        }
    }
    Ok(readable)
}

/// Why a debt or a message is set aside whose content can't be opened.
pub(super) const UNREADABLE: &str = "前置机中的数据已损坏，请由院内系统重新提交";

/// The message under a name of its own, and the debts marked as being in it.
fn keep_message(
    tx: &mut Tx<'_>,
    vault: &Vault,
    sender: &Sender,
    kind: MessageKind,
    debts: &[Formed],
    now_ms: i64,
) -> Result<(), StoreError> {
    let number = counters::next(tx, "message")?;
    let name = name_of(vault, number);
    let content = content(sender, kind, &name, debts)?;
    insert(
        tx,
        &NewMessage {
            number,
            kind,
            name: &name,
            sealed: &vault.seal(Place::EdgeMessage, content.as_bytes()),
            item_count: debts.len(),
            renamed: 0,
        },
        now_ms,
    )?;
    let stage = match kind {
        MessageKind::Report => Stage::Reporting,
        MessageKind::Update => Stage::Updating,
    };
    let marks: Vec<_> = debts
        .iter()
        .map(|debt| {
            vec![
                debt.id.into(),
                stage.into(),
                number.into(),
                debt.version.into(),
                now_ms.into(),
            ]
        })
        .collect();
    tx.execute_each(
        "UPDATE item SET stage = $2, message_id = $3, sent_version = $4, changed_ms = $5
         WHERE id = $1",
        &marks,
    )?;
    Ok(())
}

/// A message about to be kept.
pub(super) struct NewMessage<'a> {
    pub(super) number: i64,
    pub(super) kind: MessageKind,
    pub(super) name: &'a str,
    pub(super) sealed: &'a [u8],
    pub(super) item_count: usize,
    pub(super) renamed: i64,
}

pub(super) fn insert(
    tx: &mut Tx<'_>,
    message: &NewMessage<'_>,
    now_ms: i64,
) -> Result<(), StoreError> {
    let count = i64::try_from(message.item_count).unwrap_or(i64::MAX);
    tx.execute(
        "INSERT INTO message (id, kind, name, content, item_count, state, due_ms, attempts,
           renamed, created_ms) VALUES ($1, $2, $3, $4, $5, 0, $6, 0, $7, $6)",
        &[
            message.number.into(),
            message.kind.number().into(),
            message.name.into(),
            message.sealed.into(),
            count.into(),
            now_ms.into(),
            message.renamed.into(),
        ],
    )?;
    Ok(())
}

/// 请求批次号: counted, and with a part that not even a copy of this folder on another machine
/// gives a second time.
pub(super) fn name_of(vault: &Vault, number: i64) -> String {
    format!("E{number}-{}", hex::encode(vault.nonce::<6>()))
}

fn content(
    sender: &Sender,
    kind: MessageKind,
    name: &str,
    debts: &[Formed],
) -> Result<String, StoreError> {
    let name: OrgRequestId = part(name)?;
    match kind {
        MessageKind::Report => Ok(wire::write(&ReportRequest {
            orgId: sender.org_id.clone(),
            orgName: sender.org_name.clone(),
            notifyUrl: sender.notify_url.clone(),
            orgRequestId: name,
            unsettleList: Some(persons(debts)),
            extData: None,
        })),
        MessageKind::Update => {
            let owner = debts.first().map(|debt| &debt.row);
            let items: Result<Vec<_>, StoreError> = debts.iter().map(update).collect();
            Ok(wire::write(&UpdateRequest {
                orgId: sender.org_id.clone(),
                idNo: owner.and_then(|row| row.idNo.clone()),
                idType: owner.and_then(|row| row.idType),
                userName: owner.and_then(|row| row.userName.clone()),
                ehealthCardId: owner.and_then(|row| row.ehealthCardId.clone()),
                notifyUrl: sender.notify_url.clone(),
                orgRequestId: name,
                itemList: items?,
                extData: None,
            }))
        }
    }
}

/// Debts of one person stand together; each without a name stands alone.
fn persons(debts: &[Formed]) -> Vec<UnsettledPerson> {
    let mut persons: Vec<(&DebtRow, UnsettledPerson)> = Vec::new();
    for Formed { row, .. } in debts {
        let item = UnsettledItem {
            orgTraceId: row.orgTraceId.clone(),
            medType: row.medType,
            feeType: row.feeType,
            itemName: row.itemName.clone(),
            amount: row.amount,
            actualTime: row.actualTime,
        };
        let same = persons.iter_mut().find(|(other, _)| {
            same_person(other, row)
                && other.userType == row.userType
                && other.mobilePhone == row.mobilePhone
        });
        match same {
            Some((_, person)) => person.itemList.push(item),
            None => persons.push((
                row,
                UnsettledPerson {
                    idNo: row.idNo.clone(),
                    idType: row.idType,
                    userName: row.userName.clone(),
                    ehealthCardId: row.ehealthCardId.clone(),
                    mobilePhone: row.mobilePhone.clone(),
                    userType: row.userType,
                    itemList: vec![item],
                    extData: None,
                },
            )),
        }
    }
    persons.into_iter().map(|(_, person)| person).collect()
}

fn update(debt: &Formed) -> Result<ItemUpdate, StoreError> {
    let trace_id: TraceId = part(debt.trace_id.as_deref().unwrap_or_default())?;
    Ok(ItemUpdate {
        orgTraceId: debt.row.orgTraceId.clone(),
        traceId: trace_id,
        state: state(&debt.state)?,
    })
}

fn part<T: Scalar>(text: &str) -> Result<T, StoreError> {
    T::parse(text)
        .map_err(|invalid| StoreError::Corrupt(format!("part of a message: {}", invalid.0)))
}

fn most_items() -> i64 {
    i64::try_from(MAX_ITEMS_PER_CALL).unwrap_or(i64::MAX)
}

impl MessageKind {
    pub(super) const fn number(self) -> i64 {
        match self {
            Self::Report => 1,
            Self::Update => 2,
        }
    }

    pub(super) const fn from_number(number: i64) -> Option<Self> {
        match number {
            1 => Some(Self::Report),
            2 => Some(Self::Update),
            _ => None,
        }
    }
}
