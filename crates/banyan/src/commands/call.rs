//! `banyan call`: calls an interface as one of the partners.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use banyan_client::{
    CentreCaller, Credentials, HostGuard, HttpClient, HttpSettings, call, call_centre,
};
use banyan_protocol::ambient::{Clock as _, ManualClock, SystemClock};
use banyan_protocol::catalogue::{Direction, Interface, Route};
use banyan_protocol::envelope::{AcceptedReplies, Answer, Manner, Sealing, Secret, centre};
use banyan_sandbox::SandboxDescription;
use serde_json::Value;
use url::Url;

use super::{block_on, insurer};
use crate::terminal;

/// 以某个接入方的身份调用接口
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// 接口编码，例如 ORG_MDL_002
    code: String,
    /// 业务参数：JSON 文本，或 @文件
    #[arg(long, value_name = "JSON|@文件")]
    pub(super) data: String,
    /// 从沙箱数据目录读取身份
    #[arg(long, value_name = "目录", conflicts_with_all = ["app_id", "url"])]
    pub(super) sandbox: Option<PathBuf>,
    /// 沙箱中的身份：orgId、appId、mzt，或 insurer1、insurer4（按安全等级）；缺省为能调用该接口的第一个
    #[arg(long, value_name = "名称", requires = "sandbox")]
    pub(super) profile: Option<String>,
    /// 应用 ID
    #[arg(long, required_unless_present = "sandbox", requires_all = ["secret", "url"])]
    pub(super) app_id: Option<String>,
    /// 接入方密钥（建议以环境变量 BANYAN_CALL_SECRET 给出）
    #[arg(long, env = "BANYAN_CALL_SECRET", hide_env_values = true)]
    pub(super) secret: Option<String>,
    /// 平台地址，例如 https://platform.example.cn
    #[arg(long, value_name = "地址")]
    pub(super) url: Option<Url>,
    /// 保险渠道（统一对外接口）的安全等级，1 至 4；以 --app-id 调用时使用
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=4))]
    pub(super) level: u8,
    /// 扫码得到的码值（医保电子凭证）
    #[arg(long, value_name = "码值")]
    qr_code: Option<String>,
    /// 不加密、不签名（仅测试环境）
    #[arg(long)]
    plain: bool,
    /// 同时显示待签名串（不含密钥）与密封后的请求
    #[arg(long)]
    pub(super) show: bool,
}

pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let interface = Interface::from_code(&options.code).ok_or_else(|| {
        anyhow!(
            "没有接口 {}：请用 banyan interface 查看接口目录",
            options.code
        )
    })?;
    if interface.spec().route == Route::Funid {
        return insurer::call_as(options, interface);
    }
    let identity = identity(options)?;
    if interface.spec().route == Route::TransType {
        return call_the_centre(options, interface, &identity);
    }
    let url = address(interface, &identity)?;
    let business = business(&options.data)?;
    let secret = Secret::parse(&identity.secret)?;
    let manner = if options.plain {
        Manner::PLAIN
    } else {
        Manner::SEALED
    };
    // One moment for what is shown and what is sent, so that they are the same to the byte.
    let clock = ManualClock::at(SystemClock.now_ms());
    if options.show {
        let sealing = Sealing {
            manner,
            ..Sealing::call(&identity.app_id, clock.now_ms(), &business)
        };
        let to_sign = sealing.string_to_sign(&secret);
        let hidden = to_sign.replace(secret.expose(), "***");
        terminal::note(format!(
            "待签名串：{hidden}\n请求：{}\n",
            sealing.seal(&secret)
        ));
    }
    let credentials = Credentials {
        app_id: identity.app_id.as_str().into(),
        secret: Arc::new(secret),
        accepted: AcceptedReplies {
            plain_and_bare: options.plain || interface.spec().direction == Direction::ToHospital,
        },
        manner,
    };
    block_on(async {
        let http = HttpClient::new(&HttpSettings::default())?;
        let guard = HostGuard::Anywhere;
        let answer = call(&http, &url, &guard, &credentials, &clock, &business)
            .await
            .with_context(|| format!("调用 {url}"))?;
        Ok(show(answer))
    })
}

