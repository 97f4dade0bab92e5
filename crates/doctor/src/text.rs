//! Base64 in the kinds that are told apart.

use banyan_protocol::crypto::base64 as tolerant;

/// How a base64 text is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Written {
    /// With `-` and `_`, or with none of the four.
    UrlSafe,
    /// With `+` or `/`.
    Standard,
}

/// The bytes of a base64 text of any kind that the platform takes.
pub(crate) fn base64(text: &str) -> Option<(Vec<u8>, Written)> {
    if text.is_empty() {
        return None;
    }
    let bytes = tolerant::decode(text).ok()?;
    let written = if text.contains(['+', '/']) {
        Written::Standard
    } else {
        Written::UrlSafe
    };
    Some((bytes, written))
}

/// The character at which two texts begin to differ, and the same place in bytes.
pub(crate) fn first_difference(a: &str, b: &str) -> Option<Difference> {
    let same = a.chars().zip(b.chars()).take_while(|(a, b)| a == b);
    let (mut chars, mut bytes) = (0, 0);
    for (c, _) in same {
        chars += 1;
        bytes += c.len_utf8();
    }
    (a.len() != bytes || b.len() != bytes).then_some(Difference { chars, bytes })
}

/// Where two texts begin to differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Difference {
    pub(crate) chars: usize,
    pub(crate) bytes: usize,
}

/// What stands around a place of a text, with `▶` before the place itself.
pub(crate) fn around(text: &str, at_chars: usize) -> String {
    const BEFORE: usize = 24;
    const AFTER: usize = 28;
    let chars: Vec<char> = text.chars().collect();
    let from = at_chars.saturating_sub(BEFORE);
    let to = chars.len().min(at_chars + AFTER);
    let show = |range: &[char]| -> String {
        let visible = range.iter().map(|c| match c {
            '\n' => '⏎',
            '\r' => '␍',
            '\t' => '⇥',
            c if c.is_control() => '�',
            c => *c,
        });
        visible.collect()
    };
    let before = chars
        .get(from..at_chars.min(chars.len()))
        .unwrap_or_default();
    let after = chars.get(at_chars..to).unwrap_or_default();
    let head = if from > 0 { "…" } else { "" };
    let tail = if to < chars.len() {
        "…"
    } else if after.is_empty() {
        "（到此为止）"
    } else {
        ""
    };
    format!("{head}{}▶{}{tail}", show(before), show(after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_is_found_and_shown() {
        let (a, b) = ("金额=1&x=2", "金额=1&y=2");
        let found = first_difference(a, b).unwrap();
        assert_eq!((found.chars, found.bytes), (5, 9));
        assert_eq!(around(a, found.chars), "金额=1&▶x=2");
        assert_eq!(first_difference(a, a), None);
        assert_eq!(around("ab", 2), "ab▶（到此为止）");
        let long = "0123456789".repeat(10);
        assert!(around(&long, 50).starts_with('…') && around(&long, 50).ends_with('…'));
    }
}
