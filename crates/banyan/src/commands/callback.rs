//! `banyan callback resend`: has callbacks sent again.

use std::process::ExitCode;

use anyhow::{Result, anyhow};
use banyan_platform::admin::Resend;
use banyan_protocol::wire::{LocalTime, Scalar as _};

use super::{block_on, desk};
use crate::config::ConfigOptions;
use crate::terminal;

/// 管理回调
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, clap::Subcommand)]
enum Act {
    /// 重发回调、提醒与更正回执：按 notifyId 若干条，或某接入方一段时间内未送达的
    Resend {
        #[command(flatten)]
        config: ConfigOptions,
        /// 通知编号（回调 extData.notifyId），可多次给出；已送达的也会重发
        #[arg(long = "id", value_name = "编号", conflicts_with_all = ["app_id", "from", "to", "delivered"])]
        ids: Vec<i64>,
        /// 接入方 appId
        #[arg(long, value_name = "APPID", required_unless_present = "ids", requires_all = ["from", "to"])]
        app_id: Option<String>,
        /// 起始时间（含），格式 yyyy-MM-dd HH:mm:ss
        #[arg(long, value_name = "时间", value_parser = moment)]
        from: Option<i64>,
        /// 截止时间（不含），格式同上
        #[arg(long, value_name = "时间", value_parser = moment)]
        to: Option<i64>,
        /// 该时间段内已送达的也重发
        #[arg(long)]
        delivered: bool,
    },
}

pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let Act::Resend {
        config,
        ids,
        app_id,
        from,
        to,
        delivered,
    } = &options.act;
    let resend = match (app_id, from, to) {
        (Some(app_id), Some(from_ms), Some(to_ms)) => Resend::Window {
            app_id: app_id.clone(),
            from_ms: *from_ms,
            to_ms: *to_ms,
            delivered: *delivered,
        },
        _ if !ids.is_empty() => Resend::Some(ids.clone()),
        _ => return Err(anyhow!("请给出 --id，或 --app-id 与 --from、--to")),
    };
    let settings = config.read()?;
    block_on(async {
        let desk = desk(&settings).await?;
        let resent = desk.resend(resend).await?;
        desk.db.close().await;
        terminal::say(format!("已安排重发 {resent} 条回调。"));
        Ok(ExitCode::SUCCESS)
    })
}

fn moment(text: &str) -> Result<i64, String> {
    LocalTime::parse(text)
        .map(LocalTime::epoch_ms)
        .map_err(|invalid| invalid.0)
}
