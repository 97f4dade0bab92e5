//! The file drop: for a HIS that can't call HTTP.
//!
//! Whoever can write a file writes it into one folder. As soon as a file has stopped growing, its
//! rows are handed over, and what became of them stands beside it:
//!
//! ```text
//! drop/欠费.csv               dropped; stays until all below is safe on the disk
//! drop/done/欠费.csv          the file as it came, once its rows were handed over
//! drop/done/欠费.csv.result.txt    how many were taken, in which encoding
//! drop/failed/欠费.csv        the bad lines alone, as they were written, under their header
//! drop/failed/欠费.csv.reasons.csv what is wrong with each, by its line in the dropped file
//! ```
//!
//! What lies in `done` names persons in clear and goes after `files.keep_days`; what lies in
//! `failed` is the hospital's to correct and to clear.
//!
//! The good rows of a file with bad lines are kept. Whoever corrects the lines in `failed` drops
//! that file again. A file that can't be read at all goes to `failed` as it is.
//!
//! Invariants:
//! - A dropped file is moved last, after everything about it was synced. Whatever happens before,
//!   it is read again from its beginning, and rows that were taken before are repetitions.
//! - Files are taken in the order in which they were written, a debt before its settlement. One
//!   that can't be taken now holds up those after it.
//! - Names come from outside: they may be anything, and are never followed anywhere.
//! - Memory is bounded by a piece of a file, whatever its size.

mod meaning;
mod names;
mod piece;
mod shelves;
mod sweep;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use banyan_store::db::StoreError;
use tokio::sync::Mutex;

use crate::rows::{Row, Taken};
use crate::settings::Files;
use piece::{OpenFault, Sheet};
use shelves::{Counts, Results, Shelves};
use sweep::Sweep;

/// Whoever takes rows in.
pub trait TakesRows: Sync {
    /// Takes rows; answers for each in their order. To hand a row over twice is to hand it over
    /// once.
    fn take(&self, rows: Vec<Row>) -> impl Future<Output = Result<Vec<Taken>, StoreError>> + Send;
}

/// A folder into which files are dropped.
#[derive(Debug)]
pub struct Folder {
    shelves: Shelves,
    seen: Mutex<HashMap<OsString, Look>>,
    sweep: Mutex<Sweep>,
}

/// What became of a file.
#[derive(Debug)]
pub struct FileOutcome {
    /// Its name, as far as it can be shown.
    pub name: String,
    /// How it ended.
    pub end: FileEnd,
}

/// How a file ended.
#[derive(Debug)]
pub enum FileEnd {
    /// Every row was handed over; the bad ones lie in `failed`.
    Done {
        /// Rows that are kept now.
        new: u64,
        /// Rows that were kept before.
        repeated: u64,
        /// Lines that are no row, or whose row was refused.
        bad: u64,
    },
    /// It could not be read at all and lies in `failed`; why, in Chinese.
    Unreadable(String),
    /// It stays where it is and is looked at again.
    Stays(FileTrouble),
}

