//! A cluster that lives in one fresh folder and dies with it.

use std::env;
use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use super::account::Account;
use super::binaries::Binaries;
use crate::interrupt::{self, POLL};

/// A start takes a second; a busy build server with a slow disk takes many.
const START_PATIENCE: Duration = Duration::from_secs(60);

/// A fast shutdown writes one checkpoint; after that we insist.
const STOP_PATIENCE: Duration = Duration::from_secs(15);

/// Someone may take the free port between our look and the server's; thrice in a row nobody does.
const START_ATTEMPTS: usize = 3;

/// The socket's whole path may have 107 bytes; `/.s.PGSQL.65535.lock` needs 20 of them and the
/// folder's own name about as many.
const LONGEST_BASE: usize = 60;

/// Cleans up when we are killed outright and `Drop` never runs. Its stdin is a pipe that only we
/// hold, so it ends exactly when we do. If the folder is gone by then, all is well. The process
/// id counts only while that process still names our folder.
const WATCHDOG: &str = r#"
trap '' HUP INT TERM
read _
[ -d "$1" ] || exit 0
pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null)
if [ -n "$pid" ] && { [ ! -d /proc/self ] || grep -qF -- "$1" "/proc/$pid/cmdline"; }; then
    kill -INT "$pid"
    for _ in 1 2 3 4 5 6 7 8 9 10; do [ -e "$1/data/postmaster.pid" ] && sleep 1; done
fi
rm -rf -- "$1"
"#;

/// A running server; dropping it stops the server and removes the folder.
pub(crate) struct Cluster {
    // In this order they are dropped: the folder is gone before the watchdog wakes.
    server: Server,
    folder: TempDir,
    _watchdog: Watchdog,
}

impl Cluster {
    pub(crate) fn start(binaries: &Binaries) -> Result<Cluster> {
        let account = Account::choose()?;
        let folder = fresh_folder(&account)?;
        let watchdog = Watchdog::over(folder.path())?;
        initialise(binaries, &account, folder.path())?;
        let server = Server::start(binaries, &account, folder.path())?;
        Ok(Cluster {
            server,
            folder,
            _watchdog: watchdog,
        })
    }

    /// Where tests connect, as the cluster's superuser.
    pub(crate) fn url(&self) -> String {
        format!(
            "postgres://postgres@127.0.0.1:{}/postgres",
            self.server.port
        )
    }

    /// What the log says last, if the server ended by itself.
    pub(crate) fn died(&mut self) -> Option<String> {
        self.server.ended().then(|| log_tail(self.folder.path()))
    }
}

/// A folder that the account can reach and whose path a socket can have.
fn fresh_folder(account: &Account) -> Result<TempDir> {
    let base = [env::temp_dir(), PathBuf::from("/tmp"), "/var/tmp".into()]
        .into_iter()
        .find(|base| {
            base.is_dir() && base.as_os_str().len() <= LONGEST_BASE && account.can_reach(base)
        })
        .context("no folder for temporary files suits PostgreSQL: set TMPDIR to a short path")?;
    let folder = tempfile::Builder::new()
        .prefix("banyan-pg-")
        .tempdir_in(base)?;
    account.own(folder.path())?;
    Ok(folder)
}

fn initialise(binaries: &Binaries, account: &Account, folder: &Path) -> Result<()> {
    let done = account
        .command(&binaries.program("initdb"), folder)
        .arg("--pgdata")
        .arg(folder.join("data"))
        .args(["--username=postgres", "--auth=trust"])
        .args(["--encoding=UTF8", "--locale=C"])
        // Only initdb's last sync is left out: a cluster half made when the power fails is refuse.
        .arg("--no-sync")
        .stdin(Stdio::null())
        .output()
        .context("initdb can't be started")?;
    interrupt::check()?;
    if !done.status.success() {
        let said = String::from_utf8_lossy(&done.stderr);
        bail!("initdb failed ({}): {}", done.status, said.trim());
    }
    Ok(())
}

struct Server {
    process: Child,
    port: u16,
}

impl Server {
    fn start(binaries: &Binaries, account: &Account, folder: &Path) -> Result<Server> {
        for _ in 0..START_ATTEMPTS {
            let mut server = Server::spawn(binaries, account, folder)?;
            let deadline = Instant::now() + START_PATIENCE;
            while Instant::now() < deadline && !server.ended() {
                interrupt::check()?;
                if is_ready(folder) {
                    return Ok(server);
                }
                sleep(POLL);
            }
            if !server.ended() {
                bail!(
                    "PostgreSQL was not ready after {} s: {}",
                    START_PATIENCE.as_secs(),
                    log_tail(folder)
                );
            }
        }
        bail!("PostgreSQL does not start: {}", log_tail(folder));
    }

