//! Ctrl-C, SIGTERM and SIGHUP end a run in order: first the tests, then the cluster.
//!
//! The handler only raises a flag; whoever waits looks at it. So the guards' `Drop` does the
//! cleaning, on one path, whether a test failed or someone pressed Ctrl-C.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::workspace::shown;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Short enough not to be felt, long enough to cost nothing.
pub(crate) const POLL: Duration = Duration::from_millis(50);

/// How long a group may take to end after a signal; a server in a test finishes its requests.
const PATIENCE: Duration = Duration::from_secs(5);

/// From now on a signal raises the flag instead of ending the process.
pub(crate) fn watch() -> Result<()> {
    ctrlc::set_handler(|| INTERRUPTED.store(true, Ordering::Relaxed))
        .context("the handler for Ctrl-C can't be set")
}

/// Fails once a signal has come.
pub(crate) fn check() -> Result<()> {
    if INTERRUPTED.load(Ordering::Relaxed) {
        bail!("interrupted");
    }
    Ok(())
}

/// How we end when something went wrong.
pub(crate) fn exit_code() -> ExitCode {
    if check().is_err() {
        // What a shell makes of a program that Ctrl-C ended: 128 + SIGINT.
        ExitCode::from(130)
    } else {
        ExitCode::FAILURE
    }
}

/// Runs a command to its end, or ends it and all that it started when a signal comes.
///
/// It gets a process group of its own, because a SIGTERM from a build server reaches only us, and
/// the tests' own children must go too. Without stdin, since a background group may not read it.
pub(crate) fn run(command: &mut Command) -> Result<ExitStatus> {
    let mut child = command
        .stdin(Stdio::null())
        .process_group(0)
        .spawn()
        .with_context(|| format!("`{}` can't be started", shown(command)))?;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if let Err(interrupted) = check() {
            end_group(&mut child)?;
            return Err(interrupted);
        }
        sleep(POLL);
    }
}

fn end_group(leader: &mut Child) -> Result<()> {
    let group = Pid::from_raw(i32::try_from(leader.id())?);
    for signal in [Signal::SIGINT, Signal::SIGKILL] {
        let deadline = Instant::now() + PATIENCE;
        // An error means that nobody is left to receive it, which is what we want.
        let _ = killpg(group, signal);
        while Instant::now() < deadline {
            leader.try_wait()?;
            if killpg(group, None).is_err() {
                return Ok(());
            }
            sleep(POLL);
        }
    }
    Ok(())
}
