//! `banyan ledger`: what the insurers' ledgers hold, for an operator who was asked about it.

mod history;
mod totals;

use std::process::ExitCode;

use anyhow::Result;
use banyan_protocol::wire::yuan;

use super::{block_on, desk, number_from_input};
use crate::config::ConfigOptions;
use crate::terminal;

/// 查看商业补充医疗保险台账
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    act: Act,
    #[command(flatten)]
    config: ConfigOptions,
}

#[derive(Debug, clap::Subcommand)]
enum Act {
    /// 按渠道、服务与年度合计：理赔、历史案件、现金支付、小药箱
    Totals,
    /// 查看一条记录的全部历史：哪个渠道、何时、改了哪些字段（查看写入操作审计）
    History(history::Options),
    /// 查看一人在某服务、某年度的剩余免赔额（证件号码从标准输入读取；查看写入操作审计）
    Left {
        /// 服务 id
        #[arg(long, value_name = "服务 id")]
        service: String,
        /// 报销年度，与报文中的写法一致
        #[arg(long, value_name = "年度")]
        year: String,
    },
}

pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let settings = options.config.read()?;
    block_on(async {
        match &options.act {
            Act::Totals => {
                let desk = desk(&settings).await?;
                totals::show(&desk).await?;
                desk.db.close().await;
            }
            Act::History(wanted) => {
                let key = wanted.key()?;
                let desk = desk(&settings).await?;
                history::show(&desk, &key, wanted).await?;
                desk.db.close().await;
            }
            Act::Left { service, year } => {
                let number = number_from_input()?;
                let desk = desk(&settings).await?;
                let left = desk.deductibles_left(&number, service, year).await?;
                terminal::say(match left {
                    None => "该年度在此服务下没有理赔记录。".to_owned(),
                    Some(left) => [
                        ("责任 1", left.one_fen),
                        ("责任 2", left.two_fen),
                        ("责任 4", left.four_fen),
                    ]
                    .map(|(duty, fen)| {
                        let left = fen.map_or("未提供".to_owned(), |fen| yuan(fen) + " 元");
                        format!("{duty} 剩余免赔额：{left}")
                    })
                    .join("\n"),
                });
                desk.db.close().await;
            }
        }
        Ok(ExitCode::SUCCESS)
    })
}
