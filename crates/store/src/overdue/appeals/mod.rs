//! 申诉: a citizen says that a record is wrong.
//!
//! An appeal is open until its citizen withdraws it, an operator decides it, or the record itself
//! is paid or revoked meanwhile. A record has one open appeal at the most, and says so itself
//! (`overdue_item.appealed`), so that the look-up at the registration window needs no second
//! table. Whoever changes both takes the record first, so that nobody waits for one another.

mod reads;
#[cfg(test)]
mod tests;

pub use reads::{
    Progress, Waiting, by_id, of_item, of_person, one_of_person, recent, steps, waiting,
};

use super::corrections;
use super::items::{self, Cause, Change, State};
use crate::db::{Row, StoreError, Tx, Val};
use crate::ids::{AppealId, ItemId, JobId, PartnerId};
use crate::vault::PersonCode;
use banyan_protocol::ambient::DAY_MS;

/// An appeal.
#[derive(Clone, PartialEq, Eq)]
pub struct Appeal {
    /// Its id.
    pub id: AppealId,
    /// Against which record.
    pub item: ItemId,
    /// Which hospital reported that.
    pub partner: PartnerId,
    /// Whose it is.
    pub person: PersonCode,
    /// Why.
    pub reason: Reason,
    /// What he wrote, sealed.
    pub text_sealed: Vec<u8>,
    /// How he can be reached, sealed.
    pub contact_sealed: Vec<u8>,
    /// How it stands.
    pub standing: Standing,
    /// What he is answered, sealed.
    pub answer_sealed: Option<Vec<u8>>,
    /// When it was filed.
    pub created_ms: i64,
    /// When it last moved on.
    pub changed_ms: i64,
}

/// An appeal about to be filed.
#[derive(Clone)]
pub struct NewAppeal {
    /// Its id.
    pub id: AppealId,
    /// Against which record.
    pub item: ItemId,
    /// Who files it.
    pub person: PersonCode,
    /// Why.
    pub reason: Reason,
    /// What he wrote, sealed.
    pub text_sealed: Vec<u8>,
    /// How he can be reached, sealed.
    pub contact_sealed: Vec<u8>,
}

/// Why a citizen appeals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// 已缴清
    Paid,
    /// 不是本人
    NotMe,
    /// 金额有误
    WrongAmount,
    /// 其他
    Other,
}

/// How an appeal stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Nobody has decided it yet.
    Open,
    /// Its citizen took it back.
    Withdrawn,
    /// It was right: the record is revoked.
    Upheld,
    /// It was not.
    Rejected,
    /// The record was paid or revoked meanwhile.
    Settled,
}

/// A step of an appeal's progress. Each happens once at the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It was filed.
    Filed,
    /// The hospital says that the record is unpaid all the same.
    HospitalUnpaid,
    /// The hospital was asked and did not answer.
    HospitalSilent,
    /// The hospital can't be asked.
    HospitalUnable,
    /// An operator looked into it.
    Viewed,
    /// Its citizen took it back.
    Withdrawn,
    /// It was right.
    Upheld,
    /// It was not.
    Rejected,
    /// The record was paid meanwhile.
    SettledPaid,
    /// The record was revoked meanwhile.
    SettledRevoked,
}

/// How many appeals a person may have.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Open at once.
    pub open: i64,
    /// Filed since `since_ms`, however they ended.
    pub filed: i64,
    /// From this moment on.
    pub since_ms: i64,
}

/// What filing came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filed {
    /// It is open now; this hospital's record it is about.
    New(PartnerId),
    /// This one is open already; nothing was changed.
    Already(AppealId),
    /// The record is paid or revoked: there is nothing to contest.
    NotUnpaid,
    /// He has no such record.
    Unknown,
    /// He has filed too many.
    TooMany,
}

/// How an operator decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It is right: the record is revoked.
    Uphold {
        /// The id of the record's change.
        change: i64,
        /// The id of the job that finds who is to be told.
        revocation_job: JobId,
    },
    /// It is not.
    Reject,
}

/// What deciding came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decided {
    /// It is decided.
    Done,
    /// It had ended before; nothing was changed.
    NotOpen(Standing),
    /// There is no such appeal.
    Unknown,
}

