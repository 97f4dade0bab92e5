//! `banyan doctor`: why a message does not open, and what its maker has to change.

use std::io::{IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, anyhow, bail};
use banyan_doctor::{Diagnosis, Language, Question, Verdict, examine, render};
use banyan_protocol::ambient::{Clock as _, SystemClock};
use banyan_protocol::crypto::base64;
use banyan_protocol::envelope::signature_of;
use banyan_protocol::wire::{LocalTime, Scalar as _};
use banyan_store::journal;

use super::{block_on, desk};
use crate::config::ConfigOptions;
use crate::terminal;

/// More is no captured message.
const MOST_BYTES: u64 = 4 << 20;

/// 诊断签名与加解密：报文为何打不开，该改哪一行
///
/// 报文可以是原始 HTTP（带请求头），也可以只是 JSON，甚至是从日志里粘贴的文字。
/// 密钥只用于本次诊断，不显示、不记录。
/// 退出码：0 正确，1 有不符之处，2 无法诊断。
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// 截取的报文文件；- 表示从标准输入粘贴，按 Ctrl-D 结束
    #[arg(value_name = "文件", required_unless_present = "journal")]
    captured: Option<PathBuf>,
    /// 密钥文件；缺省读环境变量 BANYAN_DOCTOR_SECRET，再缺省则询问
    #[arg(long, value_name = "文件", conflicts_with = "partner")]
    secret_file: Option<PathBuf>,
    /// 密钥（仅供环境变量使用，避免留在命令历史里）
    #[arg(
        long,
        env = "BANYAN_DOCTOR_SECRET",
        hide = true,
        hide_env_values = true
    )]
    secret: Option<String>,
    /// 在平台侧使用：取该接入方登记的密钥（需要平台的配置与主密钥）
    #[arg(long, value_name = "appId")]
    partner: Option<String>,
    /// 贵方程序打印的待签名串文件（其中密钥可用 *** 代替），与指南逐字节比较
    #[arg(long, value_name = "文件")]
    signed: Option<PathBuf>,
    /// 平台报文日志编号：说明日志所知的一切；日志不存正文，若同时给出报文文件，
    /// 则按签名核对是否就是当时收到的那一条
    #[arg(long, value_name = "编号")]
    journal: Option<i64>,
    /// 只显示这种语言的代码：java、csharp、python、node、go、cpp、php
    #[arg(long, value_name = "语言", value_parser = language)]
    lang: Option<Language>,
    /// 输出 JSON
    #[arg(long)]
    json: bool,
    /// 显示个人信息原文（缺省以 * 遮盖）
    #[arg(long)]
    show_data: bool,
    #[command(flatten)]
    config: ConfigOptions,
}

pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    match diagnose(options) {
        Ok(code) => Ok(code),
        Err(error) => {
            terminal::complain(&error);
            Ok(ExitCode::from(2))
        }
    }
}

fn diagnose(options: &Options) -> Result<ExitCode> {
    let captured = options.captured.as_deref().map(read).transpose()?;
    if let Some(id) = options.journal {
        return of_the_journal(options, id, captured.as_deref());
    }
    let captured = captured.ok_or_else(|| anyhow!("请给出报文文件，或用 - 粘贴"))?;
    let secrets = secrets(options)?;
    let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
    let signed = options.signed.as_deref().map(read).transpose()?;
    let signed = signed.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let diagnosis = examine(&Question {
        captured: &captured,
        secrets: &secrets,
        signed: signed.as_deref(),
        now_ms: Some(SystemClock.now_ms()),
        show_data: options.show_data,
    });
    show(options, &diagnosis)?;
    Ok(match diagnosis.verdict {
        Verdict::Correct => ExitCode::SUCCESS,
        Verdict::NoMessage => ExitCode::from(2),
        Verdict::Unreadable | Verdict::Partly | Verdict::Readable => ExitCode::from(1),
    })
}

fn show(options: &Options, diagnosis: &Diagnosis) -> Result<()> {
    if options.json {
        terminal::say(serde_json::to_string_pretty(diagnosis)?);
    } else {
        terminal::say(render(diagnosis, options.lang).trim_end());
    }
    Ok(())
}

