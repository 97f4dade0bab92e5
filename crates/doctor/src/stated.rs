//! The signature as the message states it: which digest the text may stand for.

use percent_encoding::percent_decode_str;

use crate::deviation::Deviation;
use crate::text::{self, Written};

/// A digest that the text may stand for, and how the text deviates.
pub(crate) type Stated = (Vec<u8>, Vec<Deviation>);

/// Every plausible reading, the guide's own last: what is hex is base64 too, but never the other
/// way round.
pub(crate) fn read(sign: &str) -> Vec<Stated> {
    let sign = sign.trim();
    let mut found = Vec::new();
    if is_digest_length(sign.len() / 2)
        && let Ok(bytes) = hex::decode(sign)
    {
        found.push((bytes, vec![Deviation::SignHex]));
    }
    let spaces = sign.replace(' ', "+");
    let percent = percent_decode_str(sign).decode_utf8_lossy();
    for (spelling, mended) in [
        (sign, None),
        (&*spaces, Some(Deviation::SignSpaces)),
        (&*percent, Some(Deviation::SignPercent)),
    ] {
        if mended.is_some() && spelling == sign {
            continue;
        }
        let Some((bytes, written)) = text::base64(spelling) else {
            continue;
        };
        let mut deviations: Vec<Deviation> = mended.into_iter().collect();
        let inner = std::str::from_utf8(&bytes)
            .ok()
            .and_then(|text| hex::decode(text).ok());
        if let Some(inner) = inner {
            deviations.push(Deviation::SignHexBase64);
            found.push((inner, deviations));
            continue;
        }
        deviations.extend((written == Written::Standard).then_some(Deviation::SignStandard));
        deviations.extend((!spelling.ends_with('=')).then_some(Deviation::SignUnpadded));
        found.push((bytes, deviations));
    }
    found.retain(|(bytes, _)| is_digest_length(bytes.len()));
    found
}

/// SM3 and SHA-256 have 32 bytes, MD5 has 16.
const fn is_digest_length(length: usize) -> bool {
    matches!(length, 16 | 32)
}
