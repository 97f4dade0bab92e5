//! `cargo xtask gen`: writes the files that the code can write itself; `--check` only compares.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};

/// A file in the repository that is made from the code.
struct Generated {
    /// From the workspace's root.
    path: &'static str,
    /// The whole text; the same on every machine, or `--check` would fail on some.
    render: fn() -> String,
}

/// Every generated file; a new one is a line here, and its text comes from the crate that knows.
const GENERATED: &[Generated] = &[
    Generated {
        path: "docs/interfaces.md",
        render: crate::interfaces::page,
    },
    Generated {
        path: "docs/settings.zh-CN.md",
        render: crate::settings::page,
    },
];

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Write nothing; fail and name the files that differ
    #[arg(long)]
    check: bool,
}

pub(crate) fn run(root: &Path, options: &Options) -> Result<ExitCode> {
    let stale = stale(root, GENERATED);
    if options.check {
        return Ok(report(&stale));
    }
    for file in &stale {
        write(root, file)?;
        println!("xtask gen: wrote {}", file.path);
    }
    println!(
        "xtask gen: {} of {} files written",
        stale.len(),
        GENERATED.len()
    );
    Ok(ExitCode::SUCCESS)
}

/// The check alone, for `cargo xtask ci`.
pub(crate) fn check(root: &Path) -> Result<ExitCode> {
    run(root, &Options { check: true })
}

fn report(stale: &[&Generated]) -> ExitCode {
    for file in stale {
        println!(
            "{}: differs from what the code generates; run `cargo xtask gen` and commit it",
            file.path
        );
    }
    if stale.is_empty() {
        println!("xtask gen: all {} files are current", GENERATED.len());
        ExitCode::SUCCESS
    } else {
        println!("xtask gen: {} files differ", stale.len());
        ExitCode::FAILURE
    }
}

/// A file that is absent or unreadable differs too.
fn stale<'a>(root: &Path, files: &'a [Generated]) -> Vec<&'a Generated> {
    files
        .iter()
        .filter(|file| {
            fs::read_to_string(root.join(file.path)).ok().as_deref() != Some(&(file.render)())
        })
        .collect()
}

fn write(root: &Path, file: &Generated) -> Result<()> {
    let path = root.join(file.path);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(&path, (file.render)()).with_context(|| format!("{} can't be written", file.path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_stale_until_it_is_written_and_again_when_edited() {
        let root = tempfile::tempdir().unwrap();
        let files = [Generated {
            path: "docs/generated/interfaces.md",
            render: || "# Interfaces\n".to_owned(),
        }];
        assert_eq!(stale(root.path(), &files).len(), 1);

        write(root.path(), &files[0]).unwrap();
        assert!(stale(root.path(), &files).is_empty());

        fs::write(root.path().join(files[0].path), "edited by hand").unwrap();
        assert_eq!(stale(root.path(), &files).len(), 1);
    }
}
