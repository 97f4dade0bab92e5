//! Members that only this specification has.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize as _, Deserializer, IgnoredAny};
use serde::ser::SerializeMap;

use crate::wire::{Invalid, Kind, Member, Private, Scalar, Text};

/// 出生日期 as this specification carries it: 10 characters, `yyyy-MM-dd`.
pub type Birthday = Private<Text<10>>;

/// The largest photograph, in characters of base64.
const MOST_PHOTO: usize = 100 << 10;

/// 人脸照片: base64, at most 100 kB. It is checked and passed on, and kept nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct Photo(String);

impl Scalar for Photo {
    const KIND: Kind = Kind::Text { max: MOST_PHOTO };

    fn parse(text: &str) -> Result<Self, Invalid> {
        if text.len() > MOST_PHOTO {
            return Err(Invalid::new("照片的 base64 字符串最大 100k"));
        }
        let in_alphabet = |byte: u8| {
            byte.is_ascii_alphanumeric()
                || matches!(byte, b'+' | b'/' | b'-' | b'_' | b'=' | b'\r' | b'\n')
        };
        if text.is_empty() || !text.bytes().all(in_alphabet) {
            return Err(Invalid::new("应为 base64 字符串"));
        }
        Ok(Self(text.to_owned()))
    }

    fn render(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.0)
    }
}

impl fmt::Debug for Photo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Photo(***, {} bytes)", self.0.len())
    }
}

/// A member that may be left out when it is read, and that is written as an empty string where
/// there is none, as the examples of 5.3.5.2 have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blank<T>(pub Option<T>);

impl<T: Scalar> Member for Blank<T> {
    const KIND: Kind = T::KIND;
    const REQUIRED: bool = false;

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::<T>::read(deserializer).map(Self)
    }

    fn absent() -> Option<Self> {
        Some(Self(None))
    }

    fn write<S: SerializeMap>(&self, key: &'static str, map: &mut S) -> Result<(), S::Error> {
        match &self.0 {
            Some(value) => value.write(key, map),
            None => map.serialize_entry(key, ""),
        }
    }
}

/// 扩展参数（预留字段）: whatever stands there is passed over, and an empty string is written. The
/// tables call it JSON and characters at once, so neither an object nor a string is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reserved;

impl Member for Reserved {
    const KIND: Kind = Kind::Object;
    const REQUIRED: bool = false;

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Self)
    }

    fn absent() -> Option<Self> {
        Some(Self)
    }

    fn write<S: SerializeMap>(&self, key: &'static str, map: &mut S) -> Result<(), S::Error> {
        map.serialize_entry(key, "")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_photograph_is_base64_of_at_most_100_k() {
        assert!(Photo::parse(&"A".repeat(MOST_PHOTO)).is_ok());
        for (text, said) in [
            ("A".repeat(MOST_PHOTO + 1), "100k"),
            ("照片".to_owned(), "base64"),
            (String::new(), "base64"),
        ] {
            assert!(Photo::parse(&text).unwrap_err().0.contains(said));
        }
        assert!(!format!("{:?}", Photo::parse("QUJD").unwrap()).contains("QUJD"));
    }
}
