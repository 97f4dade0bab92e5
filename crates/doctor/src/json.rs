//! JSON as its maker wrote it: members in their order, numbers with their digits; and the many
//! ways in which a program may have written the same once more before it signed.

use std::fmt;
use std::fmt::Write as _;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Deeper than any message; what is deeper is not taken apart.
const DEEPEST: usize = 48;

/// A JSON value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Json {
    /// `null`, `true`, `false` or a number, as written.
    Word(String),
    Text(String),
    List(Vec<Self>),
    Object(Vec<(String, Self)>),
}

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Style {
    pub(crate) sorted: bool,
    pub(crate) left_out: LeftOut,
    pub(crate) layout: Layout,
    pub(crate) escapes: Escapes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LeftOut {
    Nothing,
    Nulls,
    Empties,
    NullsAndEmpties,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    Compact,
    /// `", "` and `": "`, as Python writes.
    Spaced,
    /// One member a line, indented by this.
    Pretty(&'static str),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Escapes {
    Least,
    /// `\/`, as PHP writes.
    Slashes,
    /// `\u5f20`
    Unicode,
    /// `\u5F20`
    UnicodeUpper,
    /// `\u003d` for `<>&='`, as Gson and Go write.
    Html,
}

impl Json {
    /// Takes the text apart; `None` where it is no JSON, or deeper than any message.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let raw: &RawValue = serde_json::from_str(text).ok()?;
        Self::of(raw, 0)
    }

    fn of(raw: &RawValue, depth: usize) -> Option<Self> {
        if depth > DEEPEST {
            return None;
        }
        let json = raw.get();
        match json.as_bytes().first()? {
            b'{' => {
                let members = serde_json::from_str::<RawMembers<'_>>(json).ok()?.0;
                let members = members.into_iter();
                members
                    .map(|(name, raw)| Some((name, Self::of(raw, depth + 1)?)))
                    .collect::<Option<_>>()
                    .map(Self::Object)
            }
            b'[' => {
                let items: Vec<&RawValue> = serde_json::from_str(json).ok()?;
                let items = items.into_iter();
                items
                    .map(|raw| Self::of(raw, depth + 1))
                    .collect::<Option<_>>()
                    .map(Self::List)
            }
            b'"' => serde_json::from_str(json).ok().map(Self::Text),
            _ => Some(Self::Word(json.to_owned())),
        }
    }

    pub(crate) fn members(&self) -> Option<&[(String, Self)]> {
        match self {
            Self::Object(members) => Some(members),
            _ => None,
        }
    }

    pub(crate) fn write(&self, style: Style) -> String {
        let mut text = String::new();
        self.write_to(&mut text, style, 0);
        text
    }

    fn is_left_out(&self, style: Style) -> bool {
        let (nulls, empties) = match style.left_out {
            LeftOut::Nothing => (false, false),
            LeftOut::Nulls => (true, false),
            LeftOut::Empties => (false, true),
            LeftOut::NullsAndEmpties => (true, true),
        };
        match self {
            Self::Word(word) => nulls && word == "null",
            Self::Text(text) => empties && text.is_empty(),
            Self::List(_) | Self::Object(_) => false,
        }
    }

    fn write_to(&self, text: &mut String, style: Style, depth: usize) {
        match self {
            Self::Word(word) => text.push_str(word),
            Self::Text(value) => write_text(text, value, style.escapes),
            Self::List(items) => {
                let items = items.iter().map(|item| (None, item));
                write_items(text, ['[', ']'], items, style, depth);
            }
            Self::Object(members) => {
                let mut members: Vec<(Option<&str>, &Self)> = members
                    .iter()
                    .filter(|(_, value)| !value.is_left_out(style))
                    .map(|(name, value)| (Some(name.as_str()), value))
                    .collect();
                if style.sorted {
                    members.sort_by_key(|(name, _)| *name);
                }
                write_items(text, ['{', '}'], members.into_iter(), style, depth);
            }
        }
    }
}

fn write_items<'a>(
    text: &mut String,
    [open, close]: [char; 2],
    items: impl Iterator<Item = (Option<&'a str>, &'a Json)>,
    style: Style,
    depth: usize,
) {
    let line = |text: &mut String, depth: usize| {
        if let Layout::Pretty(indent) = style.layout {
            text.push('\n');
            for _ in 0..depth {
                text.push_str(indent);
            }
        }
    };
    text.push(open);
    let mut any = false;
    for (name, value) in items {
        if any {
            text.push_str(if style.layout == Layout::Spaced {
                ", "
            } else {
                ","
            });
        }
        any = true;
        line(text, depth + 1);
        if let Some(name) = name {
            write_text(text, name, style.escapes);
            text.push_str(if style.layout == Layout::Compact {
                ":"
            } else {
                ": "
            });
        }
        value.write_to(text, style, depth + 1);
    }
    if any {
        line(text, depth);
    }
    text.push(close);
}

