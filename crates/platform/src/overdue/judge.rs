//! Judging a batch: each item becomes a record, a change to one, or a rejection with its reason.
//!
//! Everything that can be worked out beforehand (opening the message, checking identities, sealing
//! persons) is done outside the transaction; inside it each item is held against what is already
//! kept, and records, outcome, callback and the end of the job commit together.

use std::collections::HashMap;

use banyan_protocol::dictionaries::ItemState;
use banyan_protocol::overdue::org_mdl_001::{ReportRequest, UnsettledItem};
use banyan_protocol::overdue::org_mdl_003::{ItemUpdate, UpdateRequest};
use banyan_protocol::wire::{self, Scalar as _};
use banyan_store::db::{StoreError, Tx};
use banyan_store::health_card::reviews::{self, Contradiction};
use banyan_store::ids::{BatchId, HealthCardPersonId, ItemId, JobId, ReviewId};
use banyan_store::overdue::batches::{self, Batch, BatchKind};
use banyan_store::overdue::corrections;
use banyan_store::overdue::items::{self, Cause, Change, Content, Item, Owner, State};
use banyan_store::queue::{self, JobEnd, JobKind, NewJob};
use banyan_store::vault::{Place, Vault};

use super::from_wire;
use super::outcome::Outcome;
use super::person::{Claimed, Registry, owner};
use crate::app::App;

/// A visit may be booked for later today by a clock that runs ahead, but no debt is from tomorrow.
const AHEAD_MS: i64 = 86_400_000;

const CHANGED_MEANWHILE: &str = "该记录的状态刚被其他操作变更，请查询后重试";

/// Judges a batch, once: if it was judged already, only the job ends.
///
/// # Errors
/// Any [`StoreError`]; [`StoreError::Corrupt`] where the kept message can't be read, which no
/// repetition will change.
pub async fn judge(app: &App, batch: BatchId, job: JobId) -> Result<(), StoreError> {
    let now_ms = app.now_ms();
    let Some((batch, sealed)) = batches::waiting_content(&app.db, batch).await? else {
        return app
            .db
            .write(move |tx| queue::end(tx, JobKind::Judge, &[(job, JobEnd::Done)], now_ms))
            .await;
    };
    let docket = Docket::prepare(app, batch, &sealed, now_ms).await?;
    let ids = app.ids.take(docket.most_ids()).await?;
    let judged = app
        .db
        .write(move |tx| -> Result<Option<Outcome>, StoreError> {
            let mut ids = ids.clone();
            let batch = &docket.batch;
            if !batches::take_for_judging(tx, batch.id, now_ms)? {
                queue::end(tx, JobKind::Judge, &[(job, JobEnd::Done)], now_ms)?;
                return Ok(None);
            }
            let outcome = docket.judge(tx, &mut ids)?;
            docket.keep_contradictions(tx)?;
            batches::keep_outcome(tx, batch.id, &outcome.write())?;
            let callback = NewJob {
                id: JobId(next(&mut ids)?),
                kind: JobKind::Callback,
                lane: batch.partner.0,
                subject: batch.id.0,
                due_ms: now_ms,
            };
            queue::leave(tx, &callback, now_ms)?;
            queue::end(tx, JobKind::Judge, &[(job, JobEnd::Done)], now_ms)?;
            Ok(Some(outcome))
        })
        .await?;
    if let Some(outcome) = judged {
        let (kept, rejected) = outcome.counts();
        app.meters.judged(kept, rejected);
        app.wake(JobKind::Callback);
    }
    Ok(())
}

/// A batch with everything that can be known of it beforehand.
struct Docket {
    batch: Batch,
    now_ms: i64,
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

/// An item of a report: a record as it would be kept, or why it can't be.
struct Reported {
    org_trace_id: String,
    record: Result<(Owner, Content), &'static str>,
}

impl Docket {
    async fn prepare(
        app: &App,
        batch: Batch,
        sealed: &[u8],
        now_ms: i64,
    ) -> Result<Self, StoreError> {
        let corrupt = || StoreError::Corrupt(format!("the content of batch {}", batch.id));
        let content = app.vault.open(Place::BatchContent, sealed)?;
        let json = std::str::from_utf8(&content).map_err(|_| corrupt())?;
        let (case, contradicting) = match batch.kind {
            BatchKind::Report => {
                let request: ReportRequest = wire::read(json).map_err(|_| corrupt())?;
                let claims: Vec<_> = request.persons().iter().map(Claimed::of_report).collect();
                let registry = Registry::look_up(app, &claims).await?;
                let case = Case::Report(reported(app, &registry, &request, now_ms));
                (case, registry.contradictions(&app.vault, &claims))
            }
            BatchKind::Update => {
                let request: UpdateRequest = wire::read(json).map_err(|_| corrupt())?;
                let claims = [Claimed::of_update(&request)];
                let registry = Registry::look_up(app, &claims).await?;
                let [claimed] = &claims;
                let owner = owner(&app.vault, &registry, claimed);
                let contradicting = registry.contradictions(&app.vault, &claims);
                let items = request.itemList;
                (Case::Update { items, owner }, contradicting)
            }
        };
        let mut contradictions = Vec::with_capacity(contradicting.len());
        for (person, claimed) in contradicting {
            let id = ReviewId(app.person_ids.next().await?);
            contradictions.push((id, person, claimed));
        }
        let partner = app.directory.by_id(batch.partner);
        Ok(Self {
            source: partner.map_or_else(String::new, |partner| partner.app_id.to_string()),
            batch,
            now_ms,
            case,
            contradictions,
            vault: app.vault.clone(),
        })
    }

