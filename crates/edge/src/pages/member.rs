//! A member of a request or an answer, as the pages explain it.

use banyan_protocol::wire::{Entry, Field, Kind};

/// A member.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) code: &'static str,
    pub(super) name: &'static str,
    pub(super) is_required: bool,
    pub(super) shape: Shape,
    pub(super) note: String,
}

/// What stands there.
#[derive(Debug, Clone)]
pub(super) enum Shape {
    /// A string.
    Text { max: Option<usize> },
    /// A string that writes yuan.
    Amount { max: usize },
    /// A string `yyyy-MM-dd HH:mm:ss`.
    LocalTime,
    /// A string that is an address.
    WebAddress { max: usize },
    /// `true` or `false`.
    Truth,
    /// A whole number.
    Whole,
    /// A string that is one of these codes.
    Dictionary {
        name: &'static str,
        entries: &'static [Entry],
    },
    /// An object of any content.
    Object,
    /// A list of objects with these members.
    List(Vec<Member>),
    /// A list of strings.
    Texts,
}

/// The members of a message.
pub(super) fn members(fields: &[Field]) -> Vec<Member> {
    fields.iter().map(Member::of).collect()
}

impl Member {
    fn of(field: &Field) -> Self {
        Self {
            code: field.code,
            name: field.name,
            is_required: field.required,
            shape: Shape::of(field.kind),
            note: field.notes.join(" "),
        }
    }

    /// A member of an answer, always there.
    pub(super) const fn new(code: &'static str, name: &'static str, shape: Shape) -> Self {
        Self {
            code,
            name,
            is_required: true,
            shape,
            note: String::new(),
        }
    }

    /// A string.
    pub(super) const fn text(code: &'static str, name: &'static str) -> Self {
        Self::new(code, name, Shape::Text { max: None })
    }

    /// The same, with more said of it.
    pub(super) fn note(self, note: &str) -> Self {
        Self {
            note: note.to_owned(),
            ..self
        }
    }

    /// The same, but not always there.
    pub(super) fn optional(self) -> Self {
        Self {
            is_required: false,
            ..self
        }
    }
}

impl Shape {
    fn of(kind: Kind) -> Self {
        match kind {
            Kind::Text { max } => Self::Text { max: Some(max) },
            Kind::Amount { max } => Self::Amount { max },
            Kind::LocalTime => Self::LocalTime,
            Kind::WebAddress { max } => Self::WebAddress { max },
            // How the API declares a yes or no: JSON has one of its own.
            Kind::Dictionary { entries, .. }
                if entries.iter().any(|entry| entry.code == "true") =>
            {
                Self::Truth
            }
            Kind::Dictionary { name, entries } => Self::Dictionary { name, entries },
            Kind::Object => Self::Object,
            Kind::List { fields } => Self::List(members(fields)),
        }
    }

    /// For people.
    pub(super) fn label(&self) -> String {
        match self {
            Self::Text { max: None } => "字符串".to_owned(),
            Self::Text { max: Some(max) } => format!("字符串，最多 {max} 字符"),
            Self::Amount { .. } => "字符串，人民币元，最多两位小数".to_owned(),
            Self::LocalTime => "字符串，yyyy-MM-dd HH:mm:ss".to_owned(),
            Self::WebAddress { .. } => "字符串，网址".to_owned(),
            Self::Truth => "true 或 false".to_owned(),
            Self::Whole => "整数".to_owned(),
            Self::Dictionary { name, entries } => {
                format!("字符串，{name}：{}", choices(entries))
            }
            Self::Object => "对象".to_owned(),
            Self::List(_) => "数组".to_owned(),
            Self::Texts => "字符串数组".to_owned(),
        }
    }
}

/// The codes of a dictionary with their names.
pub(super) fn choices(entries: &[Entry]) -> String {
    let entries = entries.iter();
    let entries = entries.map(|entry| format!("{} {}", entry.code, entry.name));
    entries.collect::<Vec<_>>().join("；")
}
