//! The kinds of jobs, and which of them share a lane.
//!
//! Everything that a partner is told stands in one lane of [`JobKind::Callback`], whatever its
//! kind: so a partner has one lease, one breaker and one measure of calls at once, and a partner
//! that is down is found out once, not once for each kind. The jobs keep their own kinds, so that
//! what waits of each can be counted, and what is told of a batch goes before corrections, and
//! these before reminders: a hundred thousand reminders delay a batch's callback by the round that
//! is under way, and take an eighth of the next. That eighth each kind has, however many of the
//! more urgent ones wait.

use super::Job;
use crate::db::StoreError;

/// What a job is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JobKind {
    /// Judge a batch; `subject` is the batch. A lane is judged in the order of arrival.
    Judge,
    /// Tell a hospital what became of a batch (ORG_002); `subject` is the batch.
    Callback,
    /// Ask a hospital about a sample of its unpaid records (ORG_001); `subject` is the partner.
    Reconcile,
    /// Have a person reminded of what he owes (REMIND); `subject` is the reminder.
    Reminder,
    /// Tell a partner that a debt it was shown was revoked (CORRECT); `subject` is the correction.
    Correction,
    /// Find out who is to be told that a debt was revoked; `subject` is the revocation.
    Revocation,
    /// Ask a hospital about a record that is appealed against (ORG_001); `subject` is the appeal.
    Appeal,
}

impl JobKind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::Judge,
        Self::Callback,
        Self::Reconcile,
        Self::Reminder,
        Self::Correction,
        Self::Revocation,
        Self::Appeal,
    ];

    /// Its name in metrics and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Judge => "judge",
            Self::Callback => "callback",
            Self::Reconcile => "reconcile",
            Self::Reminder => "reminder",
            Self::Correction => "correction",
            Self::Revocation => "revocation",
            Self::Appeal => "appeal",
        }
    }

    /// Whether its jobs are done strictly in the order in which they were left. Such a job is
    /// never put off by itself: where it fails its lane is paused.
    pub(super) const fn is_ordered(self) -> bool {
        matches!(self, Self::Judge)
    }

    /// Jobs with a due moment up to this are due: for an ordered kind it is only their order.
    pub(super) const fn horizon_ms(self, now_ms: i64) -> i64 {
        if self.is_ordered() { i64::MAX } else { now_ms }
    }

    pub(crate) const fn as_number(self) -> i64 {
        match self {
            Self::Judge => 1,
            Self::Callback => 2,
            Self::Reconcile => 3,
            Self::Reminder => 7,
            Self::Correction => 8,
            Self::Revocation => 9,
            Self::Appeal => 10,
        }
    }

    /// The kind whose lanes carry jobs of this one.
    #[must_use]
    pub const fn lane_kind(self) -> Self {
        match self {
            Self::Judge => Self::Judge,
            Self::Callback | Self::Correction | Self::Reminder => Self::Callback,
            Self::Reconcile => Self::Reconcile,
            Self::Revocation => Self::Revocation,
            Self::Appeal => Self::Appeal,
        }
    }

    /// Whether lanes of this kind exist.
    #[must_use]
    pub fn has_lanes(self) -> bool {
        self.lane_kind() == self
    }

    /// Whether it tells a partner something, and stays on record when it is done.
    #[must_use]
    pub const fn stays_on_record(self) -> bool {
        matches!(self, Self::Callback | Self::Correction | Self::Reminder)
    }

    /// The numbers of the kinds that stand in the lanes of this kind, what goes first before the
    /// rest; 0 is none.
    pub(super) const fn carried(self) -> [i64; 3] {
        match self.lane_kind() {
            Self::Callback => [
                Self::Callback.as_number(),
                Self::Correction.as_number(),
                Self::Reminder.as_number(),
            ],
            other => [other.as_number(), 0, 0],
        }
    }

    pub(super) const fn lane_number(self) -> i64 {
        self.lane_kind().as_number()
    }

    pub(super) fn from_number(number: i64) -> Result<Self, StoreError> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_number() == number)
            .ok_or_else(|| StoreError::Corrupt(format!("job.kind is {number}")))
    }
}

/// The jobs of one round out of the first of each kind, which come in the order of their urgency:
/// each kind gets an eighth of the places if it needs them, and the more urgent get the rest.
pub(super) fn shared_out(due: Vec<Job>, limit: usize) -> Vec<Job> {
    if due.len() <= limit {
        return due;
    }
    let count_of = |kind| due.iter().filter(|job| job.kind == kind).count();
    let mut left = limit;
    let mut places: Vec<(JobKind, usize)> = Vec::new();
    for job in &due {
        if places.iter().all(|(kind, _)| *kind != job.kind) {
            let share = count_of(job.kind).min(limit / 8);
            places.push((job.kind, share));
            left -= share;
        }
    }
    for (kind, share) in &mut places {
        let more = (count_of(*kind) - *share).min(left);
        *share += more;
        left -= more;
    }
    due.into_iter()
        .filter(|job| {
            let place = places.iter_mut().find(|(kind, _)| *kind == job.kind);
            place.is_some_and(|(_, share)| {
                let has = *share > 0;
                *share = share.saturating_sub(1);
                has
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::JobId;

    fn jobs(kind: JobKind, count: i64) -> Vec<Job> {
        let job = |id| Job {
            id: JobId(id),
            kind,
            subject: 0,
            due_ms: 0,
            attempts: 0,
            since_ms: 0,
        };
        (0..count).map(job).collect()
    }

    #[test]
    fn each_kind_has_its_share_of_a_round() {
        for (waiting, expected) in [
            ([64, 64, 64], [48, 8, 8]),
            ([64, 3, 64], [53, 3, 8]),
            ([10, 64, 64], [10, 46, 8]),
            ([0, 0, 64], [0, 0, 64]),
            ([1, 2, 3], [1, 2, 3]),
        ] {
            let kinds = [JobKind::Callback, JobKind::Correction, JobKind::Reminder];
            let due = kinds.into_iter().zip(waiting);
            let due = due.flat_map(|(kind, count)| jobs(kind, count)).collect();
            let shared = shared_out(due, 64);
            let counts = kinds.map(|kind| {
                let of_kind = shared.iter().filter(|job| job.kind == kind);
                of_kind.count()
            });
            assert_eq!(counts, expected);
            assert!(shared.is_sorted_by_key(|job| kinds.iter().position(|kind| *kind == job.kind)));
        }
        assert_eq!(shared_out(jobs(JobKind::Callback, 3), 0).len(), 0);
    }

    #[test]
    fn no_two_kinds_are_kept_under_one_number() {
        for kind in JobKind::ALL {
            assert_eq!(JobKind::from_number(kind.as_number()).unwrap(), kind);
        }
        assert!(JobKind::from_number(0).is_err());
    }
}
