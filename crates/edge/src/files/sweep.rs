//! Clearing `done`: files that were taken long ago go, with the note of what became of them.
//!
//! A folder may hold a hundred thousand files, so a look goes over a part of it, and the next look
//! goes on from there. `failed` is never cleared: what lies there still waits for somebody.

use std::ffi::OsStr;
use std::fs::ReadDir;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use super::moment;
use super::shelves::RESULT;
use banyan_protocol::ambient::DAY_MS;

/// How far the clearing is.
#[derive(Debug, Default)]
pub(super) struct Sweep {
    done: PathBuf,
    keep_ms: i64,
    /// The rest of the folder, while it is gone over.
    rest: Option<ReadDir>,
    /// When the folder was last begun.
    begun_ms: i64,
}

/// How often the folder is gone over.
const EVERY_MS: i64 = 3_600_000;
/// What one look goes over.
const MOST_ENTRIES: usize = 500;

impl Sweep {
    /// Of this folder; days of 0 are for ever.
    pub(super) fn new(done: &Path, keep_days: i64) -> Self {
        Self {
            done: done.to_owned(),
            keep_ms: keep_days.saturating_mul(DAY_MS),
            ..Self::default()
        }
    }

    /// Goes over the next entries, where it is time.
    pub(super) fn go_on(&mut self, now_ms: i64) -> io::Result<()> {
        if self.keep_ms == 0 {
            return Ok(());
        }
        let mut rest = match self.rest.take() {
            Some(rest) => rest,
            None if (0..EVERY_MS).contains(&(now_ms - self.begun_ms)) => return Ok(()),
            None => {
                self.begun_ms = now_ms;
                std::fs::read_dir(&self.done)?
            }
        };
        let old = moment(now_ms.saturating_sub(self.keep_ms));
        for _ in 0..MOST_ENTRIES {
            let Some(entry) = rest.next() else {
                return Ok(());
            };
            let entry = entry?;
            let note = entry.file_name();
            let Some(name) = note.as_bytes().strip_suffix(RESULT.as_bytes()) else {
                continue;
            };
            let metadata = entry.metadata()?;
            if metadata.is_file() && metadata.modified()? < old {
                // The note last: as long as it is there, the file is found again.
                remove(&self.done.join(OsStr::from_bytes(name)))?;
                remove(&entry.path())?;
            }
        }
        self.rest = Some(rest);
        Ok(())
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
