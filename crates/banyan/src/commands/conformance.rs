//! `banyan conformance`: does a hospital, or a platform, do what the guide says?

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, anyhow, bail};
use banyan_conformance::{
    CaseResult, Outcome, Person, PlatformOptions, Report, Target, hospital, html, platform,
    terminal as shown,
};
use banyan_sandbox::SandboxDescription;
use serde::Deserialize;
use url::Url;

use super::{block_on, real_world};
use crate::terminal;

/// 一致性测试：逐项检验对方的接口是否合乎接入指南，适合放进 CI
///
/// 退出码：0 合格，1 有未通过的，2 无法进行。只使用虚构的人员。
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    side: Side,
}

#[derive(Debug, clap::Subcommand)]
enum Side {
    /// 以平台的身份检验医院的 ORG_001、ORG_002
    Hospital {
        #[command(flatten)]
        common: Common,
        /// 院内测试环境已有的一条记录的机构跟踪号；没有它就无法检验查询
        #[arg(long, value_name = "orgTraceId")]
        known: Option<String>,
    },
    /// 以医院的身份检验平台的 ORG_MDL_001 至 005、ORG_EHC_001 至 004
    Platform {
        #[command(flatten)]
        common: Common,
        /// 平台可回调的地址；没有它就不检验上报
        #[arg(long, value_name = "地址")]
        notify_url: Option<String>,
        /// 平台测试环境中的人员（JSON：idType、idNo、userName、ehealthCardId、psnNo）；不可用真实患者
        #[arg(long, value_name = "文件")]
        person: Option<PathBuf>,
    },
}

#[derive(Debug, clap::Args)]
struct Common {
    /// 对方的基础地址，接口路径接在其后
    #[arg(long, value_name = "地址", required_unless_present = "sandbox")]
    url: Option<Url>,
    /// 应用 ID
    #[arg(long, required_unless_present = "sandbox")]
    app_id: Option<String>,
    /// 密钥文件；缺省读环境变量 BANYAN_CONFORMANCE_SECRET
    #[arg(long, value_name = "文件")]
    secret_file: Option<PathBuf>,
    /// 密钥（仅供环境变量使用，避免留在命令历史里）
    #[arg(
        long,
        env = "BANYAN_CONFORMANCE_SECRET",
        hide = true,
        hide_env_values = true
    )]
    secret: Option<String>,
    /// 机构 id（国家编码）
    #[arg(long, value_name = "编码", required_unless_present = "sandbox")]
    org_id: Option<String>,
    /// 检验本机沙箱（其数据目录），不需要其他参数
    #[arg(long, value_name = "目录", conflicts_with_all = ["url", "app_id", "org_id", "secret_file"])]
    sandbox: Option<PathBuf>,
    /// 把报告写成 JSON
    #[arg(long, value_name = "文件")]
    json: Option<PathBuf>,
    /// 把报告写成网页（单个文件）
    #[arg(long, value_name = "文件")]
    html: Option<PathBuf>,
    /// 确认对方不是正式环境：会写入测试数据，并发送恶意报文
    #[arg(long)]
    yes: bool,
}

pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    match tested(options) {
        Ok((report, common)) => {
            terminal::say(shown(&report).trim_end());
            if let Err(error) = keep(&report, common) {
                terminal::complain(&error);
                return Ok(ExitCode::from(2));
            }
            Ok(if report.passed() {
                ExitCode::SUCCESS
            } else {
                ExitCode::from(1)
            })
        }
        Err(error) => {
            terminal::complain(&error);
            Ok(ExitCode::from(2))
        }
    }
}

fn tested(options: &Options) -> Result<(Report, &Common)> {
    let (Side::Hospital { common, .. } | Side::Platform { common, .. }) = &options.side;
    let access = access(options, common)?;
    confirm(common, &access.url)?;
    let world = real_world();
    let credentials = (access.app_id.as_str(), access.secret.as_str());
    let target = Target::new(
        access.url,
        credentials,
        &access.org_id,
        world.clock,
        world.random,
    )?;
    let report = block_on(async {
        let tell = |case: &CaseResult| {
            if std::io::stderr().is_terminal() && case.outcome == Outcome::Failed {
                terminal::note(format!("未通过 {} {}", case.id, case.title));
            }
        };
        Ok(match &options.side {
            Side::Hospital { known, .. } => hospital(&target, known.as_deref(), tell).await?,
            Side::Platform { .. } => platform(&target, &access.options, tell).await?,
        })
    })?;
    Ok((report, common))
}

