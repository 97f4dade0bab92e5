//! kill -9 under load, again and again: nothing acknowledged is lost, nothing is doubled, every
//! callback arrives, and the chains stand.

use crate::load::Load;
use crate::place::{Place, Server};
use crate::process::run;
use crate::random_below;

const ROUNDS: usize = 3;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_on_sqlite() {
    die_and_rise(&Place::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_on_postgres() {
    if let Some(place) = Place::postgres().await {
        die_and_rise(&place).await;
    }
}

async fn die_and_rise(place: &Place) {
    let load = Load::at(place, 3).await;
    let callers = load.start(3);
    for _ in 0..ROUNDS {
        let server = place.serve();
        load.platform_is(Some(&server.url));
        let moment = 10 + random_below(90);
        load.wait_for_acknowledged(usize::try_from(moment).unwrap())
            .await;
        log_is_discreet(&server, &load);
        server.program.kill();
        load.platform_is(None);
        place.let_leases_run_out().await;
        place.let_journal_be_sealed().await;
    }
    let server = place.serve();
    load.platform_is(Some(&server.url));
    load.wait_for_acknowledged(20).await;
    load.end(callers).await;
    let tally = load.check(&server.url).await;
    let (deliveries, notices) = load.listener.counts();
    eprintln!("{tally:?}, {deliveries} deliveries of {notices} notices");
    assert_eq!(notices, tally.known);
    assert_eq!(deliveries - notices, tally.repeated);
    log_is_discreet(&server, &load);

    assert_eq!(server.program.stop().code, Some(0));
    let said = run(&mut place.banyan(&["audit", "verify"])).success();
    assert_eq!(said.matches("完整").count(), 2, "{said}");
    assert!(!said.contains("报文日志：完整，0 个区块"), "{said}");
    let doubled = "SELECT COUNT(*) FROM (SELECT partner_id, org_trace_id FROM overdue_item \
                   GROUP BY partner_id, org_trace_id HAVING COUNT(*) > 1) AS doubled";
    assert_eq!(place.number(doubled).await, 0);
    assert_eq!(
        place
            .number("SELECT COUNT(*) FROM job WHERE state = 0")
            .await,
        0
    );
}

fn log_is_discreet(server: &Server, load: &Load) {
    let (out, log) = server.program.said();
    for word in load.private_words() {
        assert!(
            !log.contains(&word) && !out.contains(&word),
            "the log names a person: {log}"
        );
    }
}
