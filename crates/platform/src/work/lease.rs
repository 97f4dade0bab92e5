//! Taking a lane for this node and giving it back: how every kind of work begins and ends.

use banyan_store::db::StoreError;
use banyan_store::queue::{self, JobKind, LaneState, Lease};

use crate::app::App;

/// Takes a lane with at most `limit` of its due jobs; `None` where another node holds it or it is
/// paused.
pub(super) async fn take(
    app: &App,
    kind: JobKind,
    lane: i64,
    lease_ms: i64,
    limit: i64,
) -> Result<Option<Lease>, StoreError> {
    let (now_ms, node) = (app.now_ms(), app.node);
    app.db
        .write(move |tx| queue::lease(tx, kind, lane, node, now_ms, now_ms + lease_ms, limit))
        .await
}

/// Gives a lane back.
pub(super) async fn give_back(
    app: &App,
    kind: JobKind,
    lane: i64,
    state: LaneState,
) -> Result<(), StoreError> {
    let node = app.node;
    app.db
        .write(move |tx| queue::release(tx, kind, lane, node, state))
        .await
}

/// How a lane is given back whose work failed once more: it rests for this long.
pub(super) fn failed_again(app: &App, failures: u32, pause_ms: i64) -> LaneState {
    LaneState {
        failures: failures.saturating_add(1),
        paused_until_ms: app.now_ms() + pause_ms,
    }
}
