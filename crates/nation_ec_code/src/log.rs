//! The log: a line for each call, and never who or what it was about.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use banyan_protocol::wire::{LocalTime, Scalar as _};

use crate::message::{FACE, PASSWORD, QR_CODE, QUERY};

/// What is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Calls that got no verified reply.
    Error,
    /// Every call.
    Info,
}

/// Where the log is and how long it may become.
#[derive(Debug)]
pub struct Log {
    /// Absolute.
    pub file: PathBuf,
    /// What is written down.
    pub level: Level,
    /// Beyond so many bytes it becomes `file.1`, whose predecessor goes.
    pub most_bytes: u64,
}

/// One call as the log knows it.
pub(crate) struct Line<'a> {
    pub(crate) at_ms: i64,
    pub(crate) trans_type: &'a str,
    /// The code of the centre's reply, or of the fault.
    pub(crate) code: i64,
    pub(crate) returned: &'a str,
    pub(crate) whole_ms: u128,
    pub(crate) outside_ms: u128,
    pub(crate) failed: bool,
}

/// Threads write one after the other: a line is one write, and a rotation is not repeated.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

impl Log {
    /// Writes the line. What can't be written is lost: a full disk must not keep a patient waiting.
    pub(crate) fn write(&self, line: &Line<'_>) {
        if self.level == Level::Error && !line.failed {
            return;
        }
        let text = format!(
            "{} {} code={} total={}ms outside={}ms return={}\n",
            LocalTime::from_epoch_ms(line.at_ms).render(),
            known(line.trans_type),
            line.code,
            line.whole_ms,
            line.outside_ms,
            line.returned,
        );
        let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let opened = OpenOptions::new()
            .append(true)
            .create(true)
            .open(&self.file);
        let Ok(mut file) = opened else {
            return;
        };
        let _ = file.write_all(text.as_bytes());
        let is_full = file
            .metadata()
            .is_ok_and(|metadata| metadata.len() >= self.most_bytes);
        drop(file);
        if is_full {
            let _ = fs::rename(&self.file, previous(&self.file));
        }
    }
}

fn previous(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".1");
    name.into()
}

/// Only names of the standard are written: anything else is the caller's text, of any content.
fn known(trans_type: &str) -> &str {
    if [QUERY, QR_CODE, FACE, PASSWORD, ""].contains(&trans_type) {
        trans_type
    } else {
        "(other)"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(failed: bool) -> Line<'static> {
        Line {
            at_ms: 1_700_000_000_000,
            trans_type: "a\nforged line",
            code: 0,
            returned: "0000",
            whole_ms: 12,
            outside_ms: 11,
            failed,
        }
    }

    #[test]
    fn the_log_turns_over_once_and_stays_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let log = Log {
            file: folder.path().join("ec.log"),
            level: Level::Info,
            most_bytes: 1000,
        };
        for _ in 0..100 {
            log.write(&line(false));
        }
        let text = fs::read_to_string(&log.file).unwrap_or_default();
        let old = fs::read_to_string(previous(&log.file)).unwrap();
        assert!(text.len() < 1000 && (1000..1200).contains(&old.len()));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
        assert_eq!(
            old.lines().next().unwrap(),
            "2023-11-15 06:13:20 (other) code=0 total=12ms outside=11ms return=0000"
        );
        assert!(!old.contains("forged"));
    }

    #[test]
    fn errors_alone_where_so_set_and_no_harm_where_it_can_not_be_written() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = Log {
            file: folder.path().join("ec.log"),
            level: Level::Error,
            most_bytes: 1000,
        };
        log.write(&line(false));
        assert!(!log.file.exists());
        log.write(&line(true));
        assert!(log.file.exists());
        log.file = folder.path().join("missing/ec.log");
        log.write(&line(true));
    }
}
