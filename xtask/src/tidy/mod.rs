//! `cargo xtask tidy`: the code's manners, those that neither rustc nor clippy can see.
//!
//! Each check takes one file, or all where it must, and tells what it found; a finding says where,
//! what, and what to do.

mod docs;
mod files;
mod lock;
mod rooms;
mod sql;
mod tokens;
mod words;

use std::fmt;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;

type Check = fn(&Source, &mut Vec<Finding>);

const CHECKS: &[Check] = &[
    words::unfinished,
    words::machine_paths,
    words::registries,
    words::trailing_space,
    words::absent_documents,
    docs::folders_begin_with_their_story,
    docs::files_stay_short,
    sql::stays_in_the_store,
    rooms::never_import_one_another,
    lock::protocol_does_no_io,
    lock::only_crates_io,
];

pub(crate) fn run(root: &Path) -> Result<ExitCode> {
    let files = files::list(root)?;
    let mut findings = Vec::new();
    for file in &files {
        check(file, &mut findings);
    }
    docs::named_files_exist(&files, &mut findings);
    findings.sort();
    for finding in &findings {
        println!("{finding}");
    }
    if findings.is_empty() {
        println!("xtask tidy: {} files, nothing to say", files.len());
        Ok(ExitCode::SUCCESS)
    } else {
        println!("xtask tidy: FAILED: {} findings", findings.len());
        Ok(ExitCode::FAILURE)
    }
}

fn check(file: &Source, findings: &mut Vec<Finding>) {
    for check in CHECKS {
        check(file, findings);
    }
}

/// One text file of the repository.
struct Source {
    /// From the root, with slashes.
    path: String,
    text: String,
}

impl Source {
    fn extension(&self) -> &str {
        self.path
            .rsplit('/')
            .next()
            .and_then(|name| name.rsplit_once('.'))
            .map_or("", |(_, extension)| extension)
    }

    /// Each line with its number, from 1.
    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text
            .split('\n')
            .enumerate()
            .map(|(i, line)| (i + 1, line))
    }

    fn finding(&self, line: usize, what: impl Into<String>) -> Finding {
        Finding {
            path: self.path.clone(),
            line,
            what: what.into(),
        }
    }

    /// Test code by its place; a `#[cfg(test)]` module inside a file is left out by `tokens`.
    fn is_test(&self) -> bool {
        self.path
            .split('/')
            .any(|part| ["tests", "benches", "tests.rs"].contains(&part))
    }
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    path: String,
    line: usize,
    what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.what)
    }
}

/// The lines on which a check finds something, for the checks' tests.
#[cfg(test)]
fn lines_found(check: Check, path: &str, text: &str) -> Vec<usize> {
    let file = Source {
        path: path.to_owned(),
        text: text.to_owned(),
    };
    let mut findings = Vec::new();
    check(&file, &mut findings);
    findings.into_iter().map(|finding| finding.line).collect()
}
