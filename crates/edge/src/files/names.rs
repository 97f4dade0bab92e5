//! Names of files: which are meant for us, and what they are called where they are put.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;

use banyan_protocol::wire::{LocalTime, Scalar as _};

/// Endings of files that hold a table.
const DELIMITED: [&str; 2] = ["csv", "txt"];
const JSON_LINES: [&str; 2] = ["jsonl", "ndjson"];

/// File systems take 255 bytes; what is put beside a file has a longer name than the file.
const MOST_BYTES: usize = 200;
/// What is left of the stem of a longer name.
const KEPT_BYTES: usize = 150;
/// Names that are tried before it must be something else than their being taken.
const MOST_TRIES: u32 = 1_000;

/// Whether a file of this name is a table that was dropped, and not one that somebody is about to
/// write (`.tmp`, `.part`, hidden) or has open (`~$`).
pub(super) fn is_table(name: &OsStr) -> bool {
    let begins = name.as_encoded_bytes().first();
    !matches!(begins, None | Some(b'.' | b'~'))
        && (has_ending(name, &DELIMITED) || has_ending(name, &JSON_LINES))
}

/// Whether the name says that it holds JSON Lines.
pub(super) fn is_json_lines(name: &OsStr) -> bool {
    has_ending(name, &JSON_LINES)
}

/// The name for logs and pages.
pub(super) fn shown(name: &OsStr) -> String {
    let name = name.to_string_lossy();
    let shown = name
        .chars()
        .map(|c| if c.is_control() { '\u{FFFD}' } else { c });
    shown.take(100).collect()
}

/// A name under which nothing lies yet: the file's own if it can be, with the time otherwise.
pub(super) fn free(
    name: &OsStr,
    now_ms: i64,
    is_free: impl Fn(&OsStr) -> io::Result<bool>,
) -> io::Result<OsString> {
    let path = Path::new(name);
    let mut stem = path.file_stem().unwrap_or(name).to_owned();
    let extension = path.extension().unwrap_or_default();
    if name.len() > MOST_BYTES {
        let whole = stem.to_string_lossy().into_owned();
        let fits = whole
            .char_indices()
            .take_while(|(at, c)| at + c.len_utf8() <= KEPT_BYTES);
        stem = fits.map(|(_, c)| c).collect::<String>().into();
    }
    let time = LocalTime::from_epoch_ms(now_ms);
    let time = time.render().replace(['-', ':'], "").replace(' ', "-");
    for attempt in 0..MOST_TRIES {
        let mut candidate = stem.clone();
        match attempt {
            0 => {}
            1 => candidate.push(format!("-{time}")),
            _ => candidate.push(format!("-{time}-{attempt}")),
        }
        candidate.push(".");
        candidate.push(extension);
        if is_free(&candidate)? {
            return Ok(candidate);
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// The name with this behind it.
pub(super) fn with(name: &OsStr, ending: &str) -> OsString {
    let mut name = name.to_owned();
    name.push(ending);
    name
}

fn has_ending(name: &OsStr, endings: &[&str]) -> bool {
    let extension = Path::new(name).extension().and_then(OsStr::to_str);
    extension.is_some_and(|its| {
        endings
            .iter()
            .any(|ending| its.eq_ignore_ascii_case(ending))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_is_meant_for_us() {
        for (name, is_ours) in [
            ("欠费.csv", true),
            ("A.CSV", true),
            ("a.txt", true),
            ("a.jsonl", true),
            ("a.ndjson", true),
            ("a.csv.tmp", false),
            ("a.csv.part", false),
            (".a.csv", false),
            ("~$a.csv", false),
            (".csv", false),
            ("csv", false),
            ("a.xlsx", false),
        ] {
            assert_eq!(is_table(OsStr::new(name)), is_ours, "{name}");
        }
    }

    #[test]
    fn a_free_name_is_found_and_none_is_too_long() {
        let now_ms = 1_736_505_201_000;
        let taken = ["a.csv", "a-20250110-183321.csv"];
        let found = free(OsStr::new("a.csv"), now_ms, |name| {
            Ok(!taken.iter().any(|taken| name == *taken))
        });
        assert_eq!(found.unwrap(), "a-20250110-183321-2.csv");
        let long = format!("{}.csv", "长".repeat(83));
        let found = free(OsStr::new(&long), now_ms, |_| Ok(true)).unwrap();
        assert_eq!(found, *format!("{}.csv", "长".repeat(50)));
        assert!(free(OsStr::new("a.csv"), now_ms, |_| Ok(false)).is_err());
    }
}
