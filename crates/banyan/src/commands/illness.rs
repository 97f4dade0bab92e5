//! `banyan illness`: the registry of past illnesses. Takes in an operator's file; the same command
//! with other lines corrects what stands. Shows what is said of somebody, and who says so.

use std::fs::File;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use banyan_platform::admin::Desk;
use banyan_platform::importing::REPORT_HEAD;
use banyan_platform::supplement::icd10::IllnessMap;
use banyan_platform::supplement::import::{COLUMNS, Counts, Import, Record, Row};
use banyan_protocol::wire::{LocalTime, Scalar as _};
use banyan_store::supplement::past_illness::{Entry, Source};
use banyan_tables::{Cells, Column, Plan, Strangers};

use super::table_file::{self, Format, Report, Survey, Wanted};
use super::{block_on, desk, number_from_input};
use crate::config::ConfigOptions;
use crate::terminal;

/// 管理既往症登记
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    act: Act,
    #[command(flatten)]
    config: ConfigOptions,
}

#[derive(Debug, clap::Subcommand)]
enum Act {
    /// 导入或更正既往症：逐行核对并写入报告；中断后以同一文件再次执行即可续传
    Import {
        /// 表头（CSV）或成员（JSON Lines）：idcard,name,illness_name,icd10,serviceId,past_illness_check；首项必有，illness_name 与 icd10 至少一项，past_illness_check 为 0 即更正为无
        file: PathBuf,
        /// 文件格式；缺省按扩展名（.jsonl、.ndjson 为 JSON Lines，其余为 CSV）
        #[arg(long, value_enum)]
        format: Option<Format>,
        /// 报告文件（CSV：行号、结果、原因，不含个人信息）；缺省为导入文件名加 .report.csv
        #[arg(long, value_name = "文件")]
        report: Option<PathBuf>,
    },
    /// 查看一人的既往症登记及其来源、已更正的记录（证件号码从标准输入读取；查看写入操作审计）
    Show,
    /// 列出既往症分类及其编码表的来源
    Categories,
}

/// Records in a transaction: enough to share its costs, few enough that others need not wait long.
const BATCH: usize = 2_000;
/// Longer than any record can be.
const MOST_RECORD_BYTES: usize = 8 * 1024;
/// What [`COLUMNS`] are called by people.
const NAMES: [&str; COLUMNS.len()] = [
    "证件号码",
    "姓名",
    "既往症分类名称",
    "诊断编码",
    "服务id",
    "既往症结果",
];

pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let settings = options.config.read()?;
    let map = IllnessMap::load(settings.supplement.illness_map_file.as_deref())?;
    match &options.act {
        Act::Import {
            file,
            format,
            report,
        } => block_on(async {
            let desk = desk(&settings).await?;
            let wanted = Wanted::new(file, *format, report.as_deref());
            let counts = import(&desk, &map, &wanted).await?;
            terminal::say(format!(
                "共 {} 行：新增 {}，已有 {}，更正为无 {}，预先记为无 {}，未导入 {}。",
                counts.total(),
                counts.added,
                counts.known,
                counts.ended,
                counts.denied,
                counts.bad
            ));
            if counts.standing > 0 {
                terminal::say(format!(
                    "另有 {} 行未能更正：登记面向全部服务，见报告。",
                    counts.standing
                ));
            }
            desk.db.close().await;
            Ok(ExitCode::SUCCESS)
        }),
        Act::Show => block_on(async {
            let number = number_from_input()?;
            let desk = desk(&settings).await?;
            let entries = desk.past_illnesses(&number).await?;
            if entries.is_empty() {
                terminal::say("没有登记。");
            }
            for entry in &entries {
                terminal::say(line_of(entry));
            }
            desk.db.close().await;
            Ok(ExitCode::SUCCESS)
        }),
        Act::Categories => {
            let (source, version) = map.origin();
            terminal::say(format!("来源：{source}\n版本：{version}"));
            for category in map.categories() {
                terminal::say(category);
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn line_of(entry: &Entry) -> String {
    let at = |ms| LocalTime::from_epoch_ms(ms).render().into_owned();
    let service = match entry.service_id.as_str() {
        "" => "所有服务".to_owned(),
        id => format!("服务 {id}"),
    };
    let source = match entry.source {
        Source::Import => "导入".to_owned(),
        Source::Case(id) if entry.map_version.is_empty() => format!("历史案件 {id}"),
        Source::Case(id) => format!("历史案件 {id}（分类表 {}）", entry.map_version),
    };
    let ended = entry.ended.as_ref().map_or_else(String::new, |(ms, by)| {
        format!("  已于 {} 更正（{by}）", at(*ms))
    });
    format!(
        "{}  {service}  {source}  {}  {}{ended}",
        entry.category,
        entry.by_whom,
        at(entry.at_ms)
    )
}

/// Imports a file, from where an earlier import of it stopped; gives what the whole file came to.
async fn import(desk: &Desk, map: &IllnessMap, wanted: &Wanted) -> Result<Counts> {
    let spinner = terminal::spinner("正在检查文件");
    let path = wanted.file.clone();
    let survey = tokio::task::spawn_blocking(move || Survey::of(&path)).await?;
    spinner.finish_and_clear();
    let survey = survey?;
    if survey.gb18030 {
        terminal::note("文件不是 UTF-8，按 GB18030 读取。");
    }
    let mut import = Import::open(desk, map, &survey.digest).await?;
    if import.progress().done {
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
    desk.note_illness_import(&name, import.counts()).await?;
    let mut records = table_file::open(&wanted.file, wanted.format, &survey, plan())?;
    let mut report = report_of(wanted, &import)?;
    let bar = terminal::progress(survey.lines, "导入");
    let mut skip = import.progress().records_done.unsigned_abs();
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
    let mut is_last = false;
    while !is_last {
        let (taken, rest) = take(records).await?;
        records = rest;
        is_last = taken.len() < BATCH;
        let batch = import.prepare(map, taken);
        let count = batch.records();
        report.add(import.commit(batch, is_last).await?)?;
        bar.inc(count);
    }
    bar.finish_and_clear();
    report.close()?;
    desk.note_illness_import(&name, import.counts()).await?;
    terminal::note(format!("报告：{}", wanted.report.display()));
    Ok(import.counts())
}

type Records = banyan_tables::Records<File>;

/// Reads a batch off the runtime's threads; fewer records only at the end.
async fn take(mut records: Records) -> Result<(Vec<Record>, Records)> {
    tokio::task::spawn_blocking(move || {
        let taken = records.take(BATCH)?.into_iter();
        let taken = taken.map(|record| Record {
            line: record.line,
            row: record.cells.map(row),
        });
        Ok((taken.collect(), records))
    })
    .await?
}

fn plan() -> Plan {
    let columns = COLUMNS.iter().zip(NAMES).enumerate();
    let columns = columns.map(|(place, (code, name))| Column {
        code,
        name,
        required: place == 0,
    });
    Plan {
        columns: columns.collect(),
        strangers: Strangers::Refused,
        most_record_bytes: MOST_RECORD_BYTES,
    }
}

/// The cells stand in the order of [`COLUMNS`].
fn row(cells: Cells) -> Row {
    let mut cells = cells.into_inner().into_iter();
    let mut next = || cells.next().flatten().unwrap_or_default();
    Row {
        idcard: next(),
        name: next(),
        illness_name: next(),
        icd10: next(),
        service_id: next(),
        past_illness_check: next(),
    }
}

/// Opens the report so that it holds exactly what was committed.
fn report_of(wanted: &Wanted, import: &Import) -> Result<Report> {
    let progress = import.progress();
    let (begun, before) = (
        progress.records_done > 0,
        progress.report_bytes.unsigned_abs(),
    );
    Report::open(
        &wanted.report,
        REPORT_HEAD,
        begun,
        before,
        &progress.last_report,
    )
}
