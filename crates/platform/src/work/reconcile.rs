//! Asking hospitals how their records stand (ORG_001): by night about a sample of each one's unpaid
//! records, those that were not checked for longest first; and whenever a citizen refreshes his
//! list.

use banyan_client::CallFault;
use banyan_protocol::catalogue::Interface;
use banyan_protocol::overdue::org_001::{SettlementReply, SettlementRequest};
use banyan_store::db::StoreError;
use banyan_store::ids::PartnerId;
use banyan_store::overdue::items::{self, UncheckedItem};
use banyan_store::queue::{self, JobEnd, JobKind, LaneState};

use super::lease;
use super::outbound::{self, About};
use crate::app::App;
use crate::directory::Partner;
use crate::overdue::settlement::{self, Settled};

/// How long a lane is held without word: far longer than one question takes.
const LEASE_MS: i64 = 2 * 60_000;
/// A record that changed or was checked within this is not asked about again by night.
const CHECKED_MS: i64 = 20 * 3_600_000;
/// So many failures of the line in a row end the night for a hospital; the next night tries again.
const MOST_FAILURES: u32 = 3;

pub(super) async fn run_lane(app: &App, lane: i64) -> Result<(), StoreError> {
    let Some(lease) = lease::take(app, JobKind::Reconcile, lane, LEASE_MS, 16).await? else {
        return Ok(());
    };
    let partner = app.directory.by_id(PartnerId(lane));
    if let Some(partner) = partner.filter(|partner| partner.active)
        && ask_about_sample(app, &partner).await? == Night::BrokenOff
    {
        // The jobs stay, so that whoever holds the lane next asks about the rest.
        return lease::give_back(app, JobKind::Reconcile, lane, LaneState::WELL).await;
    }
    let ends: Vec<_> = lease
        .jobs
        .iter()
        .map(|job| (job.id, JobEnd::Done))
        .collect();
    let (now_ms, node) = (app.now_ms(), app.node);
    app.db
        .write(move |tx| {
            queue::end(tx, JobKind::Reconcile, &ends, now_ms)?;
            queue::release(tx, JobKind::Reconcile, lane, node, LaneState::WELL)
        })
        .await
}

/// What a night with a hospital came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Night {
    /// It is over.
    Over,
    /// This node stops, or has lost the lane: there may be more to ask.
    BrokenOff,
}

async fn ask_about_sample(app: &App, partner: &Partner) -> Result<Night, StoreError> {
    let before_ms = app.now_ms() - CHECKED_MS;
    let limit = i64::from(app.settings.overdue.reconcile_sample);
    let sample = items::unchecked(&app.db, partner.id, before_ms, limit).await?;
    let (mut asked, mut changed, mut failures) = (0_u32, 0_u32, 0_u32);
    let mut night = Night::Over;
    for item in &sample {
        if app.is_stopping() {
            night = Night::BrokenOff;
            break;
        }
        let (node, lane, until_ms) = (app.node, partner.id.0, app.now_ms() + LEASE_MS);
        let held = app
            .db
            .write(move |tx| queue::hold(tx, JobKind::Reconcile, lane, node, until_ms))
            .await?;
        if !held {
            night = Night::BrokenOff;
            break;
        }
        match ask(app, partner, item).await? {
            Ok(settled) => {
                failures = 0;
                asked += 1;
                changed += u32::from(matches!(settled, Settled::Changed(_)));
            }
            Err(fault) => {
                tracing::info!(partner = &*partner.app_id, %fault, "a hospital did not say how an item stands");
                // An answer that can't be used is about this one item; no answer is about them all.
                if fault.is_retryable() {
                    failures += 1;
                }
                if failures >= MOST_FAILURES {
                    break;
                }
            }
        }
    }
    tracing::info!(
        partner = &*partner.app_id,
        sample = sample.len(),
        asked,
        changed,
        "reconciled"
    );
    Ok(night)
}

/// Asks a hospital about one record and takes its word.
///
/// # Errors
/// Any [`StoreError`]; inside, the fault of the call.
pub async fn ask(
    app: &App,
    partner: &Partner,
    item: &UncheckedItem,
) -> Result<Result<Settled, CallFault>, StoreError> {
    let Some(url) = &partner.settlement_url else {
        return Ok(Ok(Settled::Unchanged));
    };
    let question = settlement::question(partner, item)?;
    let reply: Result<SettlementReply, CallFault> =
        outbound::call::<SettlementRequest, _>(app, partner, Interface::Org001, url, &question)
            .await;
    let result = match &reply {
        Ok(reply) => reply.state.code(),
        Err(fault) => outbound::result_of(fault),
    };
    let about = About {
        subject: Some(item.id.to_string()),
        ..About::default()
    };
    let entry = outbound::entry(app, partner, Interface::Org001, result, about).await?;
    match reply {
        Ok(reply) => Ok(Ok(settlement::take_word(app, item, &reply, entry).await?)),
        Err(fault) => {
            settlement::note_unanswered(app, item, entry).await?;
            Ok(Err(fault))
        }
    }
}
