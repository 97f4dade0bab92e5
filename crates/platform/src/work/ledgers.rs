//! What is done with the insurers' ledgers by the clock: what is older than it may be kept is
//! removed, and what cases say of illnesses is found again when the table of diagnoses was replaced.
//!
//! Both walk over a ledger a chunk at a time; how far a walk has come commits with what the chunk
//! did, so that whoever goes on with it, on whichever node, begins there.

use std::collections::BTreeMap;

use banyan_protocol::ambient::DAY_MS;
use banyan_store::db::{StoreError, Tx};
use banyan_store::ids::PartnerId;
use banyan_store::journal::{self, OperatorAct};
use banyan_store::partners;
use banyan_store::supplement::learning::{Again, derive_again};
use banyan_store::supplement::walks::{self, Walk};
use banyan_store::supplement::{Pruned, cases, claims, medicine_box, past_illness, payments};

use super::schedule::{CHUNK, CHUNKS, in_pieces};
use crate::app::App;
use crate::supplement::ledgers::Ledger;
use crate::supplement::reading;

/// Who acts in the operators' audit where no operator did.
const ACTOR: &str = "banyan";
/// The walk over the cases for another table of diagnoses.
const DERIVATION: &str = "illness map";
/// Cases read again in one transaction: opening them takes most of the time, and that before it.
const CASES: u32 = 500;

/// Removes what is older than `retention.ledger_months`, if that is set.
pub(super) async fn retain(app: &App) -> Result<(), StoreError> {
    let Some(months) = app.settings.retention.ledger_months else {
        return Ok(());
    };
    let before_ms = app.now_ms() - i64::from(months.get()) * 31 * DAY_MS;
    for ledger in [
        Ledger::Claims,
        Ledger::Cases,
        Ledger::Payments,
        Ledger::MedicineBox,
    ] {
        retain_one(app, ledger, before_ms).await?;
    }
    in_pieces(app, CHUNKS, || async {
        let gone = app
            .db
            .write(move |tx| past_illness::prune_ended(tx, before_ms, CHUNK))
            .await?;
        Ok(gone > 0)
    })
    .await
}

async fn retain_one(app: &App, ledger: Ledger, before_ms: i64) -> Result<(), StoreError> {
    let name = format!("retention of {}", ledger.name());
    let mut walk = walks::read(&app.db, &name).await?.unwrap_or_default();
    for _ in 0..CHUNKS {
        if app.is_stopping() {
            break;
        }
        let act = act(app, "supplement.retention", ledger.name().to_owned()).await?;
        let (name, from) = (name.clone(), walk.clone());
        let (to, next) = app
            .db
            .write(move |tx| -> Result<_, StoreError> {
                let pruned = prune(tx, ledger, before_ms, from.after)?;
                let removed = i64::try_from(pruned.records).unwrap_or(i64::MAX);
                let to = Walk {
                    // Once through, it begins anew: what was young then may be old the next time.
                    after: pruned.next.unwrap_or(0),
                    ended: from.ended.saturating_add(removed),
                    ..from.clone()
                };
                if to != from {
                    walks::put(tx, &name, &to, act.at_ms)?;
                }
                if removed > 0 {
                    let act = OperatorAct {
                        detail: format!("{removed} records, last word before {before_ms}"),
                        ..act.clone()
                    };
                    journal::note_operator(tx, &act)?;
                }
                Ok((to, pruned.next))
            })
            .await?;
        walk = to;
        if next.is_none() {
            break;
        }
    }
    Ok(())
}

fn prune(
    tx: &mut Tx<'_>,
    ledger: Ledger,
    before_ms: i64,
    after: i64,
) -> Result<Pruned, StoreError> {
    match ledger {
        Ledger::Claims => claims::prune(tx, before_ms, after, CHUNK),
        Ledger::Cases => cases::prune(tx, before_ms, after, CHUNK),
        Ledger::Payments => payments::prune(tx, before_ms, after, CHUNK),
        Ledger::MedicineBox => medicine_box::prune(tx, before_ms, after, CHUNK),
    }
}

