//! Judging a batch: each item becomes a record, a change to one, or a rejection with its reason.
//!
//! Everything that can be worked out beforehand (opening the message, checking identities, sealing
//! persons) is done outside the transaction; inside it each item is held against what is already
//! kept, and records, outcome, callback and the end of the job commit together.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use banyan_protocol::dictionaries::ItemState;
use banyan_protocol::overdue::org_mdl_001::{ReportRequest, UnsettledItem};
use banyan_protocol::overdue::org_mdl_003::ItemUpdate;
use banyan_protocol::wire::Scalar as _;
use banyan_store::db::{StoreError, Tx};
use banyan_store::health_card::reviews::{self, Contradiction};
use banyan_store::ids::{BatchId, HealthCardPersonId, ItemId, JobId, ReviewId};
use banyan_store::overdue::batches::{self, Batch, BatchKind};
use banyan_store::overdue::corrections;
use banyan_store::overdue::items::{self, Cause, Change, Content, Item, Owner, State};
use banyan_store::queue::{self, JobEnd, JobKind, NewJob};
use banyan_store::vault::Vault;

use super::fresh::TakenIn;
use super::from_wire;
use super::message::Message;
use super::outcome::Outcome;
use super::person::{Claimed, Registry, owner};
use crate::app::App;

/// A visit may be booked for later today by a clock that runs ahead, but no debt is from tomorrow.
const AHEAD_MS: i64 = 86_400_000;

const CHANGED_MEANWHILE: &str = "该记录的状态刚被其他操作变更，请查询后重试";

/// A batch to be judged, and the job that says so.
pub type Summons = (BatchId, JobId);

/// Judges the first of these batches of one hospital, each once: where one was judged already, only
/// its job ends. Reports that follow one another are judged together, in one transaction: they
/// are the bulk, and most of what a batch costs is asking the database again and again. Gives how
/// many were judged, at least one.
///
/// # Errors
/// Any [`StoreError`]; [`StoreError::Corrupt`] where a kept message can't be read, which no
/// repetition will change. Nothing of the batches was judged then.
pub async fn judge(app: &App, summoned: &[Summons]) -> Result<usize, StoreError> {
    let now_ms = app.now_ms();
    let taken = take_up(app, summoned, now_ms).await?;
    let jobs: Vec<JobId> = summoned
        .iter()
        .take(taken.len().max(1))
        .map(|(_, job)| *job)
        .collect();
    let count = jobs.len();
    if taken.is_empty() {
        end_jobs(app, jobs, now_ms).await?;
        return Ok(count);
    }
    let dockets = Docket::prepare(app, &taken, now_ms).await?;
    let judging: Vec<BatchId> = taken.iter().map(|taken| taken.batch.id).collect();
    let most_ids = dockets.iter().map(Docket::most_ids).sum();
    let ids = app.ids.take(most_ids).await?;
    let (all, ended) = (dockets.len(), jobs.clone());
    let judged = app
        .db
        .write(move |tx| judge_all(tx, &dockets, &jobs, ids.clone(), now_ms))
        .await;
    match judged {
        Ok(outcomes) => {
            for outcome in &outcomes {
                let (kept, rejected) = outcome.counts();
                app.meters.judged(kept, rejected);
            }
            app.fresh.let_go(judging);
            app.wake(JobKind::Callback);
            Ok(count)
        }
        // Somebody else judged it; of several, only one by one says which.
        Err(Stop::JudgedMeanwhile) if all == 1 => {
            app.fresh.let_go(judging);
            end_jobs(app, ended, now_ms).await?;
            Ok(1)
        }
        Err(Stop::JudgedMeanwhile) => Box::pin(judge(app, &summoned[..1])).await,
        Err(Stop::Store(error)) => Err(error),
    }
}

