//! Where files end, and what is written beside them.
//!
//! Everything is written under a name of its own, synced, and then given its name; the dropped
//! file is moved when all of that is on the disk.
//!
//! These files name persons in clear. Folders and files are made for their owner alone; a folder
//! that a hospital has opened to a group of its own stays as it is.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs::{DirBuilder, File, Permissions};
use std::io::{self, BufReader, BufWriter, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use banyan_protocol::wire::{FieldFault, LocalTime, Scalar as _};
use banyan_store::private_file::sync_folder;
use banyan_tables::Span;

use super::piece::{Piece, Summary};
use super::{FileTrouble, Found, Taken, meaning, moment, names};

/// The folders of a drop.
#[derive(Debug, Clone)]
pub(super) struct Shelves {
    drop: PathBuf,
    done: PathBuf,
    failed: PathBuf,
}

/// What the lines of a file came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) new: u64,
    pub(super) repeated: u64,
    pub(super) bad: u64,
}

/// What becomes of a file's lines, while it is read.
pub(super) struct Results {
    shelves: Shelves,
    head: Span,
    counts: Counts,
    bad: Option<BadLines>,
}

/// The bad lines and their reasons, not yet under their names.
struct BadLines {
    source: File,
    lines: BufWriter<File>,
    reasons: BufWriter<File>,
}

/// Names that nobody's file can have: such files are not taken.
const LINES_TMP: &str = ".lines.tmp";
const REASONS_TMP: &str = ".reasons.tmp";
const RESULT_TMP: &str = ".result.tmp";
const REASONS: &str = ".reasons.csv";
pub(super) const RESULT: &str = ".result.txt";
/// For the owner alone.
const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;
/// The mark by which spreadsheets know UTF-8, and the names of the columns.
const REASONS_HEAD: &str = "\u{FEFF}行号,列,原因\r\n";

impl Shelves {
    pub(super) fn new(drop: PathBuf) -> Self {
        Self {
            done: drop.join("done"),
            failed: drop.join("failed"),
            drop,
        }
    }

    pub(super) fn drop_path(&self) -> &Path {
        &self.drop
    }

    pub(super) fn done_path(&self) -> &Path {
        &self.done
    }

    /// Makes the two folders, where there is a folder to make them in.
    pub(super) fn prepare(&self) -> io::Result<()> {
        for folder in [&self.done, &self.failed] {
            match DirBuilder::new().mode(FOLDER_MODE).create(folder) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
            // A link would put people's data wherever it leads.
            if !folder.symlink_metadata()?.is_dir() {
                return Err(io::ErrorKind::NotADirectory.into());
            }
        }
        Ok(())
    }

    /// Removes what an attempt that did not end left behind.
    pub(super) fn clear(&self) {
        for unfinished in [
            self.failed.join(LINES_TMP),
            self.failed.join(REASONS_TMP),
            self.done.join(RESULT_TMP),
        ] {
            // It is overwritten by the next attempt, if it can't be removed now.
            let _ = std::fs::remove_file(unfinished);
        }
    }

    /// Puts a file that can't be read to the failed ones, with the reason.
    pub(super) fn set_aside(
        &self,
        found: &Found,
        reason: &str,
        now_ms: i64,
    ) -> Result<(), FileTrouble> {
        let name = names::free(&found.name, now_ms, |name| {
            Ok(!exists(&self.done.join(name))? && !exists(&self.failed.join(name))?)
        })?;
        let reasons = self.failed.join(REASONS_TMP);
        let mut file = create(&reasons)?;
        file.write_all(REASONS_HEAD.as_bytes())?;
        file.write_all(reason_line(None, &FieldFault::new("", reason)).as_bytes())?;
        file.sync_all()?;
        std::fs::rename(reasons, self.failed.join(names::with(&name, REASONS)))?;
        sync_folder(&self.failed)?;
        self.move_to(&self.failed, found, &name)
    }

