//! The texts that are returned: they outlive the call, and nobody frees them.
//!
//! A reason names a line of the settings or a number of bytes, so the texts are made when they are
//! needed. Each is kept once and for good; as many as there is room for, since whoever edits the
//! settings all day must not fill the memory.

use std::ffi::{CStr, CString};
use std::sync::OnceLock;

/// `0000`: 调用成功 (5.2).
pub(crate) const SUCCESS: &CStr = c"0000";
/// What is returned where there is no room for another text; `OutData` has the reason all the same.
const FURTHER: &CStr = c"-1 NationECCode: see OutData";
/// More different reasons than a fault ever had; 128 texts of at most half a kilobyte.
const MOST: usize = 128;
const MOST_BYTES: usize = 500;

static KEPT: [OnceLock<CString>; MOST] = [const { OnceLock::new() }; MOST];

/// The text, kept for good.
pub(crate) fn kept(text: &[u8]) -> &'static CStr {
    let text = text.get(..MOST_BYTES).unwrap_or(text);
    let Ok(text) = CString::new(text) else {
        return FURTHER;
    };
    for place in &KEPT {
        if *place.get_or_init(|| text.clone()) == text {
            return place.get().map_or(FURTHER, CString::as_c_str);
        }
    }
    FURTHER
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_kept_once_and_memory_is_bounded() {
        let first = kept(b"-3 once");
        assert!(std::ptr::eq(first, kept(b"-3 once")));
        for n in 0..2 * MOST {
            let _ = kept(format!("-1 reason {n}").as_bytes());
        }
        assert_eq!(kept(b"-1 one more"), FURTHER);
        assert_eq!(kept(b"-3 once"), c"-3 once");
        assert_eq!(kept(b"a\0b"), FURTHER);
    }
}
