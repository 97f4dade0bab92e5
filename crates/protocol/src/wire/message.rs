//! The one declaration that a message is read, written and documented by.
//!
//! How each kind of member is read stands in `member`; the parts of the macro in `object`.

use std::fmt;

use serde::de::Deserializer;
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize};

use super::dictionary::Entry;
use super::fault::FieldFault;

/// A business message or a part of one.
pub trait Message: Sized + Serialize + for<'de> Deserialize<'de> {
    /// Its members in the order of the specification.
    const FIELDS: &'static [Field];
}

/// What the interface documents say of one member.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// 参数代码, as on the wire.
    pub code: &'static str,
    /// 参数名称.
    pub name: &'static str,
    /// 必填.
    pub required: bool,
    /// 参数类型 and 最大长度.
    pub kind: Kind,
    /// 说明, one line each.
    pub notes: &'static [&'static str],
}

/// The type of a member.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// A string of at most `max` characters.
    Text {
        /// 最大长度.
        max: usize,
    },
    /// A string that writes yuan with at most two decimals.
    Amount {
        /// 最大长度.
        max: usize,
    },
    /// A string `yyyy-MM-dd HH:mm:ss`.
    LocalTime,
    /// A string that is an `http` or `https` address.
    WebAddress {
        /// 最大长度.
        max: usize,
    },
    /// A string that is one of the listed codes.
    Dictionary {
        /// The dictionary's name in Chinese.
        name: &'static str,
        /// Its codes.
        entries: &'static [Entry],
    },
    /// A JSON object of any content.
    Object,
    /// A list of parts with these members.
    List {
        /// The members of each part.
        fields: &'static [Field],
    },
}

/// A type that can be a member of a message.
pub trait Member: Sized {
    /// What the interface documents say of its type.
    const KIND: Kind;
    /// Whether it may not be left out.
    const REQUIRED: bool;

    /// Reads the value that stands at the member's key.
    ///
    /// # Errors
    /// With the Chinese explanation of what was expected.
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error>;

    /// What the member is where its key is missing; `None` where it may not be.
    fn absent() -> Option<Self>;

    /// Writes key and value; nothing where the member is absent.
    ///
    /// # Errors
    /// Those of the serializer.
    fn write<S: SerializeMap>(&self, key: &'static str, map: &mut S) -> Result<(), S::Error>;
}

/// Reads a message.
///
/// # Errors
/// The first member that is not as it should be, with its path.
pub fn read<M: Message>(json: &str) -> Result<M, FieldFault> {
    // Tracking the path costs allocations at every key, so only messages that fail pay for it.
    serde_json::from_str(json).map_err(|_| explain::<M>(json))
}

/// Writes a message as compact JSON.
#[must_use]
pub fn write<M: Message>(message: &M) -> String {
    #[expect(
        clippy::expect_used,
        reason = "string keys and values written to memory have no way to fail"
    )]
    serde_json::to_string(message).expect("a message can be written")
}

/// An error at the member being read, with the explanation for the caller.
pub fn member_fault<E: serde::de::Error>(expected: impl fmt::Display) -> E {
    E::custom(format_args!("{MARK}{expected}"))
}

/// An error at the member being read, where nothing stands in it.
pub(super) fn absent_fault<E: serde::de::Error>(expected: impl fmt::Display) -> E {
    E::custom(format_args!("{MARK}{ABSENT}{expected}"))
}

/// An error at a member that is not there.
pub(super) fn missing_fault<E: serde::de::Error>(code: &str) -> E {
    E::custom(format_args!("{MARK}{code}{MARK}{ABSENT}不可缺少"))
}

/// An error at a member that is named because none of its value is being read.
pub(super) fn named_fault<E: serde::de::Error>(code: &str, expected: &str) -> E {
    E::custom(format_args!("{MARK}{code}{MARK}{expected}"))
}

