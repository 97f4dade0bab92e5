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
    /// Taking a health card, well filled in or not.
    TakeCard,
    /// Saying who one is behind a link; counted by link, not by person.
    Claim,
    /// Filling in a form of a credential: taking one, its password, entering it.
    Password,
    /// Drawing the code of a credential.
    CredentialCode,
    /// Drawing the code of a health card: a page draws one each time that the last is nearly over.
    Code,
}

impl Doing {
    /// How often in ten minutes.
    const fn most(self) -> u32 {
        match self {
            Self::Refresh => 6,
            Self::Appeal | Self::TakeCard | Self::Claim => 15,
            Self::Password => 30,
            Self::Code | Self::CredentialCode => 200,
        }
    }
}

/// Claims on the pages of authorisations are counted by link, and for everybody together by the
/// minute: who sends them is not known, and no addresses are kept. Beyond it somebody is trying
/// names, with many links.
const CLAIMS_SPAN_MS: i64 = 60_000;
/// Ten a second: more than a province's patients fill in at one node.
const MOST_CLAIMS: u32 = 600;

/// Counts by person or link, and of everybody's claims.
#[derive(Debug, Default)]
pub struct Visits {
    counts: Mutex<HashMap<([u8; 32], Doing), Count>>,
    claims: Mutex<Count>,
}

/// Why a claim is not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TooManyClaims {
    /// Behind this link there were too many in ten minutes.
    OfLink,
    /// There were too many of everybody's in this minute.
    OfAll,
}

#[derive(Debug, Default, Clone, Copy)]
struct Count {
    since_ms: i64,
    times: u32,
}

impl Visits {
    /// Counts once more; `false` where it was too often.
    pub(super) fn allow(&self, person: PersonCode, doing: Doing, now_ms: i64) -> bool {
        self.allow_by(person.0, doing, now_ms)
    }

    fn allow_by(&self, whose: [u8; 32], doing: Doing, now_ms: i64) -> bool {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= MOST_PEOPLE {
            counts.retain(|_, count| !count.is_over(SPAN_MS, now_ms));
        }
        if counts.len() >= MOST_PEOPLE {
            // So many at once are a province's rush, in which nobody is to be shut out.
            counts.clear();
        }
        let count = counts.entry((whose, doing)).or_insert(Count {
            since_ms: now_ms,
            times: 0,
        });
        count.add(SPAN_MS, now_ms) <= doing.most()
    }

    /// Counts one more claim behind the link of this code. Those that were too many for their link
    /// count for nobody else.
    pub(super) fn allow_claim(&self, link: [u8; 32], now_ms: i64) -> Result<(), TooManyClaims> {
        if !self.allow_by(link, Doing::Claim, now_ms) {
            return Err(TooManyClaims::OfLink);
        }
        let mut claims = self.claims.lock().unwrap_or_else(PoisonError::into_inner);
        if claims.add(CLAIMS_SPAN_MS, now_ms) > MOST_CLAIMS {
            return Err(TooManyClaims::OfAll);
        }
        Ok(())
    }
}

impl Count {
    /// Counts once more; gives how often it was in this span.
    const fn add(&mut self, span_ms: i64, now_ms: i64) -> u32 {
        if self.is_over(span_ms, now_ms) {
            *self = Self {
                since_ms: now_ms,
                times: 0,
            };
        }
        self.times = self.times.saturating_add(1);
        self.times
    }

    /// A clock that goes back begins anew.
    const fn is_over(&self, span_ms: i64, now_ms: i64) -> bool {
        let gone_ms = now_ms - self.since_ms;
        gone_ms < 0 || gone_ms >= span_ms
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

    #[test]
    fn everybody_s_claims_are_counted_by_the_minute() {
        let visits = Visits::default();
        let times = |now_ms: i64| {
            let links = (0..700_u32).map(|n| {
                let mut link = [0; 32];
                link[..4].copy_from_slice(&n.to_be_bytes());
                link[4..12].copy_from_slice(&now_ms.to_be_bytes());
                link
            });
            links
                .filter(|link| visits.allow_claim(*link, now_ms).is_ok())
                .count()
        };
        assert_eq!(times(100_000), 600);
        assert_eq!(times(159_999), 0);
        assert_eq!(times(160_000), 600);
        let alone = (0..700).filter(|_| visits.allow_claim([7; 32], 300_000).is_ok());
        assert_eq!(alone.count(), 15);
        assert_eq!(times(300_000), 585, "one link shuts nobody else out");
    }
}
