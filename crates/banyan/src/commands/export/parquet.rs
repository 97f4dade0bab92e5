//! Apache Parquet: text columns and whole numbers, all optional, in groups of rows that fit the
//! memory.

use std::fs::File;
use std::sync::Arc;

use ::parquet::basic::{Compression, LogicalType, Repetition, Type as Physical};
use ::parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::writer::SerializedFileWriter;
use ::parquet::schema::types::Type;
use anyhow::{Context as _, Result};
use banyan_platform::supplement::export::{Cell, Column};

use super::Writer;

/// Rows of a group: of the widest ledger about twenty megabytes.
const GROUP: usize = 16_384;

/// A table under way.
pub(super) struct Parquet {
    out: SerializedFileWriter<File>,
    columns: Vec<Values>,
    rows: usize,
}

/// What waits to be written of one column, without the missing values.
enum Values {
    Text(Vec<ByteArray>, Vec<i16>),
    Numbers(Vec<i64>, Vec<i16>),
}

/// The definition levels of an optional column.
const PRESENT: i16 = 1;
const ABSENT: i16 = 0;

impl Parquet {
    pub(super) fn begin(file: File, columns: &[Column]) -> Result<Self> {
        let fields = columns.iter().map(|column| {
            let (physical, logical) = if column.is_number {
                (Physical::INT64, None)
            } else {
                (Physical::BYTE_ARRAY, Some(LogicalType::String))
            };
            Type::primitive_type_builder(&column.name, physical)
                .with_logical_type(logical)
                .with_repetition(Repetition::OPTIONAL)
                .build()
                .map(Arc::new)
        });
        let fields = fields.collect::<Result<Vec<_>, _>>()?;
        let schema = Type::group_type_builder("ledger")
            .with_fields(fields)
            .build()?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .build();
        let out = SerializedFileWriter::new(file, Arc::new(schema), Arc::new(properties))?;
        Ok(Self {
            out,
            columns: columns.iter().map(Values::of).collect(),
            rows: 0,
        })
    }

    fn write_group(&mut self) -> Result<()> {
        if self.rows == 0 {
            return Ok(());
        }
        let mut group = self.out.next_row_group()?;
        for column in &mut self.columns {
            let mut writer = group
                .next_column()?
                .context("the table has fewer columns than its rows")?;
            match column {
                Values::Text(values, levels) => {
                    let typed = writer.typed::<ByteArrayType>();
                    typed.write_batch(values, Some(levels), None)?;
                    values.clear();
                    levels.clear();
                }
                Values::Numbers(values, levels) => {
                    let typed = writer.typed::<Int64Type>();
                    typed.write_batch(values, Some(levels), None)?;
                    values.clear();
                    levels.clear();
                }
            }
            writer.close()?;
        }
        group.close()?;
        self.rows = 0;
        Ok(())
    }
}

impl Writer for Parquet {
    fn write(&mut self, rows: Vec<Vec<Cell>>) -> Result<()> {
        for row in rows {
            anyhow::ensure!(row.len() == self.columns.len(), "a row has other columns");
            for (column, cell) in self.columns.iter_mut().zip(row) {
                column.push(cell)?;
            }
            self.rows += 1;
            if self.rows == GROUP {
                self.write_group()?;
            }
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<File> {
        self.write_group()?;
        Ok(self.out.into_inner()?)
    }
}

impl Values {
    fn of(column: &Column) -> Self {
        if column.is_number {
            Self::Numbers(Vec::new(), Vec::new())
        } else {
            Self::Text(Vec::new(), Vec::new())
        }
    }

    fn push(&mut self, cell: Cell) -> Result<()> {
        match (self, cell) {
            (Self::Text(values, levels), Cell::Text(text)) => {
                levels.push(if text.is_some() { PRESENT } else { ABSENT });
                values.extend(text.map(|text| ByteArray::from(text.into_bytes())));
            }
            (Self::Numbers(values, levels), Cell::Number(number)) => {
                levels.push(if number.is_some() { PRESENT } else { ABSENT });
                values.extend(number);
            }
            _ => anyhow::bail!("a cell is of another kind than its column"),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use ::parquet::file::reader::{FileReader as _, SerializedFileReader};
    use ::parquet::record::{Field, Row};

    use super::*;

    #[test]
    fn what_is_written_can_be_read_beyond_one_group() {
        let columns = [
            Column {
                name: "caseNo".to_owned(),
                is_number: false,
            },
            Column {
                name: "compenAmt_fen".to_owned(),
                is_number: true,
            },
        ];
        let file = tempfile::tempfile().unwrap();
        let mut table = Box::new(Parquet::begin(file, &columns).unwrap());
        let count = GROUP + 3;
        let row = |number: usize| {
            vec![
                Cell::Text(number.is_multiple_of(2).then(|| format!("案件{number}"))),
                Cell::Number(number.is_multiple_of(3).then_some(number as i64)),
            ]
        };
        table.write((0..count).map(row).collect()).unwrap();
        let file = table.finish().unwrap();
        let reader = SerializedFileReader::new(file).unwrap();
        assert_eq!(reader.metadata().num_row_groups(), 2);
        let rows: Vec<Row> = reader
            .get_row_iter(None)
            .unwrap()
            .map(Result::unwrap)
            .collect();
        assert_eq!(rows.len(), count);
        for (number, read) in rows.iter().enumerate() {
            let fields: Vec<&Field> = read.get_column_iter().map(|(_, field)| field).collect();
            let text = match number % 2 {
                0 => Field::Str(format!("案件{number}")),
                _ => Field::Null,
            };
            let fen = match number % 3 {
                0 => Field::Long(number as i64),
                _ => Field::Null,
            };
            assert_eq!(fields, [&text, &fen]);
        }
    }
}
