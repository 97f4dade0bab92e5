//! CSV: UTF-8 with the mark by which spreadsheets know it, lines that end as they expect.

use std::fs::File;
use std::io::{BufWriter, Write as _};

use anyhow::Result;
use banyan_platform::supplement::export::{Cell, Column};

use super::Writer;

/// A table under way.
pub(super) struct Delimited(BufWriter<File>);

impl Delimited {
    pub(super) fn begin(file: File, columns: &[Column]) -> Result<Self> {
        let mut out = BufWriter::new(file);
        out.write_all("\u{FEFF}".as_bytes())?;
        let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        write!(out, "{}\r\n", names.join(","))?;
        Ok(Self(out))
    }
}

impl Writer for Delimited {
    fn write(&mut self, rows: Vec<Vec<Cell>>) -> Result<()> {
        for row in rows {
            for (place, cell) in row.iter().enumerate() {
                if place > 0 {
                    self.0.write_all(b",")?;
                }
                match cell {
                    Cell::Text(None) | Cell::Number(None) => {}
                    Cell::Number(Some(number)) => write!(self.0, "{number}")?,
                    Cell::Text(Some(text)) => self.0.write_all(quoted(text).as_bytes())?,
                }
            }
            self.0.write_all(b"\r\n")?;
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<File> {
        Ok(self.0.into_inner()?)
    }
}

/// The text as a cell. What a spreadsheet would take for a formula gets an apostrophe before it: an
/// insurer's words shall compute nothing on an operator's machine.
fn quoted(text: &str) -> String {
    let formula =
        text.starts_with(['=', '+', '-', '@', '\t', '\r']) && text.parse::<f64>().is_err();
    let text = if formula {
        format!("'{text}")
    } else {
        text.to_owned()
    };
    if text.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_holds_any_text_and_computes_nothing() {
        for (text, cell) in [
            ("", ""),
            ("肺癌", "肺癌"),
            ("a,b", "\"a,b\""),
            ("他说\"好\"\n", "\"他说\"\"好\"\"\n\""),
            ("-5.20", "-5.20"),
            ("=1+1", "'=1+1"),
            ("@SUM(A1),", "\"'@SUM(A1),\""),
        ] {
            assert_eq!(quoted(text), cell);
        }
    }
}
