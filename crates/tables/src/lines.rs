//! The lines of a file, each with where it stands, none longer than it may be.

use std::collections::VecDeque;
use std::io::{self, BufRead as _, BufReader, Read};

use crate::survey::BOM;

/// Where bytes stand in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first byte, from the file's beginning.
    pub start: u64,
    /// How many bytes, line ends included.
    pub length: u64,
}

impl Span {
    /// The first byte behind it.
    #[must_use]
    pub const fn end(self) -> u64 {
        self.start + self.length
    }
}

/// A line as it stands in the file.
pub(crate) struct Line {
    /// From 1.
    pub(crate) number: u64,
    pub(crate) span: Span,
    /// With its end; `None` where it is longer than it may be.
    pub(crate) bytes: Option<Vec<u8>>,
}

pub(crate) struct Lines<R> {
    reader: BufReader<R>,
    most_bytes: usize,
    number: u64,
    offset: u64,
    /// Read ahead and not used.
    given_back: VecDeque<Line>,
}

const BUFFER: usize = 256 * 1024;

impl<R: Read> Lines<R> {
    /// Passes the mark of UTF-8, if there is one.
    pub(crate) fn new(file: R, most_bytes: usize) -> io::Result<Self> {
        let mut reader = BufReader::with_capacity(BUFFER, file);
        let mut offset = 0;
        if reader.fill_buf()?.starts_with(BOM) {
            reader.consume(BOM.len());
            offset = BOM.len() as u64;
        }
        Ok(Self {
            reader,
            most_bytes,
            number: 0,
            offset,
            given_back: VecDeque::new(),
        })
    }

    /// The first byte that was not read yet, or was given back.
    pub(crate) fn offset(&self) -> u64 {
        self.given_back
            .front()
            .map_or(self.offset, |line| line.span.start)
    }

    pub(crate) fn next(&mut self) -> io::Result<Option<Line>> {
        if let Some(line) = self.given_back.pop_front() {
            return Ok(Some(line));
        }
        let mut bytes = Vec::new();
        let most = self.most_bytes as u64;
        let mut limited = (&mut self.reader).take(most + 1);
        let mut length = limited.read_until(b'\n', &mut bytes)? as u64;
        if length == 0 {
            return Ok(None);
        }
        let is_whole = length <= most;
        if !is_whole && !bytes.ends_with(b"\n") {
            length += self.reader.skip_until(b'\n')? as u64;
        }
        self.number += 1;
        let start = self.offset;
        self.offset += length;
        Ok(Some(Line {
            number: self.number,
            span: Span { start, length },
            bytes: is_whole.then_some(bytes),
        }))
    }

    /// Gives lines back that follow each other; the first of them comes next.
    pub(crate) fn give_back(&mut self, lines: Vec<Line>) {
        for line in lines.into_iter().rev() {
            self.given_back.push_front(line);
        }
    }
}

/// The line without its end.
pub(crate) fn without_end(bytes: &[u8]) -> &[u8] {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    bytes.strip_suffix(b"\r").unwrap_or(bytes)
}
