//! `cargo xtask test`: every test of the workspace, on SQLite and on a throwaway PostgreSQL.

use std::path::Path;
use std::process::{Command, ExitCode, ExitStatus};
use std::time::Instant;

use anyhow::{Result, anyhow};

use crate::interrupt;
use crate::postgres::{Binaries, Cluster};
use crate::workspace::{cargo, shown};

/// Tells the tests where PostgreSQL is, or `skip` when the developer asked to do without.
pub(crate) const TEST_POSTGRES: &str = "BANYAN_TEST_POSTGRES";

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Leave PostgreSQL out; its tests are skipped
    #[arg(long)]
    no_postgres: bool,
    /// Run only tests whose names hold one of these; options for the test programs go after `--`
    filter: Vec<String>,
}

pub(crate) fn run(root: &Path, options: &Options) -> Result<ExitCode> {
    interrupt::watch()?;
    let started = Instant::now();
    crate::apt::bring_peers();
    let engines = if options.no_postgres {
        None
    } else {
        let binaries = Binaries::find_or_install()?;
        let cluster = Cluster::start(&binaries)?;
        println!("xtask: {} listens at {}", binaries, cluster.url());
        Some((binaries, cluster))
    };
    let url = engines.as_ref().map(|(_, cluster)| cluster.url());
    let mut outcome = cargo_tests(root, &options.filter, url.as_deref().unwrap_or("skip"));
    let mut tested = "SQLite only, by --no-postgres".to_owned();
    if let Some((binaries, mut cluster)) = engines {
        tested = format!("SQLite and {binaries}; its cluster is gone again");
        if let Some(last_words) = cluster.died() {
            outcome = Err(anyhow!(
                "PostgreSQL ended while the tests ran: {last_words}"
            ));
        }
        // Before the summary, so that the summary is the last line.
        drop(cluster);
    }
    Ok(summary(
        outcome,
        &tested,
        started.elapsed().as_secs_f64(),
        &options.filter,
    ))
}

/// Runs the tests, then the examples in the docs; the first failure ends it, because what does not
/// compile in the one does not in the other.
fn cargo_tests(root: &Path, filter: &[String], url: &str) -> Result<Verdict> {
    // All the failures of all the programs at once: a build server's log is read once.
    let targets: &[&str] = &["--all-targets", "--no-fail-fast"];
    for which in [targets, &["--doc"]] {
        interrupt::check()?;
        let mut command = cargo(root);
        command.args(["test", "--workspace"]).args(which);
        if !filter.is_empty() {
            command.arg("--").args(filter);
        }
        let status = interrupt::run(command.env(TEST_POSTGRES, url))?;
        if !status.success() {
            return Ok(Verdict::failed(&command, status));
        }
    }
    Ok(Verdict::Passed)
}

enum Verdict {
    Passed,
    Failed { command: String, status: ExitStatus },
}

impl Verdict {
    fn failed(command: &Command, status: ExitStatus) -> Verdict {
        Verdict::Failed {
            command: shown(command),
            status,
        }
    }
}

fn summary(outcome: Result<Verdict>, tested: &str, seconds: f64, filter: &[String]) -> ExitCode {
    let chosen = if filter.is_empty() {
        String::new()
    } else {
        format!(", only `{}`", filter.join(" "))
    };
    match outcome {
        Ok(Verdict::Passed) => {
            println!("xtask test: passed in {seconds:.1} s{chosen} ({tested})");
            ExitCode::SUCCESS
        }
        Ok(Verdict::Failed { command, status }) => {
            println!("xtask test: FAILED after {seconds:.1} s: `{command}`, {status} ({tested})");
            // A status without a code is a death by signal, of which only the fact is passed on.
            let code = status
                .code()
                .and_then(|code| u8::try_from(code).ok())
                .unwrap_or(1);
            ExitCode::from(code)
        }
        Err(error) => {
            println!("xtask test: FAILED after {seconds:.1} s: {error:#} ({tested})");
            interrupt::exit_code()
        }
    }
}
