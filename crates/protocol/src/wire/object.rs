//! How a whole message is read: what the code made by [`message!`](crate::message) calls.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Unexpected, Visitor};

use super::member::{StringVisitor, refuse_list, refuse_numbers, refuse_string, wrong_type};
use super::message::{Member, missing_fault, named_fault};

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
    slot.or_else(T::absent).ok_or_else(|| missing_fault(code))
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
