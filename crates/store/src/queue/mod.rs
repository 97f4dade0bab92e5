//! Work to be done later: a leased job queue.
//!
//! Jobs of a kind stand in lanes, one for each hospital. A node leases a *lane*, not a job: while
//! it holds the lane, no other node touches the jobs in it. So a lane keeps its order, a slow
//! hospital delays nobody else, and its breaker is known to every node. A job is done at least
//! once; whoever does it makes the effect idempotent.
//!
//! Notices of several kinds to one partner share a lane, and with it the lease and the breaker;
//! see [`kinds`].

mod again;
mod jobs;
mod kinds;
mod leases;

pub use again::{Which, begin_anew, lift_pause, redo};
pub use jobs::{Backlog, Job, JobEnd, NewJob, backlog, end, leave, leave_many, prune};
pub use kinds::JobKind;
pub use leases::{DueLane, LaneState, Lease, carry_on, due_lanes, free_all, hold, lease, release};

/// Nothing is ever held, paused or put off this far: a moment beyond it was written by a clock
/// that was wrong, and counts as past.
pub(crate) const fn beyond_belief_ms(now_ms: i64) -> i64 {
    now_ms + 2 * 86_400_000
}

fn count(stored: i64) -> u32 {
    u32::try_from(stored).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
