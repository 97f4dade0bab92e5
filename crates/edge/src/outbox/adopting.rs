//! Debts that the HIS reported or updated by a message of its own (`/v1/call`): the ledger takes
//! them over, so that it answers for them too.

use banyan_protocol::overdue::org_mdl_001::ReportRequest;
use banyan_protocol::overdue::org_mdl_003::UpdateRequest;
use banyan_protocol::wire;
use banyan_store::db::{StoreError, Tx};
use banyan_store::vault::{Place, Vault};

use super::forming::{MessageKind, NewMessage, insert};
use super::items::{Stage, code_of};
use super::{Outbox, counters};
use crate::rows::{self, DebtRow};

impl Outbox {
    /// A report that the platform has accepted.
    pub(crate) async fn adopt_report(
        &self,
        request: ReportRequest,
        now_ms: i64,
        follow_up_ms: i64,
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
                let number = message(tx, &vault, name, &request, rows.len(), now_ms)?;
                tx.execute(
                    "UPDATE message SET state = 1, accepted_ms = $2, due_ms = $3
                     WHERE id = $1 AND state = 0",
                    &[number.into(), now_ms.into(), follow_up_ms.into()],
                )?;
                for row in rows {
                    let json = wire::write(&row);
                    let code = row
                        .idType
                        .zip(row.idNo.as_ref())
                        .map(|(id_type, id_no)| code_of(&vault, id_type, id_no).0.to_vec());
                    tx.execute(
                        "INSERT INTO item (org_trace_id, batch_id, content, content_code,
                           person_code, stage, his_state, version, sent_version, due_ms,
                           message_id, changed_ms)
                         VALUES ($1, 0, $2, $3, $4, $5, '0', 1, 1, $6, $7, $6)
                         ON CONFLICT (org_trace_id) DO NOTHING",
                        &[
                            row.orgTraceId.as_str().into(),
                            (&vault.seal(Place::EdgeItem, json.as_bytes())).into(),
                            (&vault.content_code(json.as_bytes())).into(),
                            code.into(),
                            Stage::Reporting.into(),
                            now_ms.into(),
                            number.into(),
                        ],
                    )?;
                }
                Ok(())
            })
            .await
    }

    /// An update that the platform has accepted.
    pub(crate) async fn adopt_update(
        &self,
        request: UpdateRequest,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        self.db
            .write(move |tx| {
                for item in &request.itemList {
                    tx.execute(
                        "UPDATE item SET his_state = $2, trace_id = COALESCE(trace_id, $3),
                           changed_ms = $4 WHERE org_trace_id = $1",
                        &[
                            item.orgTraceId.as_str().into(),
                            item.state.code().into(),
                            item.traceId.as_str().into(),
                            now_ms.into(),
                        ],
                    )?;
                }
                Ok(())
            })
            .await
    }
}

/// The number of the message with this name, kept now where it was not.
fn message(
    tx: &mut Tx<'_>,
    vault: &Vault,
    name: &str,
    request: &ReportRequest,
    item_count: usize,
    now_ms: i64,
) -> Result<i64, StoreError> {
    let known = tx.query_opt(
        "SELECT id FROM message WHERE name = $1",
        &[name.into()],
        |row| row.get::<i64>(0),
    )?;
    if let Some(id) = known {
        return Ok(id);
    }
    let number = counters::next(tx, "message")?;
    let message = NewMessage {
        number,
        kind: MessageKind::Report,
        name,
        sealed: &vault.seal(Place::EdgeMessage, wire::write(request).as_bytes()),
        item_count,
        renamed: 0,
    };
    insert(tx, &message, now_ms)?;
    Ok(number)
}
