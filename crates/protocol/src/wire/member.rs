//! How members are read and written: strings and lists.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::Serialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Unexpected, Visitor};
use serde::ser::{SerializeMap, SerializeSeq, Serializer};

use super::message::{Kind, Member, Message, absent_fault, member_fault};
use super::scalar::Scalar;

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

pub(super) use {refuse_list, refuse_numbers, refuse_string};

pub(super) fn wrong_type<E: serde::de::Error>(expected: &str, found: &Unexpected<'_>) -> E {
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
            || Err(absent_fault("不可为 null")),
            |text| {
                T::parse(&text.0).map_err(|invalid| match text.0.trim() {
                    "" => absent_fault(invalid.0),
                    _ => member_fault(invalid.0),
                })
            },
        )
    }

    fn absent() -> Option<Self> {
        None
    }

    fn write<S: SerializeMap>(&self, key: &'static str, map: &mut S) -> Result<(), S::Error> {
        map.serialize_entry(key, &*self.render())
    }
}

/// Absent, null and blank text all mean that there is none.
impl<T: Scalar> Member for Option<T> {
    const KIND: Kind = T::KIND;
    const REQUIRED: bool = false;

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match deserializer.deserialize_any(StringVisitor)? {
            Some(text) if !text.0.trim().is_empty() => T::parse(&text.0)
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

pub(super) struct WireString<'de>(pub(super) Cow<'de, str>);

pub(super) struct StringVisitor;

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
            .ok_or_else(|| absent_fault("不可为 null"))
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