/// The name on the wire of a member with this name in Rust.
#[doc(hidden)]
pub const fn member_name(name: &'static str) -> &'static str {
    match name.as_bytes() {
        [b'r', b'#', rest @ ..] => match std::str::from_utf8(rest) {
            Ok(name) => name,
            Err(_) => name,
        },
        _ => name,
    }
}

/// Sets our own explanations apart from the parser's in an error text; no explanation holds it.
const MARK: char = '\u{1}';
/// Begins an explanation of ours about a member in which nothing stands.
const ABSENT: char = '\u{2}';

/// Longer than any path that a specification has.
const MAX_PATH: usize = 100;

fn explain<M: Message>(json: &str) -> FieldFault {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    match serde_path_to_error::deserialize::<_, M>(&mut deserializer) {
        Ok(_) => FieldFault::new("", "JSON 之后有多余的内容"),
        Err(error) => {
            let text = error.inner().to_string();
            let path = match error.path().to_string() {
                root if root == "." => String::new(),
                // A path that long says where somebody nested without end; its start says enough.
                path => path.chars().take(MAX_PATH).collect(),
            };
            let mut parts = text.split(MARK).skip(1);
            // The parser appends " at line .. column .." to what we said.
            let ours = |path: String, text: &str| {
                let text = text.rfind(" at line ").map_or(text, |end| &text[..end]);
                match text.strip_prefix(ABSENT) {
                    Some(text) => FieldFault::absent(path, text),
                    None => FieldFault::new(path, text),
                }
            };
            match (parts.next(), parts.next()) {
                (Some(code), Some(expected)) if path.is_empty() => ours(code.to_owned(), expected),
                (Some(code), Some(expected)) => ours(format!("{path}.{code}"), expected),
                (Some(expected), None) => ours(path, expected),
                _ if text.starts_with("recursion limit") => {
                    FieldFault::new(path, "嵌套过深，最多 128 层")
                }
                _ => FieldFault::new(
                    path,
                    format!(
                        "不是合法的 JSON（第 {} 行第 {} 列附近）",
                        error.inner().line(),
                        error.inner().column()
                    ),
                ),
            }
        }
    }
}

/// Declares a message: a struct whose members keep the wire's own names, each with its Chinese
/// name as first doc line and notes for the interface documents below it. A name that Rust keeps for
/// itself is written raw (`r#type`).
#[macro_export]
macro_rules! message {
    (
        $(#[$attribute:meta])*
        $vis:vis struct $type:ident {
            $(
                #[doc = $name:literal]
                $(#[doc = $note:literal])*
                $field:ident : $member:ty,
            )*
        }
    ) => {
        $(#[$attribute])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[allow(non_snake_case, reason = "members keep the names that they have on the wire")]
        $vis struct $type {
            $(
                #[doc = $name]
                $(#[doc = ""] #[doc = $note])*
                $vis $field: $member,
            )*
        }

        impl $crate::wire::Message for $type {
            const FIELDS: &'static [$crate::wire::Field] = &[
                $(
                    $crate::wire::Field {
                        code: $crate::wire::macro_support::member_name(stringify!($field)),
                        name: $name.trim_ascii(),
                        required: <$member as $crate::wire::Member>::REQUIRED,
                        kind: <$member as $crate::wire::Member>::KIND,
                        notes: &[$( $note.trim_ascii() ),*],
                    },
                )*
            ];
        }

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use serde::ser::SerializeMap as _;
                let mut map = serializer.serialize_map(None)?;
                $( $crate::wire::Member::write(
                    &self.$field,
                    const { $crate::wire::macro_support::member_name(stringify!($field)) },
                    &mut map,
                )?; )*
                map.end()
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::wire::macro_support::deserialize(deserializer)
            }
        }

        impl $crate::wire::macro_support::ReadMembers for $type {
            #[allow(non_snake_case, reason = "members keep the names that they have on the wire")]
            fn read_members<'de, A: serde::de::MapAccess<'de>>(
                mut map: A,
            ) -> Result<Self, A::Error> {
                use $crate::wire::macro_support as support;
                $( let mut $field: Option<$member> = None; )*
                while let Some(key) = map.next_key::<support::Key<'de>>()? {
                    match key.as_str() {
                        $(
                            name if name == const { support::member_name(stringify!($field)) } => {
                                if $field.is_some() {
                                    return Err(support::doubled(const { support::member_name(stringify!($field)) }));
                                }
                                $field = Some(map.next_value_seed(support::Seed::new())?);
                            }
                        )*
                        _ => {
                            map.next_value::<serde::de::IgnoredAny>()?;
                        }
                    }
                }
                Ok($type {
                    $( $field: support::finish($field, const { support::member_name(stringify!($field)) })?, )*
                })
            }
        }
    };
}
