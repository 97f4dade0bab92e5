//! From a diagnosis to the category of past illnesses that it means.
//!
//! The table is a file that people can read and an operator can replace; the one that the platform
//! brings along is a starting point, for every product defines past illnesses in its own terms.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use banyan_protocol::crypto::sm3;
use serde::Deserialize;

/// The table that the platform brings along.
const BUILT_IN: &str = include_str!("../../data/icd10_categories.toml");

/// Which diagnoses mean which category.
#[derive(Debug, Clone)]
pub struct IllnessMap {
    source: String,
    version: String,
    code: String,
    categories: Vec<String>,
    /// Spans of three-character codes, or one code with what follows its point.
    codes: Vec<(Span, usize)>,
    names: BTreeMap<String, usize>,
    /// Into how many pieces the separators of lists would cut the longest of the names.
    most_pieces: usize,
}

/// Why a table can't be used: Chinese, for the operator who wrote it.
#[derive(Debug, thiserror::Error)]
pub enum MapFault {
    /// The file itself.
    #[error("既往症分类文件 {path} 读取失败：{why}")]
    Io {
        /// Which file.
        path: String,
        /// What the system says.
        why: std::io::Error,
    },
    /// It is no TOML, or lacks something.
    #[error("既往症分类文件格式有误：{0}")]
    Form(String),
    /// A code that is none.
    #[error("既往症分类“{category}”的编码 {code} 有误：应为 N18、K70.3 或 C00-C97 的写法")]
    Code {
        /// The category.
        category: String,
        /// What stands there.
        code: String,
    },
    /// A name that leads to two categories, or is empty.
    #[error("既往症分类名称“{0}”为空或出现两次")]
    Name(String),
}

impl IllnessMap {
    /// Reads the operator's file, or the built-in table where there is none.
    ///
    /// # Errors
    /// See [`MapFault`].
    pub fn load(file: Option<&Path>) -> Result<Self, MapFault> {
        match file {
            None => Self::parse(BUILT_IN),
            Some(path) => {
                let text = std::fs::read_to_string(path).map_err(|why| MapFault::Io {
                    path: path.display().to_string(),
                    why,
                })?;
                Self::parse(&text)
            }
        }
    }

    /// Reads a table.
    ///
    /// # Errors
    /// See [`MapFault`].
    pub fn parse(text: &str) -> Result<Self, MapFault> {
        let table: Table =
            toml::from_str(text).map_err(|error| MapFault::Form(error.to_string()))?;
        let mut map = Self {
            source: table.source,
            version: table.version,
            code: hex::encode(sm3::digest(text.as_bytes())),
            categories: Vec::new(),
            codes: Vec::new(),
            names: BTreeMap::new(),
            most_pieces: 1,
        };
        for row in table.category {
            let place = map.categories.len();
            for name in std::iter::once(&row.name).chain(&row.names) {
                let folded = folded(name);
                if folded.is_empty() || map.names.insert(folded, place).is_some() {
                    return Err(MapFault::Name(name.clone()));
                }
                map.most_pieces = map.most_pieces.max(pieces(name).len());
            }
            for code in &row.codes {
                let span = Span::parse(code).ok_or_else(|| MapFault::Code {
                    category: row.name.clone(),
                    code: code.clone(),
                })?;
                map.codes.push((span, place));
            }
            map.categories.push(row.name);
        }
        if map.categories.is_empty() {
            return Err(MapFault::Form("没有任何分类（[[category]]）".to_owned()));
        }
        Ok(map)
    }

    /// Where the table comes from, and which version of it this is.
    #[must_use]
    pub fn origin(&self) -> (&str, &str) {
        (&self.source, &self.version)
    }

