//! The pages as HTML: a plain list for now.

use banyan_protocol::wire::{Amount, LocalTime, Scalar as _};
use banyan_store::overdue::items::State;

use crate::overdue::list::OwnList;

/// What a refresh came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum News {
    /// Some records changed.
    Changed,
    /// None did.
    Unchanged,
    /// Some hospitals did not answer.
    Unanswered,
}

impl News {
    pub(super) const fn as_query(self) -> &'static str {
        match self {
            Self::Changed => "refreshed=changed",
            Self::Unchanged => "refreshed=unchanged",
            Self::Unanswered => "refreshed=unanswered",
        }
    }

    pub(super) fn from_query(query: &str) -> Option<Self> {
        [Self::Changed, Self::Unchanged, Self::Unanswered]
            .into_iter()
            .find(|news| news.as_query() == query)
    }

    const fn said(self) -> &'static str {
        match self {
            Self::Changed => "已向医院核实，名单已更新。",
            Self::Unchanged => "已向医院核实，没有变化。",
            Self::Unanswered => "部分医院暂未答复，名单可能不是最新，请稍后再试或联系医院。",
        }
    }
}

/// The list of a citizen.
pub(super) fn own_list(list: &OwnList, news: Option<News>) -> String {
    let unpaid: Vec<_> = list
        .items
        .iter()
        .filter(|(item, _)| item.state == State::Unpaid)
        .collect();
    let total_fen: i64 = unpaid.iter().map(|(item, _)| item.amount_fen).sum();
    let summary = if unpaid.is_empty() {
        "您目前没有医疗欠费。".to_owned()
    } else {
        format!(
            "您有 <strong>{}</strong> 项未结清，共 <strong>{}</strong> 元。结清请联系就诊医院。",
            unpaid.len(),
            yuan(total_fen)
        )
    };
    let rows: String = list
        .items
        .iter()
        .map(|(item, hospital)| {
            let time = LocalTime::from_epoch_ms(item.actual_ms);
            format!(
                "<li class=\"{class}\"><h2>{hospital}</h2><p>{name}</p>\
                 <p class=\"sum\">{yuan} 元 <span>{state}</span></p><p><time>{time}</time></p></li>",
                class = if item.state == State::Unpaid { "open" } else { "closed" },
                hospital = escaped(hospital),
                name = escaped(&item.item_name),
                yuan = yuan(item.amount_fen),
                state = match item.state {
                    State::Unpaid => "未结清",
                    State::Paid => "已缴清",
                    State::Revoked => "已撤销",
                },
                time = time.render(),
            )
        })
        .collect();
    let name = escaped(&list.masked_name);
    let news = news.map_or_else(String::new, |news| {
        format!("<p role=\"status\" class=\"news\">{}</p>", news.said())
    });
    let button = if unpaid.is_empty() {
        String::new()
    } else {
        format!(
            "<form method=\"post\" action=\"{}\"><button>已缴费？向医院核实</button></form>",
            super::REFRESH_PATH
        )
    };
    let looks: String = list
        .looks
        .iter()
        .map(|look| {
            format!(
                "<li><time>{}</time> {}（{}）</li>",
                LocalTime::from_epoch_ms(look.at_ms).render(),
                escaped(&look.name),
                look.purpose
            )
        })
        .collect();
    let looks = if looks.is_empty() {
        "<p>近 90 天没有机构查询过您。</p>".to_owned()
    } else {
        format!("<ul class=\"looks\">{looks}</ul>")
    };
    document(&format!(
        "<p>{name}，您好。</p>{news}<p>{summary}</p>{button}<ul>{rows}</ul>\
         <section><h2>近 90 天谁查询过我</h2>{looks}</section>"
    ))
}

/// A link that was opened before, or is too old.
pub(super) fn link_is_over() -> String {
    document("<p>该链接已使用或已过期。请返回闽政通或医院应用，重新进入。</p>")
}

/// No session, or one that is over.
pub(super) fn no_session() -> String {
    document("<p>会话已结束。请返回闽政通或医院应用，重新进入。</p>")
}

/// Something of ours failed.
pub(super) fn unavailable() -> String {
    document("<p>系统繁忙，请稍后再试。</p>")
}

fn document(body: &str) -> String {
    format!(
        "<!DOCTYPE html><html lang=\"zh-CN\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>医疗欠费名单</title><link rel=\"stylesheet\" href=\"{style}\"></head>\
         <body><main><h1>医疗欠费名单</h1>{body}</main></body></html>",
        style = super::STYLE_PATH
    )
}

/// How the pages look.
pub(super) const STYLE: &str = "body{margin:0;background:#f4f5f7;color:#1a1d21;\
font:1.05rem/1.6 system-ui,'Noto Sans CJK SC','PingFang SC','Microsoft YaHei',sans-serif}\
main{max-width:40rem;margin:0 auto;padding:1rem}h1{font-size:1.4rem}\
ul{list-style:none;padding:0}li{background:#fff;border-radius:.6rem;padding:.8rem 1rem;\
margin:.8rem 0;border-left:.3rem solid #6b7280}li.open{border-color:#b42318}\
h2{font-size:1.05rem;margin:0}li p{margin:.2rem 0}.sum{font-size:1.15rem;font-weight:600}\
.sum span{font-size:.95rem;font-weight:400}time{color:#4b5563}\
.news{background:#e7f0fe;border-radius:.6rem;padding:.6rem 1rem}\
button{font:inherit;padding:.6rem 1.2rem;border:0;border-radius:.6rem;background:#1d4ed8;color:#fff}\
section h2{margin-top:1.6rem}.looks li{background:none;border:0;padding:0;margin:.4rem 0}";

fn yuan(fen: i64) -> String {
    Amount::from_fen(fen).map_or_else(
        // A sum may be larger than one item's amount can be.
        || format!("{}.{:02}", fen / 100, fen % 100),
        |amount| amount.render().into_owned(),
    )
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_hostile_gets_through() {
        let list = OwnList {
            masked_name: "<script>alert(1)</script>\"'&".to_owned(),
            items: Vec::new(),
            looks: Vec::new(),
        };
        let html = own_list(&list, None);
        assert!(!html.contains("<script>"));
        assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;"));
    }
}
