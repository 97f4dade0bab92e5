//! `banyan person`: who has a health card. Takes in an operator's file, shows what contradicts and
//! has it decided. Nothing on the screen says more of anybody than it must.

pub(crate) mod import;
mod source;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use banyan_platform::health_card::import::Counts;
use banyan_platform::health_card::reviewing::ShownReview;
use banyan_protocol::wire::{LocalTime, Scalar as _};
use banyan_store::health_card::reviews::Kind;
use banyan_store::ids::ReviewId;

use super::table_file::{Format, Wanted};
use super::{block_on, desk};
use crate::config::ConfigOptions;
use crate::terminal;

/// 管理人员
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    act: Act,
    #[command(flatten)]
    config: ConfigOptions,
}

#[derive(Debug, clap::Subcommand)]
enum Act {
    /// 导入名册：逐行核对，重复与矛盾写入报告；中断后以同一文件再次执行即可续传
    Import {
        /// 名册文件。表头（CSV）或成员（JSON Lines）：idType,idNo,userName,userSex,birthday,mobilePhone,psnNo，前三项必有
        file: PathBuf,
        /// 文件格式；缺省按扩展名（.jsonl、.ndjson 为 JSON Lines，其余为 CSV）
        #[arg(long, value_enum)]
        format: Option<Format>,
        /// 报告文件（CSV：行号、结果、原因，不含个人信息）；缺省为名册文件名加 .report.csv
        #[arg(long, value_name = "文件")]
        report: Option<PathBuf>,
    },
    /// 核实与登记相矛盾的申报
    Reviews {
        #[command(subcommand)]
        act: ReviewAct,
    },
    /// 查看一人的登记（仅显示隐去大部分的信息）
    Show {
        /// 电子健康卡主索引 id（64 位十六进制）
        #[arg(long, value_name = "主索引")]
        card_index: String,
    },
}

#[derive(Debug, clap::Subcommand)]
enum ReviewAct {
    /// 列出待核实的申报；姓名只显示不同之处
    List,
    /// 维持原登记
    Keep {
        /// 编号
        id: i64,
    },
    /// 采用申报：改为申报的姓名，或将人员编号改归申报者
    Rename {
        /// 编号
        id: i64,
    },
}

pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let settings = options.config.read()?;
    block_on(async {
        let desk = desk(&settings).await?;
        match &options.act {
            Act::Import {
                file,
                format,
                report,
            } => {
                let wanted = Wanted::new(file, *format, report.as_deref());
                let counts = import::run(&desk, &wanted).await?;
                terminal::say(summary(counts));
            }
            Act::Reviews { act } => match act {
                ReviewAct::List => list(&desk.open_reviews().await?),
                ReviewAct::Keep { id } => {
                    desk.keep_registered(ReviewId(*id)).await?;
                    terminal::say("已维持原登记。");
                }
                ReviewAct::Rename { id } => {
                    desk.take_claim(ReviewId(*id)).await?;
                    terminal::say("已采用申报。");
                }
            },
            Act::Show { card_index } => {
                let card = desk.person(card_index).await?;
                terminal::say(format!(
                    "姓名：{}\n证件号：{}\n卡号：{}",
                    card.masked_name, card.masked_id_no, card.card_no
                ));
            }
        }
        desk.db.close().await;
        Ok(ExitCode::SUCCESS)
    })
}

fn summary(counts: Counts) -> String {
    format!(
        "共 {} 行：新登记 {}，补充 {}，重复 {}，姓名矛盾 {}，人员编号矛盾 {}，未导入 {}。",
        counts.total(),
        counts.new,
        counts.completed,
        counts.known,
        counts.names,
        counts.numbers,
        counts.bad
    )
}

fn list(reviews: &[ShownReview]) {
    if reviews.is_empty() {
        terminal::say("没有待核实的申报。");
    }
    for shown in reviews {
        let review = &shown.review;
        let kind = match review.kind {
            Kind::Name => "姓名",
            Kind::Number => "人员编号",
        };
        terminal::say(format!(
            "{}  {kind}  卡号 {}  登记 {}  申报 {}  来源 {}  {} 次，最近 {}",
            review.id,
            shown.card_no,
            shown.registered,
            shown.claimed,
            review.source,
            review.times,
            LocalTime::from_epoch_ms(review.last_ms).render()
        ));
    }
}