/// Has the cases read again if the table of diagnoses is another than the last time. Called once
/// when a platform opens: of nodes that begin with different tables the last one counts.
///
/// # Errors
/// Any [`StoreError`].
pub(crate) async fn begin_derivation(app: &App) -> Result<(), StoreError> {
    let goal = app.illnesses.code().to_owned();
    let walk = walks::read(&app.db, DERIVATION).await?;
    if walk.is_some_and(|walk| walk.goal == goal) {
        return Ok(());
    }
    let first = cases::page(&app.db, &app.vault, 0, 1).await?;
    let walk = Walk {
        goal,
        // A registry that no case ever fed is no other by another table, and no news.
        done: first.records.is_empty(),
        ..Walk::default()
    };
    let (source, version) = app.illnesses.origin();
    let act = OperatorAct {
        detail: "begun".to_owned(),
        ..act(app, "illness.derive", version.to_owned()).await?
    };
    if !walk.done {
        tracing::info!(
            source,
            version,
            "the table of diagnoses is new: cases are read again"
        );
    }
    app.db
        .write(move |tx| -> Result<(), StoreError> {
            walks::put(tx, DERIVATION, &walk, act.at_ms)?;
            if walk.done {
                return Ok(());
            }
            journal::note_operator(tx, &act)
        })
        .await
}

/// Goes on with reading cases again, if there is anything left to read by this node's table.
pub(super) async fn derive(app: &App) -> Result<(), StoreError> {
    let Some(mut walk) = walks::read(&app.db, DERIVATION).await? else {
        return Ok(());
    };
    if walk.done || walk.goal != app.illnesses.code() {
        return Ok(());
    }
    let partners = partners::all(&app.db, &app.vault, app.now_ms()).await?;
    let app_ids: BTreeMap<PartnerId, String> = partners
        .into_iter()
        .map(|partner| (partner.id, partner.profile.app_id))
        .collect();
    for _ in 0..CHUNKS {
        if walk.done || app.is_stopping() {
            break;
        }
        walk = derive_chunk(app, &app_ids, walk).await?;
    }
    Ok(())
}

async fn derive_chunk(
    app: &App,
    app_ids: &BTreeMap<PartnerId, String>,
    from: Walk,
) -> Result<Walk, StoreError> {
    let page = cases::page(&app.db, &app.vault, from.after, CASES).await?;
    let walked = i64::try_from(page.records.len()).unwrap_or(i64::MAX);
    let after = page.records.last().map_or(from.after, |record| record.id);
    let again: Vec<Again> = page
        .records
        .iter()
        .map(|record| Again {
            case_id: record.id,
            version: record.version,
            learnt: reading::learnt(&app.vault, &app.illnesses, &record.content),
            by_whom: app_ids.get(&record.partner).cloned().unwrap_or_default(),
        })
        .collect();
    let version = app.illnesses.origin().1.to_owned();
    let act = act(app, "illness.derive", version.clone()).await?;
    app.db
        .write(move |tx| -> Result<Walk, StoreError> {
            let derived = derive_again(tx, &again, &version, act.at_ms)?;
            let to = Walk {
                after,
                walked: from.walked.saturating_add(walked),
                added: from.added.saturating_add_unsigned(derived.added),
                ended: from.ended.saturating_add_unsigned(derived.ended),
                done: page.next.is_none(),
                ..from.clone()
            };
            if !walks::advance(tx, DERIVATION, &from, &to, act.at_ms)? {
                // Another table came meanwhile, or another node was taken for dead and is not.
                return Err(StoreError::Conflict {
                    constraint: DERIVATION.to_owned(),
                });
            }
            if to.done {
                let (walked, added, ended) = (to.walked, to.added, to.ended);
                let act = OperatorAct {
                    detail: format!("{walked} cases: {added} added, {ended} ended"),
                    ..act.clone()
                };
                journal::note_operator(tx, &act)?;
            }
            Ok(to)
        })
        .await
}

async fn act(app: &App, action: &'static str, target: String) -> Result<OperatorAct, StoreError> {
    Ok(OperatorAct {
        id: app.ids.next().await?,
        at_ms: app.now_ms(),
        actor: ACTOR.to_owned(),
        action,
        target,
        detail: String::new(),
    })
}