    fn keep_contradictions(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
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

    /// For each reported item a record or a change, for each updated one a change of its state,
    /// one of its person and the job of its revocation, and one for the callback.
    fn most_ids(&self) -> usize {
        match &self.case {
            Case::Report(items) => items.len() + 1,
            Case::Update { items, .. } => items.len() * 3 + 1,
        }
    }

    fn judge(&self, tx: &mut Tx<'_>, ids: &mut Ids) -> Result<Outcome, StoreError> {
        match &self.case {
            Case::Report(items) => self.judge_report(tx, ids, items),
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

    fn judge_report(
        &self,
        tx: &mut Tx<'_>,
        ids: &mut Ids,
        reported: &[Reported],
    ) -> Result<Outcome, StoreError> {
        let mut outcome = Outcome::default();
        let numbers = reported.iter().map(|item| item.org_trace_id.as_str());
        let kept = items::by_org_trace_ids(tx, self.batch.partner, numbers)?;
        let mut new: Vec<ItemId> = Vec::with_capacity(reported.len());
        // How each item of this batch stands by now: one message may name an item twice.
        let mut standing: HashMap<&str, Item> = HashMap::with_capacity(reported.len());
        for (item, kept) in reported.iter().zip(kept) {
            let number = item.org_trace_id.as_str();
            let (owner, content) = match &item.record {
                Ok(record) => record,
                Err(reason) => {
                    outcome.reject(number, *reason);
                    continue;
                }
            };
            let repeated = standing.contains_key(number);
            let after = match standing.get(number).or(kept.as_ref()) {
                None => {
                    let record = Item {
                        id: ItemId(next(ids)?),
                        partner: self.batch.partner,
                        org_trace_id: number.to_owned(),
                        owner: owner.clone(),
                        content: content.clone(),
                        state: State::Unpaid,
                    };
                    new.push(record.id);
                    Ok(record)
                }
                Some(before) => self.report_again(tx, ids, before, owner, content)?,
            };
            match after {
                Ok(record) => {
                    // Twice in one message is once in its outcome.
                    if !repeated {
                        outcome.take(record.id);
                    }
                    standing.insert(number, record);
                }
                Err(reason) => outcome.reject(number, reason),
            }
        }
        let records: Vec<&Item> = standing
            .values()
            .filter(|record| new.contains(&record.id))
            .collect();
        items::insert(tx, &records, self.batch.id, self.now_ms)?;
        Ok(outcome)
    }

    /// Reports an item that is kept already; gives how it stands then, or why it was left alone.
    fn report_again(
        &self,
        tx: &mut Tx<'_>,
        ids: &mut Ids,
        before: &Item,
        owner: &Owner,
        content: &Content,
    ) -> Result<Result<Item, &'static str>, StoreError> {
        let same_person = before.owner.person == owner.person;
        Ok(match before.state {
            State::Unpaid if before.content == *content && same_person => {
                if owner.real_name && !before.owner.real_name {
                    Err("该记录为非实名，转实名请调用 ORG_MDL_003（状态 0）")
                } else {
                    Ok(before.clone())
                }
            }
            State::Unpaid => Err("该 orgTraceId 已上报且内容不同；如需更正，请先撤销再重新上报"),
            State::Paid => Err("该记录已缴清，不可再次上报"),
            State::Revoked
                if before.content == *content
                    && same_person
                    && items::was_revoked_by_appeal(tx, before.id)? =>
            {
                Err("患者对该记录的申诉已核实成立，不可原样再次上报；如确有欠费，请更正内容后上报")
            }
            State::Revoked => {
                let record = Item {
                    owner: owner.clone(),
                    content: content.clone(),
                    state: State::Unpaid,
                    ..before.clone()
                };
                let change = self.change(ids, before, State::Unpaid, Cause::ReportedAnew)?;
                if items::report_anew(tx, &change, &record, self.batch.id, self.now_ms)? {
                    Ok(record)
                } else {
                    Err(CHANGED_MEANWHILE)
                }
            }
        })
    }

    fn judge_update(
        &self,
        tx: &mut Tx<'_>,
        ids: &mut Ids,
        updates: &[ItemUpdate],
        owner: &Owner,
    ) -> Result<Outcome, StoreError> {
        let mut outcome = Outcome::default();
        let numbers = updates.iter().map(|update| update.orgTraceId.as_str());
        let kept = items::by_org_trace_ids(tx, self.batch.partner, numbers)?;
        // One message may name an item twice; the second time it stands as the first left it.
        let mut standing: HashMap<&str, Item> = HashMap::new();
        for (update, kept) in updates.iter().zip(kept) {
            let number = update.orgTraceId.as_str();
            let before = match (standing.remove(number), kept) {
                (Some(item), _) | (None, Some(item)) => item,
                (None, None) => {
                    outcome.reject(number, "未找到该记录：尚未上报、仍在处理或未通过");
                    continue;
                }
            };
            match self.update(tx, ids, update, &before, owner)? {
                Ok(after) => {
                    outcome.take(after.id);
                    standing.insert(number, after);
                }
                Err(reason) => {
                    outcome.reject(number, reason);
                    standing.insert(number, before);
                }
            }
        }
        Ok(outcome)
    }

    /// Updates one record; gives how it stands then, or why it was left alone.
    fn update(
        &self,
        tx: &mut Tx<'_>,
        ids: &mut Ids,
        update: &ItemUpdate,
        before: &Item,
        owner: &Owner,
    ) -> Result<Result<Item, &'static str>, StoreError> {
        if update.traceId.as_str() != before.id.to_string() {
            return Ok(Err("traceId 与 orgTraceId 不对应"));
        }
        if before.owner.real_name {
            if !owner.real_name {
                return Ok(Err(
                    "实名记录须提供 idNo、idType、userName 与 ehealthCardId",
                ));
            }
            if before.owner.person != owner.person {
                return Ok(Err("证件信息与该记录不符"));
            }
        }
        let to = from_wire(update.state);
        let naming = owner.real_name && !before.owner.real_name;
        let moving = before.state != to;
        if update.state == ItemState::Unpaid && moving {
            return Ok(Err("状态不可改回欠费；撤销的记录可重新上报"));
        }
        if update.state == ItemState::Unpaid && !naming && !before.owner.real_name {
            return Ok(Err("状态 0 仅用于非实名转实名，须提供完整实名信息"));
        }
        if moving && before.state != State::Unpaid {
            return Ok(Err("该记录已缴清或已撤销，状态不可再变更"));
        }
        let mut after = before.clone();
        if moving {
            let change = self.change(ids, before, to, Cause::Update)?;
            if !items::change_state(tx, &change, self.now_ms)? {
                return Ok(Err(CHANGED_MEANWHILE));
            }
            if to == State::Revoked {
                corrections::note_revoked(tx, &change, JobId(next(ids)?), self.now_ms)?;
            }
            after.state = to;
        }
        if naming {
            let change = self.change(ids, &after, after.state, Cause::RealName)?;
            items::make_real_name(tx, &change, owner, self.now_ms)?;
            after.owner = owner.clone();
        }
        Ok(Ok(after))
    }

    fn change(
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

type Ids = std::ops::Range<i64>;

fn next(ids: &mut Ids) -> Result<i64, StoreError> {
    ids.next()
        .ok_or_else(|| StoreError::Corrupt("a batch used more ids than it has items".to_owned()))
}

/// The items of a report, each checked as far as it can be without its own record.
fn reported(app: &App, registry: &Registry, request: &ReportRequest, now_ms: i64) -> Vec<Reported> {
    let mut all = Vec::new();
    for person in request.persons() {
        let owner = owner(&app.vault, registry, &Claimed::of_report(person));
        for item in &person.itemList {
            let record = within_scheme(app, item, now_ms).and_then(|()| {
                let content = Content {
                    user_type: person.userType.code().to_owned(),
                    med_type: item.medType.code().to_owned(),
                    fee_type: item.feeType.code().to_owned(),
                    item_name: item.itemName.render().into_owned(),
                    amount_fen: item.amount.fen(),
                    actual_ms: item.actualTime.epoch_ms(),
                };
                Ok((owner.clone()?, content))
            });
            all.push(Reported {
                org_trace_id: item.orgTraceId.as_str().to_owned(),
                record,
            });
        }
    }
    all
}

fn within_scheme(app: &App, item: &UnsettledItem, now_ms: i64) -> Result<(), &'static str> {
    if app.settings.overdue.emergency_excluded && item.medType.is_emergency() {
        return Err("急诊相关业务暂不列入先诊疗后付费范围");
    }
    if item.actualTime.epoch_ms() > now_ms + AHEAD_MS {
        return Err("产生时间晚于当前时间");
    }
    Ok(())
}
