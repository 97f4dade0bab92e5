//! A file of persons, read line by line: each line stands for itself, so that one stray quotation
//! mark spoils one line, and no line can fill the memory.

use std::fs::File;
use std::io::{BufRead, BufReader, Read as _};
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use banyan_platform::health_card::import::{COLUMNS, Record, Row};
use banyan_protocol::crypto::sm3;
use encoding_rs::GB18030;

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// 逗号分隔，首行为表头
    Csv,
    /// 每行一个 JSON 对象
    Jsonl,
}

/// What a first reading of the whole file tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Survey {
    /// By which the same file is known again.
    pub(super) digest: [u8; 32],
    /// Its lines, about.
    pub(super) lines: u64,
    /// Whether it is in GB18030; in UTF-8 otherwise.
    pub(super) gb18030: bool,
}

/// The records of a file, one after the other.
#[derive(Debug)]
pub(super) struct Records {
    reader: BufReader<File>,
    format: Format,
    gb18030: bool,
    /// Which of [`COLUMNS`] stands at each place of a CSV line.
    columns: Vec<usize>,
    csv: csv_core::Reader,
    line: u64,
    buffer: Vec<u8>,
}

/// Longer than any record can be.
const MOST_LINE: u64 = 8 * 1024;
/// Read at once in the survey.
const CHUNK: usize = 1 << 20;
/// The first of [`COLUMNS`] must be there.
const REQUIRED: usize = 3;
const BOM: &[u8] = b"\xEF\xBB\xBF";

impl Survey {
    pub(super) fn of(path: &Path) -> Result<Self> {
        let mut file = File::open(path).with_context(|| format!("打开 {}", path.display()))?;
        let mut digest = [0; 32];
        let (mut lines, mut utf8, mut first) = (0, true, true);
        let mut chunk = vec![0; CHUNK];
        // The beginning of a character whose rest comes with the next chunk.
        let mut carried: Vec<u8> = Vec::new();
        loop {
            let length = fill(&mut file, &mut chunk)?;
            let bytes = &chunk[..length];
            if first && (bytes.starts_with(b"\xFF\xFE") || bytes.starts_with(b"\xFE\xFF")) {
                bail!(
                    "{} 是 UTF-16 编码：请另存为 UTF-8 或 GB18030",
                    path.display()
                );
            }
            first = false;
            if length == 0 {
                break;
            }
            digest = sm3::digest_parts(&[&digest, bytes]);
            lines += bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
            if utf8 {
                carried.extend_from_slice(bytes);
                match std::str::from_utf8(&carried) {
                    Ok(_) => carried.clear(),
                    Err(error) if error.error_len().is_none() => {
                        carried.drain(..error.valid_up_to());
                    }
                    Err(_) => utf8 = false,
                }
            }
        }
        Ok(Self {
            digest,
            lines,
            gb18030: !(utf8 && carried.is_empty()),
        })
    }
}

/// As much as the file has, up to a whole chunk: the digest must not depend on how it was read.
fn fill(file: &mut File, chunk: &mut [u8]) -> Result<usize> {
    let mut length = 0;
    while length < chunk.len() {
        match file.read(&mut chunk[length..])? {
            0 => break,
            more => length += more,
        }
    }
    Ok(length)
}

impl Records {
    /// Opens the file and reads the header, if it has one.
    pub(super) fn open(path: &Path, format: Format, survey: &Survey) -> Result<Self> {
        let mut reader = BufReader::with_capacity(CHUNK, File::open(path)?);
        if reader.fill_buf()?.starts_with(BOM) {
            reader.consume(BOM.len());
        }
        let mut records = Self {
            reader,
            format,
            gb18030: survey.gb18030,
            columns: Vec::new(),
            csv: csv_core::Reader::new(),
            line: 0,
            buffer: Vec::new(),
        };
        if format == Format::Csv {
            let header = match records.next_line()? {
                Some(Ok(header)) => header,
                _ => bail!("{} 没有表头", path.display()),
            };
            let names = records.fields(&header).unwrap_or_default();
            records.columns = columns(&names)?;
        }
        Ok(records)
    }

    /// At most so many more records; fewer only at the end.
    pub(super) fn take(&mut self, most: usize) -> Result<Vec<Record>> {
        let mut records = Vec::with_capacity(most);
        while records.len() < most {
            let Some(text) = self.next_line()? else { break };
            let row = text.and_then(|text| self.row(&text));
            records.push(Record {
                line: self.line,
                row,
            });
        }
        Ok(records)
    }

    /// The next line that is not blank, or why it can't be read; `None` at the end.
    fn next_line(&mut self) -> Result<Option<Result<String, String>>> {
        loop {
            self.buffer.clear();
            let mut limited = (&mut self.reader).take(MOST_LINE);
            if limited.read_until(b'\n', &mut self.buffer)? == 0 {
                return Ok(None);
            }
            self.line += 1;
            if self.buffer.len() as u64 == MOST_LINE && !self.buffer.ends_with(b"\n") {
                self.reader.skip_until(b'\n')?;
                return Ok(Some(Err(format!("超过 {MOST_LINE} 字节，不是一条记录"))));
            }
            let line = self.buffer.trim_ascii();
            if line.is_empty() {
                continue;
            }
            let text = if self.gb18030 {
                let (text, broken) = GB18030.decode_without_bom_handling(line);
                (!broken).then(|| text.into_owned())
            } else {
                std::str::from_utf8(line).ok().map(str::to_owned)
            };
            return Ok(Some(text.ok_or_else(|| "编码有误".to_owned())));
        }
    }