    /// Tells tables apart that say that they are the same version: a code of the whole text.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.code
    }

    /// The names of all categories, in the table's order.
    #[must_use]
    pub fn categories(&self) -> &[String] {
        &self.categories
    }

    /// The categories that codes mean: one code, or several with anything between them. What is no
    /// code means nothing.
    #[must_use]
    pub fn of_codes(&self, codes: &str) -> Vec<&str> {
        self.chosen(parts(codes).filter_map(Code::parse).flat_map(|code| {
            let spans = self.codes.iter();
            spans
                .filter(move |(span, _)| span.holds(&code))
                .map(|(_, place)| *place)
        }))
    }

    /// The categories that names mean, where they are exactly names of the table.
    #[must_use]
    pub fn of_names(&self, names: &str) -> Vec<&str> {
        let each = self.each_name(names).into_iter();
        self.chosen(each.filter_map(Result::ok))
    }

    /// The categories of a list of which each name must be one of the table; `Err` with those that are
    /// none, and whether all of them are.
    ///
    /// # Errors
    /// See [`NoNames`].
    pub fn of_known_names<'a>(&self, names: &'a str) -> Result<Vec<&str>, NoNames<'a>> {
        let each = self.each_name(names);
        let all = each.len();
        let unknown: Vec<&str> = each.iter().copied().filter_map(Result::err).collect();
        if unknown.is_empty() {
            return Ok(self.chosen(each.into_iter().filter_map(Result::ok)));
        }
        Err(NoNames {
            are_all: unknown.len() == all,
            unknown,
        })
    }

    /// The categories of a case: by its diagnoses' codes, and by the name of the past illness where
    /// no code of that is given.
    #[must_use]
    pub fn of_case(
        &self,
        main_code: &str,
        previous_code: &str,
        previous_name: &str,
    ) -> Vec<String> {
        let mut categories = self.of_codes(main_code);
        categories.extend(self.of_codes(previous_code));
        if parts(previous_code).next().is_none() {
            categories.extend(self.of_names(previous_name));
        }
        categories.sort_unstable();
        categories.dedup();
        categories.into_iter().map(str::to_owned).collect()
    }

    /// The names of a list: each the place of its category, or the text that is no name. A name may
    /// hold what otherwise stands between names, so the longest run of pieces that is one counts.
    fn each_name<'a>(&self, list: &'a str) -> Vec<Result<usize, &'a str>> {
        if let Some(place) = self.names.get(&folded(list)) {
            return vec![Ok(*place)];
        }
        let pieces = pieces(list);
        let mut left = &*pieces;
        let mut each = Vec::new();
        while let [first, ..] = left {
            let longest = left.len().min(self.most_pieces);
            let run = left[..longest].iter().enumerate().rev();
            let found = run.into_iter().find_map(|(nth, last)| {
                let name = list.get(first.start..last.end)?;
                let place = self.names.get(&folded(name))?;
                Some((nth + 1, *place))
            });
            let unknown = || list.get(first.clone()).unwrap_or_default().trim();
            each.push(found.map(|(_, place)| place).ok_or_else(unknown));
            left = &left[found.map_or(1, |(length, _)| length)..];
        }
        each
    }

    fn chosen(&self, places: impl Iterator<Item = usize>) -> Vec<&str> {
        let mut places: Vec<usize> = places.collect();
        places.sort_unstable();
        places.dedup();
        let names = places
            .into_iter()
            .filter_map(|place| self.categories.get(place));
        names.map(String::as_str).collect()
    }
}

/// What stands in a list of names and is none of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoNames<'a> {
    /// The names that are none.
    pub unknown: Vec<&'a str>,
    /// Whether nothing else stands there.
    pub are_all: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    source: String,
    version: String,
    category: Vec<TableRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TableRow {
    name: String,
    codes: Vec<String>,
    #[serde(default)]
    names: Vec<String>,
}

/// A code as it is compared: the letter and two digits, and what stands behind the point.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Code {
    block: [u8; 3],
    rest: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Span {
    /// Blocks from the first to the last.
    Blocks([u8; 3], [u8; 3]),
    /// One code and everything under it.
    Under(Code),
}

