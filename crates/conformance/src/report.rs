//! What a run found, for people and for tools.

use std::fmt::Write as _;

use serde::Serialize;

/// Who was tested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Side {
    /// A hospital's ORG_001 and ORG_002.
    Hospital,
    /// A platform's ORG_MDL and ORG_EHC interfaces.
    Platform,
}

/// What a run found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Who was tested.
    pub side: Side,
    /// Where.
    pub url: String,
    /// 机构 id.
    pub org_id: String,
    /// When it began, in milliseconds since the epoch.
    pub began_ms: i64,
    /// Every case in its order.
    pub cases: Vec<CaseResult>,
}

/// What became of a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CaseResult {
    /// Stable: such as `H-ORG001-03`.
    pub id: &'static str,
    /// What was tried.
    pub title: &'static str,
    /// Why it matters.
    pub why: &'static str,
    /// Section of the access guide.
    pub section: &'static str,
    /// How to mend it.
    pub mend: &'static str,
    /// What became of it.
    pub outcome: Outcome,
    /// What was seen, where it did not pass.
    pub seen: Option<String>,
    /// How long it took, in milliseconds.
    pub took_ms: i64,
}

/// The outcome of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// As the guide says.
    Passed,
    /// Not as the guide says.
    Failed,
    /// It could not be judged.
    Skipped,
}

impl Report {
    /// How many cases ended like this.
    #[must_use]
    pub fn count(&self, outcome: Outcome) -> usize {
        self.cases
            .iter()
            .filter(|case| case.outcome == outcome)
            .count()
    }

    /// Whether nothing failed.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.count(Outcome::Failed) == 0 && self.count(Outcome::Passed) > 0
    }

    fn summary(&self) -> String {
        format!(
            "通过 {}，未通过 {}，跳过 {}",
            self.count(Outcome::Passed),
            self.count(Outcome::Failed),
            self.count(Outcome::Skipped)
        )
    }

    const fn title(&self) -> &'static str {
        match self.side {
            Side::Hospital => "定点机构接口一致性报告",
            Side::Platform => "平台接口一致性报告",
        }
    }
}

impl Outcome {
    const fn label(self) -> &'static str {
        match self {
            Self::Passed => "通过",
            Self::Failed => "未通过",
            Self::Skipped => "跳过",
        }
    }

    const fn class(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

/// The report for a person at a terminal: what failed, each with what to do; the rest in a line
/// each.
#[must_use]
pub fn terminal(report: &Report) -> String {
    let mut out = String::new();
    // Writing to a string has no way to fail.
    let _written = write_terminal(&mut out, report);
    out
}

fn write_terminal(out: &mut String, report: &Report) -> std::fmt::Result {
    writeln!(
        out,
        "{}：{}（{}）",
        report.title(),
        report.url,
        report.org_id
    )?;
    for case in &report.cases {
        let seen = match (&case.seen, case.outcome) {
            (Some(seen), Outcome::Skipped) => format!("（{seen}）"),
            _ => String::new(),
        };
        writeln!(
            out,
            "  {}  {}  {}{seen}",
            case.outcome.label(),
            case.id,
            case.title
        )?;
    }
    for case in report
        .cases
        .iter()
        .filter(|case| case.outcome == Outcome::Failed)
    {
        writeln!(out, "\n✗ {}  {}", case.id, case.title)?;
        writeln!(out, "  现象：{}", case.seen.as_deref().unwrap_or_default())?;
        writeln!(out, "  影响：{}", case.why)?;
        writeln!(out, "  改法：{}", case.mend)?;
        writeln!(out, "  依据：接入指南 {}", case.section)?;
    }
    writeln!(
        out,
        "\n{}：{}",
        if report.passed() {
            "合格"
        } else {
            "不合格"
        },
        report.summary()
    )
}

/// The report as a page that needs nothing beside itself.
#[must_use]
pub fn html(report: &Report) -> String {
    let mut out = String::new();
    let _written = write_html(&mut out, report);
    out
}

const STYLE: &str = "body{font:16px/1.6 system-ui,'Microsoft YaHei',sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b1f24;background:#fff}\
table{border-collapse:collapse;width:100%}td,th{border-bottom:1px solid #d0d7de;padding:.4rem .6rem;text-align:left;vertical-align:top}\
.passed{color:#116329}.failed{color:#a40e26;font-weight:bold}.skipped{color:#57606a}code{font-family:ui-monospace,monospace}";

fn write_html(out: &mut String, report: &Report) -> std::fmt::Result {
    let title = report.title();
    write!(
        out,
        "<!doctype html>\n<html lang=\"zh-CN\">\n<meta charset=\"utf-8\">\n"
    )?;
    writeln!(
        out,
        "<meta name=\"viewport\" content=\"width=device-width\">"
    )?;
    writeln!(
        out,
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
    )?;
    writeln!(
        out,
        "<title>{title}</title>\n<style>{STYLE}</style>\n<h1>{title}</h1>"
    )?;
    writeln!(
        out,
        "<p>{} · {}</p>",
        escaped(&report.url),
        escaped(&report.org_id)
    )?;
    writeln!(out, "<p><strong>{}</strong></p>", report.summary())?;
    writeln!(out, "<table>\n<tr><th>编号<th>结果<th>内容")?;
    for case in &report.cases {
        let (class, label) = (case.outcome.class(), case.outcome.label());
        write!(
            out,
            "<tr><td><code>{}</code><td class=\"{class}\">{label}<td>{}",
            case.id,
            escaped(case.title)
        )?;
        if let Some(seen) = &case.seen {
            write!(out, "<br>现象：{}", escaped(seen))?;
        }
        if case.outcome == Outcome::Failed {
            write!(
                out,
                "<br>影响：{}<br>改法：{}<br>依据：接入指南 {}",
                escaped(case.why),
                escaped(case.mend),
                escaped(case.section)
            )?;
        }
        writeln!(out)?;
    }
    writeln!(out, "</table>\n</html>")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
