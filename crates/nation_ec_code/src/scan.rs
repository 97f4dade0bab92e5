//! Where a JSON object ends in memory whose length nobody told us.
//!
//! The standard's own C++ example copies its JSON into a buffer without a NUL behind it, so the end
//! is found by reading the text itself, a byte at a time and never one beyond. In GB18030 the second
//! byte of a letter may look like `\`, `{` or `}`; the scan knows whole letters.

use crate::charset::Charset;
use crate::fault::{Code, Fault};

/// A photo of 100 KB in base64 and 56 KB for everything else.
pub const MOST_BYTES: usize = 192 * 1024;

/// What is known after another byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The object goes on.
    More,
    /// This was its last byte.
    End,
}

/// Reads along until the outermost object closes.
#[derive(Debug)]
pub struct Scan {
    charset: Charset,
    read: usize,
    depth: usize,
    place: Place,
    letter: Letter,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Outside,
    InString,
    AfterBackslash,
}

/// How far into a GB18030 letter of several bytes we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Letter {
    Whole,
    AfterLead,
    AfterSecond,
    AfterThird,
}

impl Scan {
    /// Before the first byte.
    #[must_use]
    pub const fn new(charset: Charset) -> Self {
        Self {
            charset,
            read: 0,
            depth: 0,
            place: Place::Outside,
            letter: Letter::Whole,
        }
    }

    /// Takes the next byte.
    ///
    /// # Errors
    /// Where it can't stand there, or the object is longer than [`MOST_BYTES`].
    pub fn feed(&mut self, byte: u8) -> Result<Step, Fault> {
        self.read += 1;
        if self.read > MOST_BYTES {
            return Err(Fault::new(
                Code::Parameter,
                format!("InData 超过 {MOST_BYTES} 字节仍未结束"),
            ));
        }
        if byte == 0 {
            return Err(self.ended_early());
        }
        match self.place {
            Place::Outside => self.outside(byte),
            Place::InString | Place::AfterBackslash => self.in_string(byte),
        }
    }

    fn outside(&mut self, byte: u8) -> Result<Step, Fault> {
        match byte {
            b'{' => self.depth += 1,
            b'}' if self.depth > 0 => {
                self.depth -= 1;
                if self.depth == 0 {
                    return Ok(Step::End);
                }
            }
            b' ' | b'\t' | b'\r' | b'\n' => {}
            // A byte order mark before the text, which some writers of UTF-8 put there.
            0xEF | 0xBB | 0xBF if self.depth == 0 && self.read <= 3 => {}
            b'"' if self.depth > 0 => self.place = Place::InString,
            b'[' | b']' | b':' | b',' | b'+' | b'-' | b'.' if self.depth > 0 => {}
            _ if self.depth > 0 && byte.is_ascii_alphanumeric() => {}
            _ => return Err(self.misplaced()),
        }
        Ok(Step::More)
    }

    fn in_string(&mut self, byte: u8) -> Result<Step, Fault> {
        if self.continues_letter(byte) {
            return Ok(Step::More);
        }
        self.place = match (self.place, byte) {
            (_, 0..=0x1F) => return Err(self.misplaced()),
            (Place::AfterBackslash, _) => Place::InString,
            (_, b'\\') => Place::AfterBackslash,
            (_, b'"') => Place::Outside,
            _ => Place::InString,
        };
        Ok(Step::More)
    }

    /// Whether this byte is within a letter of several bytes. One that can't be is looked at for
    /// itself, so that a torn letter swallows neither the closing quote nor the NUL.
    fn continues_letter(&mut self, byte: u8) -> bool {
        if self.charset == Charset::Utf8 {
            return false;
        }
        let (next, within) = match (self.letter, byte) {
            (Letter::AfterLead, 0x40..=0x7E | 0x80..=0xFE) => (Letter::Whole, true),
            (Letter::AfterLead, b'0'..=b'9') => (Letter::AfterSecond, true),
            (Letter::AfterSecond, 0x81..=0xFE) => (Letter::AfterThird, true),
            (Letter::AfterThird, b'0'..=b'9') => (Letter::Whole, true),
            (_, 0x81..=0xFE) => (Letter::AfterLead, false),
            _ => (Letter::Whole, false),
        };
        self.letter = next;
        within
    }

