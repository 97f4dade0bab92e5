//! Which columns a table has.

use crate::TableFault;
use crate::delimited::{Delimiter, Splitter};
use crate::lines::Span;
use crate::records::{Plan, Strangers};

/// A column that the caller knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its code, such as `orgTraceId`.
    pub code: &'static str,
    /// Its name in Chinese, such as `机构跟踪号`: either stands in a header.
    pub name: &'static str,
    /// Whether a table without it is refused.
    pub required: bool,
}

/// What the beginning of a table says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// What stands between cells; `None` for JSON Lines.
    pub delimiter: Option<Delimiter>,
    /// From the file's beginning to the end of the header's line: what has to stand before any
    /// records that are given back. Of JSON Lines at most the mark of UTF-8.
    pub span: Span,
    /// Which of the caller's columns are there; all of them for JSON Lines, which says so in each
    /// record.
    pub present: Vec<bool>,
}

/// What stands at one place of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// The caller's column of this number.
    Column(usize),
    /// Something that the caller does not know, or nothing that has a name.
    Other,
}

/// What a header's line says.
pub(crate) struct Named {
    pub(crate) splitter: Splitter,
    pub(crate) places: Vec<Place>,
    /// As they stand in the header, cut to what can be shown.
    pub(crate) strangers: Vec<String>,
}

/// Longer names are no names of columns.
const MOST_SHOWN: usize = 20;

/// Reads the header's line under the delimiter that makes most sense of it.
pub(crate) fn read(text: &str, line: u64, plan: &Plan) -> Result<Named, TableFault> {
    let bad = |why: String| TableFault::BadHeader { line, why };
    let readings = Delimiter::ALL.into_iter().filter_map(|delimiter| {
        let mut splitter = Splitter::new(delimiter);
        let names = splitter.cells(text)?;
        let known = names.iter().filter(|name| find(plan, name).is_some());
        Some((known.count(), splitter, names))
    });
    // Of equals the first, because the comma is what most mean.
    let best = readings.reduce(|best, next| if next.0 > best.0 { next } else { best });
    let (known, splitter, names) = best.ok_or_else(|| bad("引号不成对或列数过多".to_owned()))?;
    if known == 0 {
        let codes: Vec<_> = plan.columns.iter().map(|column| column.code).collect();
        return Err(bad(format!("没有认识的列；可用：{}", codes.join(","))));
    }
    let mut named = Named {
        splitter,
        places: Vec::with_capacity(names.len()),
        strangers: Vec::new(),
    };
    for name in &names {
        let place = match find(plan, name) {
            Some(column) if named.places.contains(&Place::Column(column)) => {
                return Err(TableFault::Doubled(plan.columns[column].code.to_owned()));
            }
            Some(column) => Place::Column(column),
            None => {
                if !bare(name).is_empty() {
                    named.strangers.push(shown(name));
                }
                Place::Other
            }
        };
        named.places.push(place);
    }
    let missing = plan.columns.iter().enumerate().filter(|(number, column)| {
        column.required && !named.places.contains(&Place::Column(*number))
    });
    let missing: Vec<_> = missing.map(|(_, column)| column.shown()).collect();
    if !missing.is_empty() {
        let strangers = named.strangers;
        return Err(TableFault::Missing { missing, strangers });
    }
    if plan.strangers == Strangers::Refused && !named.strangers.is_empty() {
        return Err(TableFault::Unknown(named.strangers));
    }
    Ok(named)
}

impl Column {
    /// Code and name, for people.
    #[must_use]
    pub fn shown(&self) -> String {
        format!("{}（{}）", self.code, self.name)
    }
}

/// The caller's column of this code or name.
pub(crate) fn find(plan: &Plan, name: &str) -> Option<usize> {
    let name = bare(name);
    plan.columns
        .iter()
        .position(|column| name.eq_ignore_ascii_case(column.code) || name == bare(column.name))
}

/// What of an unknown name can be shown: whoever forgot the header has data there.
pub(crate) fn shown(name: &str) -> String {
    let name = bare(name).chars().filter(|c| !c.is_control());
    name.take(MOST_SHOWN).collect()
}

/// Without the blanks around it, the full-width one and the marks that nobody sees among them.
fn bare(name: &str) -> &str {
    name.trim_matches(|c: char| c.is_whitespace() || matches!(c, '\u{FEFF}' | '\u{200B}'))
}
