//! The one declaration that a message is read, written and documented by.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Unexpected, Visitor};
use serde::ser::{SerializeMap, SerializeSeq, Serializer};
use serde::{Deserialize, Serialize};

use super::dictionary::Entry;
use super::fault::FieldFault;
use super::scalar::Scalar;

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

/// An error at a member that is named because none of its value is being read.
fn named_fault<E: serde::de::Error>(code: &str, expected: &str) -> E {
    E::custom(format_args!("{MARK}{code}{MARK}{expected}"))
}

/// Sets our own explanations apart from the parser's in an error text; no explanation holds it.
const MARK: char = '\u{1}';

fn explain<M: Message>(json: &str) -> FieldFault {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    match serde_path_to_error::deserialize::<_, M>(&mut deserializer) {
        Ok(_) => FieldFault::new("", "JSON 之后有多余的内容"),
        Err(error) => {
            let path = match error.path().to_string() {
                root if root == "." => String::new(),
                path => path,
            };
            let text = error.inner().to_string();
            let mut parts = text.split(MARK).skip(1);
            // The parser appends " at line .. column .." to what we said.
            let ours = |text: &str| {
                text.rfind(" at line ")
                    .map_or(text, |end| &text[..end])
                    .to_owned()
            };
            match (parts.next(), parts.next()) {
                (Some(code), Some(expected)) if path.is_empty() => {
                    FieldFault::new(code, ours(expected))
                }
                (Some(code), Some(expected)) => {
                    FieldFault::new(format!("{path}.{code}"), ours(expected))
                }
                (Some(expected), None) => FieldFault::new(path, ours(expected)),
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

// ---- what every reader says to a JSON type that it does not take ----

macro_rules! refuse_numbers {
    ($expected:literal) => {
        fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Self::Value, E> {
            Err(wrong_type($expected, &Unexpected::Bool(value)))
        }

        fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Self::Value, E> {
            Err(wrong_type($expected, &Unexpected::Signed(value)))
        }

        fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Self::Value, E> {
            Err(wrong_type($expected, &Unexpected::Unsigned(value)))
        }

        fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Self::Value, E> {
            Err(wrong_type($expected, &Unexpected::Float(value)))
        }
    };
}

macro_rules! refuse_string {
    ($expected:literal) => {
        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
            Err(wrong_type($expected, &Unexpected::Str(text)))
        }
    };
}

macro_rules! refuse_list {
    ($expected:literal) => {
        fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Self::Value, A::Error> {
            Err(wrong_type($expected, &Unexpected::Seq))
        }
    };
}

macro_rules! refuse_object {
    ($expected:literal) => {
        fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<Self::Value, A::Error> {
            Err(wrong_type($expected, &Unexpected::Map))
        }
    };
}

fn wrong_type<E: serde::de::Error>(expected: &str, found: &Unexpected<'_>) -> E {
    let found = match found {
        Unexpected::Bool(_) => "布尔值",
        Unexpected::Signed(_) | Unexpected::Unsigned(_) | Unexpected::Float(_) => "数字",
        Unexpected::Str(_) => "字符串",
        Unexpected::Seq => "数组",
        Unexpected::Map => "对象",
        _ => "null",
    };
    member_fault(format_args!("应为{expected}，实际为{found}"))
}

// ---- strings ----

impl<T: Scalar> Member for T {
    const KIND: Kind = T::KIND;
    const REQUIRED: bool = true;

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StringVisitor)?.map_or_else(
            || Err(member_fault("不可为 null")),
            |text| T::parse(&text.0).map_err(|invalid| member_fault(invalid.0)),
        )
    }

    fn absent() -> Option<Self> {
        None
    }

    fn write<S: SerializeMap>(&self, key: &'static str, map: &mut S) -> Result<(), S::Error> {
        map.serialize_entry(key, &*self.render())
    }
}

/// Absent, null and the empty string all mean that there is none.
impl<T: Scalar> Member for Option<T> {
    const KIND: Kind = T::KIND;
    const REQUIRED: bool = false;

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match deserializer.deserialize_any(StringVisitor)? {
            Some(text) if !text.0.is_empty() => T::parse(&text.0)
                .map(Some)
                .map_err(|invalid| member_fault(invalid.0)),
            _ => Ok(None),
        }
    }

    fn absent() -> Option<Self> {
        Some(None)
    }

    fn write<S: SerializeMap>(&self, key: &'static str, map: &mut S) -> Result<(), S::Error> {
        match self {
            Some(value) => value.write(key, map),
            None => Ok(()),
        }
    }
}

/// A member that must be there but may be the empty string: `""` is written where there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrEmpty<T>(pub Option<T>);