struct Access {
    url: Url,
    app_id: String,
    secret: String,
    org_id: String,
    options: PlatformOptions,
}

fn access(options: &Options, common: &Common) -> Result<Access> {
    if let Some(folder) = &common.sandbox {
        return of_sandbox(options, folder);
    }
    let secret = match (&common.secret_file, &common.secret) {
        (Some(path), _) => std::fs::read_to_string(path)
            .with_context(|| format!("读取密钥文件 {}", path.display()))?,
        (None, Some(secret)) => secret.clone(),
        (None, None) => {
            bail!("没有密钥：请用 --secret-file 文件，或设置环境变量 BANYAN_CONFORMANCE_SECRET")
        }
    };
    let (Some(url), Some(app_id), Some(org_id)) = (&common.url, &common.app_id, &common.org_id)
    else {
        bail!("请给出 --url、--app-id 与 --org-id");
    };
    Ok(Access {
        url: url.clone(),
        app_id: app_id.clone(),
        secret: secret.trim().to_owned(),
        org_id: org_id.clone(),
        options: match &options.side {
            Side::Hospital { .. } => PlatformOptions::default(),
            Side::Platform {
                notify_url, person, ..
            } => PlatformOptions {
                notify_url: notify_url.clone(),
                person: person.as_deref().map(person_of).transpose()?,
            },
        },
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PersonFile {
    id_type: String,
    id_no: String,
    user_name: String,
    ehealth_card_id: String,
    psn_no: Option<String>,
}

fn person_of(path: &Path) -> Result<Person> {
    let text = std::fs::read_to_string(path).with_context(|| format!("读取 {}", path.display()))?;
    let file: PersonFile =
        serde_json::from_str(&text).with_context(|| format!("{} 有误", path.display()))?;
    Ok(Person {
        id_type: file.id_type,
        id_no: file.id_no,
        user_name: file.user_name,
        ehealth_card_id: file.ehealth_card_id,
        psn_no: file.psn_no,
    })
}

fn of_sandbox(options: &Options, folder: &Path) -> Result<Access> {
    let description = SandboxDescription::read(folder)
        .with_context(|| format!("{} 中没有运行过的沙箱", folder.display()))?;
    // The last hospital: the first stands behind the edge, which answers in its place.
    let hospital = description
        .hospitals
        .last()
        .ok_or_else(|| anyhow!("沙箱里没有医院"))?;
    let mut url: Url = match &options.side {
        Side::Hospital { .. } => hospital.callback_url.parse()?,
        Side::Platform { .. } => description.platform.parse()?,
    };
    url.set_path("");
    let person = description.citizens.last().map(|citizen| Person {
        id_type: citizen.id_type.clone(),
        id_no: citizen.id_no.clone(),
        user_name: citizen.user_name.clone(),
        ehealth_card_id: citizen.ehealth_card_id.clone(),
        psn_no: Some(citizen.psn_no.clone()),
    });
    Ok(Access {
        url,
        app_id: hospital.app_id.clone(),
        secret: hospital.secret.clone(),
        org_id: hospital.org_id.clone(),
        options: PlatformOptions {
            notify_url: Some(hospital.callback_url.clone()),
            person,
        },
    })
}

/// Test data and hostile messages belong in no production: where the other side is not this
/// machine, somebody must have said that it is none.
fn confirm(common: &Common, url: &Url) -> Result<()> {
    let here = match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    };
    if here || common.yes {
        return Ok(());
    }
    bail!("将向 {url} 写入测试数据并发送恶意报文，不可用于正式环境；确认是测试环境后，请加 --yes");
}

fn keep(report: &Report, common: &Common) -> Result<()> {
    if let Some(path) = &common.json {
        std::fs::write(path, serde_json::to_string_pretty(report)?)
            .with_context(|| format!("写入 {}", path.display()))?;
    }
    if let Some(path) = &common.html {
        std::fs::write(path, html(report)).with_context(|| format!("写入 {}", path.display()))?;
    }
    Ok(())
}
