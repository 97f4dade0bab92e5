//! 公民身份号码 (GB 11643).

/// Whether the eighteenth character is the one that the seventeen digits before it ask for (ISO
/// 7064, MOD 11-2): a slip in copying is nearly always noticed. `false` for anything that is not
/// eighteen characters long.
#[must_use]
pub fn checks(number: &str) -> bool {
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let (Some(body), Some(last), 18) = (number.get(..17), number.bytes().last(), number.len())
    else {
        return false;
    };
    if !body.bytes().all(|byte| byte.is_ascii_digit()) {
        return false;
    }
    let sum: u32 = body
        .bytes()
        .zip(WEIGHTS)
        .map(|(digit, weight)| u32::from(digit.saturating_sub(b'0')) * weight)
        .sum();
    let place = usize::try_from(sum % 11).unwrap_or_default();
    b"10X98765432".get(place) == Some(&last.to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_noticed() {
        // The example of GB 11643.
        for number in ["11010519491231002X", "11010519491231002x"] {
            assert!(checks(number), "{number}");
        }
        for number in [
            "110105194912310021",
            "11010519491231020X",
            "1101051949123100",
            "11010519491231002XX",
            "A1010519491231002X",
            "",
            "一二三四五六",
        ] {
            assert!(!checks(number), "{number}");
        }
    }
}
