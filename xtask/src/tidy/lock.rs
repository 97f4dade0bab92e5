//! What the crates may depend on, and where it may come from.

use super::{Finding, Source};

const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// A runtime, a server or a database in `protocol` would make every user of it pay for one.
const IO_CRATES: &[&str] = &["tokio", "sqlx", "axum", "rusqlite", "hyper"];

pub(crate) fn protocol_does_no_io(file: &Source, findings: &mut Vec<Finding>) {
    if file.path != "crates/protocol/Cargo.toml" {
        return;
    }
    let mut in_dependencies = false;
    for (number, line) in file.lines() {
        let line = line.split('#').next().unwrap_or_default();
        if line.starts_with('[') {
            in_dependencies = line.contains("dependencies");
        }
        let words = line.split(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_');
        for word in words.filter(|_| in_dependencies) {
            // `tokio-postgres` is tokio too.
            if IO_CRATES.contains(&word.split('-').next().unwrap_or_default()) {
                findings.push(file.finding(
                    number,
                    format!("`{word}` does I/O and `protocol` does none: use it in another crate"),
                ));
            }
        }
    }
}

pub(crate) fn only_crates_io(file: &Source, findings: &mut Vec<Finding>) {
    if file.path != "Cargo.lock" {
        return;
    }
    for (number, line) in file.lines() {
        if let Some(source) = line.strip_prefix("source = ")
            && source.trim_matches('"') != CRATES_IO
        {
            findings.push(file.finding(
                number,
                format!("{source} is not crates.io: lock again without the local source"),
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::lines_found;
    use super::*;

    #[test]
    fn protocol_may_not_depend_on_io() {
        let text = "[package]\nname = \"hyper\"\n[dependencies]\nserde.workspace = true\n\
                    tokio-postgres = \"1\"\nx = { package = \"axum\" } # hyper\n\
                    [dev-dependencies.tokio]\n";
        assert_eq!(
            lines_found(protocol_does_no_io, "crates/protocol/Cargo.toml", text),
            [5, 6, 7]
        );
        assert!(lines_found(protocol_does_no_io, "crates/store/Cargo.toml", text).is_empty());
    }

    #[test]
    fn only_crates_io_is_a_source() {
        let text = format!(
            "source = \"{CRATES_IO}\"\nsource = \"git+https://example.org/a\"\n\
             source = \"sparse+https://mirror.example/\"\n"
        );
        assert_eq!(lines_found(only_crates_io, "Cargo.lock", &text), [2, 3]);
    }
}
