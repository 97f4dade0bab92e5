//! The records of a table, one after the other.

use std::fmt;
use std::io::{self, Read};

use crate::delimited::{Splitter, has_open_quote};
use crate::header::{self, Column, Header, Place};
use crate::lines::{Line, Lines, Span, without_end};
use crate::survey::Encoding;
use crate::{Format, TableFault, json_lines};

/// What a caller expects of a table.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The columns, in the order in which [`Cells`] has them.
    pub columns: Vec<Column>,
    /// What to do with others.
    pub strangers: Strangers,
    /// The longest record, its line ends included.
    pub most_record_bytes: usize,
}

/// What to do with columns that the caller does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strangers {
    /// They are passed over, and [`Records::strangers`] names them.
    Named,
    /// A header that has one is refused, and so is a JSON object.
    Refused,
}

/// One record.
#[derive(Debug)]
pub struct Record {
    /// The line at which it begins, from 1.
    pub line: u64,
    /// Where it stands in the file.
    pub span: Span,
    /// Its cells, or what is wrong with it, in Chinese and without its content.
    pub cells: Result<Cells, String>,
}

/// The cells of a record, by the number of the column in the plan; trimmed, and never blank.
/// `Debug` shows nothing of them.
#[derive(Clone, PartialEq, Eq)]
pub struct Cells(Vec<Option<String>>);

/// Reads a table record by record.
pub struct Records<R> {
    lines: Lines<R>,
    encoding: Encoding,
    plan: Plan,
    header: Header,
    /// `None` for JSON Lines.
    splitter: Option<Splitter>,
    places: Vec<Place>,
    strangers: Vec<String>,
}

/// Unknown names beyond these say nothing new.
const MOST_STRANGERS: usize = 20;
/// More line breaks than any cell has.
const MOST_LINES: usize = 100;
const OPEN_QUOTE: &str = "引号不成对";

impl<R: Read> Records<R> {
    /// Reads the header, if the format has one.
    ///
    /// # Errors
    /// Where there is none, or where it does not name what the plan requires.
    pub fn open(
        file: R,
        format: Format,
        encoding: Encoding,
        plan: Plan,
    ) -> Result<Self, TableFault> {
        let lines = Lines::new(file, plan.most_record_bytes)?;
        let columns = plan.columns.len();
        let mut records = Self {
            header: Header {
                delimiter: None,
                span: Span {
                    start: 0,
                    length: lines.offset(),
                },
                present: vec![true; columns],
            },
            lines,
            encoding,
            plan,
            splitter: None,
            places: Vec::new(),
            strangers: Vec::new(),
        };
        if format == Format::Delimited {
            records.read_header()?;
        }
        Ok(records)
    }

    /// What the beginning of the table says.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// Columns that the plan does not know, as far as they were met, at most twenty.
    #[must_use]
    pub fn strangers(&self) -> &[String] {
        &self.strangers
    }

    /// The next record; `None` at the end. Lines in which nothing stands are none.
    ///
    /// # Errors
    /// Where the file fails; what is wrong with a record is the record's.
    pub fn next_record(&mut self) -> io::Result<Option<Record>> {
        while let Some(line) = self.lines.next()? {
            let record = if self.splitter.is_some() {
                self.delimited(&line)?
            } else {
                self.object(&line)
            };
            if let Some(record) = record {
                return Ok(Some(record));
            }
        }
        Ok(None)
    }

    /// At most so many more records; fewer only at the end.
    ///
    /// # Errors
    /// Where the file fails.
    pub fn take(&mut self, most: usize) -> io::Result<Vec<Record>> {
        let mut records = Vec::new();
        while records.len() < most {
            match self.next_record()? {
                Some(record) => records.push(record),
                None => break,
            }
        }
        Ok(records)
    }

    fn read_header(&mut self) -> Result<(), TableFault> {
        let line = loop {
            let line = self.lines.next()?.ok_or(TableFault::Empty)?;
            let is_blank = |bytes: &Vec<u8>| bytes.trim_ascii().is_empty();
            if !line.bytes.as_ref().is_some_and(is_blank) {
                break line;
            }
        };
        let bad = |why: &str| TableFault::BadHeader {
            line: line.number,
            why: why.to_owned(),
        };
        let bytes = line.bytes.as_deref().ok_or_else(|| bad("这一行过长"))?;
        let text = self.encoding.decode(without_end(bytes));
        let text = text.ok_or_else(|| bad("编码有误"))?;
        let named = header::read(&text, line.number, &self.plan)?;
        for (number, present) in self.header.present.iter_mut().enumerate() {
            *present = named.places.contains(&Place::Column(number));
        }
        self.header.delimiter = Some(named.splitter.delimiter());
        self.splitter = Some(named.splitter);
        self.header.span.length = line.span.end();
        self.places = named.places;
        for name in named.strangers {
            note(&mut self.strangers, name);
        }
        Ok(())
    }

