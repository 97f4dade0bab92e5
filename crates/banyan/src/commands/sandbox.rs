//! `banyan sandbox`: the whole province on a laptop.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use banyan::province::{PASSWORD, Plan, Province};
use banyan_platform::settings::Settings;
use banyan_sandbox::SandboxDescription;

use super::listening::stopped;
use super::{block_on, real_world};
use crate::terminal::{self, LogFormat};

/// 在本机启动全省沙箱
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// 平台监听地址；端口 0 表示任选空闲端口
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "地址")]
    listen: SocketAddr,
    /// 前置机监听地址
    #[arg(long, default_value = "127.0.0.1:8081", value_name = "地址")]
    edge_listen: SocketAddr,
    /// 数据目录；再次以同一目录启动则延续其中的数据
    #[arg(long, default_value = "banyan-sandbox", value_name = "目录")]
    data_dir: PathBuf,
    /// 改用 PostgreSQL：postgres://用户:密码@主机/库
    #[arg(long, value_name = "地址")]
    database_url: Option<String>,
    /// 不产生模拟业务
    #[arg(long)]
    no_traffic: bool,
    /// 日志格式
    #[arg(long, value_enum, default_value = "text")]
    log_format: LogFormat,
}

pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    terminal::start_log(options.log_format, "warn,banyan_sandbox=info");
    block_on(async {
        let spinner = terminal::spinner("正在启动沙箱");
        let started = Province::start(Plan {
            listen: options.listen,
            with_edge: true,
            edge_listen: options.edge_listen,
            database_url: options.database_url.clone(),
            adjust: remind_soon,
            ..Plan::in_folder(&options.data_dir, real_world())
        })
        .await;
        spinner.finish_and_clear();
        let mut province = started?;
        terminal::say(welcome(&province.description, &options.data_dir));
        if !options.no_traffic {
            province.start_traffic();
        }
        stopped().await?;
        terminal::note("正在停止……");
        province.stop().await;
        Ok(ExitCode::SUCCESS)
    })
}

fn welcome(description: &SandboxDescription, folder: &std::path::Path) -> String {
    let folder = folder.display();
    let banyan = program();
    let mut text = format!(
        "榕沙箱已就绪（测试环境，人员与密钥均为虚构）。\n\n平台      {}\n前置机    {}\n",
        description.platform, description.edge
    );
    for hospital in &description.hospitals {
        text.push_str(&format!(
            "医院      {}  {}\n          appId {}  密钥 {}\n          回调 {}\n",
            hospital.org_id,
            hospital.org_name,
            hospital.app_id,
            hospital.secret,
            hospital.callback_url
        ));
    }
    text.push_str(&format!(
        "终端      {}（扫码、刷脸、密码键盘；参保人密码均为 {PASSWORD}）\n动态库    {folder}/NationECCode.toml\n",
        description.terminal.url
    ));
    text.push_str(&format!(
        "闽政通    appId {}  密钥 {}\n          收到的提醒 {}\n说明文件  {folder}/{}\n\n试一试：\n",
        description.mzt.app_id,
        description.mzt.secret,
        description.mzt_url,
        SandboxDescription::FILE_NAME
    ));
    if let Some(citizen) = description.citizens.first() {
        text.push_str(&format!(
            "  {banyan} call ORG_MDL_002 --sandbox {folder} --data '{{\"businessType\":\"01101\",\
             \"idType\":\"{}\",\"idNo\":\"{}\",\"userName\":\"{}\",\"ehealthCardId\":\"{}\"}}'\n",
            citizen.id_type, citizen.id_no, citizen.user_name, citizen.ehealth_card_id
        ));
        text.push_str(&format!(
            "  {banyan} call ORG_MDL_004 --sandbox {folder} --profile mzt --data '{{\
             \"idType\":\"{}\",\"idNo\":\"{}\",\"userName\":\"{}\"}}'\n",
            citizen.id_type, citizen.id_no, citizen.user_name
        ));
    }
    text.push_str(&format!(
        "  {banyan} interface ORG_MDL_001\n\nCtrl-C 停止。"
    ));
    text
}

/// Reminders within minutes and at any hour, so that whoever tries the sandbox sees some.
fn remind_soon(settings: &mut Settings) {
    let reminders = &mut settings.overdue.reminders;
    reminders.look_every_minutes = 1;
    reminders.first_after_days = 0;
    reminders.every_days = 1;
    reminders.quiet_until = reminders.quiet_from;
}

/// How this program is called from where the person stands.
fn program() -> String {
    let here = std::env::current_dir().ok();
    std::env::current_exe()
        .ok()
        .and_then(|program| {
            let near = program.strip_prefix(here?).ok()?;
            Some(near.display().to_string())
        })
        .unwrap_or_else(|| "banyan".to_owned())
}