fn write_text(text: &mut String, value: &str, escapes: Escapes) {
    text.push('"');
    for c in value.chars() {
        let escaped = match c {
            '"' => Some("\\\""),
            '\\' => Some("\\\\"),
            '\n' => Some("\\n"),
            '\r' => Some("\\r"),
            '\t' => Some("\\t"),
            '/' if escapes == Escapes::Slashes => Some("\\/"),
            _ => None,
        };
        let by_number = c.is_control()
            || matches!(escapes, Escapes::Unicode | Escapes::UnicodeUpper) && !c.is_ascii()
            || escapes == Escapes::Html && matches!(c, '<' | '>' | '&' | '=' | '\'');
        match escaped {
            Some(escaped) => text.push_str(escaped),
            None if by_number => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    // Writing to a string has no way to fail.
                    let _written = if escapes == Escapes::UnicodeUpper {
                        write!(text, "\\u{unit:04X}")
                    } else {
                        write!(text, "\\u{unit:04x}")
                    };
                }
            }
            None => text.push(c),
        }
    }
    text.push('"');
}

/// An object's members in their order, each as it was written, doubled ones too.
pub(crate) struct RawMembers<'a>(pub(crate) Vec<(String, &'a RawValue)>);

/// More members than any envelope has, and than any message needs.
const MOST_MEMBERS: usize = 10_000;

impl<'de: 'a, 'a> Deserialize<'de> for RawMembers<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = RawMembers<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry::<String, &'de RawValue>()? {
                    if members.len() == MOST_MEMBERS {
                        return Err(serde::de::Error::custom("too many members"));
                    }
                    members.push(member);
                }
                Ok(RawMembers(members))
            }
        }

        deserializer.deserialize_map(Members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Style = Style {
        sorted: false,
        left_out: LeftOut::Nothing,
        layout: Layout::Compact,
        escapes: Escapes::Least,
    };

    #[test]
    fn what_was_written_is_written_again_in_every_style() {
        let text = r#"{"b":"张/=","a":[1.50,null,""],"c":null,"d":""}"#;
        let json = Json::parse(text).unwrap();
        assert_eq!(json.write(PLAIN), text);
        let style = |change: fn(&mut Style)| {
            let mut style = PLAIN;
            change(&mut style);
            json.write(style)
        };
        assert_eq!(
            style(|s| s.left_out = LeftOut::NullsAndEmpties),
            r#"{"b":"张/=","a":[1.50,null,""]}"#
        );
        assert!(style(|s| s.sorted = true).starts_with(r#"{"a":"#));
        assert!(style(|s| s.escapes = Escapes::Slashes).contains(r"张\/="));
        assert!(style(|s| s.escapes = Escapes::Unicode).contains(r"\u5f20/="));
        assert!(style(|s| s.escapes = Escapes::Html).contains(r"张/\u003d"));
        assert!(style(|s| s.layout = Layout::Spaced).contains(r#", "a": [1.50, null, ""], "#));
        assert!(style(|s| s.layout = Layout::Pretty("  ")).starts_with("{\n  \"b\": \"张/=\",\n"));
    }

    #[test]
    fn what_is_too_deep_or_no_json_is_not_taken_apart() {
        assert_eq!(Json::parse("{"), None);
        assert_eq!(Json::parse(&"[".repeat(1000)), None);
        let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
        assert_eq!(Json::parse(&deep), None);
    }
}
