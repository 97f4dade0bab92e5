//! Rooms never import one another: what one needs of another it leaves as a job, so that each can
//! be read, tested and changed alone.

use super::tokens::{Token, production};
use super::{Finding, Source};

const ROOMS: &[&str] = &["overdue", "health_card", "supplement", "credential"];

pub(crate) fn never_import_one_another(file: &Source, findings: &mut Vec<Finding>) {
    let Some(room) = room_of(&file.path) else {
        return;
    };
    let tokens = production(&file.text);
    for at in 0..tokens.len() {
        for named in first_names(&tokens[at..]) {
            if named.text != room && ROOMS.contains(&named.text.as_str()) {
                findings.push(file.finding(
                    named.line,
                    format!(
                        "`{room}` reaches into `{}`: leave a job, or move what both need out of \
                         the rooms",
                        named.text
                    ),
                ));
            }
        }
    }
}

/// The room whose folder, or whose single file, this is.
fn room_of(path: &str) -> Option<&'static str> {
    let inside = path.strip_prefix("crates/platform/src/")?;
    let first = inside.split('/').next()?.trim_end_matches(".rs");
    ROOMS.iter().copied().find(|room| *room == first)
}

/// The names right after `crate::` or `super::`, several for `use crate::{a, b}`.
fn first_names(tokens: &[Token]) -> Vec<&Token> {
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text.as_str());
    if !["crate", "super"].contains(&text(0)) || text(1) != ":" || text(2) != ":" {
        return Vec::new();
    }
    if text(3) != "{" {
        return tokens.get(3).into_iter().collect();
    }
    let mut names = Vec::new();
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate().skip(3) {
        match token.text.as_str() {
            "{" => depth += 1,
            "}" => depth -= 1,
            _ if depth == 1 && ["{", ","].contains(&text(at - 1)) => names.push(token),
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::super::lines_found;
    use super::*;

    const TEXT: &str = "
use crate::health_card::Index;
use crate::{inbound, supplement::{overdue, Claim}, credential};
use super::super::credential;
use crate::overdue::State;
use banyan_protocol::health_card::Card;
fn a() { crate::supplement::claim(); }
";

    #[test]
    fn another_room_is_found_however_it_is_named() {
        for path in [
            "crates/platform/src/overdue/org_mdl_001.rs",
            "crates/platform/src/overdue.rs",
        ] {
            assert_eq!(
                lines_found(never_import_one_another, path, TEXT),
                [2, 3, 3, 4, 7]
            );
        }
    }

    #[test]
    fn outside_the_rooms_all_may_be_named() {
        for path in [
            "crates/platform/src/router.rs",
            "crates/protocol/src/overdue/mod.rs",
        ] {
            assert!(lines_found(never_import_one_another, path, TEXT).is_empty());
        }
    }
}
