//! What a report (ORG_MDL_001) does to each item that it names.

use std::collections::{HashMap, HashSet};

use banyan_protocol::overdue::org_mdl_001::{ReportRequest, UnsettledItem};
use banyan_protocol::wire::Scalar as _;
use banyan_store::db::{StoreError, Tx};
use banyan_store::ids::ItemId;
use banyan_store::overdue::items::{self, Cause, Content, Item, Owner, State};

use super::docket::Docket;
use super::{CHANGED_MEANWHILE, Ids, next};
use crate::app::App;
use crate::overdue::outcome::Outcome;
use crate::overdue::person::{Claimed, Registry, owner};

/// A visit may be booked for later today by a clock that runs ahead, but no debt is from tomorrow.
const AHEAD_MS: i64 = 86_400_000;

impl Docket {
    pub(super) fn judge_report<'a>(
        &self,
        tx: &mut Tx<'_>,
        ids: &mut Ids,
        reported: &'a [Reported],
        laid: &mut Laid<'a>,
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
            let after = match (laid.new.remove(number), laid.standing.get(number)) {
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
                    laid.standing.insert(number, record);
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
        // Nobody was named before, and now somebody is.
        let nameless = before.owner.person.is_none() && owner.real_name;
        Ok(match before.state {
            State::Unpaid if before.content == *content && (same_person || nameless) => {
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
}

/// An item of a report: a record as it would be kept, or why it can't be.
pub(super) struct Reported {
    org_trace_id: String,
    record: Result<(Owner, Content), &'static str>,
}

/// How the items of the reports stand by now: one message may name an item twice, and a message
/// finds an item as the one before left it.
#[derive(Default)]
pub(super) struct Laid<'a> {
    /// Written just now, and not come to yet in judging.
    new: HashMap<&'a str, Item>,
    standing: HashMap<&'a str, Item>,
}

impl<'a> Laid<'a> {
    /// Writes every item that is not kept yet, and finds those that are. Nearly always all are
    /// new, and then nothing needs to be found.
    pub(super) fn out(
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
        let mut laid = Self::default();
        if written == presumed.len() as u64 {
            laid.new = presumed
                .into_iter()
                .map(|(number, item, _)| (number, item))
                .collect();
            return Ok(laid);
        }
        let numbers = presumed.iter().map(|(number, _, _)| *number);
        let kept = items::by_org_trace_ids(tx, first.batch.partner, numbers)?;
        for ((number, new, _), kept) in presumed.into_iter().zip(kept) {
            match kept {
                Some(kept) if kept.id != new.id => {
                    laid.standing.insert(number, kept);
                }
                Some(_) => {
                    laid.new.insert(number, new);
                }
                None => {
                    return Err(StoreError::Corrupt(
                        "an item is neither kept nor could it be".to_owned(),
                    ));
                }
            }
        }
        Ok(laid)
    }
}

/// The items of a report, each checked as far as it can be without its own record.
pub(super) fn checked(
    app: &App,
    registry: &Registry,
    request: &ReportRequest,
    now_ms: i64,
) -> Vec<Reported> {
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
