//! Two platforms on one PostgreSQL: they share the work without doubling it, and when one dies in
//! the middle the other finishes what it held.

use banyan_protocol::ambient::{Clock as _, SystemClock};

use crate::eventually;
use crate::load::Load;
use crate::place::Place;
use crate::process::run;

/// A dead node's lanes of judging are free after 30 s (`LEASE_MS` in `work/judging.rs`).
const JUDGING_IS_FREE_AFTER_MS: i64 = 30_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_share_the_work_and_one_finishes_it() {
    let Some(place) = Place::postgres().await else {
        return;
    };
    let load = Load::at(&place, 6).await;
    let callers = load.start(2);
    let [first, second] = [place.serve(), place.serve()];

    // In peace: each takes its share, and each notice is delivered exactly once.
    for node in [&first, &second] {
        load.platform_is(Some(&node.url));
        load.wait_for_acknowledged(60).await;
        eventually("the node that is called judges something", async || {
            (judged(&node.url).await > 0).then_some(())
        })
        .await;
    }
    load.platform_is(None);
    eventually("nothing is left to do", async || {
        let waiting = place
            .number("SELECT COUNT(*) FROM job WHERE state = 0")
            .await;
        (waiting == 0).then_some(())
    })
    .await;
    let (deliveries, notices) = load.listener.counts();
    assert_eq!(
        deliveries, notices,
        "a notice was delivered twice without need"
    );
    for node in [&first, &second] {
        let judged = judged(&node.url).await;
        eprintln!("{} judged {judged} items", node.url);
        assert!(judged > 0, "a node does nothing");
    }

    // One dies in the middle of its work.
    load.platform_is(Some(&first.url));
    load.wait_for_acknowledged(40).await;
    first.program.kill();
    // Read from what it held, not from how long this machine takes.
    let held = "SELECT COALESCE(MAX(held_until_ms), 0) FROM lane_lease WHERE kind = 1";
    let held_ms = place.number(held).await - SystemClock.now_ms();
    assert!(held_ms <= JUDGING_IS_FREE_AFTER_MS, "{held_ms}");
    load.platform_is(Some(&second.url));
    load.wait_for_acknowledged(20).await;
    load.end(callers).await;
    eventually("the other node judges what the dead one held", async || {
        let waiting = "SELECT COUNT(*) FROM job WHERE state = 0 AND kind = 1";
        (place.number(waiting).await == 0).then_some(())
    })
    .await;

    // The lanes of callbacks are free after five minutes; nobody waits for those here.
    place.let_leases_run_out().await;
    let tally = load.check(&second.url).await;
    eprintln!("{tally:?}");
    assert_eq!(second.program.stop().code, Some(0));
    let said = run(&mut place.banyan(&["audit", "verify"])).success();
    assert_eq!(said.matches("完整").count(), 2, "{said}");
}

/// How many items a node has judged, by its own figures.
async fn judged(url: &str) -> u64 {
    let figures = crate::stopping::get(url, "/metrics").await;
    figures
        .lines()
        .filter(|line| line.starts_with("banyan_items_judged_total"))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
        .sum()
}
