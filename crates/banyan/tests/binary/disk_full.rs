//! A full disk: refusals, never a false success; and when there is room again, it goes on.

use std::path::PathBuf;
use std::process::Command;

use banyan_protocol::catalogue::Interface;
use banyan_sandbox::citizens;

use crate::eventually;
use crate::listener::Listener;
use crate::partner::{Partner, items};
use crate::place::{Place, Server};
use crate::process::run;

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
                    disk.fill();
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

    disk.make_room();
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

/// A platform on a small disk in memory, which only its own process sees and which goes with it.
struct SmallDisk {
    server: Server,
    filler: PathBuf,
}

impl SmallDisk {
    /// `None`, and the reason printed, where the system does not let us mount.
    fn serve(place: &Place) -> Option<Self> {
        std::fs::create_dir(place.path().join("disk")).unwrap();
        let unshare = ["-m", "-rm"].into_iter().find(|how| {
            let mut try_it = Command::new("sh");
            let line = format!("unshare {how} mount -t tmpfs -o size=1m none disk");
            run(try_it.args(["-c", &line]).current_dir(place.path())).code == Some(0)
        });
        let Some(unshare) = unshare else {
            eprintln!("skipped: this system does not let the test mount a small disk (unshare)");
            return None;
        };
        let mut command = place.banyan(&[]);
        let binary = command.get_program().to_owned();
        let environment: Vec<_> = command
            .get_envs()
            .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
            .collect();
        command = Command::new("unshare");
        let line = format!(
            "mount -t tmpfs -o size={SIZE} none disk && cp banyan.db* disk/ && exec \"$0\" serve"
        );
        command
            .args([unshare, "sh", "-c", &line])
            .arg(binary)
            .current_dir(place.path())
            .env_clear()
            .envs(environment)
            .env("BANYAN_DATABASE_URL", "sqlite:disk/banyan.db");
        let server = Server::start(&mut command);
        // The disk as that process sees it.
        let root = PathBuf::from(format!("/proc/{}/root", server.program.id()));
        let filler = root
            .join(place.path().strip_prefix("/").unwrap())
            .join("disk/filler");
        Some(Self { server, filler })
    }

    /// Takes all the room that is left.
    fn fill(&self) {
        let mut file = std::fs::File::create(&self.filler).unwrap();
        while std::io::Write::write_all(&mut file, &[0; 4_096]).is_ok() {}
    }

    fn make_room(&self) {
        std::fs::remove_file(&self.filler).unwrap();
    }
}
