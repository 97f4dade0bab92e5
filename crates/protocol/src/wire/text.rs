//! Text of bounded length.

use std::borrow::Cow;

use super::message::Kind;
use super::scalar::{Invalid, Scalar};

/// Text of 1 to `MAX` Unicode characters without control characters.
///
/// The guide's 最大长度 is counted in characters: a name of twenty Han characters fits in 20.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Text<const MAX: usize>(String);

impl<const MAX: usize> Text<MAX> {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As many characters of `text` as fit, control characters left out; for our own messages,
    /// which must not fail for their length. `None` where nothing is left.
    #[must_use]
    pub fn truncated(text: &str) -> Option<Self> {
        let kept: String = text.chars().filter(|c| !c.is_control()).take(MAX).collect();
        (!kept.trim().is_empty()).then_some(Self(kept))
    }
}

impl<const MAX: usize> Scalar for Text<MAX> {
    const KIND: Kind = Kind::Text { max: MAX };

    fn parse(text: &str) -> Result<Self, Invalid> {
        if text.trim().is_empty() {
            return Err(Invalid::new("不可为空"));
        }
        // The byte length bounds the count of characters, so most texts need no counting.
        if text.len() > MAX {
            let length = text.chars().count();
            if length > MAX {
                return Err(Invalid(format!("最多 {MAX} 个字符，实际 {length} 个")));
            }
        }
        if text.chars().any(char::is_control) {
            return Err(Invalid::new("不可含控制字符（如换行、制表符、NUL）"));
        }
        Ok(Self(text.to_owned()))
    }

    fn render(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.0)
    }
}

impl<const MAX: usize> AsRef<str> for Text<MAX> {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_are_counted_not_bytes() {
        assert!(Text::<2>::parse("张三").is_ok());
        assert!(Text::<2>::parse("𠮷𠮷").is_ok());
        assert_eq!(
            Text::<2>::parse("张三丰"),
            Err(Invalid::new("最多 2 个字符，实际 3 个"))
        );
    }

    #[test]
    fn blank_and_control_characters_are_refused() {
        for text in ["", "  ", "\u{3000}", "a\0b", "a\nb", "\u{7f}"] {
            assert!(Text::<9>::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn our_own_messages_are_cut_to_fit() {
        assert_eq!(
            Text::<3>::truncated("一\n二三四").unwrap().as_str(),
            "一二三"
        );
        assert_eq!(Text::<3>::truncated("\n"), None);
    }
}
