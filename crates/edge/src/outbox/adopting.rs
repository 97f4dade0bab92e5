//! Debts that the HIS reported or updated by a message of its own (`/v1/call`): the ledger takes
//! them over with the message, so that outcomes, later updates and the platform's questions find
//! them as any other.

use banyan_protocol::dictionaries::ItemState;
use banyan_protocol::overdue::org_mdl_001::ReportRequest;
use banyan_protocol::overdue::org_mdl_003::UpdateRequest;
use banyan_protocol::wire::{self, Message};
use banyan_store::db::{StoreError, Tx};
use banyan_store::vault::{Place, Vault};

use super::forming::{MessageKind, NewMessage, insert};
use super::items::{Stage, open_content, person_code};
use super::{Outbox, counters};
use crate::rows::{self, DebtRow};

/// When the platform accepted a message, and when to ask about it if it tells nothing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Accepted {
    pub(crate) now_ms: i64,
    pub(crate) follow_up_ms: i64,
}

impl Outbox {
    /// A report that the platform has accepted.
    pub(crate) async fn adopt_report(
        &self,
        request: ReportRequest,
        at: Accepted,
    ) -> Result<(), StoreError> {
        let vault = self.vault.clone();
        self.db
            .write(move |tx| {
                let rows: Vec<DebtRow> = request
                    .persons()
                    .iter()
                    .cloned()
                    .flat_map(rows::of_person)
                    .collect();
                let name = request.orgRequestId.as_str();
                let message = MessageKind::Report;
                let Some(number) = keep(tx, &vault, message, name, &request, rows.len(), at)?
                else {
                    return Ok(());
                };
                for row in rows {
                    let json = wire::write(&row);
                    // What the edge itself is reporting, or knows to be unpaid, stays as it is.
                    tx.execute(
                        "INSERT INTO item (org_trace_id, batch_id, content, content_code,
                           person_code, stage, his_state, version, sent_version, due_ms,
                           message_id, changed_ms)
                         VALUES ($1, 0, $2, $3, $4, 1, '0', 1, 1, $5, $6, $5)
                         ON CONFLICT (org_trace_id) DO UPDATE SET content = $2, content_code = $3,
                           person_code = $4, claim = NULL, claim_person = NULL, stage = 1,
                           his_state = '0', version = item.version + 1,
                           sent_version = item.version + 1, message_id = $6, fault = NULL,
                           changed_ms = $5
                         WHERE item.stage IN (0, 3, 4)
                           OR (item.stage = 2 AND item.platform_state = '2')",
                        &[
                            row.orgTraceId.as_str().into(),
                            (&vault.seal(Place::EdgeItem, json.as_bytes())).into(),
                            (&vault.content_code(json.as_bytes())).into(),
                            person_code(&vault, &row).into(),
                            at.now_ms.into(),
                            number.into(),
                        ],
                    )?;
                }
                Ok(())
            })
            .await
    }

    /// An update that the platform has accepted; what becomes of it is told as of any other.
    pub(crate) async fn adopt_update(
        &self,
        request: UpdateRequest,
        at: Accepted,
    ) -> Result<(), StoreError> {
        let vault = self.vault.clone();
        self.db
            .write(move |tx| {
                let (name, count) = (request.orgRequestId.as_str(), request.itemList.len());
                let message = MessageKind::Update;
                let Some(number) = keep(tx, &vault, message, name, &request, count, at)? else {
                    return Ok(());
                };
                for item in &request.itemList {
                    adopt_one(
                        tx,
                        &vault,
                        &request,
                        item.orgTraceId.as_str(),
                        item.state,
                        number,
                        at,
                    )?;
                }
                Ok(())
            })
            .await
    }
}

fn adopt_one(
    tx: &mut Tx<'_>,
    vault: &Vault,
    request: &UpdateRequest,
    org_trace_id: &str,
    state: ItemState,
    message: i64,
    at: Accepted,
) -> Result<(), StoreError> {
    let found = tx.query_opt(
        "SELECT id, content FROM item WHERE org_trace_id = $1 AND stage IN (1, 2, 5)",
        &[org_trace_id.into()],
        |row| Ok((row.get::<i64>(0)?, row.get::<Vec<u8>>(1)?)),
    )?;
    let Some((id, content)) = found else {
        return Ok(());
    };
    let debt = open_content(vault, &content)?;
    // A name that the message gives is a claim until the platform has taken it.
    let named = DebtRow {
        idNo: request.idNo.clone(),
        idType: request.idType,
        userName: request.userName.clone(),
        ehealthCardId: request.ehealthCardId.clone(),
        ..debt.clone()
    };
    let gives_name = debt.ehealthCardId.is_none() && named.ehealthCardId.is_some();
    let claim = gives_name.then(|| vault.seal(Place::EdgeItem, wire::write(&named).as_bytes()));
    let person = gives_name.then(|| person_code(vault, &named)).flatten();
    tx.execute(
        "UPDATE item SET stage = $2, message_id = $3, version = version + 1,
           sent_version = version + 1, fault = NULL, claim = $4, claim_person = $5,
           his_state = CASE WHEN $6 = '0' THEN his_state ELSE $6 END, changed_ms = $7
         WHERE id = $1",
        &[
            id.into(),
            Stage::Updating.into(),
            message.into(),
            claim.into(),
            person.into(),
            state.code().into(),
            at.now_ms.into(),
        ],
    )?;
    Ok(())
}

/// The number of the message with this name, kept now; `None` where it was kept before, and its
/// debts with it.
fn keep(
    tx: &mut Tx<'_>,
    vault: &Vault,
    kind: MessageKind,
    name: &str,
    request: &impl Message,
    item_count: usize,
    at: Accepted,
) -> Result<Option<i64>, StoreError> {
    let known = tx.query_opt(
        "SELECT id FROM message WHERE name = $1",
        &[name.into()],
        |row| row.get::<i64>(0),
    )?;
    if known.is_some() {
        return Ok(None);
    }
    let number = counters::next(tx, "message")?;
    let message = NewMessage {
        number,
        kind,
        name,
        sealed: &vault.seal(Place::EdgeMessage, wire::write(request).as_bytes()),
        item_count,
        renamed: 0,
    };
    insert(tx, &message, at.now_ms)?;
    tx.execute(
        "UPDATE message SET state = 1, accepted_ms = $2, due_ms = $3 WHERE id = $1",
        &[number.into(), at.now_ms.into(), at.follow_up_ms.into()],
    )?;
    Ok(Some(number))
}