/// Files an appeal, unless one is open against the record.
///
/// # Errors
/// Any [`StoreError`].
pub fn file(
    tx: &mut Tx<'_>,
    appeal: &NewAppeal,
    bounds: Bounds,
    now_ms: i64,
) -> Result<Filed, StoreError> {
    lock_item(tx, appeal.item)?;
    let record = tx.query_opt(
        "SELECT partner_id, state FROM overdue_item \
         WHERE id = $1 AND person = $2 AND real_name = 1",
        &[appeal.item.into(), (&appeal.person.0).into()],
        |row| Ok((PartnerId(row.get(0)?), State::from_number(row.get(1)?)?)),
    )?;
    let Some((partner, state)) = record else {
        return Ok(Filed::Unknown);
    };
    if let Some(open) = open_of_item(tx, appeal.item)? {
        return Ok(Filed::Already(open));
    }
    if state != State::Unpaid {
        return Ok(Filed::NotUnpaid);
    }
    let (open, filed) = tx
        .query_opt(
            "SELECT COALESCE(SUM(CASE WHEN state = 0 THEN 1 ELSE 0 END), 0), \
             COALESCE(SUM(CASE WHEN created_ms >= $2 THEN 1 ELSE 0 END), 0) \
             FROM overdue_appeal WHERE person = $1",
            &[(&appeal.person.0).into(), bounds.since_ms.into()],
            |row| Ok((row.get::<i64>(0)?, row.get::<i64>(1)?)),
        )?
        .unwrap_or_default();
    if open >= bounds.open || filed >= bounds.filed {
        return Ok(Filed::TooMany);
    }
    tx.execute(
        "INSERT INTO overdue_appeal (id, item_id, partner_id, person, reason, text_sealed, \
         contact_sealed, state, answer_sealed, created_ms, changed_ms, decided_by) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, 0, NULL, $8, $8, NULL)",
        &[
            appeal.id.into(),
            appeal.item.into(),
            partner.into(),
            (&appeal.person.0).into(),
            appeal.reason.as_text().into(),
            (&appeal.text_sealed).into(),
            (&appeal.contact_sealed).into(),
            now_ms.into(),
        ],
    )?;
    mark_item(tx, appeal.item, true)?;
    note_step(tx, appeal.id, Step::Filed, now_ms)?;
    Ok(Filed::New(partner))
}

/// Takes a person's own appeal back; gives whether it was open.
///
/// # Errors
/// Any [`StoreError`].
pub fn withdraw(
    tx: &mut Tx<'_>,
    id: AppealId,
    person: &PersonCode,
    now_ms: i64,
) -> Result<bool, StoreError> {
    let item = tx.query_opt(
        "SELECT item_id FROM overdue_appeal WHERE id = $1 AND person = $2",
        &[id.into(), (&person.0).into()],
        |row| row.get(0).map(ItemId),
    )?;
    let Some(item) = item else { return Ok(false) };
    lock_item(tx, item)?;
    if !end(tx, id, Standing::Withdrawn, now_ms)? {
        return Ok(false);
    }
    mark_item(tx, item, false)?;
    note_step(tx, id, Step::Withdrawn, now_ms)?;
    Ok(true)
}

/// Decides an appeal. One that is upheld revokes its record.
///
/// # Errors
/// Any [`StoreError`].
pub fn decide(
    tx: &mut Tx<'_>,
    id: AppealId,
    decision: Decision,
    answer_sealed: &[u8],
    by: &str,
    now_ms: i64,
) -> Result<Decided, StoreError> {
    let read = |tx: &mut Tx<'_>| {
        tx.query_opt(
            "SELECT item_id, state FROM overdue_appeal WHERE id = $1",
            &[id.into()],
            |row| Ok((ItemId(row.get(0)?), Standing::from_number(row.get(1)?)?)),
        )
    };
    let Some((item, _)) = read(tx)? else {
        return Ok(Decided::Unknown);
    };
    lock_item(tx, item)?;
    // How it stands once nobody else can change it.
    let Some((_, standing)) = read(tx)? else {
        return Ok(Decided::Unknown);
    };
    let (to, step) = match decision {
        Decision::Uphold { .. } => (Standing::Upheld, Step::Upheld),
        Decision::Reject => (Standing::Rejected, Step::Rejected),
    };
    if !end(tx, id, to, now_ms)? {
        return Ok(Decided::NotOpen(standing));
    }
    mark_item(tx, item, false)?;
    tx.execute(
        "UPDATE overdue_appeal SET answer_sealed = $2, decided_by = $3 WHERE id = $1",
        &[id.into(), answer_sealed.into(), by.into()],
    )?;
    note_step(tx, id, step, now_ms)?;
    if let Decision::Uphold {
        change,
        revocation_job,
    } = decision
    {
        let change = Change {
            id: change,
            item,
            from: State::Unpaid,
            to: State::Revoked,
            cause: Cause::Appeal,
            batch: None,
        };
        // An open appeal's record is unpaid: whatever else moves it ends the appeal first.
        if items::change_state(tx, &change, now_ms)? {
            corrections::note_revoked(tx, &change, revocation_job, now_ms)?;
        }
    }
    Ok(Decided::Done)
}