impl<T: Scalar> Member for OrEmpty<T> {
    const KIND: Kind = T::KIND;
    const REQUIRED: bool = true;

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::<T>::read(deserializer).map(Self)
    }

    fn absent() -> Option<Self> {
        None
    }

    fn write<S: SerializeMap>(&self, key: &'static str, map: &mut S) -> Result<(), S::Error> {
        match &self.0 {
            Some(value) => value.write(key, map),
            None => map.serialize_entry(key, ""),
        }
    }
}

struct WireString<'de>(Cow<'de, str>);

struct StringVisitor;

impl<'de> Visitor<'de> for StringVisitor {
    type Value = Option<WireString<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E: serde::de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Some(WireString(text.into())))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Some(WireString(text.to_owned().into())))
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    refuse_numbers!("字符串");
    refuse_list!("字符串");
    refuse_object!("字符串");
}

// ---- lists ----

impl<M: Message> Member for Vec<M> {
    const KIND: Kind = Kind::List { fields: M::FIELDS };
    const REQUIRED: bool = true;

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer
            .deserialize_any(ListVisitor(PhantomData))?
            .ok_or_else(|| member_fault("不可为 null"))
    }

    fn absent() -> Option<Self> {
        None
    }

    fn write<S: SerializeMap>(&self, key: &'static str, map: &mut S) -> Result<(), S::Error> {
        map.serialize_entry(key, &Rows(self))
    }
}

impl<M: Message> Member for Option<Vec<M>> {
    const KIND: Kind = Kind::List { fields: M::FIELDS };
    const REQUIRED: bool = false;

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ListVisitor(PhantomData))
    }

    fn absent() -> Option<Self> {
        Some(None)
    }

    fn write<S: SerializeMap>(&self, key: &'static str, map: &mut S) -> Result<(), S::Error> {
        match self {
            Some(list) => list.write(key, map),
            None => Ok(()),
        }
    }
}

struct Rows<'a, M>(&'a [M]);

impl<M: Message> Serialize for Rows<'_, M> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut rows = serializer.serialize_seq(Some(self.0.len()))?;
        for row in self.0 {
            rows.serialize_element(row)?;
        }
        rows.end()
    }
}

struct ListVisitor<M>(PhantomData<M>);

impl<'de, M: Message> Visitor<'de> for ListVisitor<M> {
    type Value = Option<Vec<M>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while let Some(row) = rows.next_element()? {
            list.push(row);
        }
        Ok(Some(list))
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    refuse_numbers!("数组");
    refuse_string!("数组");
    refuse_object!("数组");
}

/// Hands a member's own reader to the parser.
#[doc(hidden)]
#[derive(Debug)]
pub struct Seed<T>(PhantomData<T>);

impl<T> Seed<T> {
    /// For this member.
    #[must_use]
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T> Default for Seed<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'de, T: Member> DeserializeSeed<'de> for Seed<T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        T::read(deserializer)
    }
}

/// Finishes a slot of a message being read.
#[doc(hidden)]
pub fn finish<T: Member, E: serde::de::Error>(slot: Option<T>, code: &str) -> Result<T, E> {
    slot.or_else(T::absent)
        .ok_or_else(|| named_fault(code, "不可缺少"))
}

/// The error of a member that came twice.
#[doc(hidden)]
pub fn doubled<E: serde::de::Error>(code: &str) -> E {
    named_fault(code, "重复出现")
}

/// Reads the members of a message one by one; made by the macro.
#[doc(hidden)]
pub trait ReadMembers: Sized {
    /// Reads to the end of the object.
    ///
    /// # Errors
    /// The first member that is not as it should be.
    fn read_members<'de, A: MapAccess<'de>>(map: A) -> Result<Self, A::Error>;
}

/// Reads a whole message through its [`ReadMembers`].
#[doc(hidden)]
pub fn deserialize<'de, M: ReadMembers, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<M, D::Error> {
    deserializer.deserialize_any(ObjectVisitor(PhantomData))
}

struct ObjectVisitor<M>(PhantomData<M>);

impl<'de, M: ReadMembers> Visitor<'de> for ObjectVisitor<M> {
    type Value = M;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<M, A::Error> {
        M::read_members(map)
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<M, E> {
        Err(wrong_type("对象", &Unexpected::Unit))
    }

    refuse_numbers!("对象");
    refuse_string!("对象");
    refuse_list!("对象");
}

/// A member's key, borrowed from the message where it has no escapes.
#[doc(hidden)]
#[derive(Debug)]
pub struct Key<'de>(Cow<'de, str>);

impl Key<'_> {
    /// The key.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Key<'de> {
    /// The key, borrowed for as long as the message lives.
    #[must_use]
    pub fn into_text(self) -> Cow<'de, str> {
        self.0
    }
}

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = deserializer.deserialize_str(StringVisitor)?;
        Ok(Self(text.map(|text| text.0).unwrap_or_default()))
    }
}

