//! `banyan person import`: reads and seals the next batch while the last one is committed.

use anyhow::Result;
use banyan_platform::admin::Desk;
use banyan_platform::health_card::import::{Batch, Counts, Import, Preparer};
use banyan_platform::importing::REPORT_HEAD;

use super::source::Records;
use crate::commands::table_file::{Report, Survey, Wanted};
use crate::terminal;

/// Records in a transaction: enough to share its costs, few enough that others need not wait long.
const BATCH: usize = 4_000;

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
            report_of(wanted, &import)?.close()?;
        }
        return Ok(import.counts());
    }
    let name = wanted.file.file_name().unwrap_or_default();
    let name = name.to_string_lossy();
    // Once at the beginning: an import that is broken off was begun by somebody all the same.
    desk.note_import(&name, import.counts()).await?;
    let mut records = Records::open(&wanted.file, wanted.format, &survey)?;
    let mut report = report_of(wanted, &import)?;
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

/// Opens the report so that it holds exactly what was committed.
fn report_of(wanted: &Wanted, import: &Import) -> Result<Report> {
    let (before, last) = import.report();
    let begun = import.records_done() > 0;
    Report::open(&wanted.report, REPORT_HEAD, begun, before, last)
}
