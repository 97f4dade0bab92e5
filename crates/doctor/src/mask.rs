//! What may be shown of a message: its form, and the few values that say nothing about a person.
//!
//! Masking keeps the number of characters, so that places in the masked text are places in the
//! text itself, and keeps escapes recognisable, because they are what a reader looks for.

/// Members whose values name institutions, numbers of messages, codes of dictionaries.
const SHOWN: &[&str] = &[
    "appId",
    "version",
    "timestamp",
    "encryptType",
    "signType",
    "sign",
    "encryptData",
    "respCode",
    "respMsg",
    "orgId",
    "orgName",
    "notifyUrl",
    "orgRequestId",
    "orgTraceId",
    "traceId",
    "state",
    "idType",
    "userType",
    "medType",
    "feeType",
    "businessType",
    "notifyType",
    "next",
    "outAuthNo",
    "authStatus",
    "type",
    "cardType",
    "notifyId",
    "batchState",
];

/// The text with the values of all other members masked. Text in which no members are found is
/// masked whole.
pub(crate) fn mask(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    if !chars.contains(&'"') {
        return chars.iter().map(|_| '*').collect();
    }
    let mut out = String::with_capacity(text.len());
    let mut name = String::new();
    let mut at = 0;
    while let Some(&c) = chars.get(at) {
        if c != '"' {
            // A number is somebody's just as a text is.
            let hidden = c.is_ascii_digit() && !is_shown(&name) && !name.is_empty();
            out.push(if hidden { '*' } else { c });
            at += 1;
            continue;
        }
        // Quotes that are escaped themselves, as in a string that holds JSON, end as they began.
        let escaped = at > 0 && chars.get(at - 1) == Some(&'\\');
        let end = closing_quote(&chars, at + 1, escaped);
        let inner = chars.get(at + 1..end).unwrap_or_default();
        out.push('"');
        if is_name(&chars, end) {
            name = inner.iter().filter(|c| **c != '\\').collect();
            out.extend(inner);
        } else if is_shown(&name) {
            out.extend(inner);
        } else {
            mask_value(inner, &mut out);
        }
        if chars.get(end).is_some() {
            out.push('"');
        }
        at = end + 1;
    }
    out
}

pub(crate) fn is_shown(name: &str) -> bool {
    SHOWN.contains(&name)
}

/// Where the quote stands that ends what begins here; the text's end where there is none.
fn closing_quote(chars: &[char], from: usize, escaped: bool) -> usize {
    let mut at = from;
    while let Some(&c) = chars.get(at) {
        match c {
            '"' if !escaped => return at,
            '"' if chars.get(at - 1) == Some(&'\\') => return at,
            '\\' if !escaped => at += 2,
            _ => at += 1,
        }
    }
    chars.len()
}

/// Whether a colon follows.
fn is_name(chars: &[char], end: usize) -> bool {
    let rest = chars.get(end + 1..).unwrap_or_default();
    rest.iter().find(|c| !c.is_whitespace()) == Some(&':')
}

fn mask_value(inner: &[char], out: &mut String) {
    let mut keep = 0;
    for c in inner {
        if *c == '\\' {
            // The backslash and the letter after it.
            keep = 2;
        }
        out.push(if keep > 0 { *c } else { '*' });
        keep = usize::saturating_sub(keep, 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_about_a_person_are_masked_in_every_spelling() {
        for (text, masked) in [
            (
                r#"{"idNo":"3599","orgId":"H1"}"#,
                r#"{"idNo":"****","orgId":"H1"}"#,
            ),
            (
                r#"{"userName" : "\u5f20三","age": 12}"#,
                r#"{"userName" : "\u*****","age": **}"#,
            ),
            (
                r#"{\"idNo\":\"3599\",\"state\":\"0\"}"#,
                r#"{\"idNo\":\"****\",\"state\":\"0\"}"#,
            ),
            (r#"appId=A&param={"idNo":"3"#, r#"appId=A&param={"idNo":"*"#),
            ("350102199001011234", "******************"),
        ] {
            let said = mask(text);
            assert_eq!(said.chars().count(), text.chars().count(), "{said}");
            assert_eq!(said, masked);
        }
    }
}
