//! `banyan insurer`: an insurer of the sandbox hands over its historical cases. Also how `banyan call`
//! speaks as an insurer.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow, bail};
use banyan_client::{HttpClient, HttpSettings};
use banyan_protocol::ambient::{SystemClock, SystemRandomness};
use banyan_protocol::catalogue::Interface;
use banyan_protocol::envelope::fjs::answer::DONE;
use banyan_sandbox::{InsurerAccess, SandboxDescription, SimulatedInsurer};
use url::Url;

use super::{block_on, call};
use crate::terminal;

/// 沙箱中的保险渠道
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, clap::Subcommand)]
enum Act {
    /// 迁移历史案件（XY00.00.00.03），每次 500 条；同一编号的案件重复迁移不会重复计入
    Migrate {
        /// 沙箱数据目录
        #[arg(long, value_name = "目录")]
        sandbox: PathBuf,
        /// 渠道：appId，或 insurer1、insurer4（按安全等级）
        #[arg(long, value_name = "名称", default_value = "insurer4")]
        profile: String,
        /// 案件数
        #[arg(long, value_name = "条数", default_value_t = 10_000)]
        cases: usize,
    },
}

pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let Act::Migrate {
        sandbox,
        profile,
        cases,
    } = &options.act;
    let description = read(sandbox)?;
    let access = chosen(&description, Some(profile))?;
    block_on(async {
        let insurer = insurer(access, &description.platform.parse()?)?;
        let bar = terminal::progress(*cases as u64, "迁移历史案件");
        let migrated = insurer
            .migrate(*cases, &description.citizens, |through| {
                bar.set_position(through as u64);
            })
            .await;
        bar.finish_and_clear();
        let migrated = migrated.context("迁移历史案件")?;
        terminal::say(format!(
            "已迁移 {} 条历史案件，共 {} 次调用。",
            migrated.cases, migrated.calls
        ));
        Ok(ExitCode::SUCCESS)
    })
}

/// Calls an interface of the 统一对外接口 with SM4 and SM3.
pub(super) fn call_as(options: &call::Options, interface: Interface) -> Result<ExitCode> {
    let (access, platform) = match &options.sandbox {
        Some(folder) => {
            let description = read(folder)?;
            let access = chosen(&description, options.profile.as_deref())?.clone();
            (access, description.platform.parse()?)
        }
        None => match (&options.app_id, &options.secret, &options.url) {
            (Some(app_id), Some(secret), Some(url)) => {
                let access = InsurerAccess {
                    chs_fjs_appid: app_id.clone(),
                    chs_fjs_appsecret: secret.clone(),
                    level: options.level,
                    service_ids: Vec::new(),
                };
                (access, url.clone())
            }
            _ => bail!("请给出 --sandbox，或 --app-id、--secret 与 --url"),
        },
    };
    let business = call::business(&options.data)?;
    block_on(async {
        let insurer = insurer(&access, &platform)?;
        if options.show {
            let (to_sign, sealed) = insurer.sealed(interface, &business).await?;
            let hide = |text: &str| text.replace(insurer.secret().expose(), "***");
            terminal::note(format!(
                "待签名串：{}\n请求：{}\n",
                hide(&to_sign),
                hide(&sealed)
            ));
        }
        let answered = insurer
            .call(interface, &business)
            .await
            .with_context(|| format!("调用 {platform}"))?;
        if answered.code == DONE {
            terminal::say(serde_json::to_string_pretty(&answered.data)?);
            return Ok(ExitCode::SUCCESS);
        }
        terminal::note(format!("对方拒绝：{} {}", answered.code, answered.message));
        Ok(ExitCode::FAILURE)
    })
}

fn read(folder: &Path) -> Result<SandboxDescription> {
    SandboxDescription::read(folder)
        .with_context(|| format!("{} 中没有运行过的沙箱", folder.display()))
}

/// The insurer of this name; the one of the highest level where none is given.
fn chosen<'a>(
    description: &'a SandboxDescription,
    profile: Option<&str>,
) -> Result<&'a InsurerAccess> {
    let insurers = &description.insurers;
    let found = match profile {
        None => insurers.iter().max_by_key(|insurer| insurer.level),
        Some(name) => insurers.iter().find(|insurer| {
            insurer.chs_fjs_appid == name || format!("insurer{}", insurer.level) == name
        }),
    };
    found.ok_or_else(|| {
        let known: Vec<String> = insurers
            .iter()
            .map(|insurer| format!("insurer{}", insurer.level))
            .collect();
        anyhow!("沙箱中没有这个保险渠道；可用：{}", known.join("、"))
    })
}

fn insurer(access: &InsurerAccess, platform: &Url) -> Result<SimulatedInsurer> {
    let http = HttpClient::new(&HttpSettings::default())?;
    Ok(SimulatedInsurer::new(
        access,
        platform.clone(),
        Arc::new(SystemClock),
        Arc::new(SystemRandomness),
        http,
    )?)
}
