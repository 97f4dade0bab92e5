//! Text as an insurer said it.

use std::fmt;

use serde::de::Deserializer;
use serde::ser::SerializeMap;

use crate::wire::{Kind, Member, OrEmpty, Private, Text};

/// A member that the tables require and that partners nevertheless leave out or fill with
/// anything: any string of at most `MAX` characters, the empty one included.
///
/// `Debug` prints `***`: nearly all of them are about a person.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Said<const MAX: usize>(Option<String>);

impl<const MAX: usize> Said<MAX> {
    /// With this text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(Some(text.into()))
    }

    /// What was said; `None` where the member was missing.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        self.0.as_deref()
    }

    /// What was said, where it is more than nothing.
    #[must_use]
    pub fn filled(&self) -> Option<&str> {
        self.text().map(str::trim).filter(|text| !text.is_empty())
    }
}

/// A member that stands as a string on the wire, whatever its type: how it was said.
pub(super) trait Spoken {
    /// Its text; `None` where it was missing.
    fn spoken(&self) -> Option<&str>;
}

impl<const MAX: usize> Spoken for Said<MAX> {
    fn spoken(&self) -> Option<&str> {
        self.text()
    }
}

impl<const MAX: usize> Spoken for Text<MAX> {
    fn spoken(&self) -> Option<&str> {
        Some(self.as_str())
    }
}

impl<const MAX: usize> Spoken for Private<Text<MAX>> {
    fn spoken(&self) -> Option<&str> {
        self.expose().spoken()
    }
}

impl<T: Spoken> Spoken for Option<T> {
    fn spoken(&self) -> Option<&str> {
        self.as_ref().and_then(Spoken::spoken)
    }
}

impl<const MAX: usize> Member for Said<MAX> {
    const KIND: Kind = <Text<MAX> as Member>::KIND;
    const REQUIRED: bool = true;

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let OrEmpty(read) = OrEmpty::<Anything<MAX>>::read(deserializer)?;
        Ok(Self(Some(read.map_or_else(String::new, |text| text.0))))
    }

    fn absent() -> Option<Self> {
        Some(Self(None))
    }

    fn write<S: SerializeMap>(&self, key: &'static str, map: &mut S) -> Result<(), S::Error> {
        match &self.0 {
            Some(text) => map.serialize_entry(key, text),
            None => Ok(()),
        }
    }
}

impl<const MAX: usize> fmt::Debug for Said<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Bounded text that may hold line breaks, as reasons do.
struct Anything<const MAX: usize>(String);

impl<const MAX: usize> crate::wire::Scalar for Anything<MAX> {
    const KIND: Kind = Kind::Text { max: MAX };

    fn parse(text: &str) -> Result<Self, crate::wire::Invalid> {
        use crate::wire::Invalid;
        if text.len() > MAX {
            let length = text.chars().count();
            if length > MAX {
                return Err(Invalid(format!("最多 {MAX} 个字符，实际 {length} 个")));
            }
        }
        let other = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
        if text.chars().any(other) {
            return Err(Invalid::new("不可含控制字符（如 NUL）"));
        }
        Ok(Self(text.to_owned()))
    }

    fn render(&self) -> std::borrow::Cow<'_, str> {
        std::borrow::Cow::Borrowed(&self.0)
    }
}
