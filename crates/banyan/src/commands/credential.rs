//! `banyan credential`: how somebody's 医保电子凭证 stands; its lock, and a password that was forgotten.

use std::process::ExitCode;

use anyhow::Result;
use banyan_platform::admin::CredentialStanding;
use banyan_protocol::wire::{LocalTime, Scalar as _};

use super::{block_on, desk};
use crate::config::ConfigOptions;
use crate::terminal;

/// 管理医保电子凭证
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    act: Act,
    #[command(flatten)]
    config: ConfigOptions,
}

#[derive(Debug, clap::Subcommand)]
enum Act {
    /// 查看一人的凭证：参保地、密码是否设置、是否锁定（姓名与证件号隐去大部分）
    Show(Whose),
    /// 解除密码锁定（连续输错 5 次锁定 24 小时）
    Unlock(Whose),
    /// 清除忘记的密码：参保人随后从闽政通进入自己的页面重新设置
    ClearPassword(Whose),
}

#[derive(Debug, clap::Args)]
struct Whose {
    /// 电子健康卡主索引 id（64 位十六进制）
    #[arg(long, value_name = "主索引")]
    card_index: String,
}

pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let settings = options.config.read()?;
    block_on(async {
        let desk = desk(&settings).await?;
        match &options.act {
            Act::Show(whose) => show(&desk.credential(&whose.card_index).await?),
            Act::Unlock(whose) => {
                let unlocked = desk.unlock_credential(&whose.card_index).await?;
                terminal::say(if unlocked {
                    "已解除锁定。"
                } else {
                    "没有锁定，错误次数已清零。"
                });
            }
            Act::ClearPassword(whose) => {
                let cleared = desk.clear_credential_password(&whose.card_index).await?;
                terminal::say(if cleared {
                    "已清除密码，参保人可在自己的页面重新设置。"
                } else {
                    "本来就没有设置密码。"
                });
            }
        }
        desk.db.close().await;
        Ok(ExitCode::SUCCESS)
    })
}

fn show(standing: &CredentialStanding) {
    let password = match (standing.has_password, standing.locked_until_ms) {
        (false, _) => "未设置".to_owned(),
        (true, None) => format!("已设置，连续错误 {} 次", standing.wrong_tries),
        (true, Some(until_ms)) => {
            format!("已锁定至 {}", LocalTime::from_epoch_ms(until_ms).render())
        }
    };
    terminal::say(format!(
        "姓名：{}\n证件号：{}\n参保地：{}\n密码：{password}",
        standing.masked_name, standing.masked_id_no, standing.place
    ));
}
