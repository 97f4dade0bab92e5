//! A record of cells between delimiters (RFC 4180, and what spreadsheets make of it).

/// What stands between two cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delimiter {
    /// `,`
    Comma,
    /// A tab.
    Tab,
    /// `;`, which spreadsheets write where the comma is the decimal mark.
    Semicolon,
}

/// More columns than any table of ours has; further ones make a line no record.
const MOST_CELLS: usize = 256;

impl Delimiter {
    pub(crate) const ALL: [Self; 3] = [Self::Comma, Self::Tab, Self::Semicolon];

    /// Its name in Chinese.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Comma => "逗号",
            Self::Tab => "制表符",
            Self::Semicolon => "分号",
        }
    }

    pub(crate) const fn byte(self) -> u8 {
        match self {
            Self::Comma => b',',
            Self::Tab => b'\t',
            Self::Semicolon => b';',
        }
    }
}

/// Takes records apart.
pub(crate) struct Splitter {
    delimiter: Delimiter,
    reader: csv_core::Reader,
}

impl Splitter {
    pub(crate) fn new(delimiter: Delimiter) -> Self {
        let reader = csv_core::ReaderBuilder::new()
            .delimiter(delimiter.byte())
            .terminator(csv_core::Terminator::Any(b'\n'))
            .build();
        Self { delimiter, reader }
    }

    pub(crate) const fn delimiter(&self) -> Delimiter {
        self.delimiter
    }

    /// The cells of one record, which may have line breaks between quotation marks; `None` where
    /// its quotation marks do not match, or where it has more cells than any record.
    pub(crate) fn cells(&mut self, text: &str) -> Option<Vec<String>> {
        if has_open_quote(text.as_bytes()) {
            return None;
        }
        let mut output = vec![0; text.len() + 1];
        let mut ends = [0; MOST_CELLS];
        self.reader.reset();
        let (result, read, written, ended) =
            self.reader
                .read_record(text.as_bytes(), &mut output, &mut ends);
        // A line break outside of quotation marks ends the record too early.
        if result != csv_core::ReadRecordResult::InputEmpty || read != text.len() {
            return None;
        }
        // An empty input says that the record ends here.
        let (result, _, more, last) =
            self.reader
                .read_record(&[], &mut output[written..], &mut ends[ended..]);
        if result != csv_core::ReadRecordResult::Record {
            return None;
        }
        output.truncate(written + more);
        let mut from = 0;
        ends.iter()
            .take(ended + last)
            .map(|end| {
                let cell = std::str::from_utf8(output.get(from..*end)?).ok()?;
                from = *end;
                Some(cell.trim().to_owned())
            })
            .collect()
    }
}

/// Whether a quotation mark has no other. The mark is no part of a character in UTF-8 or GB18030,
/// so this can be asked before the text is decoded.
pub(crate) fn has_open_quote(bytes: &[u8]) -> bool {
    bytes.iter().filter(|byte| **byte == b'"').count() % 2 == 1
}
