//! 扩展参数: whatever else two parties agreed on.

use std::fmt;

use serde::de::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::message::{Kind, Member, member_fault};

/// A JSON object of any content (扩展参数 extData). `Debug` shows its keys only.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct ExtData(pub Map<String, Value>);

impl Member for Option<ExtData> {
    const KIND: Kind = Kind::Object;
    const REQUIRED: bool = false;

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Null => Ok(None),
            Value::Object(map) => Ok(Some(ExtData(map))),
            // Several languages write an absent object as an empty string.
            Value::String(text) if text.is_empty() => Ok(None),
            _ => Err(member_fault("应为 JSON 对象")),
        }
    }

    fn absent() -> Option<Self> {
        Some(None)
    }

    fn write<S: serde::ser::SerializeMap>(
        &self,
        key: &'static str,
        map: &mut S,
    ) -> Result<(), S::Error> {
        match self {
            Some(data) => map.serialize_entry(key, &data.0),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for ExtData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