/// Ends the open appeal against a record that was paid or revoked.
pub(super) fn end_with_item(
    tx: &mut Tx<'_>,
    item: ItemId,
    to: State,
    now_ms: i64,
) -> Result<(), StoreError> {
    let step = match to {
        State::Unpaid => return Ok(()),
        State::Paid => Step::SettledPaid,
        State::Revoked => Step::SettledRevoked,
    };
    if let Some(id) = open_of_item(tx, item)?
        && end(tx, id, Standing::Settled, now_ms)?
    {
        note_step(tx, id, step, now_ms)?;
    }
    mark_item(tx, item, false)
}

/// Notes a step of an open appeal, once; gives whether it was noted now.
///
/// # Errors
/// Any [`StoreError`].
pub fn note(tx: &mut Tx<'_>, id: AppealId, step: Step, now_ms: i64) -> Result<bool, StoreError> {
    let open = tx.execute(
        "UPDATE overdue_appeal SET changed_ms = $2 WHERE id = $1 AND state = 0",
        &[id.into(), now_ms.into()],
    )?;
    if open == 0 {
        return Ok(false);
    }
    note_step(tx, id, step, now_ms)
}

/// Notes that an operator looked at what is in an appeal, however it stands: once in a day.
///
/// # Errors
/// Any [`StoreError`].
pub fn note_viewed(tx: &mut Tx<'_>, id: AppealId, now_ms: i64) -> Result<(), StoreError> {
    note_step_since(tx, id, Step::Viewed, now_ms - DAY_MS, now_ms).map(drop)
}

/// Removes at most `limit` appeals that ended before `before_ms`, with their progress.
///
/// # Errors
/// Any [`StoreError`].
pub fn prune(tx: &mut Tx<'_>, before_ms: i64, limit: i64) -> Result<u64, StoreError> {
    let over: Vec<Vec<Val<'static>>> = tx.query(
        "SELECT id FROM overdue_appeal WHERE state <> 0 AND changed_ms < $1 \
         ORDER BY changed_ms LIMIT $2",
        &[before_ms.into(), limit.into()],
        |row| Ok(vec![row.get::<i64>(0)?.into()]),
    )?;
    tx.execute_each(
        "DELETE FROM overdue_appeal_event WHERE appeal_id = $1",
        &over,
    )?;
    tx.execute_each("DELETE FROM overdue_appeal WHERE id = $1", &over)
}

/// Whoever changes a record and its appeal takes the record first.
fn lock_item(tx: &mut Tx<'_>, item: ItemId) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE overdue_item SET appealed = appealed WHERE id = $1",
        &[item.into()],
    )?;
    Ok(())
}

fn mark_item(tx: &mut Tx<'_>, item: ItemId, appealed: bool) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE overdue_item SET appealed = $2 WHERE id = $1",
        &[item.into(), appealed.into()],
    )?;
    Ok(())
}

fn open_of_item(tx: &mut Tx<'_>, item: ItemId) -> Result<Option<AppealId>, StoreError> {
    tx.query_opt(
        "SELECT id FROM overdue_appeal WHERE item_id = $1 AND state = 0",
        &[item.into()],
        |row| row.get(0).map(AppealId),
    )
}

fn end(tx: &mut Tx<'_>, id: AppealId, to: Standing, now_ms: i64) -> Result<bool, StoreError> {
    let ended = tx.execute(
        "UPDATE overdue_appeal SET state = $2, changed_ms = $3 WHERE id = $1 AND state = 0",
        &[id.into(), to.as_number().into(), now_ms.into()],
    )?;
    Ok(ended > 0)
}

/// The appeal's row was written just before in this transaction, so nobody else numbers its steps.
fn note_step(tx: &mut Tx<'_>, id: AppealId, step: Step, now_ms: i64) -> Result<bool, StoreError> {
    note_step_since(tx, id, step, i64::MIN, now_ms)
}

