//! Self-diagnosis: which of clock, network, key, platform, HIS and company is to blame, in words
//! that say what to do.

use std::sync::atomic::Ordering;

use banyan_store::db::StoreError;

use crate::edge::Edge;
use crate::line::{Record, Trouble};
use crate::outbox::views::Backlog;

/// How well something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// It is not known yet.
    Unknown,
    /// 正常
    Good,
    /// 注意
    Notice,
    /// 异常
    Bad,
}

/// One light.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Light {
    /// What it is about, in one word for programs.
    pub(crate) code: &'static str,
    /// The same in Chinese.
    pub(crate) name: &'static str,
    pub(crate) level: Level,
    /// How it is.
    pub(crate) text: String,
    /// What to do; empty where nothing is.
    pub(crate) advice: String,
}

/// Everything that is known.
#[derive(Debug, Clone)]
pub(crate) struct Health {
    pub(crate) lights: Vec<Light>,
    pub(crate) overall: Level,
    pub(crate) backlog: Backlog,
}

/// A clock that is off by less nobody minds.
const SKEW_NOTICED_MS: i64 = 60_000;
/// A message that waits longer to be sent is late.
const LATE_MS: i64 = 30 * 60_000;
/// A message that the platform has not judged for so long is worth a call.
const UNJUDGED_MS: i64 = 24 * 3_600_000;

impl Health {
    /// As it is now.
    pub(crate) async fn of(edge: &Edge) -> Result<Self, StoreError> {
        let backlog = edge.outbox.backlog().await?;
        let record = edge.line.record();
        let lights = vec![
            clock(&record),
            network(&record),
            key(&record),
            platform(&record),
            his(edge),
            company(edge),
            outbox(edge, &backlog),
        ];
        let worst = lights.iter().map(|light| light.level).max();
        // As long as nothing was heard of the platform, nobody can say that all is well.
        let is_heard = record.answered_ms.is_some() || record.trouble.is_some();
        let worst = worst.filter(|worst| is_heard || *worst > Level::Good);
        Ok(Self {
            overall: worst.unwrap_or(Level::Unknown),
            lights,
            backlog,
        })
    }
}

impl Level {
    /// One word for people.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Unknown => "未知",
            Self::Good => "正常",
            Self::Notice => "注意",
            Self::Bad => "异常",
        }
    }

    /// One word for programs.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Good => "good",
            Self::Notice => "notice",
            Self::Bad => "bad",
        }
    }
}

fn light(
    code: &'static str,
    name: &'static str,
    level: Level,
    text: impl Into<String>,
    advice: &str,
) -> Light {
    Light {
        code,
        name,
        level,
        text: text.into(),
        advice: advice.to_owned(),
    }
}

fn clock(record: &Record) -> Light {
    let said = |level, text: String, advice| light("clock", "时钟", level, text, advice);
    let Some(skew_ms) = record.skew_ms else {
        return said(Level::Unknown, "尚未得到平台签名的应答".to_owned(), "");
    };
    let seconds = (skew_ms.abs() + 500) / 1000;
    let way = if skew_ms > 0 { "慢" } else { "快" };
    let ntp = "请为本机配置 NTP 对时";
    if matches!(record.trouble, Some((Trouble::Clock, _))) {
        return said(
            Level::Bad,
            format!("平台以时间不符拒绝了请求；本机比平台{way}约 {seconds} 秒"),
            ntp,
        );
    }
    if skew_ms.abs() >= SKEW_NOTICED_MS {
        return said(
            Level::Notice,
            format!("本机比平台{way}约 {seconds} 秒，报文时间已自动校正"),
            ntp,
        );
    }
    said(Level::Good, format!("与平台相差 {seconds} 秒"), "")
}

fn network(record: &Record) -> Light {
    let said = |level, text: &str, advice| light("network", "网络", level, text, advice);
    match (&record.trouble, record.answered_ms) {
        (Some((Trouble::Network(why), _)), _) => said(
            Level::Bad,
            why,
            "期间上报与更新都保存在前置机，恢复后自动送达",
        ),
        (_, Some(_)) => said(Level::Good, "与平台连通", ""),
        (_, None) => said(Level::Unknown, "尚未与平台通信", ""),
    }
}