impl Code {
    /// `C34.900x001`, `i10`, `E11.9`; `None` for what does not begin like a code. The point may be
    /// missing (`C349`), as some systems write.
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_uppercase();
        let block: [u8; 3] = text.as_bytes().get(..3)?.try_into().ok()?;
        if !block[0].is_ascii_uppercase() || !block[1..].iter().all(u8::is_ascii_digit) {
            return None;
        }
        let behind = text.get(3..)?;
        let rest = behind.strip_prefix('.').unwrap_or(behind);
        let is_rest = |letter: char| letter.is_ascii_alphanumeric() || letter == '-';
        rest.chars().all(is_rest).then(|| Self {
            block,
            rest: rest.to_owned(),
        })
    }
}

impl Span {
    fn parse(text: &str) -> Option<Self> {
        if let Some((first, last)) = text.split_once('-') {
            let (first, last) = (Code::parse(first)?, Code::parse(last)?);
            let whole = first.rest.is_empty() && last.rest.is_empty();
            return (whole && first.block <= last.block)
                .then_some(Self::Blocks(first.block, last.block));
        }
        Code::parse(text).map(Self::Under)
    }

    fn holds(&self, code: &Code) -> bool {
        match self {
            Self::Blocks(first, last) => *first <= code.block && code.block <= *last,
            Self::Under(under) => code.block == under.block && code.rest.starts_with(&under.rest),
        }
    }
}

/// What stands between separators or white space, as people write lists of codes.
pub(super) fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter| is_separator(letter) || letter.is_whitespace())
        .filter(|part| !part.is_empty())
}

/// Where what stands between separators begins and ends, as people write lists of names. A list may
/// have lines; within a line white space separates nothing, for `无 高血压` is not `高血压`.
fn pieces(list: &str) -> Vec<Range<usize>> {
    let mut pieces = Vec::new();
    let mut begin = 0;
    let between = |letter| is_separator(letter) || letter == '\n';
    for (end, separator) in list.match_indices(between).chain([(list.len(), "")]) {
        let piece = list.get(begin..end).unwrap_or_default();
        if !piece.trim().is_empty() {
            pieces.push(begin..end);
        }
        begin = end + separator.len();
    }
    pieces
}

/// What people write between names or codes; `+` and `†` join a cause to what it led to, `*`.
const fn is_separator(letter: char) -> bool {
    matches!(
        letter,
        ',' | '，' | ';' | '；' | '、' | '|' | '｜' | '/' | '／' | '+' | '＋' | '*' | '＊' | '†'
    )
}