    /// The record that begins with this line; `None` where nothing stands in it.
    fn delimited(&mut self, line: &Line) -> io::Result<Option<Record>> {
        let at = (line.number, line.span);
        let Some(bytes) = &line.bytes else {
            return Ok(Some(self.too_long(at)));
        };
        if !has_open_quote(bytes) {
            let read = self.row(bytes);
            return Ok(record(at, read.transpose()));
        }
        // Either a cell with line breaks, or a stray quotation mark: the lines up to the next mark
        // tell which, and are records of their own in the second case.
        let mut whole = bytes.clone();
        let mut is_open = true;
        let mut ahead = Vec::new();
        while is_open && ahead.len() < MOST_LINES {
            let Some(next) = self.lines.next()? else {
                break;
            };
            let fits = next
                .bytes
                .as_ref()
                .filter(|more| whole.len() + more.len() <= self.plan.most_record_bytes);
            let Some(more) = fits else {
                ahead.push(next);
                break;
            };
            is_open ^= has_open_quote(more);
            whole.extend_from_slice(more);
            ahead.push(next);
        }
        if let (Ok(Some(cells)), Some(last)) = (self.row(&whole), ahead.last()) {
            let span = Span {
                start: line.span.start,
                length: last.span.end() - line.span.start,
            };
            return Ok(record((line.number, span), Some(Ok(cells))));
        }
        self.lines.give_back(ahead);
        Ok(record(at, Some(Err(OPEN_QUOTE.to_owned()))))
    }

    /// The cells of a record's bytes; `None` where all are blank.
    fn row(&mut self, bytes: &[u8]) -> Result<Option<Cells>, String> {
        let text = self.decode(bytes)?;
        if text.trim().is_empty() {
            return Ok(None);
        }
        let cells = self
            .splitter
            .as_mut()
            .and_then(|splitter| splitter.cells(&text));
        let mut cells = cells.ok_or("引号不成对或列数过多")?;
        if cells.iter().all(String::is_empty) {
            return Ok(None);
        }
        // Spreadsheets fill lines up with empty cells.
        while cells.len() > self.places.len() && cells.last().is_some_and(String::is_empty) {
            cells.pop();
        }
        if cells.len() != self.places.len() {
            return Err(format!(
                "列数与表头不一致：应为 {} 列，实际 {} 列",
                self.places.len(),
                cells.len()
            ));
        }
        let mut row = vec![None; self.plan.columns.len()];
        for (place, cell) in self.places.iter().zip(cells) {
            if let (Place::Column(column), false) = (*place, cell.is_empty()) {
                row[column] = Some(cell);
            }
        }
        Ok(Some(Cells(row)))
    }

    fn object(&mut self, line: &Line) -> Option<Record> {
        let at = (line.number, line.span);
        let Some(bytes) = &line.bytes else {
            return Some(self.too_long(at));
        };
        if bytes.trim_ascii().is_empty() {
            return None;
        }
        let read = self.decode(bytes).and_then(|text| {
            let strangers = &mut self.strangers;
            json_lines::cells(&text, &self.plan, |name| note(strangers, name))
        });
        record(at, Some(read.and_then(|cells| self.whole(cells))))
    }

    /// A JSON object has no header that could lack a column, so each says for itself.
    fn whole(&self, cells: Vec<Option<String>>) -> Result<Cells, String> {
        let cells: Vec<_> = cells
            .into_iter()
            .map(|cell| cell.map(|cell| cell.trim().to_owned()))
            .map(|cell| cell.filter(|cell| !cell.is_empty()))
            .collect();
        for (column, cell) in self.plan.columns.iter().zip(&cells) {
            if column.required && cell.is_none() {
                return Err(format!("缺少 {}", column.code));
            }
        }
        Ok(Cells(cells))
    }

    fn decode(&self, bytes: &[u8]) -> Result<String, String> {
        self.encoding
            .decode(without_end(bytes))
            .ok_or_else(|| format!("编码有误：不是 {}", self.encoding.name()))
    }

    fn too_long(&self, (line, span): (u64, Span)) -> Record {
        let most = self.plan.most_record_bytes;
        Record {
            line,
            span,
            cells: Err(format!("超过 {most} 字节，不是一条记录")),
        }
    }
}

fn record(at: (u64, Span), cells: Option<Result<Cells, String>>) -> Option<Record> {
    let (line, span) = at;
    cells.map(|cells| Record { line, span, cells })
}

fn note(strangers: &mut Vec<String>, name: String) {
    if strangers.len() < MOST_STRANGERS && !strangers.contains(&name) {
        strangers.push(name);
    }
}

impl Cells {
    /// The cell of this column; `None` where it is blank or not there.
    #[must_use]
    pub fn get(&self, column: usize) -> Option<&str> {
        self.0.get(column)?.as_deref()
    }

    /// All cells, in the order of the plan's columns.
    #[must_use]
    pub fn into_inner(self) -> Vec<Option<String>> {
        self.0
    }
}

impl fmt::Debug for Cells {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let filled = self.0.iter().filter(|cell| cell.is_some()).count();
        write!(f, "Cells({filled} of {})", self.0.len())
    }
}

impl<R> fmt::Debug for Records<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Records")
            .field("encoding", &self.encoding)
            .field("header", &self.header)
            .finish_non_exhaustive()
    }
}
