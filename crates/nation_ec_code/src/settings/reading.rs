//! TOML by hand rather than by derive: a fault names file, line and key, in Chinese, and nothing
//! that is misspelt is passed over.

use std::ops::RangeInclusive;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::FILE_NAME;
use crate::fault::{Code, Fault};

/// The file as TOML.
pub(super) fn document(text: &str) -> Result<Spanned<DeTable<'_>>, Fault> {
    DeTable::parse(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        let line = line_of(text, at);
        // What Windows writes in paths is an escape in TOML.
        let written = text.lines().nth(line - 1).unwrap_or_default();
        let hint = if written.contains('\\') && written.contains('"') {
            "；Windows 路径请用单引号，例如 'C:\\HIS\\ec.log'"
        } else {
            ""
        };
        let text = format!("设置文件 {FILE_NAME} 第 {line} 行：不是合法的 TOML{hint}");
        Fault::new(Code::Settings, text)
    })
}

/// A table of the file; one that is absent has only defaults.
pub(super) struct Section<'a> {
    name: String,
    text: &'a str,
    table: Option<&'a DeTable<'a>>,
    known: Vec<&'static str>,
}

/// A text, or its absence, with what a fault about it says.
pub(super) struct Said {
    value: Option<String>,
    place: String,
}

impl<'a> Section<'a> {
    pub(super) fn top(text: &'a str, table: &'a DeTable<'a>) -> Self {
        Self {
            name: String::new(),
            text,
            table: Some(table),
            known: Vec::new(),
        }
    }

    pub(super) fn section(&mut self, key: &'static str) -> Result<Section<'a>, Fault> {
        let table = match self.value(key) {
            None => None,
            Some(DeValue::Table(table)) => Some(table),
            Some(_) => return Err(self.fault(key, "应为一节，写作 [名称]")),
        };
        Ok(Section {
            name: format!("{key}."),
            text: self.text,
            table,
            known: Vec::new(),
        })
    }

    /// An empty text counts as absent.
    pub(super) fn text(&mut self, key: &'static str) -> Result<Said, Fault> {
        let value = match self.value(key) {
            None => None,
            Some(DeValue::String(text)) => Some(text.trim().to_owned()),
            Some(_) => return Err(self.fault(key, "应为带引号的文字")),
        };
        Ok(Said {
            value: value.filter(|text| !text.is_empty()),
            place: self.place(key),
        })
    }

    pub(super) fn number(
        &mut self,
        key: &'static str,
        range: RangeInclusive<i64>,
        usual: i64,
    ) -> Result<i64, Fault> {
        let number = match self.value(key) {
            None => return Ok(usual),
            Some(DeValue::Integer(number)) if number.radix() == 10 => number.as_str().parse().ok(),
            Some(_) => None,
        };
        number
            .filter(|number| range.contains(number))
            .ok_or_else(|| {
                let (from, to) = range.into_inner();
                self.fault(key, &format!("应为 {from} 到 {to} 之间的整数"))
            })
    }

    /// A time-out; none is longer than ten minutes, so that no program hangs for good.
    pub(super) fn millis(&mut self, key: &'static str, usual: u64) -> Result<Duration, Fault> {
        let usual = i64::try_from(usual).unwrap_or(i64::MAX);
        let millis = self.number(key, 100..=600_000, usual)?;
        Ok(Duration::from_millis(millis.unsigned_abs()))
    }

    pub(super) fn flag(&mut self, key: &'static str, usual: bool) -> Result<bool, Fault> {
        match self.value(key) {
            None => Ok(usual),
            Some(DeValue::Boolean(flag)) => Ok(*flag),
            Some(_) => Err(self.fault(key, "应为 true 或 false")),
        }
    }

    pub(super) fn choice<T: Copy>(
        &mut self,
        key: &'static str,
        choices: &[(&str, T)],
        usual: T,
    ) -> Result<T, Fault> {
        let Some(said) = self.text(key)?.value else {
            return Ok(usual);
        };
        let found = choices
            .iter()
            .find(|(name, _)| said.eq_ignore_ascii_case(name));
        found.map(|(_, value)| *value).ok_or_else(|| {
            let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
            self.fault(key, &format!("应为 {} 之一", names.join("、")))
        })
    }

    /// Refuses what nobody asked for.
    pub(super) fn finish(self) -> Result<(), Fault> {
        let unknown = self
            .table
            .into_iter()
            .flat_map(DeTable::iter)
            .find(|(key, _)| {
                let key: &str = key.get_ref();
                !self.known.contains(&key)
            });
        match unknown {
            None => Ok(()),
            Some((key, _)) => {
                let line = line_of(self.text, key.span().start);
                let (name, key) = (&self.name, key.get_ref());
                let text = format!("设置文件 {FILE_NAME} 第 {line} 行：不认识 {name}{key}");
                Err(Fault::new(Code::Settings, text))
            }
        }
    }

    pub(super) fn fault(&self, key: &str, why: &str) -> Fault {
        Fault::new(Code::Settings, format!("{} {why}", self.place(key)))
    }

    fn value(&mut self, key: &'static str) -> Option<&'a DeValue<'a>> {
        self.known.push(key);
        Some(self.table?.get(key)?.get_ref())
    }

    fn place(&self, key: &str) -> String {
        let line = self
            .table
            .and_then(|table| table.get(key))
            .map(|value| line_of(self.text, value.span().start))
            .map_or_else(String::new, |line| format!(" 第 {line} 行"));
        format!("设置文件 {FILE_NAME}{line}：{}{key}", self.name)
    }
}

impl Said {
    pub(super) fn optional(self) -> Option<String> {
        self.value
    }

    pub(super) fn or(self, usual: &str) -> String {
        self.value.unwrap_or_else(|| usual.to_owned())
    }

    pub(super) fn required(self) -> Result<String, Fault> {
        self.parse_required(|text| Ok(text.to_owned()))
    }

    pub(super) fn parse<T>(
        self,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<Option<T>, Fault> {
        let Some(text) = self.value else {
            return Ok(None);
        };
        parse(&text)
            .map(Some)
            .map_err(|why| Fault::new(Code::Settings, format!("{} {why}", self.place)))
    }

    pub(super) fn parse_required<T>(
        self,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<T, Fault> {
        let missing = Fault::new(Code::Settings, format!("{} 不可缺少", self.place));
        self.parse(parse)?.ok_or(missing)
    }
}

fn line_of(text: &str, at: usize) -> usize {
    let before = text.as_bytes().get(..at).unwrap_or(text.as_bytes());
    before.iter().filter(|byte| **byte == b'\n').count() + 1
}
