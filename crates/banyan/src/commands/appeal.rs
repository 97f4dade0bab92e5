//! `banyan appeal`: what citizens contest, and how it is decided.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use banyan_platform::admin::Desk;
use banyan_protocol::wire::{LocalTime, Scalar as _};
use banyan_store::ids::{AppealId, PartnerId};
use banyan_store::overdue::appeals::{Appeal, Reason, Standing, Step};

use super::{block_on, desk};
use crate::config::ConfigOptions;
use crate::terminal;

/// 处理患者申诉
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    act: Act,
    #[command(flatten)]
    config: ConfigOptions,
}

#[derive(Debug, clap::Subcommand)]
enum Act {
    /// 列出待处理的申诉，等待最久的在前；不显示患者信息
    List {
        /// 改为列出已结束的申诉，最近的在前
        #[arg(long)]
        ended: bool,
        /// 最多列出多少条
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1000))]
        limit: u16,
    },
    /// 查看一条申诉：说明、联系电话与进度（查看会留下记录，患者可见）
    Show {
        /// 申诉编号
        id: i64,
    },
    /// 申诉成立：撤销这条欠费记录
    Uphold {
        /// 申诉编号
        id: i64,
        /// 给患者的答复
        #[arg(long, value_name = "答复")]
        answer: String,
    },
    /// 申诉不成立：欠费记录保留
    Reject {
        /// 申诉编号
        id: i64,
        /// 给患者的答复
        #[arg(long, value_name = "答复")]
        answer: String,
    },
}

pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let settings = options.config.read()?;
    block_on(async {
        let desk = desk(&settings).await?;
        let done = act(&desk, &options.act).await;
        desk.db.close().await;
        done.map(|()| ExitCode::SUCCESS)
    })
}

async fn act(desk: &Desk, act: &Act) -> Result<()> {
    match act {
        Act::List { ended, limit } => {
            let appeals = desk.appeals(*ended, i64::from(*limit)).await?;
            if appeals.is_empty() {
                terminal::say(if *ended {
                    "没有已结束的申诉。"
                } else {
                    "没有待处理的申诉。"
                });
            }
            let names = names(desk).await?;
            for appeal in &appeals {
                terminal::say(line(appeal, &names));
            }
        }
        Act::Show { id } => {
            let opened = desk.show_appeal(AppealId(*id)).await?;
            let names = names(desk).await?;
            terminal::say(line(&opened.appeal, &names));
            terminal::say(format_args!("说明：{}", terminal::harmless(&opened.text)));
            terminal::say(format_args!(
                "联系电话：{}",
                terminal::harmless(&opened.contact)
            ));
            if let Some(answer) = &opened.answer {
                terminal::say(format_args!("答复：{}", terminal::harmless(answer)));
            }
            terminal::say("进度：");
            for progress in &opened.steps {
                let at = time(progress.at_ms);
                terminal::say(format_args!("  {at}  {}", step(progress.step)));
            }
        }
        Act::Uphold { id, answer } => {
            desk.uphold_appeal(AppealId(*id), answer).await?;
            terminal::say(format_args!(
                "申诉 {id} 成立，欠费记录已撤销，答复已告知患者。"
            ));
        }
        Act::Reject { id, answer } => {
            desk.reject_appeal(AppealId(*id), answer).await?;
            terminal::say(format_args!(
                "申诉 {id} 不成立，欠费记录保留，答复已告知患者。"
            ));
        }
    }
    Ok(())
}

/// The names of all partners, to say whose record is contested.
async fn names(desk: &Desk) -> Result<Vec<(PartnerId, String)>> {
    let partners = desk.partners().await.context("读取接入方")?;
    let names = partners.into_iter();
    Ok(names
        .map(|partner| (partner.id, partner.profile.name))
        .collect())
}

fn line(appeal: &Appeal, names: &[(PartnerId, String)]) -> String {
    let hospital = names
        .iter()
        .find(|(id, _)| *id == appeal.partner)
        .map_or("（未知机构）", |(_, name)| name);
    format!(
        "{}  {}  {}  记录 {}  {}  {}",
        appeal.id,
        standing(appeal.standing),
        time(appeal.created_ms),
        appeal.item,
        reason(appeal.reason),
        terminal::harmless(hospital)
    )
}

fn time(at_ms: i64) -> String {
    LocalTime::from_epoch_ms(at_ms).render().into_owned()
}

const fn reason(reason: Reason) -> &'static str {
    match reason {
        Reason::Paid => "已缴清",
        Reason::NotMe => "不是本人",
        Reason::WrongAmount => "金额有误",
        Reason::Other => "其他",
    }
}

const fn standing(standing: Standing) -> &'static str {
    match standing {
        Standing::Open => "待处理",
        Standing::Withdrawn => "已撤回",
        Standing::Upheld => "成立",
        Standing::Rejected => "不成立",
        Standing::Settled => "已了结",
    }
}

const fn step(step: Step) -> &'static str {
    match step {
        Step::Filed => "患者提交",
        Step::HospitalUnpaid => "医院答复：仍未结清",
        Step::HospitalSilent => "医院未答复",
        Step::HospitalUnable => "医院不能在线核实",
        Step::Viewed => "工作人员查看",
        Step::Withdrawn => "患者撤回",
        Step::Upheld => "成立，记录撤销",
        Step::Rejected => "不成立",
        Step::SettledPaid => "记录已缴清，随之了结",
        Step::SettledRevoked => "记录由医院撤销，随之了结",
    }
}
