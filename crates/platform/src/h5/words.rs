//! How amounts, moments and states are said to a citizen.

use std::fmt;

use banyan_protocol::dictionaries::FeeType;
use banyan_protocol::wire::{self, LocalTime, Scalar as _};
use banyan_store::overdue::appeals::{Reason, Standing, Step};
use banyan_store::overdue::items::{Cause, State};

/// A moment as a `<time>` element. It holds nothing but digits and fixed words, so it needs no
/// escaping.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    at_ms: i64,
    to_the_minute: bool,
}

impl Moment {
    /// Year, month, day, hour and minute.
    pub(super) const fn at(at_ms: i64) -> Self {
        Self {
            at_ms,
            to_the_minute: true,
        }
    }

    /// Year, month and day.
    pub(super) const fn day(at_ms: i64) -> Self {
        Self {
            at_ms,
            to_the_minute: false,
        }
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = LocalTime::from_epoch_ms(self.at_ms);
        let text = text.render();
        // Always `yyyy-MM-dd HH:mm:ss`.
        let (date, time) = text.split_once(' ').unwrap_or((&text, ""));
        let mut parts = date.splitn(3, '-');
        let mut part = || parts.next().unwrap_or_default().trim_start_matches('0');
        let (year, month, day) = (part(), part(), part());
        let minute = time.get(..5).unwrap_or_default();
        write!(
            f,
            "<time datetime=\"{date}T{time}+08:00\">{year}年{month}月{day}日"
        )?;
        if self.to_the_minute {
            write!(f, " {minute}")?;
        }
        f.write_str("</time>")
    }
}

impl askama::filters::HtmlSafe for Moment {}

/// Whole seconds that something lives, one at least: what a page waits before it asks anew.
pub(super) fn whole_seconds(ttl_ms: i64) -> u64 {
    u64::try_from(ttl_ms / 1000).unwrap_or_default().max(1)
}

/// Yuan with two decimals and commas.
pub(super) fn yuan(fen: i64) -> String {
    let plain = wire::yuan(fen);
    let (whole, decimals) = plain.split_once('.').unwrap_or((&plain, "00"));
    let mut text = String::with_capacity(plain.len() + 8);
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text.push('.');
    text.push_str(decimals);
    text
}

/// How a record stands.
pub(super) const fn state(state: State) -> &'static str {
    match state {
        State::Unpaid => "未结清",
        State::Paid => "已缴清",
        State::Revoked => "已撤销",
    }
}

/// The class that colours it; the word stands there all the same.
pub(super) const fn state_class(state: State) -> &'static str {
    match state {
        State::Unpaid => "unpaid",
        State::Paid => "paid",
        State::Revoked => "revoked",
    }
}

/// 费用类别 in words.
pub(super) fn fee(code: &str) -> &'static str {
    FeeType::from_code(code).map_or("其他费用", |fee| match fee {
        FeeType::Outpatient => "门诊费用",
        FeeType::Inpatient => "住院费用",
    })
}

/// What happened to a record.
pub(super) const fn happened(cause: Cause, to: State) -> &'static str {
    match (cause, to) {
        (Cause::RealName, _) => "医院把这条记录登记到您名下",
        (Cause::ReportedAnew, _) => "医院重新上报",
        (Cause::Reconciled, State::Paid) => "平台向医院核实：已缴清",
        (Cause::Reconciled, State::Revoked) => "平台向医院核实：医院已撤销",
        (Cause::Appeal, _) => "申诉成立，记录撤销",
        (_, State::Paid) => "医院登记为已缴清",
        (_, State::Revoked) => "医院撤销了这条记录",
        (_, State::Unpaid) => "医院更新为未结清",
    }
}

/// Why somebody appeals.
pub(super) const fn reason(reason: Reason) -> &'static str {
    match reason {
        Reason::Paid => "已经缴清",
        Reason::NotMe => "不是我本人的费用",
        Reason::WrongAmount => "金额有误",
        Reason::Other => "其他",
    }
}

/// How an appeal stands.
pub(super) const fn standing(standing: Standing) -> &'static str {
    match standing {
        Standing::Open => "正在核实",
        Standing::Withdrawn => "已撤回",
        Standing::Upheld => "申诉成立",
        Standing::Rejected => "申诉未成立",
        Standing::Settled => "已了结",
    }
}

/// The class that colours it.
pub(super) const fn standing_class(standing: Standing) -> &'static str {
    match standing {
        Standing::Open => "open",
        Standing::Upheld => "paid",
        Standing::Rejected => "unpaid",
        Standing::Withdrawn | Standing::Settled => "revoked",
    }
}

/// A step of an appeal's progress.
pub(super) const fn step(step: Step) -> &'static str {
    match step {
        Step::Filed => "申诉已提交",
        Step::HospitalUnpaid => "已询问医院：医院答复这笔费用仍未结清，等待工作人员核实",
        Step::HospitalSilent => "已询问医院：医院暂未答复，平台会再次询问",
        Step::HospitalUnable => "这家医院暂不支持在线核实，等待工作人员联系医院",
        Step::Viewed => "工作人员查看了您提交的内容",
        Step::Withdrawn => "您撤回了申诉",
        Step::Upheld => "申诉成立，这条记录已撤销",
        Step::Rejected => "申诉未成立",
        Step::SettledPaid => "这笔费用已登记为缴清，申诉随之了结",
        Step::SettledRevoked => "这条记录已由医院撤销，申诉随之了结",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_waits_whole_seconds_and_never_none() {
        assert_eq!(whole_seconds(60_999), 60);
        assert_eq!(whole_seconds(999), 1);
        assert_eq!(whole_seconds(-5), 1);
    }

    #[test]
    fn amounts_and_moments_read_well() {
        assert_eq!(yuan(5), "0.05");
        assert_eq!(yuan(123_456), "1,234.56");
        assert_eq!(yuan(100_000_000), "1,000,000.00");
        let moment = LocalTime::parse("2026-03-01 09:05:00").unwrap().epoch_ms();
        assert_eq!(
            Moment::at(moment).to_string(),
            "<time datetime=\"2026-03-01T09:05:00+08:00\">2026年3月1日 09:05</time>"
        );
        assert!(
            Moment::day(moment)
                .to_string()
                .ends_with(">2026年3月1日</time>")
        );
    }
}
