//! `banyan export`: a ledger of the insurers as a table.
//!
//! The file is made beside its place and moved there when it is whole, so that nobody counts half a
//! ledger; only its owner may read it.

mod delimited;
mod parquet;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use banyan_platform::admin::Desk;
use banyan_platform::supplement::export::{Cell, Export};
use banyan_platform::supplement::ledgers::Ledger;

use super::{block_on, desk};
use crate::config::ConfigOptions;
use crate::terminal;

/// 导出台账
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// 哪个台账
    #[arg(value_enum)]
    ledger: LedgerOption,
    /// 文件格式
    #[arg(long, value_enum, default_value = "csv")]
    format: Format,
    /// 导出到哪个文件；已存在则不覆盖
    #[arg(long, value_name = "文件")]
    out: PathBuf,
    /// 连同姓名与证件号码一并导出；缺省不含，只以不可还原的代码区分人员（导出会写入操作审计）
    #[arg(long)]
    identities: bool,
    #[command(flatten)]
    config: ConfigOptions,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum LedgerOption {
    /// 理赔信息（CI00.03.00.03）
    Claims,
    /// 历史案件（XY00.00.00.03，hmbExtInfo）
    Cases,
    /// 现金支付（CI00.02.00.07）
    Payments,
    /// 小药箱（XY00.00.00.03，hmbYyxInfo）
    MedicineBox,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// 逗号分隔，UTF-8
    Csv,
    /// 列式文件（Apache Parquet）
    Parquet,
}

/// What rows are written by.
trait Writer {
    fn write(&mut self, rows: Vec<Vec<Cell>>) -> Result<()>;
    /// Finishes the table and gives the file back.
    fn finish(self: Box<Self>) -> Result<File>;
}

pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let settings = options.config.read()?;
    block_on(async {
        let desk = desk(&settings).await?;
        let rows = export(&desk, options).await?;
        desk.db.close().await;
        terminal::say(format!("已导出 {rows} 行：{}", options.out.display()));
        Ok(ExitCode::SUCCESS)
    })
}

async fn export(desk: &Desk, options: &Options) -> Result<u64> {
    let out = &options.out;
    anyhow::ensure!(!out.exists(), "{} 已存在，未作改动", out.display());
    let folder = match out.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let named = || format!("写入 {}", out.display());
    let place = tempfile::NamedTempFile::new_in(folder).with_context(named)?;
    let ledger = match options.ledger {
        LedgerOption::Claims => Ledger::Claims,
        LedgerOption::Cases => Ledger::Cases,
        LedgerOption::Payments => Ledger::Payments,
        LedgerOption::MedicineBox => Ledger::MedicineBox,
    };
    let mut export = Export::begin(desk.clone(), ledger, options.identities).await?;
    let file = place.reopen().with_context(named)?;
    let mut writer: Box<dyn Writer> = match options.format {
        Format::Csv => Box::new(delimited::Delimited::begin(file, export.columns())?),
        Format::Parquet => Box::new(parquet::Parquet::begin(file, export.columns())?),
    };
    let spinner = terminal::spinner("正在导出");
    let mut count = 0;
    loop {
        let rows = export.next_rows().await?;
        if rows.is_empty() {
            break;
        }
        count += rows.len() as u64;
        spinner.set_message(format!("正在导出：{count} 行"));
        writer.write(rows).with_context(named)?;
    }
    spinner.finish_and_clear();
    let file = writer.finish().with_context(named)?;
    file.sync_all().with_context(named)?;
    place.persist_noclobber(out).with_context(named)?;
    export.end(count).await?;
    Ok(count)
}