    /// The last step of all.
    fn move_to(&self, folder: &Path, found: &Found, name: &OsStr) -> Result<(), FileTrouble> {
        // What was added since it was read would be lost.
        if found.has_changed()? {
            return Err(FileTrouble::Changed);
        }
        let moved = folder.join(name);
        std::fs::rename(&found.path, &moved)?;
        match std::fs::set_permissions(&moved, Permissions::from_mode(FILE_MODE)) {
            // Another user's file keeps his mode; nobody else gets to it in this folder.
            Err(error) if error.kind() != io::ErrorKind::PermissionDenied => {
                return Err(error.into());
            }
            _ => {}
        }
        sync_folder(folder)?;
        sync_folder(&self.drop)?;
        Ok(())
    }
}

impl Results {
    pub(super) fn new(shelves: Shelves, head: Span) -> Self {
        Self {
            shelves,
            head,
            counts: Counts::default(),
            bad: None,
        }
    }

    /// Adds what became of a piece: `taken` answers for its rows in their order.
    pub(super) fn add(
        mut self,
        source: &Path,
        piece: &Piece,
        taken: Vec<Taken>,
    ) -> io::Result<Self> {
        let mut taken = taken.into_iter();
        for entry in &piece.entries {
            let fault = match &entry.fault {
                Some(fault) => Some(fault.clone()),
                None => match taken.next() {
                    Some(Taken::New) => {
                        self.counts.new += 1;
                        None
                    }
                    Some(Taken::Repeated) => {
                        self.counts.repeated += 1;
                        None
                    }
                    Some(Taken::Refused(fault)) => Some(fault),
                    None => return Err(io::Error::other("a row was not answered for")),
                },
            };
            if let Some(fault) = fault {
                self.counts.bad += 1;
                let bad = match self.bad.take() {
                    Some(bad) => bad,
                    None => BadLines::begin(&self.shelves, source, self.head)?,
                };
                self.bad = Some(bad.add(entry.line, entry.span, &fault)?);
            }
        }
        Ok(self)
    }

    /// Has the bad lines written elsewhere from here on.
    #[cfg(test)]
    pub(super) fn redirect_bad_lines(&mut self, file: File) {
        if let Some(bad) = &mut self.bad {
            bad.lines = BufWriter::new(file);
        }
    }

    /// Gives everything its name, the dropped file last.
    pub(super) fn conclude(
        self,
        found: &Found,
        summary: &Summary,
        now_ms: i64,
    ) -> Result<Counts, FileTrouble> {
        let (shelves, counts) = (self.shelves.clone(), self.counts);
        let name = self.write_beside(found, summary, now_ms)?;
        shelves.move_to(&shelves.done, found, &name)?;
        Ok(counts)
    }

    /// All but the last step; gives the name under which the file is to lie in `done`.
    pub(super) fn write_beside(
        self,
        found: &Found,
        summary: &Summary,
        now_ms: i64,
    ) -> io::Result<std::ffi::OsString> {
        let Shelves { done, failed, .. } = &self.shelves;
        let has_bad = self.bad.is_some();
        if let Some(bad) = self.bad {
            bad.end()?;
        }
        let lines = failed.join(LINES_TMP);
        let name = names::free(&found.name, now_ms, |name| {
            let before = failed.join(name);
            // Before a crash the same lines may have got their name already.
            let is_free = !exists(&before)? || (has_bad && have_same_content(&lines, &before)?);
            Ok(is_free && !exists(&done.join(name))?)
        })?;
        if has_bad {
            std::fs::rename(lines, failed.join(&name))?;
            let reasons = failed.join(names::with(&name, REASONS));
            std::fs::rename(failed.join(REASONS_TMP), reasons)?;
            sync_folder(failed)?;
        }
        let text = result_text(&found.name, &name, self.counts, summary, now_ms);
        let result = done.join(RESULT_TMP);
        let mut file = create(&result)?;
        file.write_all(text.as_bytes())?;
        // By this it is known later how long the file has lain here: its own time is its maker's.
        file.set_modified(moment(now_ms))?;
        file.sync_all()?;
        std::fs::rename(result, done.join(names::with(&name, RESULT)))?;
        sync_folder(done)?;
        Ok(name)
    }
}