/// Calls the credential centre; the institution is the one that `data` names.
fn call_the_centre(
    options: &Options,
    interface: Interface,
    identity: &Identity,
) -> Result<ExitCode> {
    let business = business(&options.data)?;
    let secret = Secret::parse(&identity.secret)?;
    let data: Value = serde_json::from_str(&business)?;
    let org_id = data.get("orgId").and_then(Value::as_str);
    let org_id = org_id.ok_or_else(|| anyhow!("--data 须含 orgId（医保定点机构代码）"))?;
    let request = centre::Request::new(
        org_id,
        interface.code(),
        &business,
        options.qr_code.as_deref(),
    )?;
    let now_ms = SystemClock.now_ms();
    if options.show {
        let to_sign = request.string_to_sign(&identity.app_id, &secret, now_ms);
        let hidden = to_sign.replace(secret.expose(), "***");
        let sealed = request.seal(&identity.app_id, &secret, now_ms);
        terminal::note(format!("待签名串：{hidden}\n请求：{sealed}\n"));
    }
    let mut url = identity.platform.clone();
    let prefix = url.path().trim_end_matches('/').to_owned();
    url.set_path(&format!("{prefix}{}", centre::PATH));
    block_on(async {
        // The centre may wait for a person.
        let http = HttpClient::new(&HttpSettings {
            call_timeout: Duration::from_secs(90),
            ..HttpSettings::default()
        })?;
        let caller = CentreCaller {
            app_id: &identity.app_id,
            secret: &secret,
            now_ms,
        };
        let answer = call_centre(&http, &url, &HostGuard::Anywhere, caller, &request)
            .await
            .with_context(|| format!("调用 {url}"))?;
        Ok(show(answer))
    })
}

fn show(answer: Answer) -> ExitCode {
    match answer {
        Answer::Done(json) => {
            let pretty = serde_json::from_str::<Value>(&json)
                .and_then(|value| serde_json::to_string_pretty(&value))
                .unwrap_or(json);
            terminal::say(pretty);
            ExitCode::SUCCESS
        }
        Answer::Refused { code, message } => {
            terminal::note(format!("对方拒绝：{code} {message}"));
            ExitCode::FAILURE
        }
    }
}

struct Identity {
    app_id: String,
    secret: String,
    platform: Url,
    /// Where the partner itself answers, for calls that a hospital answers.
    callback: Option<Url>,
}

fn identity(options: &Options) -> Result<Identity> {
    if let Some(folder) = &options.sandbox {
        return of_sandbox(folder, options.profile.as_deref());
    }
    match (&options.app_id, &options.secret, &options.url) {
        (Some(app_id), Some(secret), Some(url)) => Ok(Identity {
            app_id: app_id.clone(),
            secret: secret.clone(),
            platform: url.clone(),
            callback: Some(url.clone()),
        }),
        _ => bail!("请给出 --sandbox，或 --app-id、--secret 与 --url"),
    }
}

fn of_sandbox(folder: &Path, profile: Option<&str>) -> Result<Identity> {
    let description = SandboxDescription::read(folder)
        .with_context(|| format!("{} 中没有运行过的沙箱", folder.display()))?;
    let platform: Url = description.platform.parse()?;
    if profile == Some("mzt") {
        return Ok(Identity {
            app_id: description.mzt.app_id,
            secret: description.mzt.secret,
            platform,
            callback: None,
        });
    }
    let hospital = description
        .hospitals
        .iter()
        .find(|hospital| {
            profile.is_none_or(|name| name == hospital.org_id || name == hospital.app_id)
        })
        .ok_or_else(|| {
            let known: Vec<&str> = description
                .hospitals
                .iter()
                .map(|hospital| hospital.org_id.as_str())
                .collect();
            anyhow!("沙箱中没有这个身份；可用：{}、mzt", known.join("、"))
        })?;
    Ok(Identity {
        app_id: hospital.app_id.clone(),
        secret: hospital.secret.clone(),
        callback: Some(hospital.callback_url.parse()?),
        platform,
    })
}

fn address(interface: Interface, identity: &Identity) -> Result<Url> {
    let spec = interface.spec();
    let Route::Path(path) = spec.route else {
        bail!("{} 在此版本尚未开放", spec.code);
    };
    let base = match spec.direction {
        Direction::ToPlatform => &identity.platform,
        Direction::ToHospital => identity
            .callback
            .as_ref()
            .ok_or_else(|| anyhow!("{} 由医院提供，请选择一家医院", spec.code))?,
    };
    let prefix = match spec.direction {
        Direction::ToPlatform => base.path().trim_end_matches('/').to_owned(),
        Direction::ToHospital => String::new(),
    };
    let mut url = base.clone();
    url.set_path(&format!("{prefix}{path}"));
    Ok(url)
}

/// The business JSON as it was given, so that its author sees his own bytes signed.
pub(super) fn business(data: &str) -> Result<String> {
    let text = match data.strip_prefix('@') {
        Some(file) => std::fs::read_to_string(file).with_context(|| format!("读取 {file}"))?,
        None => data.to_owned(),
    };
    let text = text.trim().to_owned();
    serde_json::from_str::<Value>(&text).context("--data 不是合法的 JSON")?;
    Ok(text)
}
