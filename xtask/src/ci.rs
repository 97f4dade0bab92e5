//! `cargo xtask ci`: what the build server checks after the tests. It goes on after a failure,
//! because one log should tell everything that is wrong.

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail};

use crate::apt::answers;
use crate::workspace::{cargo, shown};
use crate::{generate, tidy};

pub(crate) fn run(root: &Path) -> Result<ExitCode> {
    ensure_components(root)?;
    let clippy = &[
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ];
    let checks = [
        ("fmt", call(root, &["fmt", "--all", "--check"])),
        ("clippy", call(root, clippy)),
        ("gen --check", generate::check(root)),
        ("tidy", tidy::run(root)),
        ("deny", deny(root)),
    ];
    let mut failed = Vec::new();
    for (name, outcome) in checks {
        match outcome {
            Ok(code) if code == ExitCode::SUCCESS => {}
            Ok(_) => failed.push(name.to_owned()),
            Err(error) => failed.push(format!("{name} ({error:#})")),
        }
    }
    if failed.is_empty() {
        println!("xtask ci: passed");
        Ok(ExitCode::SUCCESS)
    } else {
        println!("xtask ci: FAILED: {}", failed.join(", "));
        Ok(ExitCode::FAILURE)
    }
}

/// What may come into the build, by `deny.toml`. Not everybody has the program, nor the network that
/// its list of advisories comes by; whoever lacks it learns that this was left out.
fn deny(root: &Path) -> Result<ExitCode> {
    if !answers(cargo(root).args(["deny", "--version"])) {
        println!(
            "xtask ci: deny.toml was NOT checked, for cargo-deny is not installed: \
             `cargo install --locked cargo-deny`"
        );
        return Ok(ExitCode::SUCCESS);
    }
    call(root, &["deny", "check"])
}

fn call(root: &Path, arguments: &[&str]) -> Result<ExitCode> {
    let mut command = cargo(root);
    command.args(arguments).stdin(Stdio::null());
    println!("xtask ci: {}", shown(&command));
    Ok(if command.status()?.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// rustup's minimal profile, which build servers' images use, leaves both out.
fn ensure_components(root: &Path) -> Result<()> {
    for (subcommand, component) in [("fmt", "rustfmt"), ("clippy", "clippy")] {
        if answers(cargo(root).args([subcommand, "--version"])) {
            continue;
        }
        let advice = format!("`cargo {subcommand}` is missing: `rustup component add {component}`");
        let added = Command::new("rustup")
            .args(["component", "add", component])
            .current_dir(root)
            .stdin(Stdio::null())
            .status()
            .with_context(|| advice.clone())?;
        if !added.success() {
            bail!(advice);
        }
    }
    Ok(())
}