fn key(record: &Record) -> Light {
    let said = |level, text: &str, advice| light("key", "密钥与登记", level, text, advice);
    match (&record.trouble, record.skew_ms) {
        (Some((Trouble::Key, _)), _) => said(
            Level::Bad,
            "平台不认本院的 appId 或密钥",
            "请核对配置 app_id、secret 是否与平台一致；刚更换过密钥的，请填入新密钥后重启",
        ),
        (Some((Trouble::Registration(member), _)), _) => said(
            Level::Bad,
            &format!("平台不认本院的登记：{member}"),
            "请与平台运营方核对机构编码、名称与回调地址（配置 org_id、org_name、public_url）；登记好之后自动送达，不必重复提交",
        ),
        (Some((Trouble::Grant, _)), _) => said(
            Level::Notice,
            "平台未对本院开通所调用的接口",
            "请联系平台运营方开通；期间数据都保存在前置机",
        ),
        // Only a signed answer says that the keys are the same.
        (_, None) => said(Level::Unknown, "尚未得到平台签名的应答", ""),
        (_, Some(_)) => said(Level::Good, "签名与加密正常", ""),
    }
}

fn platform(record: &Record) -> Light {
    match (&record.trouble, record.answered_ms) {
        (Some((Trouble::Platform(why), _)), _) => light(
            "platform",
            "平台",
            Level::Bad,
            format!("平台未能正常处理（{why}）"),
            "请联系平台运营方；期间上报与更新都保存在前置机，恢复后自动送达",
        ),
        (Some((Trouble::Network(_), _)), _) | (_, None) => {
            light("platform", "平台", Level::Unknown, "无法得知", "")
        }
        _ => light("platform", "平台", Level::Good, "应答正常", ""),
    }
}

fn his(edge: &Edge) -> Light {
    let said = |level, text: String, advice| light("his", "院内系统", level, text, advice);
    if let Some(trouble) = edge.his.trouble() {
        return said(
            Level::Bad,
            trouble,
            "请检查配置 his.settlement_url 与院内系统；平台来询结算结果时本院暂答不出",
        );
    }
    if let Some(trouble) = edge.drop_trouble() {
        return said(
            Level::Bad,
            trouble,
            "请检查文件交接目录（配置 files.drop_dir）的权限、共享与磁盘空间；文件留在原处，恢复后自动处理",
        );
    }
    let called_ms = edge.his_called_ms.load(Ordering::Relaxed);
    if called_ms == 0 {
        return said(
            Level::Unknown,
            "启动以来院内系统尚未调用".to_owned(),
            if edge.his.is_set() {
                ""
            } else {
                "平台来询结算结果时以前置机台账答复"
            },
        );
    }
    let minutes = (edge.now_ms() - called_ms).max(0) / 60_000;
    said(Level::Good, format!("{minutes} 分钟前调用过"), "")
}

fn company(edge: &Edge) -> Light {
    let said = |level, text: &str, advice| light("company", "单实例", level, text, advice);
    if edge.twin_seen_ms.load(Ordering::Relaxed) > 0 {
        return said(
            Level::Bad,
            "另有一台前置机正以同一机构编码工作",
            "请停用其中一台：两台各记各的账，回调只会送到其中一台（刚更换机器的，一小时后自动消除）",
        );
    }
    if edge.twin_sought_ms.load(Ordering::Relaxed) == 0 {
        return said(Level::Unknown, "尚未核对", "");
    }
    said(Level::Good, "没有发现另一台前置机", "")
}

fn outbox(edge: &Edge, backlog: &Backlog) -> Light {
    let said = |level, text: String, advice| light("outbox", "待送", level, text, advice);
    let age_ms = |since: Option<i64>| since.map_or(0, |since_ms| edge.now_ms() - since_ms);
    if edge.cannot_write.load(Ordering::Relaxed) {
        return said(
            Level::Bad,
            "院内系统最近一次提交未能落盘".to_owned(),
            "请检查前置机的磁盘空间与日志；未答复成功的请院内系统重新提交",
        );
    }
    let oldest_ms = age_ms(backlog.oldest_unsent_ms);
    if oldest_ms > LATE_MS {
        let why = backlog.unsent_fault.as_deref().unwrap_or("原因见其他各灯");
        return said(
            Level::Bad,
            format!(
                "{} 个报文未能送出，最早的已等待 {} 分钟（{why}）",
                backlog.unsent,
                oldest_ms / 60_000
            ),
            "数据都已保存，不必重复提交",
        );
    }
    if age_ms(backlog.oldest_awaited_ms) > UNJUDGED_MS {
        return said(
            Level::Notice,
            format!("{} 个报文平台已接收、超过一天没有结果", backlog.awaited),
            "请联系平台运营方；前置机会继续追问",
        );
    }
    if backlog.refused_items > 0 {
        return said(
            Level::Notice,
            format!("{} 项平台未通过", backlog.refused_items),
            "原因见 GET /v1/overdue/refused；上报的请更正后以原跟踪号重新提交，结清、撤销、转实名的请核对后再说一次",
        );
    }
    said(
        Level::Good,
        format!(
            "{} 项待上报，{} 个报文待送，{} 个待结果",
            backlog.waiting_items, backlog.unsent, backlog.awaited
        ),
        "",
    )
}
