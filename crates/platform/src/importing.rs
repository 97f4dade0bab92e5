//! What imports of operators' files have in common: a batch, how far the file has come and what the
//! report says of it commit together, so that an import that was broken off goes on where it stopped.

use std::fmt::Write as _;

use banyan_store::db::{Db, StoreError, Tx};
use banyan_store::imports::{self, Progress};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// How a report begins: a mark by which spreadsheets know UTF-8, and the names of its columns.
pub const REPORT_HEAD: &str = "\u{FEFF}行号,结果,原因\r\n";

/// Why an import does not go on.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The database.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// The same file is imported by somebody else.
    #[error("同一文件正由另一进程导入，或其导入已结束")]
    Elsewhere,
}

/// How far the import of one file has come, and what its records came to.
#[derive(Debug)]
pub(crate) struct Standing<Counts> {
    db: Db,
    file: [u8; 32],
    pub(crate) progress: Progress,
    pub(crate) counts: Counts,
}

/// A line of a report: where in the file, the result, the reason.
pub(crate) type ReportLine<'a> = (u64, &'a str, &'a str);

impl<Counts> Standing<Counts>
where
    Counts: Copy + Default + Serialize + DeserializeOwned + Send + 'static,
{
    /// Where the file with this digest stands.
    pub(crate) async fn open(db: Db, file: [u8; 32]) -> Result<Self, StoreError> {
        let progress = imports::progress(&db, &file).await?.unwrap_or_default();
        let counts = match progress.counts.as_str() {
            "" => Counts::default(),
            text => serde_json::from_str(text)
                .map_err(|_| StoreError::Corrupt("person_import.counts".to_owned()))?,
        };
        Ok(Self {
            db,
            file,
            progress,
            counts,
        })
    }

    /// Commits a batch of so many records: `act` does what it says, counts, and gives what it adds
    /// to the report.
    pub(crate) async fn commit(
        &mut self,
        records: u64,
        is_last: bool,
        now_ms: i64,
        mut act: impl FnMut(&mut Tx<'_>, &mut Counts) -> Result<String, StoreError> + Send + 'static,
    ) -> Result<&str, ImportError> {
        let (file, before, counts) = (self.file, self.progress.clone(), self.counts);
        let (to, counts) = self
            .db
            .write(move |tx| -> Result<_, ImportError> {
                let mut counts = counts;
                let report = act(tx, &mut counts)?;
                let said = serde_json::json!(counts).to_string();
                let to = before.after(records, said, report, is_last);
                if !imports::advance(tx, &file, before.records_done, &to, now_ms)? {
                    return Err(ImportError::Elsewhere);
                }
                Ok((to, counts))
            })
            .await?;
        self.progress = to;
        self.counts = counts;
        Ok(&self.progress.last_report)
    }
}

/// Lines of a report in their order in the file.
pub(crate) fn report(mut lines: Vec<ReportLine<'_>>) -> String {
    lines.sort_by_key(|(line, ..)| *line);
    let mut text = String::new();
    for (line, result, reason) in lines {
        let _infallible = write!(text, "{line},{result},{}\r\n", reason.replace(',', "，"));
    }
    text
}
