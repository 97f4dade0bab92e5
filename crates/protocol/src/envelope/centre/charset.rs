//! The character set of a message: GB18030 (standard 4.1), or UTF-8 where its Content-Type says so.

use std::borrow::Cow;

use encoding_rs::{Encoding, GB18030, UTF_8};

/// The character set of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Charset {
    /// What the standard asks for.
    #[default]
    Gb18030,
    /// What newer programs speak.
    Utf8,
}

/// The bytes are no text in this character set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("报文不是 {}", .0.name())]
pub struct NotInCharset(pub Charset);

impl Charset {
    /// The one that a Content-Type names; `None` where it names none, or one that we don't speak.
    #[must_use]
    pub fn named(content_type: &str) -> Option<Self> {
        let charset = content_type.split(';').skip(1).find_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            name.trim()
                .eq_ignore_ascii_case("charset")
                .then(|| value.trim().trim_matches('"'))
        })?;
        let is = |names: &[&str]| names.iter().any(|name| name.eq_ignore_ascii_case(charset));
        if is(&["utf-8", "utf8"]) {
            Some(Self::Utf8)
        } else if is(&["gb18030", "gbk", "gb2312", "cp936"]) {
            Some(Self::Gb18030)
        } else {
            None
        }
    }

    /// Its name, as a Content-Type and people know it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gb18030 => "GB18030",
            Self::Utf8 => "UTF-8",
        }
    }

    /// The Content-Type of a message in it.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Gb18030 => "application/json; charset=GB18030",
            Self::Utf8 => "application/json; charset=utf-8",
        }
    }

    /// Reads bytes.
    ///
    /// # Errors
    /// Where they are no text in it.
    pub fn decode(self, bytes: &[u8]) -> Result<Cow<'_, str>, NotInCharset> {
        self.encoding()
            .decode_without_bom_handling_and_without_replacement(bytes)
            .ok_or(NotInCharset(self))
    }

    /// Writes text. What GB18030 has no code for becomes `?`; [`escaped`] texts have no such letter.
    #[must_use]
    pub fn encode(self, text: &str) -> Cow<'_, [u8]> {
        self.encoding().encode(text).0
    }

    const fn encoding(self) -> &'static Encoding {
        match self {
            Self::Gb18030 => GB18030,
            Self::Utf8 => UTF_8,
        }
    }
}

/// A JSON text in which every letter that GB18030 would not give back is written as `\uXXXX`.
///
/// The editions of GB18030 disagree about letters of the private use area, so one of them, sent as it
/// is, may arrive as another: the signature would not hold. In valid JSON such letters stand in
/// strings only, where the escape means the same.
#[must_use]
pub fn escaped(json: &str) -> Cow<'_, str> {
    const PRIVATE_USE: std::ops::RangeInclusive<char> = '\u{E000}'..='\u{F8FF}';
    if !json.contains(|letter| PRIVATE_USE.contains(&letter)) {
        return Cow::Borrowed(json);
    }
    let mut safe = String::with_capacity(json.len() + 16);
    for letter in json.chars() {
        if PRIVATE_USE.contains(&letter) {
            safe.push_str(&format!("\\u{:04x}", u32::from(letter)));
        } else {
            safe.push(letter);
        }
    }
    Cow::Owned(safe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_letter_comes_back_from_gb18030() {
        for letter in '\0'..=char::MAX {
            let text = letter.to_string();
            let safe = escaped(&text);
            let bytes = Charset::Gb18030.encode(&safe);
            assert_eq!(Charset::Gb18030.decode(&bytes).unwrap(), safe, "{letter:?}");
        }
    }

    #[test]
    fn an_escape_means_the_same() {
        let json = "{\"a\":\"\u{E5E5}内\u{E81E}\"}";
        let safe = escaped(json);
        assert_eq!(safe, r#"{"a":"\ue5e5内\ue81e"}"#);
        let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(read(&safe), read(json));
    }
}
