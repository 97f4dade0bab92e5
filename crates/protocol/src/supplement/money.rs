//! Amounts as insurers write them.

/// The most yuan before the point: a hundred billion, more than any scheme has.
const MOST_DIGITS: usize = 11;

/// The fen (1/100 yuan) of an amount in yuan with at most two decimals, zero included; `None` for
/// anything else, which is then kept only as it was said.
#[must_use]
pub fn fen(text: &str) -> Option<i64> {
    let (yuan, decimals) = text.trim().split_once('.').unwrap_or((text.trim(), "0"));
    let number = |digits: &str| -> Option<i64> {
        let all_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        all_digits.then(|| digits.parse().ok()).flatten()
    };
    if yuan.len() > MOST_DIGITS {
        return None;
    }
    let hundredths = match decimals.len() {
        1 => number(decimals)? * 10,
        2 => number(decimals)?,
        _ => return None,
    };
    Some(number(yuan)? * 100 + hundredths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_become_fen_and_nonsense_does_not() {
        for (text, expected) in [
            ("0", Some(0)),
            ("1", Some(100)),
            ("2.2", Some(220)),
            (" 3.05 ", Some(305)),
            ("99999999999.99", Some(9_999_999_999_999)),
            ("999999999999", None),
            ("", None),
            ("-1", None),
            ("1.234", None),
            ("1.", None),
            ("claimTota3l", None),
        ] {
            assert_eq!(fen(text), expected, "{text}");
        }
    }
}