    fn row(&mut self, text: &str) -> Result<Row, String> {
        match self.format {
            Format::Jsonl => serde_json::from_str(text).map_err(|_| {
                // What the parser says may repeat somebody's data.
                "应为 JSON 对象，含 idType、idNo、userName，值均为字符串，且没有名册以外的成员"
                    .to_owned()
            }),
            Format::Csv => {
                let fields = self.fields(text).ok_or("引号不成对或列数过多")?;
                if fields.len() != self.columns.len() {
                    return Err(format!(
                        "列数与表头不一致：应为 {} 列，实际 {} 列",
                        self.columns.len(),
                        fields.len()
                    ));
                }
                let mut row = Row::default();
                for (column, field) in self.columns.iter().zip(fields) {
                    match column {
                        0 => row.id_type = field,
                        1 => row.id_no = field,
                        2 => row.user_name = field,
                        3 => row.user_sex = Some(field),
                        4 => row.birthday = Some(field),
                        5 => row.mobile_phone = Some(field),
                        _ => row.psn_no = Some(field),
                    }
                }
                Ok(row)
            }
        }
    }

    /// The fields of one CSV line; `None` where its quotation marks do not match.
    fn fields(&mut self, text: &str) -> Option<Vec<String>> {
        if text.bytes().filter(|byte| *byte == b'"').count() % 2 == 1 {
            return None;
        }
        let mut output = vec![0; text.len() + 1];
        let mut ends = [0; 4 * COLUMNS.len()];
        self.csv.reset();
        let (_, _, written, ended) = self
            .csv
            .read_record(text.as_bytes(), &mut output, &mut ends);
        // An empty input says that the record ends here.
        let (result, _, more, last) =
            self.csv
                .read_record(&[], &mut output[written..], &mut ends[ended..]);
        if result != csv_core::ReadRecordResult::Record {
            return None;
        }
        output.truncate(written + more);
        let mut from = 0;
        ends.iter()
            .take(ended + last)
            .map(|end| {
                let field = std::str::from_utf8(output.get(from..*end)?).ok()?;
                from = *end;
                Some(field.trim().to_owned())
            })
            .collect()
    }
}

/// Which column stands where.
fn columns(names: &[String]) -> Result<Vec<usize>> {
    let mut columns = Vec::with_capacity(names.len());
    for name in names {
        let known = COLUMNS.iter().position(|column| column == name);
        let known = known.with_context(|| {
            let shown: String = name.chars().take(20).collect();
            format!("表头中的“{shown}”不是名册的列；可用：{}", COLUMNS.join(","))
        })?;
        ensure!(!columns.contains(&known), "表头中 {name} 出现两次");
        columns.push(known);
    }
    for (place, name) in COLUMNS.iter().take(REQUIRED).enumerate() {
        ensure!(columns.contains(&place), "表头中缺少 {name}");
    }
    Ok(columns)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8], format: Format) -> Result<(Survey, Vec<Record>)> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("persons");
        std::fs::write(&path, bytes).unwrap();
        let survey = Survey::of(&path)?;
        let records = Records::open(&path, format, &survey)?.take(100)?;
        Ok((survey, records))
    }

    fn names(records: &[Record]) -> Vec<(u64, String)> {
        records
            .iter()
            .map(|record| {
                let row = record.row.as_ref().map_err(Clone::clone).unwrap();
                (record.line, row.user_name.clone())
            })
            .collect()
    }

    #[test]
    fn utf_8_with_a_mark_and_gb18030_are_read_alike() {
        let text = "idNo,idType,userName\r\n1,01,\"张,三\"\r\n\r\n2,01,𠮷田\r\n";
        let wanted = [(2, "张,三".to_owned()), (4, "𠮷田".to_owned())];
        let (survey, records) = read(format!("\u{FEFF}{text}").as_bytes(), Format::Csv).unwrap();
        assert_eq!((survey.gb18030, survey.lines), (false, 4));
        assert_eq!(names(&records), wanted);
        let (survey, records) = read(&GB18030.encode(text).0, Format::Csv).unwrap();
        assert!(survey.gb18030);
        assert_eq!(names(&records), wanted);
        assert!(read(b"\xFF\xFEi\0d\0", Format::Csv).is_err());
    }

    #[test]
    fn a_bad_line_spoils_itself_alone() {
        let long = "长".repeat(4_000);
        let text = format!(
            "idType,idNo,userName,psnNo\n01,1,\"张三\n01,2,李四,n\n01,3\n{long}\n01,5,王五,\n"
        );
        let (_, records) = read(text.as_bytes(), Format::Csv).unwrap();
        let good: Vec<_> = records.iter().map(|record| record.row.is_ok()).collect();
        assert_eq!(good, [false, true, false, false, true]);
        assert_eq!(records[4].line, 6);
        let json = "{\"idType\":\"01\",\"idNo\":\"1\",\"userName\":\"张三\",\"psnNo\":null}\n[]\n{\"idNo\":1}\n";
        let (_, records) = read(json.as_bytes(), Format::Jsonl).unwrap();
        assert_eq!(names(&records[..1]), [(1, "张三".to_owned())]);
        assert!(records[1].row.is_err() && records[2].row.is_err());
    }

    #[test]
    fn a_header_must_name_what_is_needed() {
        for header in [
            "",
            "01,1,张三",
            "idType,idNo",
            "idType,idNo,userName,idNo",
            "idType,idNo,userName,age",
        ] {
            assert!(read(header.as_bytes(), Format::Csv).is_err(), "{header}");
        }
    }
}
