//! How often a visitor did what costs others work, so that nobody does it without end. Each node
//! counts for itself; what must hold for the province is bounded in the store.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use banyan_store::vault::PersonCode;

/// The span that is counted over.
const SPAN_MS: i64 = 10 * 60_000;
/// People who are remembered at once.
const MOST_PEOPLE: usize = 50_000;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Doing {
    /// Asking the hospitals.
    Refresh,
    /// Sending in an appeal, well filled in or not.
    Appeal,
}

impl Doing {
    /// How often in ten minutes.
    const fn most(self) -> u32 {
        match self {
            Self::Refresh => 6,
            Self::Appeal => 15,
        }
    }
}

/// Counts by person.
#[derive(Debug, Default)]
pub struct Visits(Mutex<HashMap<(PersonCode, Doing), Count>>);

#[derive(Debug, Clone, Copy)]
struct Count {
    since_ms: i64,
    times: u32,
}

impl Visits {
    /// Counts once more; `false` where it was too often.
    pub(super) fn allow(&self, person: PersonCode, doing: Doing, now_ms: i64) -> bool {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that goes back begins anew.
        let is_over = |count: &Count| !(0..SPAN_MS).contains(&(now_ms - count.since_ms));
        if counts.len() >= MOST_PEOPLE {
            counts.retain(|_, count| !is_over(count));
        }
        if counts.len() >= MOST_PEOPLE {
            // So many at once are a province's rush, in which nobody is to be shut out.
            counts.clear();
        }
        let count = counts.entry((person, doing)).or_insert(Count {
            since_ms: now_ms,
            times: 0,
        });
        if is_over(count) {
            *count = Count {
                since_ms: now_ms,
                times: 0,
            };
        }
        count.times = count.times.saturating_add(1);
        count.times <= doing.most()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_his_own_count_and_it_is_over_after_a_while() {
        let visits = Visits::default();
        let (he, she) = (PersonCode([1; 32]), PersonCode([2; 32]));
        let times = |person, now_ms| {
            (0..20)
                .filter(|_| visits.allow(person, Doing::Refresh, now_ms))
                .count()
        };
        assert_eq!(times(he, 1_000), 6);
        assert_eq!(times(he, 1_000 + SPAN_MS - 1), 0);
        assert_eq!(times(she, 2_000), 6);
        assert!(visits.allow(he, Doing::Appeal, 2_000));
        assert_eq!(times(he, 1_000 + SPAN_MS), 6);
        assert_eq!(times(he, 0), 6, "a clock that went back");
    }
}
