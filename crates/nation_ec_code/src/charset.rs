//! The two charsets of HIS programs, and texts that survive both of them.

use std::borrow::Cow;

use encoding_rs::GB18030;

use crate::fault::{Code, Fault};

/// 字符编码 of `InData`, `OutData` and the returned text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Charset {
    /// What the standard asks for (4.1).
    #[default]
    Gb18030,
    /// For programs that know nothing else.
    Utf8,
}

impl Charset {
    /// The text of these bytes.
    ///
    /// # Errors
    /// Where they are no text in this charset; the fault names the other one where it would fit.
    pub fn decode(self, bytes: &[u8]) -> Result<Cow<'_, str>, Fault> {
        let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
        let utf8 = std::str::from_utf8(bytes).ok();
        let gb18030 = || GB18030.decode_without_bom_handling_and_without_replacement(bytes);
        let (read, other, fits) = match self {
            Self::Gb18030 => (gb18030(), "utf-8", utf8.is_some()),
            Self::Utf8 => (
                utf8.map(Cow::Borrowed),
                "gb18030",
                utf8.is_none() && gb18030().is_some(),
            ),
        };
        read.ok_or_else(|| {
            let hint = if fits {
                format!(
                    "，看起来是 {other}：请改正调用程序的编码，或在设置中写 encoding = \"{other}\""
                )
            } else {
                String::new()
            };
            Fault::new(
                Code::Parameter,
                format!("文本不是 {} 编码{hint}", self.name()),
            )
        })
    }

    /// The bytes of this text. What GB18030 has no code for becomes `?`; escaped texts have no such
    /// letter.
    #[must_use]
    pub fn encode(self, text: &str) -> Vec<u8> {
        match self {
            Self::Gb18030 => GB18030.encode(text).0.into_owned(),
            Self::Utf8 => text.as_bytes().to_vec(),
        }
    }

    /// As settings write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gb18030 => "gb18030",
            Self::Utf8 => "utf-8",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_other_charset_is_named_where_it_would_fit() {
        let gbk = Charset::Gb18030.encode("榕树医院内科");
        let said = Charset::Utf8.decode(&gbk).unwrap_err().to_string();
        assert!(said.contains("encoding = \"gb18030\""), "{said}");
        let said = Charset::Gb18030
            .decode("内科x".as_bytes())
            .map(|text| text.into_owned());
        // Some UTF-8 happens to be GB18030 too; what is not is told.
        if let Err(fault) = said {
            assert!(fault.to_string().contains("utf-8"));
        }
        let said = Charset::Gb18030
            .decode("\"内\"".as_bytes())
            .unwrap_err()
            .to_string();
        assert!(said.contains("encoding = \"utf-8\""), "{said}");
    }
}