/// The first of these batches, or the reports that it begins; none where the first was judged.
async fn take_up(
    app: &App,
    summoned: &[Summons],
    now_ms: i64,
) -> Result<Vec<Arc<TakenIn>>, StoreError> {
    let ids = summoned.iter().map(|(id, _)| *id);
    let at_hand: Vec<_> = ids.map(|id| app.fresh.get(id, now_ms)).collect();
    let absent: Vec<BatchId> = summoned
        .iter()
        .zip(&at_hand)
        .filter(|(_, at_hand)| at_hand.is_none())
        .map(|((id, _), _)| *id)
        .collect();
    let mut kept = batches::waiting_contents(&app.db, &absent)
        .await?
        .into_iter();
    let mut taken = Vec::new();
    for at_hand in at_hand {
        let next = match at_hand {
            Some(at_hand) => at_hand,
            None => match kept.next().flatten() {
                Some((batch, sealed)) => Arc::new(TakenIn {
                    message: Message::open(&app.vault, &batch, &sealed)?,
                    batch,
                }),
                None => break,
            },
        };
        let is_report = next.batch.kind == BatchKind::Report;
        if is_report || taken.is_empty() {
            taken.push(next);
        }
        if !is_report {
            break;
        }
    }
    Ok(taken)
}

async fn end_jobs(app: &App, jobs: Vec<JobId>, now_ms: i64) -> Result<(), StoreError> {
    let ends: Vec<_> = jobs.into_iter().map(|job| (job, JobEnd::Done)).collect();
    app.db
        .write(move |tx| queue::end(tx, JobKind::Judge, &ends, now_ms))
        .await
}

/// Why batches are not judged in this transaction.
enum Stop {
    /// Another node, whose lease had run out, judged one of them at this moment.
    JudgedMeanwhile,
    Store(StoreError),
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Records, outcomes, callbacks and the ends of the jobs, all or none.
fn judge_all(
    tx: &mut Tx<'_>,
    dockets: &[Docket],
    jobs: &[JobId],
    mut ids: Ids,
    now_ms: i64,
) -> Result<Vec<Outcome>, Stop> {
    let batches: Vec<BatchId> = dockets.iter().map(|docket| docket.batch.id).collect();
    if !batches::take_for_judging(tx, &batches, now_ms)? {
        return Err(Stop::JudgedMeanwhile);
    }
    let mut bench = Bench::lay_out(tx, dockets, &mut ids, now_ms)?;
    let mut outcomes = Vec::with_capacity(dockets.len());
    let mut callbacks = Vec::with_capacity(dockets.len());
    for docket in dockets {
        outcomes.push(docket.judge(tx, &mut ids, &mut bench)?);
        docket.keep_contradictions(tx)?;
        callbacks.push(NewJob {
            id: JobId(next(&mut ids)?),
            kind: JobKind::Callback,
            lane: docket.batch.partner.0,
            subject: docket.batch.id.0,
            due_ms: now_ms,
        });
    }
    let written: Vec<_> = batches
        .into_iter()
        .zip(outcomes.iter().map(Outcome::write))
        .collect();
    batches::keep_outcomes(tx, &written)?;
    queue::leave_many(tx, &callbacks, now_ms)?;
    let ends: Vec<_> = jobs.iter().map(|job| (*job, JobEnd::Done)).collect();
    queue::end(tx, JobKind::Judge, &ends, now_ms)?;
    Ok(outcomes)
}

/// How the items of the reports stand by now: one message may name an item twice, and a message
/// finds an item as the one before left it.
#[derive(Default)]
struct Bench<'a> {
    /// Written just now, and not come to yet in judging.
    new: HashMap<&'a str, Item>,
    standing: HashMap<&'a str, Item>,
}

