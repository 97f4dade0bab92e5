//! Amounts of money.

use std::borrow::Cow;

use super::message::Kind;
use super::scalar::{Invalid, Scalar};

/// 金额: yuan with at most two decimals on the wire, whole fen (1/100 yuan) inside.
///
/// Always more than zero and at most ten characters long (access guide 4.3.1.2), written back
/// with exactly two decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Amount {
    fen: i64,
}

const MAX_CHARACTERS: usize = 10;
/// The largest amount that ten characters with two decimals can say.
const MAX_FEN: i64 = 999_999_999;

impl Amount {
    /// The amount in fen.
    #[must_use]
    pub const fn fen(self) -> i64 {
        self.fen
    }

    /// The amount of so many fen, where the wire can carry it.
    #[must_use]
    pub const fn from_fen(fen: i64) -> Option<Self> {
        if fen > 0 && fen <= MAX_FEN {
            Some(Self { fen })
        } else {
            None
        }
    }
}

impl Scalar for Amount {
    const KIND: Kind = Kind::Amount {
        max: MAX_CHARACTERS,
    };

    fn parse(text: &str) -> Result<Self, Invalid> {
        let expected = || {
            Invalid::new(
                "应为大于 0 的人民币元，最多两位小数、最多 10 个字符且不超过 9999999.99，例如 12.50",
            )
        };
        if text.len() > MAX_CHARACTERS {
            return Err(expected());
        }
        let (yuan, decimals) = text.split_once('.').unwrap_or((text, "00"));
        let fen = match (digits(yuan), decimals.len(), digits(decimals)) {
            (Some(yuan), 1, Some(tenths)) => yuan * 100 + tenths * 10,
            (Some(yuan), 2, Some(hundredths)) => yuan * 100 + hundredths,
            _ => return Err(expected()),
        };
        Self::from_fen(fen).ok_or_else(expected)
    }

    fn render(&self) -> Cow<'_, str> {
        Cow::Owned(yuan(self.fen))
    }
}

/// Yuan with two decimals, however large: a sum may be more than one amount can be.
#[must_use]
pub fn yuan(fen: i64) -> String {
    let sign = if fen < 0 { "-" } else { "" };
    let fen = fen.unsigned_abs();
    format!("{sign}{}.{:02}", fen / 100, fen % 100)
}

/// The number that these digits write; `None` for anything else, an empty text included.
fn digits(text: &str) -> Option<i64> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_sum_is_written_in_yuan() {
        for (fen, text) in [
            (0, "0.00"),
            (5, "0.05"),
            (-5, "-0.05"),
            (i64::MAX, "92233720368547758.07"),
            (i64::MIN, "-92233720368547758.08"),
        ] {
            assert_eq!(yuan(fen), text);
        }
    }

    #[test]
    fn yuan_become_fen_and_back() {
        for (text, fen, back) in [
            ("0.01", 1, "0.01"),
            ("12", 1200, "12.00"),
            ("12.5", 1250, "12.50"),
            ("12.50", 1250, "12.50"),
            ("9999999.99", 999_999_999, "9999999.99"),
            ("0012.50", 1250, "12.50"),
        ] {
            let amount = Amount::parse(text).unwrap();
            assert_eq!((amount.fen(), &*amount.render()), (fen, back));
        }
    }

    #[test]
    fn what_is_no_debt_is_refused() {
        for text in [
            "",
            "0",
            "0.00",
            "-1",
            "+1",
            "1.234",
            "1.",
            ".5",
            "1e3",
            "1,000",
            "１２",
            " 1",
            "NaN",
            "10000000",
            "9999999999",
            "99999999999",
            "12.3.4",
            "1.-1",
        ] {
            assert!(Amount::parse(text).is_err(), "{text}");
        }
    }
}
