//! A batch about to be judged, with everything that can be known of it beforehand.

use std::sync::Arc;

use banyan_protocol::overdue::org_mdl_003::ItemUpdate;
use banyan_store::db::{StoreError, Tx};
use banyan_store::health_card::reviews::{self, Contradiction};
use banyan_store::ids::{HealthCardPersonId, ReviewId};
use banyan_store::overdue::batches::Batch;
use banyan_store::overdue::items::{Cause, Change, Item, Owner, State};
use banyan_store::vault::Vault;

use super::report::{self, Laid, Reported};
use super::{Ids, next};
use crate::app::App;
use crate::overdue::fresh::TakenIn;
use crate::overdue::message::Message;
use crate::overdue::outcome::Outcome;
use crate::overdue::person::{Claimed, Registry, owner};

/// A batch with everything that can be known of it beforehand.
pub(super) struct Docket {
    pub(super) batch: Batch,
    pub(super) now_ms: i64,
    case: Case,
    /// Claims that give a registered person another name.
    contradictions: Vec<(ReviewId, HealthCardPersonId, reviews::Claimed)>,
    vault: Vault,
    /// Who sent the batch, as reviews name it.
    source: String,
}

enum Case {
    Report(Vec<Reported>),
    Update {
        items: Vec<ItemUpdate>,
        owner: Result<Owner, &'static str>,
    },
}

impl Docket {
    /// Looks everybody up whom the messages name.
    pub(super) async fn prepare(
        app: &App,
        taken: &[Arc<TakenIn>],
        now_ms: i64,
    ) -> Result<Vec<Self>, StoreError> {
        let claims: Vec<_> = taken
            .iter()
            .flat_map(|taken| taken.message.claims())
            .collect();
        let registry = Registry::look_up(app, &claims).await?;
        let mut dockets = Vec::with_capacity(taken.len());
        for taken in taken {
            dockets.push(Self::of(app, taken, &registry, now_ms).await?);
        }
        Ok(dockets)
    }

    async fn of(
        app: &App,
        TakenIn { batch, message }: &TakenIn,
        registry: &Registry,
        now_ms: i64,
    ) -> Result<Self, StoreError> {
        let case = match message {
            Message::Report(request) => {
                Case::Report(report::checked(app, registry, request, now_ms))
            }
            Message::Update(request) => Case::Update {
                items: request.itemList.clone(),
                owner: owner(&app.vault, registry, &Claimed::of_update(request)),
            },
        };
        let contradicting = registry.contradictions(&app.vault, &message.claims());
        let mut contradictions = Vec::with_capacity(contradicting.len());
        for (person, claimed) in contradicting {
            let id = ReviewId(app.person_ids.next().await?);
            contradictions.push((id, person, claimed));
        }
        let partner = app.directory.by_id(batch.partner);
        Ok(Self {
            source: partner.map_or_else(String::new, |partner| partner.app_id.to_string()),
            batch: batch.clone(),
            now_ms,
            case,
            contradictions,
            vault: app.vault.clone(),
        })
    }

    /// The items of a report.
    pub(super) fn reported(&self) -> &[Reported] {
        match &self.case {
            Case::Report(items) => items,
            Case::Update { .. } => &[],
        }
    }

    pub(super) fn keep_contradictions(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        for (id, person, claimed) in &self.contradictions {
            let contradiction = Contradiction {
                id: *id,
                kind: reviews::Kind::Name,
                person: *person,
                claimed,
                source: &self.source,
            };
            reviews::keep(tx, &self.vault, &contradiction, self.now_ms)?;
        }
        Ok(())
    }

    /// For each reported item a record, and a change where it is kept already; for each updated one a change of its state,
    /// one of its person and the job of its revocation, and one for the callback.
    pub(super) fn most_ids(&self) -> usize {
        match &self.case {
            Case::Report(items) => items.len() * 2 + 1,
            Case::Update { items, .. } => items.len() * 3 + 1,
        }
    }

    pub(super) fn judge<'a>(
        &'a self,
        tx: &mut Tx<'_>,
        ids: &mut Ids,
        laid: &mut Laid<'a>,
    ) -> Result<Outcome, StoreError> {
        match &self.case {
            Case::Report(items) => self.judge_report(tx, ids, items, laid),
            Case::Update { items, owner } => match owner {
                Ok(owner) => self.judge_update(tx, ids, items, owner),
                Err(reason) => {
                    let mut outcome = Outcome::default();
                    for item in items {
                        outcome.reject(item.orgTraceId.as_str(), *reason);
                    }
                    Ok(outcome)
                }
            },
        }
    }

    /// A change of an item by this batch.
    pub(super) fn change(
        &self,
        ids: &mut Ids,
        item: &Item,
        to: State,
        cause: Cause,
    ) -> Result<Change, StoreError> {
        Ok(Change {
            id: next(ids)?,
            item: item.id,
            from: item.state,
            to,
            cause,
            batch: Some(self.batch.id),
        })
    }
}