/// Why a file stays.
#[derive(Debug, thiserror::Error)]
pub enum FileTrouble {
    /// The disk is full, a right is missing, a share is away.
    #[error("文件读写失败：{}", in_chinese(.0))]
    Io(#[from] io::Error),
    /// Its rows can't be kept now.
    #[error("暂时不能保存，原因见前置机日志")]
    Store(#[from] StoreError),
    /// It was written to while it was read.
    #[error("文件仍在写入")]
    Changed,
}

/// Files of one look; more wait for the next.
const MOST_FILES: usize = 10_000;
/// An empty file may be one that is about to be written.
const EMPTY_FOR_MS: i64 = 60_000;

impl Folder {
    /// The one of the settings, where there is one; looks at nothing yet.
    #[must_use]
    pub fn of(settings: &Files) -> Option<Self> {
        let shelves = Shelves::new(settings.drop_dir.clone()?);
        Some(Self {
            sweep: Mutex::new(Sweep::new(shelves.done_path(), settings.keep_days)),
            shelves,
            seen: Mutex::default(),
        })
    }

    /// Makes the folder and those in it. To be called once, at the start: a share that goes away
    /// later must not be replaced by a folder of our own.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn prepare(&self) -> io::Result<()> {
        std::fs::create_dir_all(self.shelves.drop_path())?;
        self.shelves.prepare()
    }

    /// Looks once, and works on the files that have not changed since the look before.
    ///
    /// # Errors
    /// Where the folder can't be looked at. What hinders a single file stands in its outcome.
    pub async fn work(&self, intake: &impl TakesRows, now_ms: i64) -> io::Result<Vec<FileOutcome>> {
        let mut seen = self.seen.lock().await;
        let shelves = self.shelves.clone();
        let found = blocking(move || {
            shelves.prepare()?;
            list(shelves.drop_path())
        })
        .await??;
        let mut before = std::mem::take(&mut *seen);
        let mut settled = Vec::new();
        // The first of those that may still be written.
        let mut awaited: Option<Turn> = None;
        for (name, stamp) in found {
            let earlier = before.remove(&name).filter(|look| look.stamp == stamp);
            let look = earlier.unwrap_or(Look {
                stamp,
                since_ms: now_ms,
            });
            let is_quiet = stamp.bytes > 0 || now_ms - look.since_ms >= EMPTY_FOR_MS;
            let file = Found {
                path: self.shelves.drop_path().join(&name),
                name: name.clone(),
                stamp,
            };
            if earlier.is_some() && is_quiet {
                settled.push(file);
            } else if stamp.bytes > 0 {
                awaited = earlier_of(awaited, file.turn());
            }
            seen.insert(name, look);
        }
        settled.sort_by_cached_key(Found::turn);
        let mut outcomes = Vec::with_capacity(settled.len());
        for found in settled {
            if awaited.as_ref().is_some_and(|turn| *turn < found.turn()) {
                break;
            }
            let worked = self.work_on(&found, intake, now_ms).await;
            let end = worked.unwrap_or_else(FileEnd::Stays);
            let mut holds_up = false;
            if let FileEnd::Stays(why) = &end {
                let shelves = self.shelves.clone();
                blocking(move || shelves.clear()).await?;
                if matches!(why, FileTrouble::Changed) {
                    // What is written later is meant later, unless it keeps an earlier time.
                    let changed = found.clone();
                    let now = blocking(move || changed.as_it_is()).await??;
                    if let Some(turn) = now {
                        awaited = earlier_of(awaited, turn);
                    }
                } else {
                    holds_up = true;
                }
            } else {
                seen.remove(&found.name);
            }
            outcomes.push(FileOutcome {
                name: names::shown(&found.name),
                end,
            });
            if holds_up {
                break;
            }
        }
        self.sweep(now_ms).await?;
        Ok(outcomes)
    }

    /// Goes on with clearing `done`.
    async fn sweep(&self, now_ms: i64) -> io::Result<()> {
        let mut sweep = self.sweep.lock().await;
        let mut going = std::mem::take(&mut *sweep);
        *sweep = blocking(move || {
            if let Err(error) = going.go_on(now_ms) {
                tracing::warn!(%error, "an old file can't be cleared");
            }
            going
        })
        .await?;
        Ok(())
    }

    async fn work_on(
        &self,
        found: &Found,
        intake: &impl TakesRows,
        now_ms: i64,
    ) -> Result<FileEnd, FileTrouble> {
        let opening = found.clone();
        let mut sheet = match blocking(move || Sheet::open(&opening)).await? {
            Ok(sheet) => sheet,
            Err(OpenFault::Io(error)) => return Err(error.into()),
            Err(OpenFault::Changed) => return Err(FileTrouble::Changed),
            Err(OpenFault::Unreadable(why)) => {
                let (shelves, found, reason) = (self.shelves.clone(), found.clone(), why.clone());
                blocking(move || shelves.set_aside(&found, &reason, now_ms)).await??;
                return Ok(FileEnd::Unreadable(why));
            }
        };
        let mut results = Results::new(self.shelves.clone(), sheet.head());
        loop {
            let reading = found.clone();
            let (read, piece) = blocking(move || {
                let read = sheet.next_piece()?;
                // The last line of a file that grows may be half a line.
                if reading.has_changed()? {
                    return Err(FileTrouble::Changed);
                }
                Ok(read)
            })
            .await??;
            sheet = read;
            let Some(mut piece) = piece else { break };
            let rows = piece.take_rows();
            let taken = if rows.is_empty() {
                Vec::new()
            } else {
                intake.take(rows).await?
            };
            let path = found.path.clone();
            results = blocking(move || results.add(&path, &piece, taken)).await??;
        }
        let (summary, found) = (sheet.summary(), found.clone());
        let Counts { new, repeated, bad } =
            blocking(move || results.conclude(&found, &summary, now_ms)).await??;
        Ok(FileEnd::Done { new, repeated, bad })
    }
}

/// What a hospital's engineer can do something about, in his words; the system's own otherwise.
pub(crate) fn in_chinese(error: &io::Error) -> String {
    let known = match error.kind() {
        io::ErrorKind::NotFound => "目录或文件不存在",
        io::ErrorKind::PermissionDenied => "没有权限",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "磁盘空间不足",
        io::ErrorKind::ReadOnlyFilesystem => "磁盘为只读",
        io::ErrorKind::NotADirectory => "同名的不是目录",
        _ => return error.to_string(),
    };
    known.to_owned()
}

/// What a look saw of a file.
#[derive(Debug, Clone, Copy)]
struct Look {
    stamp: Stamp,
    since_ms: i64,
}

/// By which a change of a file is noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    bytes: u64,
    written: SystemTime,
}

