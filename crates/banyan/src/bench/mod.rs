//! `banyan bench`: how fast this build is on this machine, beside what the same machine does
//! without it.
//!
//! Each measurement is a file. Rates are compared with a yardstick taken in the same run, in turns
//! with it (an echo on the same server, a raw insert into the same table), so that the ratio says
//! something even where the rate does not. Timings judge nothing; wrong answers do: they end the
//! run with an error.
//!
//! The server has a runtime of its own, as it would have in `serve`. What plays its callers runs on
//! the same where calls stand beside an echo (`beside_echo` says why), else on another; both share
//! the machine's cores and speak over loopback sockets.

mod beside_echo;
mod callbacks;
mod credential;
mod edge;
mod envelope;
mod insurers;
mod load;
mod people;
mod persons;
mod place;
mod platform;
mod process;
mod query;
mod report;
mod start;
mod table;
mod wire_load;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::terminal;
use table::Table;

/// 测量性能，输出对照表
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// 测量项目
    #[arg(value_enum, default_value = "all")]
    what: What,
    /// 预先装入的欠费记录数（persons 为导入的人数，illness 为既往症登记数，credential 为参保人数）
    #[arg(long, value_name = "条数", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(100..))]
    items: u64,
    /// 每轮测量的秒数
    #[arg(long, value_name = "秒", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=60))]
    seconds: u64,
    /// 测量轮数（与参照交替进行，取中位数）
    #[arg(long, value_name = "轮数", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=50))]
    rounds: u32,
    /// 并发连接数（query）
    #[arg(long, value_name = "个数", default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=2_000))]
    connections: u32,
    /// PostgreSQL 服务器，例如 postgres://postgres@127.0.0.1/postgres：在其上新建一个数据库，测完删除；缺省用临时目录中的 SQLite
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
    /// 在此目录下建临时数据目录（决定所测的磁盘）；缺省为系统临时目录
    #[arg(long, value_name = "目录")]
    data_dir: Option<PathBuf>,
    /// 只用于 query：依次装入两种条数，比较其 p99，例如 10000,10000000
    #[arg(long, value_name = "少,多", value_delimiter = ',')]
    compare: Vec<u64>,
    /// 以 JSON 输出
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum What {
    /// 查询（ORG_MDL_002），与同一服务器的空应答对照
    Query,
    /// 上报（ORG_MDL_001）至判定完成，与直接批量写库对照
    Report,
    /// 回调（ORG_002），五家医院中有一家不应答
    Callbacks,
    /// 导入名册，及在每秒 500 次登记之下按主索引、按人员编号查人
    Persons,
    /// 既往症查询（CI00.03.00.01），与同一服务器的空应答对照
    Illness,
    /// 历史案件迁移（XY00.00.00.03），与直接批量写库对照
    Cases,
    /// 电子凭证解码（ec.query），与同一服务器的空应答对照
    Credential,
    /// 启动至就绪的时间与空闲内存
    Start,
    /// 前置机：HIS 调用至落盘应答、十万项经慢速线路送达、常驻内存
    Edge,
    /// 单条报文的解密验签与加密签名
    Envelope,
    /// 以上全部
    All,
}

/// Measures and shows the table.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    // A paused hospital is news at every turn of the callbacks; failures of ours still show.
    terminal::start_log(terminal::LogFormat::Text, "error");
    let compared = match options.compare[..] {
        [] => None,
        [few, many] if options.what == What::Query && few >= 100 && many >= 100 => {
            Some((few, many))
        }
        _ => bail!("--compare 只用于 banyan bench query，须给出两个不小于 100 的条数"),
    };
    let wanted = |what| options.what == what || options.what == What::All;
    let mut table = Table::new(options);
    if wanted(What::Envelope) {
        envelope::measure(&mut table)?;
    }
    if wanted(What::Query) {
        match compared {
            Some((few, many)) => query::compare(options, few, many, &mut table)?,
            None => query::measure(options, &mut table)?,
        }
    }
    if wanted(What::Report) {
        report::measure(options, &mut table)?;
    }
    if wanted(What::Callbacks) {
        callbacks::measure(options, &mut table)?;
    }
    if wanted(What::Persons) {
        persons::measure(options, &mut table)?;
    }
    if wanted(What::Illness) {
        insurers::illness::measure(options, &mut table)?;
    }
    if wanted(What::Cases) {
        insurers::cases::measure(options, &mut table)?;
    }
    if wanted(What::Credential) {
        credential::measure(options, &mut table)?;
    }
    if wanted(What::Start) {
        start::measure(options, &mut table)?;
    }
    if wanted(What::Edge) {
        edge::measure(options, &mut table)?;
    }
    terminal::say(if options.json {
        table.json()
    } else {
        table.text()
    });
    Ok(ExitCode::SUCCESS)
}

/// The value in the middle; of an even number the lower of the two. 0 where there is none.
fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
        .get(sorted.len().saturating_sub(1) / 2)
        .copied()
        .unwrap_or_default()
}

/// A count as a figure.
#[expect(
    clippy::cast_precision_loss,
    reason = "no count here comes near nine quadrillion"
)]
const fn number(count: u64) -> f64 {
    count as f64
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from)
}
