//! A first reading of a whole file: how it is encoded, and how long it is.

use std::io::Read;

use encoding_rs::GB18030;

use crate::TableFault;

/// How a file's text is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8, with or without its mark.
    Utf8,
    /// GB18030, which GBK and GB2312 are parts of.
    Gb18030,
}

/// What a first reading of the whole file tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Survey {
    /// In which encoding most of it makes sense.
    pub encoding: Encoding,
    /// Its line ends: its lines, about.
    pub lines: u64,
    /// Its length.
    pub bytes: u64,
}

/// Read at once.
const CHUNK: usize = 1 << 20;
/// Where a file that is no text shows it.
const BEGINNING: usize = 4 * 1024;
/// Of a longer line the encoding is not looked at; it is no record anyway.
const MOST_JUDGED: usize = 64 * 1024;
pub(crate) const BOM: &[u8] = b"\xEF\xBB\xBF";
const UTF_16: [&[u8]; 2] = [b"\xFF\xFE", b"\xFE\xFF"];

impl Encoding {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "UTF-8",
            Self::Gb18030 => "GB18030",
        }
    }

    /// The text of these bytes; `None` where they are none.
    pub(crate) fn decode(self, bytes: &[u8]) -> Option<String> {
        match self {
            Self::Utf8 => std::str::from_utf8(bytes).ok().map(str::to_owned),
            Self::Gb18030 => GB18030
                .decode_without_bom_handling_and_without_replacement(bytes)
                .map(std::borrow::Cow::into_owned),
        }
    }
}

impl Survey {
    /// Reads to the end; `seen` gets every byte in pieces whose size depends on the file alone.
    ///
    /// One broken byte does not turn a file of UTF-8 into one of GB18030: the encoding in which
    /// most lines make sense is taken, and the others are the records' own faults.
    ///
    /// # Errors
    /// Where it can't be read, is no text, or fits neither encoding.
    pub fn of(mut file: impl Read, mut seen: impl FnMut(&[u8])) -> Result<Self, TableFault> {
        let mut tally = Tally::default();
        let (mut lines, mut bytes) = (0, 0);
        let mut chunk = vec![0; CHUNK];
        let mut marked = false;
        loop {
            let length = fill(&mut file, &mut chunk)?;
            let mut read = &chunk[..length];
            if bytes == 0 {
                look_like_text(read)?;
            }
            if length == 0 {
                break;
            }
            seen(read);
            if bytes == 0 && read.starts_with(BOM) {
                marked = true;
                read = &read[BOM.len()..];
            }
            bytes += length as u64;
            lines += read.iter().filter(|byte| **byte == b'\n').count() as u64;
            tally.add(read);
        }
        tally.end_of_line();
        Ok(Self {
            encoding: if marked {
                Encoding::Utf8
            } else {
                tally.encoding()?
            },
            lines,
            bytes,
        })
    }
}

/// Refuses what no reading of lines can make sense of.
fn look_like_text(beginning: &[u8]) -> Result<(), TableFault> {
    if UTF_16.iter().any(|mark| beginning.starts_with(mark)) {
        return Err(TableFault::Utf16);
    }
    // Workbooks and other archives have them from the first bytes on; a stray one further on is
    // its own line's fault.
    if beginning.iter().take(BEGINNING).any(|byte| *byte == 0) {
        return Err(TableFault::NoText);
    }
    Ok(())
}

/// As much as the file has, up to a whole chunk: a digest of the pieces must not depend on how
/// they came.
fn fill(file: &mut impl Read, chunk: &mut [u8]) -> std::io::Result<usize> {
    let mut length = 0;
    while length < chunk.len() {
        match file.read(&mut chunk[length..]) {
            Ok(0) => break,
            Ok(more) => length += more,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}

/// Counts, of the lines that are more than ASCII, which encoding they make sense in.
#[derive(Default)]
struct Tally {
    line: Vec<u8>,
    is_too_long: bool,
    ended: u64,
    utf8: u64,
    gb18030: u64,
    neither: u64,
    first_neither: u64,
}

impl Tally {
    fn add(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            self.piece(&rest[..end]);
            self.end_of_line();
            rest = &rest[end + 1..];
        }
        self.piece(rest);
    }

    fn piece(&mut self, bytes: &[u8]) {
        if self.line.len() + bytes.len() > MOST_JUDGED {
            self.is_too_long = true;
            self.line.clear();
        }
        if !self.is_too_long {
            self.line.extend_from_slice(bytes);
        }
    }

    fn end_of_line(&mut self) {
        self.ended += 1;
        let is_telling = !self.line.is_ascii();
        if is_telling && std::str::from_utf8(&self.line).is_ok() {
            self.utf8 += 1;
        } else if is_telling && Encoding::Gb18030.decode(&self.line).is_some() {
            self.gb18030 += 1;
        } else if is_telling {
            self.neither += 1;
            if self.first_neither == 0 {
                self.first_neither = self.ended;
            }
        }
        self.line.clear();
        self.is_too_long = false;
    }

    const fn encoding(&self) -> Result<Encoding, TableFault> {
        if self.gb18030 + self.neither == 0 || self.utf8 > self.gb18030 + self.neither {
            Ok(Encoding::Utf8)
        } else if self.gb18030 > self.neither {
            Ok(Encoding::Gb18030)
        } else {
            Err(TableFault::UnknownEncoding {
                line: self.first_neither,
            })
        }
    }
}
