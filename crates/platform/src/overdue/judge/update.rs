//! What an update (ORG_MDL_003) does to each item that it names: settled, revoked, or given a name.

use std::collections::{HashMap, HashSet};

use banyan_protocol::dictionaries::ItemState;
use banyan_protocol::overdue::org_mdl_003::ItemUpdate;
use banyan_store::db::{StoreError, Tx};
use banyan_store::ids::{ItemId, JobId};
use banyan_store::overdue::corrections;
use banyan_store::overdue::items::{self, Cause, Item, Owner, State};

use super::docket::Docket;
use super::{CHANGED_MEANWHILE, Ids, next};
use crate::overdue::from_wire;
use crate::overdue::outcome::Outcome;

impl Docket {
    pub(super) fn judge_update(
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
        let mut taken: HashSet<ItemId> = HashSet::with_capacity(updates.len());
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
                    // Twice in one message is once in its outcome.
                    if taken.insert(after.id) {
                        outcome.take(after.id);
                    }
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
}
