//! A message as it stands on the wire, its members still as written.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::wire::FieldFault;

/// The members of a message, parsed no further than the signature needs.
#[derive(Debug)]
pub struct Envelope<'a> {
    members: Vec<(Cow<'a, str>, MemberText<'a>)>,
}

/// A member's value as it is signed: a string without its quotes, anything else byte for byte.
#[derive(Debug)]
struct MemberText<'a> {
    text: Cow<'a, str>,
    is_string: bool,
}

impl<'a> Envelope<'a> {
    /// Reads the outer JSON object. Members that are null count as absent.
    ///
    /// # Errors
    /// Where the bytes are no UTF-8, no JSON object, or name a member twice.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, FieldFault> {
        let text = std::str::from_utf8(bytes)
            .map_err(|_| FieldFault::new("", "报文不是 UTF-8 编码（请检查是否误用了 GBK）"))?;
        let Members(members) = serde_json::from_str(text).map_err(|error| {
            let said = error.to_string();
            match said.strip_prefix(TWICE) {
                Some(rest) => FieldFault::new(
                    rest.split(" at line ").next().unwrap_or_default(),
                    "重复出现",
                ),
                None => FieldFault::new(
                    "",
                    format!(
                        "报文不是 JSON 对象（第 {} 行第 {} 列附近）",
                        error.line(),
                        error.column()
                    ),
                ),
            }
        })?;
        Ok(Self { members })
    }

    /// The text of this member, if it is there and not null.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.members
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| &*value.text)
    }

    /// The member's text where it is a JSON object or a string, the two forms of plain business
    /// data; `None` where it is absent or empty.
    pub(in crate::envelope) fn business(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|text| !text.is_empty())
    }

    /// Whether the member is there and a JSON string.
    #[must_use]
    pub fn is_string(&self, name: &str) -> bool {
        self.members
            .iter()
            .any(|(known, value)| known == name && value.is_string)
    }

    /// A member that must be a string or a number and not empty.
    ///
    /// # Errors
    /// Where it is absent, empty, or of another JSON type.
    pub fn required(&self, name: &'static str) -> Result<&str, FieldFault> {
        let (_, value) = self
            .members
            .iter()
            .find(|(known, _)| known == name)
            .ok_or_else(|| FieldFault::new(name, "不可缺少"))?;
        if value.text.is_empty() {
            return Err(FieldFault::new(name, "不可为空"));
        }
        let number = value
            .text
            .starts_with(|c: char| c == '-' || c.is_ascii_digit());
        if value.is_string || number {
            Ok(&value.text)
        } else {
            Err(FieldFault::new(name, "应为字符串"))
        }
    }

    /// Every member with its text, in the order of the message.
    pub fn members(&self) -> impl Iterator<Item = (&str, &str)> {
        self.members
            .iter()
            .map(|(name, value)| (&**name, &*value.text))
    }
}

/// Marks the one error of our own among the parser's.
const TWICE: &str = "member twice: ";

struct Members<'a>(Vec<(Cow<'a, str>, MemberText<'a>)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;

        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members: Vec<(Cow<'de, str>, MemberText<'de>)> = Vec::with_capacity(10);
                let mut names_seen = 0_usize;
                while let Some(key) = map.next_key::<crate::wire::macro_support::Key<'de>>()? {
                    let name = key.into_text();
                    names_seen += 1;
                    // Every envelope of the three specifications has fewer than a dozen members.
                    if names_seen > 64 {
                        return Err(serde::de::Error::custom("too many members"));
                    }
                    if members.iter().any(|(known, _)| *known == name) {
                        return Err(serde::de::Error::custom(format_args!("{TWICE}{name}")));
                    }
                    let raw: &'de RawValue = map.next_value()?;
                    if let Some(text) = member_text(raw) {
                        members.push((name, text));
                    }
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(MembersVisitor)
    }
}

fn member_text(raw: &RawValue) -> Option<MemberText<'_>> {
    let json = raw.get();
    if json == "null" {
        return None;
    }
    let Some(inner) = json
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
    else {
        return Some(MemberText {
            text: Cow::Borrowed(json),
            is_string: false,
        });
    };
    let text = if inner.contains('\\') {
        // The parser has already accepted the string, so this can't fail on its escapes.
        Cow::Owned(serde_json::from_str(json).ok()?)
    } else {
        Cow::Borrowed(inner)
    };
    Some(MemberText {
        text,
        is_string: true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_stand_as_they_were_written() {
        let bytes = br#"{"appId":"a\u0062","timestamp":163,"data": {"b" : 1},"x":null}"#;
        let envelope = Envelope::parse(bytes).unwrap();
        assert_eq!(envelope.get("appId"), Some("ab"));
        assert_eq!(envelope.required("timestamp"), Ok("163"));
        assert_eq!(envelope.business("data"), Some(r#"{"b" : 1}"#));
        assert_eq!(envelope.get("x"), None);
        assert_eq!(
            envelope.required("data").unwrap_err().expected,
            "应为字符串"
        );
    }

    #[test]
    fn what_is_no_envelope_is_refused() {
        for (bytes, path) in [
            (&b"\xc4\xe3"[..], ""),
            (b"[]", ""),
            (b"", ""),
            (b"{\"appId\":\"a\"", ""),
            (b"{\"appId\":\"a\",\"appId\":\"a\"}", "appId"),
            (b"{\"appId\":\"\\ud800\"}", ""),
        ] {
            let refused = Envelope::parse(bytes);
            match refused {
                Err(fault) => assert_eq!(fault.path, path),
                // A lone surrogate is no character: the member counts as absent.
                Ok(envelope) => assert_eq!(envelope.get("appId"), None),
            }
        }
    }
}
