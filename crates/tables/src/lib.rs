//! Tables as people's systems write them.
//!
//! A spreadsheet saves semicolons and a byte-order mark, an old HIS writes GB18030, a young one
//! JSON Lines. A [`Survey`] reads a file once and says which encoding it is in; [`Records`] reads
//! it again, record by record, and gives each as [`Cells`] in the order of the columns that its
//! caller named. Who the cells are about, and whether they are right, is the caller's to know.
//!
//! Invariants:
//! - Each record stands for itself: a stray quotation mark, a wrong byte or a missing cell spoils
//!   its own record and no other.
//! - No line can fill the memory: a record has a longest length, and so has what is read ahead.
//! - Every record says where its bytes stand, so that it can be given back as it was written.
//! - Neither errors nor `Debug` show what a cell holds.

mod delimited;
mod header;
mod json_lines;
mod lines;
mod records;
mod survey;
#[cfg(test)]
mod tests;

pub use delimited::Delimiter;
pub use header::{Column, Header};
pub use lines::Span;
pub use records::{Cells, Plan, Record, Records, Strangers};
pub use survey::{Encoding, Survey};

/// How a table is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Cells between commas, tabs or semicolons; the first line names the columns.
    Delimited,
    /// A JSON object in each line.
    JsonLines,
}

/// Why a whole file can't be read: Chinese, for whoever wrote the file.
#[derive(Debug, thiserror::Error)]
pub enum TableFault {
    /// The file itself fails.
    #[error("文件读取失败：{0}")]
    Io(#[from] std::io::Error),
    /// It begins with the mark of UTF-16.
    #[error("文件是 UTF-16 编码：请另存为 UTF-8 或 GB18030（GBK）")]
    Utf16,
    /// It is no text at all.
    #[error("文件不是文本：如为 Excel 工作簿，请另存为 CSV 后再提交")]
    NoText,
    /// Its bytes fit neither encoding.
    #[error(
        "编码无法识别：既不是 UTF-8，也不是 GB18030（GBK），首先出现在第 {line} 行；请另存为 UTF-8"
    )]
    UnknownEncoding {
        /// The first line that fits neither, from 1.
        line: u64,
    },
    /// There is nothing in it.
    #[error("文件是空的，没有表头")]
    Empty,
    /// The first line can't be read as a header.
    #[error("第 {line} 行不是表头：{why}")]
    BadHeader {
        /// The line, from 1.
        line: u64,
        /// What was expected.
        why: String,
    },
    /// Columns that must be there.
    #[error("表头中缺少 {}{}", .missing.join("、"), beside(.strangers))]
    Missing {
        /// The columns.
        missing: Vec<String>,
        /// Those that stand there and are not known: one of them may be meant.
        strangers: Vec<String>,
    },
    /// A column that stands twice.
    #[error("表头中的“{0}”出现两次")]
    Doubled(String),
    /// Columns that the caller does not take.
    #[error("表头中有不认识的列：{}", .0.join("、"))]
    Unknown(Vec<String>),
}

fn beside(strangers: &[String]) -> String {
    if strangers.is_empty() {
        return String::new();
    }
    format!("；不认识的列：{}", strangers.join("、"))
}
