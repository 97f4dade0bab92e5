//! A file of persons: the table of `banyan_tables`, its cells as an import's rows.

use std::fs::File;
use std::path::Path;

use anyhow::Result;
use banyan_platform::health_card::import::{COLUMNS, Record, Row};
use banyan_tables::{Cells, Column, Plan, Strangers};

use crate::commands::table_file::{self, Format, Survey};

/// The records of a file, one after the other.
#[derive(Debug)]
pub(super) struct Records(banyan_tables::Records<File>);

/// Longer than any record can be.
const MOST_RECORD_BYTES: usize = 8 * 1024;
/// The first of [`COLUMNS`] must be there.
const REQUIRED: usize = 3;
/// What [`COLUMNS`] are called by people.
const NAMES: [&str; COLUMNS.len()] = [
    "证件类型",
    "证件号",
    "姓名",
    "性别",
    "出生日期",
    "手机号",
    "人员编号",
];

impl Records {
    /// Opens the file and reads the header, if it has one.
    pub(super) fn open(path: &Path, format: Format, survey: &Survey) -> Result<Self> {
        let columns = COLUMNS.iter().zip(NAMES).enumerate();
        let columns = columns.map(|(place, (code, name))| Column {
            code,
            name,
            required: place < REQUIRED,
        });
        let plan = Plan {
            columns: columns.collect(),
            strangers: Strangers::Refused,
            most_record_bytes: MOST_RECORD_BYTES,
        };
        table_file::open(path, format, survey, plan).map(Self)
    }

    /// At most so many more records; fewer only at the end.
    pub(super) fn take(&mut self, most: usize) -> Result<Vec<Record>> {
        let records = self.0.take(most)?.into_iter();
        let records = records.map(|record| Record {
            line: record.line,
            row: record.cells.map(row),
        });
        Ok(records.collect())
    }
}

/// The cells stand in the order of [`COLUMNS`]; what a person must have is the import's to miss.
fn row(cells: Cells) -> Row {
    let mut cells = cells.into_inner().into_iter();
    let mut next = || cells.next().flatten();
    Row {
        id_type: next().unwrap_or_default(),
        id_no: next().unwrap_or_default(),
        user_name: next().unwrap_or_default(),
        user_sex: next(),
        birthday: next(),
        mobile_phone: next(),
        psn_no: next(),
    }
}

#[cfg(test)]
mod tests {
    use encoding_rs::GB18030;

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