/// Declares a message: a struct whose members keep the wire's own names, each with its Chinese
/// name as first doc line and notes for the interface documents below it.
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
                        code: stringify!($field),
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
                $( $crate::wire::Member::write(&self.$field, stringify!($field), &mut map)?; )*
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
                            stringify!($field) => {
                                if $field.is_some() {
                                    return Err(support::doubled(stringify!($field)));
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
                    $( $field: support::finish($field, stringify!($field))?, )*
                })
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::super::{Amount, ExtData, Private, Text};
    use super::*;

    message! {
        /// A message of the tests.
        struct Order {
            /// 机构 id
            orgId: Text<12>,
            /// 姓名
            /// May be empty.
            userName: Option<Private<Text<4>>>,
            /// 列表
            list: Vec<Line>,
            /// 扩展参数
            extData: Option<ExtData>,
        }
    }

    message! {
        /// A part of it.
        struct Line {
            /// 金额
            amount: Amount,
        }
    }

    #[test]
    fn a_message_is_read_and_written() {
        let json =
            r#"{"orgId":"H1","userName":"","unknown":[1,{"a":2}],"list":[{"amount":"1.5"}]}"#;
        let order: Order = read(json).unwrap();
        assert_eq!(order.userName, None);
        assert_eq!(
            write(&order),
            r#"{"orgId":"H1","list":[{"amount":"1.50"}]}"#
        );
    }

    #[test]
    fn the_fault_names_the_path_and_what_was_expected() {
        for (json, path, expected) in [
            (r#"{"list":[]}"#, "orgId", "不可缺少"),
            (r#"{"orgId":"","list":[]}"#, "orgId", "不可为空"),
            (r#"{"orgId":null,"list":[]}"#, "orgId", "不可为 null"),
            (
                r#"{"orgId":5,"list":[]}"#,
                "orgId",
                "应为字符串，实际为数字",
            ),
            (
                r#"{"orgId":["a"],"list":[]}"#,
                "orgId",
                "应为字符串，实际为数组",
            ),
            (
                r#"{"orgId":"a","orgId":"b","list":[]}"#,
                "orgId",
                "重复出现",
            ),
            (r#"{"orgId":"a","list":{}}"#, "list", "应为数组，实际为对象"),
            (r#"{"orgId":"a","list":null}"#, "list", "不可为 null"),
            (
                r#"{"orgId":"a","list":[5]}"#,
                "list[0]",
                "应为对象，实际为数字",
            ),
            (
                r#"{"orgId":"a","list":[{"amount":"1"},{}]}"#,
                "list[1].amount",
                "不可缺少",
            ),
            (
                r#"{"orgId":"a","list":[{"amount":"1"},{"amount":1}]}"#,
                "list[1].amount",
                "应为字符串，实际为数字",
            ),
            (
                r#"{"orgId":"a","list":[],"extData":[]}"#,
                "extData",
                "应为 JSON 对象",
            ),
            (
                r#"{"orgId":"a","list":[],"userName":"一二三四五"}"#,
                "userName",
                "最多 4 个字符，实际 5 个",
            ),
            ("[]", "", "应为对象，实际为数组"),
            ("{} {}", "orgId", "不可缺少"),
        ] {
            let fault = read::<Order>(json).unwrap_err();
            assert_eq!((&*fault.path, &*fault.expected), (path, expected), "{json}");
        }
    }

    #[test]
    fn broken_json_says_where() {
        for json in [r#"{"orgId":"a""#, "", "nonsense", r#"{"orgId":"a",}"#] {
            let fault = read::<Order>(json).unwrap_err();
            assert!(fault.expected.contains("不是合法的 JSON"), "{fault}");
        }
        let whole = r#"{"orgId":"a","list":[]} tail"#;
        assert!(read::<Order>(whole).unwrap_err().expected.contains("多余"));
        // Members nobody asked for are skipped without recursion, however deep they go.
        let deep = format!(
            r#"{{"orgId":"a","list":[],"x":{}1{}}}"#,
            "[".repeat(100_000),
            "]".repeat(100_000)
        );
        assert!(read::<Order>(&deep).is_ok());
        let deep = format!(
            r#"{{"orgId":"a","list":[],"extData":{}1{}}}"#,
            "[".repeat(100_000),
            "]".repeat(100_000)
        );
        assert!(
            read::<Order>(&deep)
                .unwrap_err()
                .expected
                .contains("不是合法的 JSON")
        );
    }

    #[test]
    fn the_declaration_documents_itself() {
        let name = &Order::FIELDS[1];
        assert_eq!(
            (name.code, name.name, name.required),
            ("userName", "姓名", false)
        );
        assert_eq!(name.notes, ["May be empty."]);
        assert!(matches!(name.kind, Kind::Text { max: 4 }));
        assert!(matches!(Order::FIELDS[2].kind, Kind::List { fields: [_] }));
    }

    #[test]
    fn persons_do_not_show_in_debug() {
        let order: Order = read(r#"{"orgId":"a","userName":"张三","list":[]}"#).unwrap();
        assert!(!format!("{order:?}").contains("张三"));
    }
}
