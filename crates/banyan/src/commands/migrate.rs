//! `banyan migrate`: brings the schema up to date.

use std::process::ExitCode;

use anyhow::{Context as _, Result};

use super::{block_on, open};
use crate::config::ConfigOptions;
use crate::terminal;

/// 升级数据库结构
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    config: ConfigOptions,
}

pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let settings = options.config.read()?;
    block_on(async {
        let db = open(&settings).await?;
        let spinner = terminal::spinner("正在升级数据库结构");
        let applied = db.migrate().await.context("升级数据库结构");
        spinner.finish_and_clear();
        let applied = applied?;
        db.close().await;
        if applied.is_empty() {
            terminal::say("数据库结构已是最新。");
        } else {
            terminal::say(format!("已应用：{}", applied.join("、")));
        }
        Ok(ExitCode::SUCCESS)
    })
}