    fn ended_early(&self) -> Fault {
        let hint = if self.read <= 2 {
            "；若传入的是宽字符（UTF-16），请改为 GB18030 字节串"
        } else {
            ""
        };
        let before = self.read - 1;
        Fault::new(
            Code::Parameter,
            format!("InData 不是完整的 JSON 对象：第 {before} 字节之后就结束了{hint}"),
        )
    }

    fn misplaced(&self) -> Fault {
        Fault::new(
            Code::Parameter,
            format!("InData 不是 JSON 对象：第 {} 字节不应出现", self.read),
        )
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Where the object ends, counted from its start.
    fn end(bytes: &[u8], charset: Charset) -> Result<usize, Fault> {
        let mut scan = Scan::new(charset);
        for (at, &byte) in bytes.iter().enumerate() {
            if scan.feed(byte)? == Step::End {
                return Ok(at + 1);
            }
        }
        Ok(usize::MAX)
    }

    #[test]
    fn letters_whose_second_byte_looks_like_json_end_nothing() {
        // 乗 is 81 5C, 亄 is 81 7B, 亇 is 81 7D: backslash and braces as second bytes.
        let mut text = br#"{"a":""#.to_vec();
        text.extend([0x81, 0x5C, 0x81, 0x7B, 0x81, 0x7D, 0x81, 0x30, 0x81, 0x30]);
        text.extend(br#""}"#);
        let length = text.len();
        text.extend(b"garbage without an end");
        assert_eq!(end(&text, Charset::Gb18030).unwrap(), length);
        // Half a letter before the closing quote does not swallow it.
        let torn = b"{\"a\":\"\x81\"}rest";
        assert_eq!(end(torn, Charset::Gb18030).unwrap(), torn.len() - 4);
    }

    #[test]
    fn what_is_no_object_is_refused_at_its_first_wrong_byte() {
        for text in [
            "",
            "\0",
            "x",
            "[1]",
            "\"a\"",
            "{\"a\":1\0",
            "{\"a\0",
            "}",
            "{\"a\":<",
            "{\"a\n",
        ] {
            let padded = format!("{text}\0");
            assert!(end(padded.as_bytes(), Charset::Gb18030).is_err(), "{text}");
        }
        let wide = [b'{', 0, b'"', 0];
        let said = end(&wide, Charset::Gb18030).unwrap_err().to_string();
        assert!(said.contains("UTF-16"), "{said}");
        let endless = format!("{{\"a\":\"{}", "x".repeat(MOST_BYTES));
        assert!(end(endless.as_bytes(), Charset::Gb18030).is_err());
        assert_eq!(
            end(
                b"\xEF\xBB\xBF {\"a\":{\"b\":[1.5e+3,true]}}\n",
                Charset::Utf8
            )
            .unwrap(),
            29
        );
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            any::<String>().prop_map(serde_json::Value::from),
            "[乗亄亇\\\\{}\"一-龥]{0,8}".prop_map(serde_json::Value::from),
            any::<i64>().prop_map(serde_json::Value::from),
            any::<bool>().prop_map(serde_json::Value::from),
        ];
        leaf.prop_recursive(3, 24, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(serde_json::Value::from),
                prop::collection::hash_map(any::<String>(), inner, 0..6)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_end_is_found_whatever_stands_behind_it(
            value in json(), behind in prop::collection::vec(any::<u8>(), 0..40), utf8 in any::<bool>(),
        ) {
            let charset = if utf8 { Charset::Utf8 } else { Charset::Gb18030 };
            let text = serde_json::json!({ "data": value, "orgId": "榕树" }).to_string();
            let text = banyan_protocol::envelope::centre::escaped(&text);
            let mut bytes = charset.encode(&text);
            let length = bytes.len();
            bytes.extend(behind);
            prop_assert_eq!(end(&bytes, charset).unwrap(), length);
        }

        #[test]
        fn any_bytes_end_or_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            for charset in [Charset::Gb18030, Charset::Utf8] {
                if let Ok(end) = end(&bytes, charset) {
                    let is_end = end == usize::MAX || bytes[end - 1] == b'}';
                    prop_assert!(is_end);
                }
            }
        }
    }
}