impl<'a> Bench<'a> {
    /// Writes every item that is not kept yet, and finds those that are. Nearly always all are
    /// new, and then nothing needs to be found.
    fn lay_out(
        tx: &mut Tx<'_>,
        dockets: &'a [Docket],
        ids: &mut Ids,
        now_ms: i64,
    ) -> Result<Self, StoreError> {
        let Some(first) = dockets.first() else {
            return Ok(Self::default());
        };
        let mut seen = HashSet::new();
        let mut presumed = Vec::new();
        for docket in dockets {
            for item in docket.reported() {
                if let Ok((owner, content)) = &item.record
                    && seen.insert(item.org_trace_id.as_str())
                {
                    let new = Item {
                        id: ItemId(next(ids)?),
                        partner: docket.batch.partner,
                        org_trace_id: item.org_trace_id.clone(),
                        owner: owner.clone(),
                        content: content.clone(),
                        state: State::Unpaid,
                    };
                    presumed.push((item.org_trace_id.as_str(), new, docket.batch.id));
                }
            }
        }
        let rows = presumed.iter().map(|(_, item, batch)| (item, *batch));
        let written = items::insert_new(tx, rows, now_ms)?;
        let mut bench = Self::default();
        if written == presumed.len() as u64 {
            bench.new = presumed
                .into_iter()
                .map(|(number, item, _)| (number, item))
                .collect();
            return Ok(bench);
        }
        let numbers = presumed.iter().map(|(number, _, _)| *number);
        let kept = items::by_org_trace_ids(tx, first.batch.partner, numbers)?;
        for ((number, new, _), kept) in presumed.into_iter().zip(kept) {
            match kept {
                Some(kept) if kept.id != new.id => {
                    bench.standing.insert(number, kept);
                }
                Some(_) => {
                    bench.new.insert(number, new);
                }
                None => {
                    return Err(StoreError::Corrupt(
                        "an item is neither kept nor could it be".to_owned(),
                    ));
                }
            }
        }
        Ok(bench)
    }
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
    /// Looks everybody up whom the messages name.
    async fn prepare(
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
            Message::Report(request) => Case::Report(reported(app, registry, request, now_ms)),
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
    fn reported(&self) -> &[Reported] {
        match &self.case {
            Case::Report(items) => items,
            Case::Update { .. } => &[],
        }
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

    /// For each reported item a record, and a change where it is kept already; for each updated one a change of its state,
    /// one of its person and the job of its revocation, and one for the callback.
    fn most_ids(&self) -> usize {
        match &self.case {
            Case::Report(items) => items.len() * 2 + 1,
            Case::Update { items, .. } => items.len() * 3 + 1,
        }
    }

    fn judge<'a>(
        &'a self,
        tx: &mut Tx<'_>,
        ids: &mut Ids,
        bench: &mut Bench<'a>,
    ) -> Result<Outcome, StoreError> {
        match &self.case {
            Case::Report(items) => self.judge_report(tx, ids, items, bench),
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

    fn judge_report<'a>(
        &self,
        tx: &mut Tx<'_>,
        ids: &mut Ids,
        reported: &'a [Reported],
        bench: &mut Bench<'a>,
    ) -> Result<Outcome, StoreError> {
        let mut outcome = Outcome::default();
        let mut taken: HashSet<&str> = HashSet::with_capacity(reported.len());
        for item in reported {
            let number = item.org_trace_id.as_str();
            let (owner, content) = match &item.record {
                Ok(record) => record,
                Err(reason) => {
                    outcome.reject(number, *reason);
                    continue;
                }
            };
            let after = match (bench.new.remove(number), bench.standing.get(number)) {
                (Some(new), _) => Ok(new),
                (None, Some(before)) => self.report_again(tx, ids, before, owner, content)?,
                (None, None) => {
                    return Err(StoreError::Corrupt("an item was not laid out".to_owned()));
                }
            };
            match after {
                Ok(record) => {
                    // Twice in one message is once in its outcome.
                    if taken.insert(number) {
                        outcome.take(record.id);
                    }
                    bench.standing.insert(number, record);
                }
                Err(reason) => outcome.reject(number, reason),
            }
        }
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
