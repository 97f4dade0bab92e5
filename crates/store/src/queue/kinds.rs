//! Which kinds of jobs share a lane.
//!
//! Everything that a partner is told stands in one lane of [`JobKind::Callback`], whatever its
//! kind: so a partner has one lease, one breaker and one measure of calls at once, and a partner
//! that is down is found out once, not once for each kind. The jobs keep their own kinds, so that
//! what waits of each can be counted, and what is told of a batch goes before corrections, and
//! these before reminders: a hundred thousand reminders delay a batch's callback by the round that
//! is under way and no more.

use super::JobKind;
use crate::db::StoreError;

impl JobKind {
    /// The kind whose lanes carry jobs of this one.
    #[must_use]
    pub const fn lane_kind(self) -> Self {
        match self {
            Self::Judge => Self::Judge,
            Self::Callback | Self::Correction | Self::Reminder => Self::Callback,
            Self::Reconcile => Self::Reconcile,
            Self::Revocation => Self::Revocation,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_kinds_are_kept_under_one_number() {
        for kind in JobKind::ALL {
            assert_eq!(JobKind::from_number(kind.as_number()).unwrap(), kind);
        }
        assert!(JobKind::from_number(0).is_err());
    }
}