/// A file to work on.
#[derive(Debug, Clone)]
struct Found {
    path: PathBuf,
    name: OsString,
    stamp: Stamp,
}

/// When a file's turn is: what was written first is meant first.
type Turn = (SystemTime, OsString);

fn earlier_of(one: Option<Turn>, other: Turn) -> Option<Turn> {
    match one {
        Some(one) if one <= other => Some(one),
        _ => Some(other),
    }
}

impl Found {
    fn turn(&self) -> Turn {
        (self.stamp.written, self.name.clone())
    }

    fn has_changed(&self) -> io::Result<bool> {
        Ok(self.stamp_now()? != Some(self.stamp))
    }

    /// Its turn as it lies there now; `None` where it is gone.
    fn as_it_is(&self) -> io::Result<Option<Turn>> {
        let stamp = self.stamp_now()?;
        Ok(stamp.map(|stamp| (stamp.written, self.name.clone())))
    }

    fn stamp_now(&self) -> io::Result<Option<Stamp>> {
        match std::fs::symlink_metadata(&self.path) {
            Ok(metadata) => stamp(&metadata).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The regular files whose names say that they are meant for us.
fn list(drop: &Path) -> io::Result<Vec<(OsString, Stamp)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(drop)? {
        let entry = entry?;
        let name = entry.file_name();
        if found.len() == MOST_FILES || !names::is_table(&name) {
            continue;
        }
        // Not through a link: it may lead to a file that is nobody's here.
        let metadata = match entry.path().symlink_metadata() {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        if metadata.is_file() {
            found.push((name, stamp(&metadata)?));
        }
    }
    Ok(found)
}

fn stamp(metadata: &std::fs::Metadata) -> io::Result<Stamp> {
    Ok(Stamp {
        bytes: metadata.len(),
        written: metadata.modified()?,
    })
}

/// A moment of the edge's clock as files have it.
fn moment(now_ms: i64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(now_ms).unwrap_or(0))
}

/// Files stand still on a slow share; the runtime's own threads must not.
async fn blocking<T: Send + 'static>(act: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(act)
        .await
        .map_err(io::Error::other)
}
