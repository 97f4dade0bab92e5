//! SQL lives in the store and in the edge's outbox, nowhere else: two engines are one story only
//! while all their statements stand in one place.

use super::tokens::{Token, production};
use super::words::has_word;
use super::{Finding, Source};

const HOMES: &[&str] = &["crates/store/", "crates/edge/"];

pub(crate) fn stays_in_the_store(file: &Source, findings: &mut Vec<Finding>) {
    let elsewhere = file.path.starts_with("crates/")
        && file.extension() == "rs"
        && !file.is_test()
        && !HOMES.iter().any(|home| file.path.starts_with(home));
    if !elsewhere {
        return;
    }
    for token in production(&file.text) {
        if token.as_string().is_some_and(is_sql) {
            let Token { line, .. } = token;
            findings.push(file.finding(
                line,
                "SQL outside the store: give `crates/store` a function and call it",
            ));
        }
    }
}

/// Verbs in capitals anywhere, or a statement in small letters from the start: prose may say
/// "select a hospital from the list" within a sentence.
fn is_sql(string: &str) -> bool {
    let string = string.replace("\\n", " ").replace("\\t", " ");
    let string = string.trim_start();
    let shouted = [
        &["SELECT"] as &[_],
        &["INSERT", "INTO"],
        &["UPDATE", "SET"],
        &["DELETE", "FROM"],
    ]
    .iter()
    .any(|words| words.iter().all(|word| has_word(string, word)));
    let spoken = [
        ("select ", " from "),
        ("insert into ", ""),
        ("update ", " set "),
        ("delete from ", ""),
    ]
    .iter()
    .any(|(start, then)| string.starts_with(start) && string.contains(then));
    shouted || spoken
}

#[cfg(test)]
mod tests {
    use super::super::lines_found;
    use super::*;

    const TEXT: &str = r#"
fn a() { db.query("SELECT 1"); }
fn b() { db.query("\n UPDATE item\n SET state = 1"); }
fn c() { db.query("insert into item values (1)"); }
/// SELECT in the docs, "SELECT" in quotes
fn d() { say("Select a hospital from the list, then UPDATE it"); }
#[cfg(test)]
mod tests { fn e() { db.query("DELETE FROM item"); } }
"#;

    #[test]
    fn statements_are_found_outside_their_homes() {
        assert_eq!(
            lines_found(stays_in_the_store, "crates/platform/src/a.rs", TEXT),
            [2, 3, 4]
        );
    }

    #[test]
    fn the_store_the_edge_and_tests_may() {
        for path in [
            "crates/store/src/a.rs",
            "crates/edge/src/outbox.rs",
            "crates/platform/tests/story.rs",
            "crates/platform/src/overdue/tests.rs",
        ] {
            assert!(
                lines_found(stays_in_the_store, path, TEXT).is_empty(),
                "{path}"
            );
        }
    }
}