fn language(name: &str) -> Result<Language, String> {
    Language::from_name(name)
        .ok_or_else(|| "可用：java、csharp、python、node、go、cpp、php".to_owned())
}

fn read(path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if path == Path::new("-") {
        if std::io::stdin().is_terminal() {
            terminal::note("请粘贴报文，另起一行按 Ctrl-D 结束：");
        }
        std::io::stdin()
            .take(MOST_BYTES)
            .read_to_end(&mut bytes)
            .context("读取标准输入")?;
    } else {
        std::fs::File::open(path)
            .and_then(|file| file.take(MOST_BYTES).read_to_end(&mut bytes))
            .with_context(|| format!("读取 {}", path.display()))?;
    }
    Ok(bytes)
}

/// The secrets that may fit, the one in use first.
fn secrets(options: &Options) -> Result<Vec<String>> {
    if let Some(app_id) = &options.partner {
        return of_partner(options, app_id);
    }
    let text = match (&options.secret_file, &options.secret) {
        (Some(path), _) => std::fs::read_to_string(path)
            .with_context(|| format!("读取密钥文件 {}", path.display()))?,
        (None, Some(secret)) => secret.clone(),
        (None, None) => asked(options)?,
    };
    let secret = text.trim_start_matches('\u{feff}').trim().to_owned();
    if secret.len() < 16 {
        bail!("密钥至少 16 位，请核对");
    }
    Ok(vec![secret])
}

/// Asks at the terminal, without showing what is typed.
fn asked(options: &Options) -> Result<String> {
    let from_stdin = options.captured.as_deref() == Some(Path::new("-"));
    if from_stdin || !std::io::stdin().is_terminal() {
        bail!("没有密钥：请用 --secret-file 文件，或设置环境变量 BANYAN_DOCTOR_SECRET");
    }
    rpassword::prompt_password("接入方密钥（不显示）：").context("读取密钥")
}

fn of_partner(options: &Options, app_id: &str) -> Result<Vec<String>> {
    let settings = options.config.read()?;
    block_on(async {
        let desk = desk(&settings).await?;
        let secrets = desk.secrets_for_doctor(app_id).await?;
        desk.db.close().await;
        Ok(secrets)
    })
}

/// What the journal knows of an exchanged message. It keeps no bodies, only their signature.
fn of_the_journal(options: &Options, id: i64, captured: Option<&[u8]>) -> Result<ExitCode> {
    let settings = options.config.read()?;
    let seen = block_on(async {
        let desk = desk(&settings).await?;
        let seen = journal::one(&desk.db, id).await?;
        desk.db.close().await;
        Ok(seen)
    })?;
    let seen = seen.ok_or_else(|| anyhow!("报文日志中没有编号 {id}（或已过保留期）"))?;
    let direction = match seen.direction {
        journal::Direction::Received => "收到",
        journal::Direction::Sent => "发出",
    };
    let fits = captured
        .map(|message| {
            let signature = signature_of(message).context("文件中没有带签名的报文")?;
            anyhow::Ok(seen.digest.as_deref() == Some(&signature))
        })
        .transpose()?;
    let signature = seen.digest.as_deref().map(base64::encode_standard);
    if options.json {
        terminal::say(serde_json::json!({
            "id": id, "atMs": seen.at_ms, "appId": seen.app_id, "interface": seen.interface,
            "direction": direction, "result": seen.result,
            "sign": signature, "signFits": fits,
        }));
    } else {
        let at = LocalTime::from_epoch_ms(seen.at_ms);
        let at = at.render();
        terminal::say(format!(
            "日志 {id}：{at} {direction} {}，接入方 {}",
            seen.interface, seen.app_id
        ));
        terminal::say(format!("结果：{}", seen.result));
        terminal::say(format!("签名：{}", signature.as_deref().unwrap_or("无")));
        terminal::say(match fits {
            None => "日志不存正文；给出报文文件即可核对是否就是这一条",
            Some(true) => "核对：相符，给出的报文就是这一条",
            Some(false) => "核对：不符，给出的报文不是这一条",
        });
    }
    Ok(if fits == Some(false) {
        ExitCode::from(1)
    } else {
        ExitCode::SUCCESS
    })
}
