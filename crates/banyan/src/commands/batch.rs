//! `banyan batch retry`: has batches judged again that were set aside.

use std::process::ExitCode;

use anyhow::Result;

use super::{block_on, desk};
use crate::config::ConfigOptions;
use crate::terminal;

/// 管理批次
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, clap::Subcommand)]
enum Act {
    /// 重新处理因故障而搁置的批次（指标 banyan_jobs_given_up{kind="judge"} 不为 0 时）
    Retry {
        #[command(flatten)]
        config: ConfigOptions,
    },
}

pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let Act::Retry { config } = &options.act;
    let settings = config.read()?;
    block_on(async {
        let desk = desk(&settings).await?;
        let retried = desk.retry_batches().await?;
        desk.db.close().await;
        terminal::say(format!("已安排重新处理 {retried} 个批次。"));
        Ok(ExitCode::SUCCESS)
    })
}