impl BadLines {
    fn begin(shelves: &Shelves, source: &Path, head: Span) -> io::Result<Self> {
        let mut bad = Self {
            source: File::open(source)?,
            lines: BufWriter::new(create(&shelves.failed.join(LINES_TMP))?),
            reasons: BufWriter::new(create(&shelves.failed.join(REASONS_TMP))?),
        };
        bad.reasons.write_all(REASONS_HEAD.as_bytes())?;
        bad.copy(head)?;
        Ok(bad)
    }

    fn add(mut self, line: u64, span: Span, fault: &FieldFault) -> io::Result<Self> {
        self.copy(span)?;
        self.reasons
            .write_all(reason_line(Some(line), fault).as_bytes())?;
        Ok(self)
    }

    /// Byte for byte, as it stands in the file.
    fn copy(&mut self, span: Span) -> io::Result<()> {
        self.source.seek(SeekFrom::Start(span.start))?;
        let mut part = (&mut self.source).take(span.length);
        let copied = io::copy(&mut part, &mut self.lines)?;
        if copied < span.length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }

    fn end(self) -> io::Result<()> {
        for file in [self.lines, self.reasons] {
            file.into_inner()?.sync_all()?;
        }
        Ok(())
    }
}

fn result_text(
    dropped: &OsStr,
    name: &OsStr,
    counts: Counts,
    summary: &Summary,
    now_ms: i64,
) -> String {
    let Counts { new, repeated, bad } = counts;
    let format = summary.delimiter.map_or_else(
        || "JSON Lines".to_owned(),
        |delimiter| format!("CSV，以{}分隔", delimiter.name()),
    );
    let mut text = format!(
        "\u{FEFF}文件：{}\r\n处理时间：{}\r\n编码：检测为 {}\r\n格式：{format}\r\n\r\n\
         共 {} 条：新收下 {new} 条，此前已收下（未重复计入） {repeated} 条，有误未收下 {bad} 条。\r\n",
        names::shown(dropped),
        LocalTime::from_epoch_ms(now_ms).render(),
        summary.encoding.name(),
        new + repeated + bad,
    );
    if !summary.strangers.is_empty() {
        let strangers = summary.strangers.join("、");
        let _infallible = write!(text, "不认识的列（已忽略）：{strangers}。\r\n");
    }
    if bad > 0 {
        let name = names::shown(name);
        let _infallible = write!(
            text,
            "\r\n有误的行已原样存入 failed/{name}，每行的原因见 failed/{name}{REASONS}。\r\n\
             改正后把 failed/{name} 移回文件交接目录即可；已收下的行无需再报，再报也不会重复计入。\r\n",
        );
    }
    text
}

/// A line of the reasons, for a spreadsheet.
fn reason_line(line: Option<u64>, fault: &FieldFault) -> String {
    let cell = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let column = if fault.path.is_empty() {
        String::new()
    } else {
        meaning::shown(&fault.path)
    };
    let line = line.map(|line| line.to_string()).unwrap_or_default();
    format!("{line},{},{}\r\n", cell(&column), cell(&fault.expected))
}

/// A new file of this name; what lay there goes, and no link is followed.
fn create(path: &Path) -> io::Result<File> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    File::options()
        .write(true)
        .create_new(true)
        .mode(FILE_MODE)
        .open(path)
}

fn exists(path: &Path) -> io::Result<bool> {
    match path.symlink_metadata() {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn have_same_content(a: &Path, b: &Path) -> io::Result<bool> {
    let (left, right) = (a.symlink_metadata()?, b.symlink_metadata()?);
    if !right.is_file() || left.len() != right.len() {
        return Ok(false);
    }
    let mut a = BufReader::new(File::open(a)?).bytes();
    let mut b = BufReader::new(File::open(b)?).bytes();
    loop {
        match (a.next().transpose()?, b.next().transpose()?) {
            (None, None) => return Ok(true),
            (left, right) if left != right => return Ok(false),
            _ => {}
        }
    }
}
