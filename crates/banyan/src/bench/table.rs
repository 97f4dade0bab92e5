//! The table of figures.

use std::fmt::Write as _;

use serde_json::json;

use super::{Options, cores};

/// Figures, and what they were measured on.
pub(super) struct Table {
    conditions: Vec<(&'static str, String)>,
    figures: Vec<Figure>,
    notes: Vec<String>,
}

/// A measured value.
pub(super) struct Figure {
    pub(super) name: String,
    pub(super) unit: &'static str,
    pub(super) value: f64,
    /// Beside its yardstick.
    pub(super) ratio: Option<f64>,
    /// What is wanted of the value or of the ratio.
    pub(super) target: Option<Target>,
}

/// What is wanted.
#[derive(Clone, Copy)]
pub(super) enum Target {
    ValueAtLeast(f64),
    ValueAtMost(f64),
    RatioAtLeast(f64),
    RatioAtMost(f64),
}

impl Figure {
    pub(super) fn new(name: impl Into<String>, unit: &'static str, value: f64) -> Self {
        Self {
            name: name.into(),
            unit,
            value,
            ratio: None,
            target: None,
        }
    }

    pub(super) fn ratio(mut self, ratio: f64) -> Self {
        self.ratio = Some(ratio);
        self
    }

    pub(super) fn target(mut self, target: Target) -> Self {
        self.target = Some(target);
        self
    }

    fn met(&self) -> Option<bool> {
        let ratio = self.ratio.unwrap_or_default();
        Some(match self.target? {
            Target::ValueAtLeast(bound) => self.value >= bound,
            Target::ValueAtMost(bound) => self.value <= bound,
            Target::RatioAtLeast(bound) => ratio >= bound,
            Target::RatioAtMost(bound) => ratio <= bound,
        })
    }
}

impl Target {
    fn text(self) -> String {
        match self {
            Self::ValueAtLeast(bound) => format!("≥ {}", shown(bound)),
            Self::ValueAtMost(bound) => format!("≤ {}", shown(bound)),
            Self::RatioAtLeast(bound) => format!("比值 ≥ {bound:.2}"),
            Self::RatioAtMost(bound) => format!("比值 ≤ {bound:.2}"),
        }
    }
}

impl Table {
    pub(super) fn new(options: &Options) -> Self {
        let engine = match &options.database_url {
            None => "SQLite（WAL，synchronous=FULL）",
            Some(_) => "PostgreSQL（服务器自身的设置）",
        };
        let items = match options.compare[..] {
            [few, many] => format!("{few} 与 {many}"),
            _ => options.items.to_string(),
        };
        let conditions = vec![
            ("版本", env!("CARGO_PKG_VERSION").to_owned()),
            ("处理器", processor()),
            (
                "核数",
                format!("{}（服务端与压测端共用，本机环回）", cores()),
            ),
            ("数据库", engine.to_owned()),
            ("记录数", items),
            ("连接数", options.connections.to_string()),
            (
                "每轮秒数",
                format!("{}，{} 轮取中位数", options.seconds, options.rounds),
            ),
        ];
        Self {
            conditions,
            figures: Vec::new(),
            notes: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, figure: Figure) {
        self.figures.push(figure);
    }

    pub(super) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    pub(super) fn json(&self) -> String {
        let figures: Vec<_> = self
            .figures
            .iter()
            .map(|figure| {
                json!({
                    "name": figure.name,
                    "unit": figure.unit,
                    "value": figure.value,
                    "ratio": figure.ratio,
                    "target": figure.target.map(Target::text),
                    "met": figure.met(),
                })
            })
            .collect();
        let conditions: serde_json::Map<_, _> = self
            .conditions
            .iter()
            .map(|(name, value)| ((*name).to_owned(), json!(value)))
            .collect();
        let all = json!({
            "conditions": conditions,
            "figures": figures,
            "notes": self.notes,
        });
        format!("{all:#}")
    }

    pub(super) fn text(&self) -> String {
        let mut rows = vec![["指标", "单位", "数值", "比值", "目标", "达到"].map(str::to_owned)];
        for figure in &self.figures {
            let met = match figure.met() {
                None => "",
                Some(true) => "是",
                Some(false) => "否",
            };
            rows.push([
                figure.name.clone(),
                figure.unit.to_owned(),
                shown(figure.value),
                figure
                    .ratio
                    .map_or_else(String::new, |ratio| format!("{ratio:.2}")),
                figure.target.map_or_else(String::new, Target::text),
                met.to_owned(),
            ]);
        }
        let widths: Vec<usize> = (0..6)
            .map(|column| {
                rows.iter()
                    .map(|row| width(&row[column]))
                    .max()
                    .unwrap_or(0)
            })
            .collect();
        let mut text = String::new();
        for (place, row) in rows.iter().enumerate() {
            for (column, cell) in row.iter().enumerate() {
                let gap = " ".repeat(widths[column] - width(cell));
                // Numbers stand to the right.
                let right = place > 0 && matches!(column, 2 | 3);
                let (before, after) = if right { (&*gap, "") } else { ("", &*gap) };
                let _written = write!(text, "{before}{cell}{after}  ");
            }
            text.truncate(text.trim_end().len());
            text.push('\n');
            if place == 0 {
                text.push_str(&"-".repeat(widths.iter().sum::<usize>() + 10));
                text.push('\n');
            }
        }
        text.push('\n');
        for (name, value) in &self.conditions {
            let _written = writeln!(text, "{name}：{value}");
        }
        for note in &self.notes {
            let _written = writeln!(text, "注：{note}");
        }
        text.trim_end().to_owned()
    }
}

/// Three digits that say something, and no more.
fn shown(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// Columns on a terminal: Chinese characters and full-width marks take two.
fn width(text: &str) -> usize {
    text.chars()
        .map(|letter| if letter >= '\u{2E80}' { 2 } else { 1 })
        .sum()
}

fn processor() -> String {
    let known = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    known
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or_else(
            || "未知".to_owned(),
            |name| name.trim_start_matches([' ', '\t', ':']).to_owned(),
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_of_the_value_or_of_the_ratio() {
        let figure = Figure::new("x", "次/秒", 3_000.0).ratio(0.39);
        assert_eq!(figure.met(), None);
        let figure = figure.target(Target::RatioAtLeast(0.40));
        assert_eq!(figure.met(), Some(false));
        let figure = figure.target(Target::ValueAtLeast(3_000.0));
        assert_eq!(figure.met(), Some(true));
    }

    #[test]
    fn chinese_takes_two_columns() {
        assert_eq!(width("p99 毫秒"), 8);
        assert_eq!(width("≥ 0.40"), 6);
        assert_eq!(
            [1234.5, 56.78, 0.123].map(shown),
            ["1234", "56.8", "0.12"].map(str::to_owned)
        );
    }
}
