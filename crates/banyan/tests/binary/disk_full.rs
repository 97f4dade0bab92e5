//! A full disk: refusals, never a false success; and when there is room again, it goes on.

use banyan_protocol::catalogue::Interface;
use banyan_sandbox::citizens;

use crate::disk::{DISK, Filler, on_small_disk};
use crate::eventually;
use crate::listener::Listener;
use crate::partner::{Partner, items};
use crate::place::{Place, Server};

/// Enough for SQLite's log at its usual length, so that the disk is full only when we fill it.
const SIZE: &str = "64m";
const ITEMS: usize = 50;
/// Written to the log for each lane whose work broke off.
const LANE_STOPPED: &str = "a lane stopped";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_and_loses_nothing() {
    let place = Place::sqlite();
    let hospital = place.add_hospital("H35019940001");
    let citizen = citizens::generate(1, 5)
        .remove(0)
        .with_index(&place.vault());
    place.register(std::slice::from_ref(&citizen));
    let Some(disk) = SmallDisk::serve(&place) else {
        return;
    };
    let platform = &disk.server.url;
    let listener = Listener::start(std::slice::from_ref(&hospital)).await;
    let report = |number: usize| {
        let items: Vec<String> = (0..ITEMS).map(|item| format!("{number}-{item}")).collect();
        hospital.report(&format!("B{number}"), &listener.url, &citizen, &items)
    };

    let mut acknowledged = Vec::new();
    let mut refused = Vec::new();
    let mut number = 0;
    // The disk fills while a callback is under way, whose outcome then can't be written down.
    listener.hold(true);
    while refused.len() < 10 {
        assert!(number < 2_000, "the disk never fills");
        let answered = hospital
            .call(platform, Interface::OrgMdl001, &report(number))
            .await;
        match answered.unwrap() {
            Ok(reply) => {
                assert_eq!(reply["state"], "success");
                acknowledged.push(number);
                if acknowledged.len() == 3 {
                    eventually("a callback is under way", async || {
                        (listener.counts().0 > 0).then_some(())
                    })
                    .await;
                    disk.filler.fill();
                }
            }
            Err((code, message)) => {
                assert!(["000002", "000003"].contains(&&*code), "{code} {message}");
                refused.push(number);
            }
        }
        number += 1;
    }
    eprintln!(
        "{} acknowledged before the disk was full",
        acknowledged.len()
    );
    listener.hold(false);
    eventually("the callback's outcome can't be written down", async || {
        let log = disk.server.program.said().1;
        let mut lines = log.lines();
        let stopped = |line: &str| line.contains(LANE_STOPPED) && line.contains("callback");
        lines.any(stopped).then_some(())
    })
    .await;
    let (status, _) = crate::stopping::try_get(platform, "/healthz").await;
    assert_eq!(status, 200, "a full disk is no reason to die");

    disk.filler.make_room();
    // What was refused was not half kept: the same batch goes through now.
    for number in refused.into_iter().chain(number..number + 5) {
        eventually("it goes on when there is room", async || {
            let report = report(number);
            let answered = hospital.call(platform, Interface::OrgMdl001, &report).await;
            answered.unwrap().ok()
        })
        .await;
        acknowledged.push(number);
    }
    for number in &acknowledged {
        check(&hospital, platform, &listener, *number).await;
    }
    let ended = disk.server.program.stop();
    assert_eq!(ended.code, Some(0));
    let stopped = ended.err.matches(LANE_STOPPED).count();
    assert!(
        stopped < 1_000,
        "a full disk is tried without pause: {stopped} lines in the log"
    );
}

async fn check(hospital: &Partner, platform: &str, listener: &Listener, number: usize) {
    let batch = format!("B{number}");
    let outcome = eventually("what was acknowledged is judged", async || {
        hospital.outcome(platform, &batch).await
    })
    .await;
    assert_eq!(items(&outcome).len(), ITEMS, "{outcome}");
    eventually("and told", async || {
        (listener.about(hospital, &batch).len() == 1).then_some(())
    })
    .await;
}

/// A platform on a small disk.
struct SmallDisk {
    server: Server,
    filler: Filler,
}

impl SmallDisk {
    /// `None` where the system does not let us mount.
    fn serve(place: &Place) -> Option<Self> {
        let mut command = place.banyan(&["serve"]);
        command.env("BANYAN_DATABASE_URL", format!("sqlite:{DISK}/banyan.db"));
        let copy = format!("cp banyan.db* {DISK}/");
        let mut command = on_small_disk(&command, place.path(), SIZE, &copy)?;
        let server = Server::start(&mut command);
        let filler = Filler::of(&server.program, place.path());
        Some(Self { server, filler })
    }
}
