//! `banyan person import`: reads and seals the next batch while the last one is committed.

use std::fs::File;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use banyan_platform::admin::Desk;
use banyan_platform::health_card::import::{Batch, Counts, Import, Preparer, REPORT_HEAD};

use super::source::{Format, Records, Survey};
use crate::terminal;

/// Records in a transaction: enough to share its costs, few enough that others need not wait long.
const BATCH: usize = 4_000;

/// What is to be imported.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    file: PathBuf,
    format: Format,
    report: PathBuf,
}

impl Wanted {
    pub(crate) fn new(file: &Path, format: Option<Format>, report: Option<&Path>) -> Self {
        let extension = file.extension().and_then(|extension| extension.to_str());
        let by_name = match extension.map(str::to_ascii_lowercase).as_deref() {
            Some("jsonl" | "ndjson") => Format::Jsonl,
            _ => Format::Csv,
        };
        let report = report.map_or_else(
            || {
                let mut beside = file.as_os_str().to_owned();
                beside.push(".report.csv");
                PathBuf::from(beside)
            },
            Path::to_owned,
        );
        Self {
            file: file.to_owned(),
            format: format.unwrap_or(by_name),
            report,
        }
    }
}

/// Imports a file, from where an earlier import of it stopped; gives what the whole file came to.
pub(crate) async fn run(desk: &Desk, wanted: &Wanted) -> Result<Counts> {
    let spinner = terminal::spinner("正在检查文件");
    let path = wanted.file.clone();
    let survey = tokio::task::spawn_blocking(move || Survey::of(&path)).await?;
    spinner.finish_and_clear();
    let survey = survey?;
    if survey.gb18030 {
        terminal::note("文件不是 UTF-8，按 GB18030 读取。");
    }
    let mut import = Import::open(
        desk.db.clone(),
        desk.vault.clone(),
        desk.world.clock.clone(),
        survey.digest,
    )
    .await?;
    if import.is_done() {
        terminal::note("该文件此前已导入完毕，未作改动。");
        // It may have ended between its last commit and the last lines of its report.
        if wanted.report.exists() {
            Report::open(&wanted.report, &import)?.close()?;
        }
        return Ok(import.counts());
    }
    let name = wanted.file.file_name().unwrap_or_default();
    let name = name.to_string_lossy();
    // Once at the beginning: an import that is broken off was begun by somebody all the same.
    desk.note_import(&name, import.counts()).await?;
    let mut records = Records::open(&wanted.file, wanted.format, &survey)?;
    let mut report = Report::open(&wanted.report, &import)?;
    let bar = terminal::progress(survey.lines, "导入");
    let mut skip = import.records_done();
    if skip > 0 {
        terminal::note(format!("从上次中断处继续（已完成 {skip} 行）。"));
        bar.inc(skip);
    }
    while skip > 0 {
        let step = usize::try_from(skip).unwrap_or(BATCH).min(BATCH);
        let skipped = records.take(step)?.len();
        anyhow::ensure!(skipped > 0, "文件在导入期间变短了");
        skip -= skipped as u64;
    }
    let preparer = import.preparer();
    let mut next = prepare(preparer.clone(), records).await?;
    loop {
        let (batch, rest) = next;
        let count = batch.records();
        let Some(records) = rest else {
            report.add(import.commit(batch, true).await?)?;
            bar.inc(count);
            break;
        };
        let (added, following) = tokio::join!(
            import.commit(batch, false),
            prepare(preparer.clone(), records)
        );
        report.add(added?)?;
        bar.inc(count);
        next = following?;
    }
    bar.finish_and_clear();
    report.close()?;
    desk.note_import(&name, import.counts()).await?;
    terminal::note(format!("报告：{}", wanted.report.display()));
    Ok(import.counts())
}

/// Reads and seals a batch; gives the rest of the file back, `None` at its end.
async fn prepare(preparer: Preparer, mut records: Records) -> Result<(Batch, Option<Records>)> {
    let ids = preparer.ids(BATCH).await?;
    tokio::task::spawn_blocking(move || {
        let taken = records.take(BATCH)?;
        let is_last = taken.len() < BATCH;
        let batch = preparer.prepare(taken, ids);
        Ok((batch, (!is_last).then_some(records)))
    })
    .await?
}

/// The report's file.
struct Report(File);

impl Report {
    /// Opens the report so that it holds exactly what was committed.
    fn open(path: &Path, import: &Import) -> Result<Self> {
        let named = || format!("写入报告 {}", path.display());
        let mut file = File::options()
            .create(true)
            .write(true)
            .truncate(false)
            .open(path)
            .with_context(named)?;
        let (before, last) = import.report();
        let kept = REPORT_HEAD.len() as u64 + before;
        if import.records_done() == 0 || file.metadata()?.len() < kept {
            if before > 0 {
                terminal::note("未找到上次的报告，新报告从续传处开始。");
            }
            file.set_len(0)?;
            file.write_all(REPORT_HEAD.as_bytes()).with_context(named)?;
        } else {
            file.set_len(kept)?;
            file.seek(SeekFrom::End(0))?;
        }
        file.write_all(last.as_bytes()).with_context(named)?;
        Ok(Self(file))
    }

    fn add(&mut self, text: &str) -> Result<()> {
        self.0.write_all(text.as_bytes()).context("写入报告")
    }

    fn close(self) -> Result<()> {
        self.0.sync_all().context("写入报告")
    }
}
