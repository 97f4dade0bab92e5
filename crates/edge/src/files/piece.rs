//! A dropped file, read a piece at a time.

use std::fs::File;
use std::io::{self, Read as _, Seek as _};
use std::os::unix::fs::MetadataExt as _;

use banyan_protocol::wire::FieldFault;
use banyan_tables::{
    Column, Delimiter, Encoding, Format, Plan, Records, Span, Strangers, Survey, TableFault,
};

use super::{Found, meaning, names, stamp};
use crate::rows::Row;

/// A file under reading.
#[derive(Debug)]
pub(super) struct Sheet {
    records: Records<File>,
    columns: Vec<Column>,
    encoding: Encoding,
}

/// Some of its lines in their order.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) entries: Vec<Entry>,
    rows: Vec<Row>,
}

/// One record.
#[derive(Debug)]
pub(super) struct Entry {
    /// Its line, from 1.
    pub(super) line: u64,
    /// Where it stands in the file.
    pub(super) span: Span,
    /// What is wrong with it; `None` where it gave a row.
    pub(super) fault: Option<FieldFault>,
}

/// What is told of how a file is written.
#[derive(Debug, Clone)]
pub(super) struct Summary {
    pub(super) encoding: Encoding,
    /// `None` for JSON Lines.
    pub(super) delimiter: Option<Delimiter>,
    /// Columns that nobody here knows.
    pub(super) strangers: Vec<String>,
}

/// Why a file is not read.
#[derive(Debug)]
pub(super) enum OpenFault {
    /// The file system hinders; to be tried again.
    Io(io::Error),
    /// It is gone, or another file than the one that was looked at.
    Changed,
    /// It is no table for us, in Chinese; trying again would say the same.
    Unreadable(String),
}

/// A hospital's whole year of unpaid bills is a tenth of it.
const MOST_FILE_BYTES: u64 = 200 * 1024 * 1024;
const MOST_RECORD_BYTES: usize = 64 * 1024;
/// Rows that are handed over together.
const PIECE_ROWS: usize = 500;
/// Records can be long, so a piece is bounded by its bytes too.
const PIECE_BYTES: u64 = 1024 * 1024;
/// In which a file shows whether it begins with an object.
const BEGINNING: u64 = 256;

impl Sheet {
    /// Finds out how the file is written, and reads its header.
    pub(super) fn open(found: &Found) -> Result<Self, OpenFault> {
        let unreadable = |why: String| Err(OpenFault::Unreadable(why));
        if found.stamp.bytes > MOST_FILE_BYTES {
            let most = MOST_FILE_BYTES / (1024 * 1024);
            return unreadable(format!("文件超过 {most} MB，请拆成几个文件"));
        }
        let mut file = open_itself(found)?;
        let survey = Survey::of(&file, |_| {})?;
        file.rewind()?;
        let format = if names::is_json_lines(&found.name) || begins_with_object(&mut file)? {
            Format::JsonLines
        } else {
            Format::Delimited
        };
        let columns = meaning::columns();
        let plan = Plan {
            columns: columns.clone(),
            strangers: Strangers::Named,
            most_record_bytes: MOST_RECORD_BYTES,
        };
        let records = Records::open(file, format, survey.encoding, plan)?;
        // The first column says what a line is for.
        let present = &records.header().present;
        if format == Format::Delimited && present.first() == Some(&false) {
            let missing = meaning::missing_for_reports(&columns, present);
            if !missing.is_empty() {
                let [action, name] = [meaning::ACTION.code, meaning::ACTION.name];
                return unreadable(format!(
                    "表头中缺少 {}；如为结清、撤销或转实名，请加上 {action}（{name}）列",
                    missing.join("、"),
                ));
            }
        }
        Ok(Self {
            records,
            columns,
            encoding: survey.encoding,
        })
    }

    /// What stands before the first record.
    pub(super) fn head(&self) -> Span {
        self.records.header().span
    }

    /// The next lines; `None` at the end.
    pub(super) fn next_piece(mut self) -> io::Result<(Self, Option<Piece>)> {
        let mut piece = Piece {
            entries: Vec::new(),
            rows: Vec::new(),
        };
        let mut bytes = 0;
        while piece.entries.len() < PIECE_ROWS && bytes < PIECE_BYTES {
            let Some(record) = self.records.next_record()? else {
                break;
            };
            bytes += record.span.length;
            let read = record
                .cells
                .map_err(|why| FieldFault::new("", why))
                .and_then(|cells| meaning::row(&self.columns, &cells));
            let fault = match read {
                Ok(row) => {
                    piece.rows.push(row);
                    None
                }
                Err(fault) => Some(fault),
            };
            piece.entries.push(Entry {
                line: record.line,
                span: record.span,
                fault,
            });
        }
        let piece = (!piece.entries.is_empty()).then_some(piece);
        Ok((self, piece))
    }

    pub(super) fn summary(&self) -> Summary {
        Summary {
            encoding: self.encoding,
            delimiter: self.records.header().delimiter,
            strangers: self.records.strangers().to_vec(),
        }
    }
}

impl Piece {
    /// The rows of the entries without a fault, in their order; once.
    pub(super) fn take_rows(&mut self) -> Vec<Row> {
        std::mem::take(&mut self.rows)
    }
}

/// The file that was looked at, and not one that has been put in its place since.
fn open_itself(found: &Found) -> Result<File, OpenFault> {
    let itself = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => OpenFault::Changed,
        _ => OpenFault::Io(error),
    };
    let looked = found.path.symlink_metadata().map_err(itself)?;
    let file = File::open(&found.path).map_err(itself)?;
    let opened = file.metadata()?;
    let is_same = opened.is_file()
        && stamp(&opened)? == found.stamp
        && (looked.dev(), looked.ino()) == (opened.dev(), opened.ino());
    is_same.then_some(file).ok_or(OpenFault::Changed)
}

/// A program may write objects under any ending.
fn begins_with_object(file: &mut File) -> io::Result<bool> {
    let mut beginning = Vec::new();
    (&mut *file).take(BEGINNING).read_to_end(&mut beginning)?;
    file.rewind()?;
    let text = beginning
        .strip_prefix(b"\xEF\xBB\xBF")
        .unwrap_or(&beginning);
    Ok(text.trim_ascii_start().starts_with(b"{"))
}

impl From<io::Error> for OpenFault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<TableFault> for OpenFault {
    fn from(fault: TableFault) -> Self {
        match fault {
            TableFault::Io(error) => Self::Io(error),
            fault => Self::Unreadable(fault.to_string()),
        }
    }
}