    fn spawn(binaries: &Binaries, account: &Account, folder: &Path) -> Result<Server> {
        let port = free_port()?;
        let log = File::create(folder.join("server.log"))?;
        let settings = [
            "listen_addresses=127.0.0.1".to_owned(),
            format!("port={port}"),
            format!("unix_socket_directories={}", folder.display()),
            // Each test has a database and a pool of its own, and they run side by side.
            "max_connections=300".to_owned(),
            "shared_buffers=128MB".to_owned(),
            // Commits cost in tests what they cost in production.
            "fsync=on".to_owned(),
            // The machine's zone must not decide a test.
            "timezone=UTC".to_owned(),
            "log_timezone=UTC".to_owned(),
        ];
        let mut command = account.command(&binaries.program("postgres"), folder);
        command.arg("-D").arg(folder.join("data"));
        for setting in settings {
            command.arg("-c").arg(setting);
        }
        let process = command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            // Ctrl-C in the terminal is for us; the server stops after the tests.
            .process_group(0)
            .spawn()
            .context("postgres can't be started")?;
        Ok(Server { process, port })
    }

    fn ended(&mut self) -> bool {
        !matches!(self.process.try_wait(), Ok(None))
    }

    fn ends_after(&mut self, signal: Signal, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        let mut asked = false;
        while !self.ended() {
            // While it has not ended the id is its own, so the signal can't hit a stranger.
            if !asked && let Ok(id) = i32::try_from(self.process.id()) {
                asked = kill(Pid::from_raw(id), signal).is_ok();
            }
            if Instant::now() > deadline {
                return false;
            }
            sleep(POLL);
        }
        true
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // SIGINT is PostgreSQL's fast shutdown, SIGQUIT its immediate one.
        let _ = self.ends_after(Signal::SIGINT, STOP_PATIENCE)
            || self.ends_after(Signal::SIGQUIT, STOP_PATIENCE)
            || self.ends_after(Signal::SIGKILL, STOP_PATIENCE);
    }
}

/// The server writes its state on the eighth line of its lock file; a port that accepts is not
/// enough, because it accepts while it is still starting up.
fn is_ready(folder: &Path) -> bool {
    fs::read_to_string(folder.join("data/postmaster.pid"))
        .is_ok_and(|lock| lock.lines().nth(7).map(str::trim) == Some("ready"))
}

fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?.port())
}

fn log_tail(folder: &Path) -> String {
    let log = fs::read_to_string(folder.join("server.log")).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(10)..].join("\n")
}

struct Watchdog(Child);

impl Watchdog {
    fn over(folder: &Path) -> Result<Watchdog> {
        let child = Command::new("sh")
            .args(["-c", WATCHDOG, "banyan-pg-watchdog"])
            .arg(folder)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .context("sh can't be started")?;
        Ok(Watchdog(child))
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        // Waiting closes its stdin first, and so wakes it.
        let _ = self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;
    use crate::test::TEST_POSTGRES;

    /// The binaries, or `None` where PostgreSQL may be absent: asked to skip, or a bare
    /// `cargo test` on a machine without it. Under `cargo xtask test` they must be there.
    fn binaries() -> Option<Binaries> {
        match env::var(TEST_POSTGRES) {
            Ok(url) if url == "skip" => None,
            Ok(_) => Some(Binaries::find().unwrap().unwrap()),
            Err(_) => Binaries::find().unwrap(),
        }
    }

    fn port_of(url: &str) -> u16 {
        let after = url.rsplit(':').next().unwrap();
        after.strip_suffix("/postgres").unwrap().parse().unwrap()
    }

    #[test]
    fn a_cluster_answers_and_leaves_nothing_behind() {
        let Some(binaries) = binaries() else { return };
        let mut cluster = Cluster::start(&binaries).unwrap();
        let folder = cluster.folder.path().to_owned();
        let address = (Ipv4Addr::LOCALHOST, port_of(&cluster.url()));
        TcpStream::connect(address).unwrap();
        assert_eq!(cluster.died(), None);

        drop(cluster);

        TcpStream::connect(address).unwrap_err();
        assert!(!folder.exists());
    }

    #[test]
    fn a_server_that_ends_by_itself_is_noticed() {
        let Some(binaries) = binaries() else { return };
        let mut cluster = Cluster::start(&binaries).unwrap();
        assert!(cluster.server.ends_after(Signal::SIGQUIT, STOP_PATIENCE));
        let last_words = cluster.died().unwrap();
        assert!(last_words.contains("shutdown"), "{last_words}");
    }

    #[test]
    fn the_watchdog_removes_what_a_killed_run_left() {
        let Some(binaries) = binaries() else { return };
        let cluster = Cluster::start(&binaries).unwrap();
        let folder = cluster.folder.path().to_owned();
        let Cluster {
            mut server,
            folder: forgotten,
            _watchdog,
        } = cluster;
        // What SIGKILL leaves: the folder and the server, and the pipe's end closed.
        let _ = forgotten.keep();
        drop(_watchdog);
        assert!(server.ended());
        assert!(!folder.exists());
    }
}