/// Notes a step that was not noted after `since_ms`.
fn note_step_since(
    tx: &mut Tx<'_>,
    id: AppealId,
    step: Step,
    since_ms: i64,
    now_ms: i64,
) -> Result<bool, StoreError> {
    let (last, again) = tx
        .query_opt(
            "SELECT COALESCE(MAX(number), 0), \
             COALESCE(SUM(CASE WHEN step = $2 AND at_ms > $3 THEN 1 ELSE 0 END), 0) \
             FROM overdue_appeal_event WHERE appeal_id = $1",
            &[id.into(), step.as_text().into(), since_ms.into()],
            |row| Ok((row.get::<i64>(0)?, row.get::<i64>(1)?)),
        )?
        .unwrap_or_default();
    if again > 0 {
        return Ok(false);
    }
    tx.execute(
        "INSERT INTO overdue_appeal_event (appeal_id, number, at_ms, step) \
         VALUES ($1, $2, $3, $4)",
        &[
            id.into(),
            (last + 1).into(),
            now_ms.into(),
            step.as_text().into(),
        ],
    )?;
    Ok(true)
}

impl Reason {
    /// Every one, in the order in which they are offered.
    pub const ALL: [Self; 4] = [Self::Paid, Self::NotMe, Self::WrongAmount, Self::Other];

    /// As it is kept and as forms carry it.
    #[must_use]
    pub const fn as_text(self) -> &'static str {
        match self {
            Self::Paid => "paid",
            Self::NotMe => "not_me",
            Self::WrongAmount => "wrong_amount",
            Self::Other => "other",
        }
    }

    /// Reads it.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|reason| reason.as_text() == text)
    }
}

impl Standing {
    const ALL: [Self; 5] = [
        Self::Open,
        Self::Withdrawn,
        Self::Upheld,
        Self::Rejected,
        Self::Settled,
    ];

    const fn as_number(self) -> i64 {
        match self {
            Self::Open => 0,
            Self::Withdrawn => 1,
            Self::Upheld => 2,
            Self::Rejected => 3,
            Self::Settled => 4,
        }
    }

    fn from_number(number: i64) -> Result<Self, StoreError> {
        Self::ALL
            .into_iter()
            .find(|standing| standing.as_number() == number)
            .ok_or_else(|| StoreError::Corrupt(format!("overdue_appeal.state is {number}")))
    }
}

impl Step {
    const ALL: [Self; 10] = [
        Self::Filed,
        Self::HospitalUnpaid,
        Self::HospitalSilent,
        Self::HospitalUnable,
        Self::Viewed,
        Self::Withdrawn,
        Self::Upheld,
        Self::Rejected,
        Self::SettledPaid,
        Self::SettledRevoked,
    ];

    const fn as_text(self) -> &'static str {
        match self {
            Self::Filed => "filed",
            Self::HospitalUnpaid => "hospital_unpaid",
            Self::HospitalSilent => "hospital_silent",
            Self::HospitalUnable => "hospital_unable",
            Self::Viewed => "viewed",
            Self::Withdrawn => "withdrawn",
            Self::Upheld => "upheld",
            Self::Rejected => "rejected",
            Self::SettledPaid => "settled_paid",
            Self::SettledRevoked => "settled_revoked",
        }
    }

    fn from_text(text: &str) -> Result<Self, StoreError> {
        Self::ALL
            .into_iter()
            .find(|step| step.as_text() == text)
            .ok_or_else(|| StoreError::Corrupt(format!("overdue_appeal_event.step is {text}")))
    }
}

impl std::fmt::Debug for Appeal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Appeal")
            .field("id", &self.id)
            .field("item", &self.item)
            .field("standing", &self.standing)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for NewAppeal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NewAppeal({} against {})", self.id, self.item)
    }
}

fn read_appeal(row: &Row<'_>) -> Result<Appeal, StoreError> {
    let reason: String = row.get(4)?;
    Ok(Appeal {
        id: AppealId(row.get(0)?),
        item: ItemId(row.get(1)?),
        partner: PartnerId(row.get(2)?),
        person: PersonCode(row.get(3)?),
        reason: Reason::from_text(&reason)
            .ok_or_else(|| StoreError::Corrupt(format!("overdue_appeal.reason is {reason}")))?,
        text_sealed: row.get(5)?,
        contact_sealed: row.get(6)?,
        standing: Standing::from_number(row.get(7)?)?,
        answer_sealed: row.get(8)?,
        created_ms: row.get(9)?,
        changed_ms: row.get(10)?,
    })
}

/// What [`read_appeal`] reads, in its order.
macro_rules! select_appeal {
    ($condition:literal) => {
        concat!(
            "SELECT id, item_id, partner_id, person, reason, text_sealed, contact_sealed, state, \
             answer_sealed, created_ms, changed_ms FROM overdue_appeal ",
            $condition
        )
    };
}
use select_appeal;
