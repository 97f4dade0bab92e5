//! `banyan audit verify`: whether the journal and the operators' audit stand as they were sealed.

use std::process::ExitCode;

use anyhow::Result;
use banyan_store::chain;
use banyan_store::journal::{JOURNAL, OPERATOR_AUDIT};

use super::{block_on, desk};
use crate::config::ConfigOptions;
use crate::terminal;

/// 校验报文日志与操作审计的哈希链
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, clap::Subcommand)]
enum Act {
    /// 从第一个区块起逐块重算；有改动则指出区块并以状态 1 退出
    Verify {
        #[command(flatten)]
        config: ConfigOptions,
    },
}

pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let Act::Verify { config } = &options.act;
    let settings = config.read()?;
    block_on(async {
        let desk = desk(&settings).await?;
        let mut whole = true;
        for (name, chain) in [("报文日志", &JOURNAL), ("操作审计", &OPERATOR_AUDIT)] {
            let spinner = terminal::spinner("正在校验");
            let shown = spinner.clone();
            let found = chain::verify(&desk.db, chain, &desk.vault, move |number| {
                shown.set_message(format!("{name}：已校验到区块 {number}"));
            })
            .await;
            spinner.finish_and_clear();
            let found = found?;
            let counts = format!(
                "{} 个区块、{} 条记录（另有 {} 个区块已过保留期）",
                found.blocks, found.entries, found.pruned
            );
            match found.broken {
                None => terminal::say(format!("{name}：完整，{counts}")),
                Some(number) => {
                    whole = false;
                    terminal::say(format!("{name}：区块 {number} 与封存时不符；此前 {counts}"));
                }
            }
        }
        desk.db.close().await;
        Ok(if whole {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    })
}