fn folded(name: &str) -> String {
    banyan_store::health_card::names::folded(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_table_is_one_and_says_where_it_comes_from() {
        let map = IllnessMap::load(None).unwrap();
        let (source, version) = map.origin();
        assert!(source.contains("ICD-10") && !version.is_empty());
        assert_eq!(map.categories()[0], "恶性肿瘤");
        for (codes, categories) in [
            ("C34.900x001", vec!["恶性肿瘤"]),
            ("c97", vec!["恶性肿瘤"]),
            ("D05.1", vec![]),
            ("I10.x00", vec!["高血压"]),
            ("I10,E11.9；N18.0", vec!["高血压", "糖尿病", "慢性肾脏病"]),
            ("E119", vec!["糖尿病"]),
            ("K70.300", vec!["肝硬化及肝衰竭"]),
            ("K70.1", vec![]),
            ("N08.3*E14.2+", vec!["糖尿病"]),
            ("E14.2†N08.3＊ I10＋", vec!["高血压", "糖尿病"]),
            ("I63.9", vec!["脑卒中"]),
            ("I69.3", vec!["脑卒中"]),
            // A narrowed artery and an aneurysm that did not burst are no stroke.
            ("I65.2 I66.9 I67.1 I68.0", vec![]),
            ("Z51.0", vec!["恶性肿瘤"]),
            ("Z51.103", vec!["恶性肿瘤"]),
            ("Z51.5", vec![]),
            ("mainDiagCode", vec![]),
            ("肺癌", vec![]),
            ("C3", vec![]),
            ("I10高血压", vec![]),
            ("", vec![]),
        ] {
            assert_eq!(map.of_codes(codes), categories, "{codes}");
        }
    }

    #[test]
    fn a_name_counts_only_without_a_code_and_only_as_it_stands() {
        let map = IllnessMap::load(None).unwrap();
        assert_eq!(
            map.of_case("", "", "糖尿病、高血压病"),
            ["糖尿病", "高血压"]
        );
        for other in ["无高血压", "无 高血压", "糖尿病 高血压"] {
            assert_eq!(map.of_case("", "", other), [""; 0], "{other}");
        }
        assert_eq!(
            map.of_case("", "", "2 型糖尿病\n高血压病"),
            ["糖尿病", "高血压"]
        );
        assert_eq!(
            map.of_case("", "J00", "高血压"),
            [""; 0],
            "the code says what is meant"
        );
        assert_eq!(map.of_case("C50", "I10", ""), ["恶性肿瘤", "高血压"]);
        assert_eq!(map.of_case("C50", "C50", "癌症"), ["恶性肿瘤"]);
    }

    #[test]
    fn a_name_may_hold_what_separates_names() {
        let map = IllnessMap::parse(
            "source = \"s\"\nversion = \"1\"\n\
             [[category]]\nname = \"肝硬化/肝衰竭\"\ncodes = []\nnames = [\"肝硬化\"]\n\
             [[category]]\nname = \"冠心病、心梗 + 支架*\"\ncodes = []\n\
             [[category]]\nname = \"高血压\"\ncodes = []\n",
        )
        .unwrap();
        let (liver, heart) = ("肝硬化/肝衰竭", "冠心病、心梗 + 支架*");
        for (list, categories) in [
            (liver, vec![liver]),
            ("肝硬化／肝衰竭", vec![liver]),
            ("肝硬化", vec![liver]),
            (heart, vec![heart]),
            ("高血压、肝硬化/肝衰竭；肝硬化", vec![liver, "高血压"]),
            ("肝硬化/高血压", vec![liver, "高血压"]),
            ("肝衰竭", vec![]),
        ] {
            assert_eq!(map.of_names(list), categories, "{list}");
        }
        assert_eq!(
            map.of_known_names("高血压/肝硬化"),
            Ok(vec![liver, "高血压"])
        );
        let fault = |list| map.of_known_names(list).unwrap_err();
        assert_eq!(
            fault("高血压、 肝衰竭 "),
            NoNames {
                unknown: vec!["肝衰竭"],
                are_all: false,
            }
        );
        assert!(fault("肝衰竭、无 高血压").are_all);
    }

    #[test]
    fn a_table_that_is_wrong_says_where() {
        let table = |rows: &str| {
            IllnessMap::parse(&format!("source = \"s\"\nversion = \"1\"\n{rows}"))
                .map(|map| map.categories.len())
                .map_err(|fault| fault.to_string())
        };
        let row = |name: &str, codes: &str| {
            format!("[[category]]\nname = \"{name}\"\ncodes = [{codes}]\n")
        };
        assert_eq!(table(&row("瘤", "\"C00-D48\"")), Ok(1));
        for code in ["C97-C00", "C00-C97.1", "C", "1", "", "C00-"] {
            let fault = table(&row("瘤", &format!("\"{code}\""))).unwrap_err();
            assert!(fault.contains("瘤") && fault.contains(code), "{fault}");
        }
        let twice = format!("{}{}", row("瘤", ""), row("瘤", ""));
        assert!(table(&twice).unwrap_err().contains("出现两次"));
        assert!(table("").is_err() && table("category = []").is_err());
        assert!(table("[[category]]\nname = \"瘤\"\ncode = []\n").is_err());
        let lost = IllnessMap::load(Some(Path::new("/nowhere/map.toml"))).unwrap_err();
        assert!(lost.to_string().contains("/nowhere/map.toml"));
    }
}
