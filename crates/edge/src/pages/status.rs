//! The status page: one light that says whether anything is wrong and what to do, then the rest.

use askama::Template;

use crate::health::{Level, Light};
use crate::pages::{DOCS_PATH, MARK, STATUS_PATH, STYLE};

/// What the page shows. Nobody's identity.
#[derive(Debug, Clone)]
pub(crate) struct StatusView {
    pub(crate) org_id: String,
    pub(crate) org_name: String,
    pub(crate) version: &'static str,
    /// As the guide writes a time, like all times here.
    pub(crate) now: String,
    pub(crate) lights: Vec<Light>,
    pub(crate) overall: Level,
    pub(crate) outbox: OutboxView,
    /// The last calls, the latest first.
    pub(crate) recent: Vec<CallView>,
}

/// How much stands where.
#[derive(Debug, Clone, Default)]
pub(crate) struct OutboxView {
    pub(crate) waiting_items: i64,
    pub(crate) sending_messages: i64,
    pub(crate) awaiting_outcome: i64,
    pub(crate) refused_items: i64,
    pub(crate) last_report_at: Option<String>,
    pub(crate) next_window_at: Option<String>,
    pub(crate) oldest_waiting: Option<String>,
}

/// A call.
#[derive(Debug, Clone)]
pub(crate) struct CallView {
    pub(crate) time: String,
    pub(crate) code: &'static str,
    pub(crate) name: &'static str,
    pub(crate) outcome: String,
    pub(crate) millis: i64,
}

/// The page.
pub(crate) fn status(view: &StatusView) -> Result<String, askama::Error> {
    let Verdict { text, advice } = view.verdict();
    let page = Page { view, text, advice };
    page.render()
}

#[derive(Template)]
#[template(path = "status.html")]
struct Page<'a> {
    view: &'a StatusView,
    text: String,
    advice: &'a str,
}

/// What is wrong in one sentence, and what to do.
struct Verdict<'a> {
    text: String,
    advice: &'a str,
}

impl StatusView {
    fn verdict(&self) -> Verdict<'_> {
        let (text, light) = match self.overall {
            Level::Good => ("一切正常".to_owned(), None),
            Level::Unknown => ("刚刚启动，尚不知与平台之间是否正常".to_owned(), None),
            worst @ (Level::Notice | Level::Bad) => {
                let light = self.lights.iter().find(|light| light.level == worst);
                let text = light.map_or_else(
                    || worst.label().to_owned(),
                    |light| format!("{}{}：{}", light.name, worst.label(), light.text),
                );
                (text, light)
            }
        };
        Verdict {
            text,
            advice: light.map_or("", |light| &light.advice),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::tests::faults;

    fn light(name: &'static str, level: Level, text: &str, advice: &str) -> Light {
        Light {
            code: "code",
            name,
            level,
            text: text.to_owned(),
            advice: advice.to_owned(),
        }
    }

    fn view(network: Level) -> StatusView {
        let lights = vec![
            light("时钟", Level::Good, "与平台相差 0 秒", ""),
            light("网络", network, "连接不上平台", "请检查专线与防火墙"),
            light("院内系统", Level::Unknown, "尚未调用", ""),
        ];
        StatusView {
            org_id: "H35019900001".to_owned(),
            org_name: "榕城<第一>医院".to_owned(),
            version: "0.1.0",
            now: "2026-03-01 09:30:00".to_owned(),
            overall: lights.iter().map(|light| light.level).max().unwrap(),
            lights,
            outbox: OutboxView {
                waiting_items: 12_345,
                refused_items: 3,
                next_window_at: Some("2026-03-02 02:17:00".to_owned()),
                ..OutboxView::default()
            },
            recent: vec![CallView {
                time: "2026-03-01 09:29:58".to_owned(),
                code: "ORG_MDL_002",
                name: "查询医疗欠费状况",
                outcome: "超时未答".to_owned(),
                millis: 10_000,
            }],
        }
    }

    #[test]
    fn the_page_says_first_what_is_wrong_and_what_to_do() {
        let html = status(&view(Level::Bad)).unwrap();
        assert_eq!(faults(&html), Vec::<String>::new());
        let wrong = html.find("网络异常：连接不上平台").unwrap();
        let advice = html.find("请检查专线与防火墙").unwrap();
        assert!(wrong < advice && advice < html.find("时钟").unwrap());
        for shown in [
            "12345",
            "2026-03-02 02:17:00",
            "ORG_MDL_002",
            "3 项",
            "/v1/overdue/refused",
        ] {
            assert!(html.contains(shown), "{shown}");
        }
        assert!(html.contains(r#"http-equiv="refresh" content="10""#));
    }

    #[test]
    fn when_nothing_is_wrong_it_says_so() {
        let html = status(&view(Level::Good)).unwrap();
        assert!(html.contains("一切正常"));
        let mut nothing = view(Level::Good);
        nothing.recent.clear();
        nothing.outbox.refused_items = 0;
        nothing.overall = Level::Unknown;
        let html = status(&nothing).unwrap();
        assert_eq!(faults(&html), Vec::<String>::new());
        assert!(html.contains("刚刚启动"));
        assert!(!html.contains("/v1/overdue/refused"));
    }
}
