//! Words that must not reach the repository, and white space that must not end a line.

use super::{Finding, Source};

/// These spell out what they forbid.
const OWN_FILES: &str = "xtask/src/tidy/";

/// Marks of unfinished work: an issue tracker forgets less than a comment.
pub(crate) fn unfinished(file: &Source, findings: &mut Vec<Finding>) {
    if !["rs", "md", "html", "toml", "sql"].contains(&file.extension())
        || file.path.starts_with(OWN_FILES)
    {
        return;
    }
    for (number, line) in file.lines() {
        for word in ["todo!", "unimplemented!", "TODO", "FIXME"] {
            if has_word(line, word) {
                findings.push(file.finding(
                    number,
                    format!("`{word}` is unfinished work: finish it, or say why it is left out"),
                ));
            }
        }
    }
}

/// Absolute paths of the machine that someone happened to work on.
pub(crate) fn machine_paths(file: &Source, findings: &mut Vec<Finding>) {
    if file.path.starts_with(OWN_FILES) {
        return;
    }
    for (number, line) in file.lines() {
        for path in ["/work/", "/root/", "/home/"] {
            let named = line
                .match_indices(path)
                .any(|(at, _)| begins_a_path(line, at) && goes_on(line, at, path));
            if named {
                findings.push(file.finding(
                    number,
                    format!("`{path}` is one machine's folder: use a relative path or a setting"),
                ));
            }
        }
    }
}

/// `https://example.org/work/` and `./work/` are somebody else's.
fn begins_a_path(line: &str, at: usize) -> bool {
    line[..at]
        .chars()
        .next_back()
        .is_none_or(|before| !before.is_alphanumeric() && !"_-./~}])>*".contains(before))
}

/// `/home/` counts when a name follows, because a web page may be called so too.
fn goes_on(line: &str, at: usize, path: &str) -> bool {
    path != "/home/"
        || line[at + path.len()..].starts_with(|next: char| next.is_ascii_alphanumeric())
}

/// Reasons that stand in a document which the repository does not have.
pub(crate) fn absent_documents(file: &Source, findings: &mut Vec<Finding>) {
    if file.path.starts_with(OWN_FILES) {
        return;
    }
    for (number, line) in file.lines() {
        let lower = line.to_lowercase();
        for phrase in ["design, section", "design.md"] {
            if lower.contains(phrase) {
                findings.push(file.finding(
                    number,
                    format!("`{phrase}` leads nowhere from here: give the reason itself"),
                ));
            }
        }
    }
}

/// Addresses of package registries: they are a machine's setting, and crates.io is the default.
pub(crate) fn registries(file: &Source, findings: &mut Vec<Finding>) {
    if file.path.starts_with(OWN_FILES) {
        return;
    }
    let for_cargo = file.path.starts_with(".cargo/")
        || file.path.ends_with("Cargo.toml")
        || file.path == "Cargo.lock";
    for (number, line) in file.lines() {
        let lower = line.to_lowercase();
        for host in ["artifactory", "index.crates.io:443"] {
            if lower.contains(host) {
                findings.push(file.finding(
                    number,
                    format!("`{host}` is a registry's address: keep it in ~/.cargo/config.toml"),
                ));
            }
        }
        if for_cargo && has_ipv4(line) {
            findings.push(file.finding(
                number,
                "an IP address among cargo's settings: keep it in ~/.cargo/config.toml",
            ));
        }
    }
}

fn has_ipv4(line: &str) -> bool {
    line.split(|c: char| !c.is_ascii_digit() && c != '.')
        .any(|word| word.parse::<std::net::Ipv4Addr>().is_ok())
}

/// White space at a line's end, and the carriage returns of another system.
///
/// Fixtures are partners' bytes and snapshots are our replies': neither is ours to trim.
pub(crate) fn trailing_space(file: &Source, findings: &mut Vec<Finding>) {
    if file.extension() == "snap" || file.path.split('/').any(|part| part == "fixtures") {
        return;
    }
    for (number, line) in file.lines() {
        if line.ends_with([' ', '\t', '\r', '\u{3000}']) {
            findings.push(file.finding(number, "white space ends the line: remove it"));
        }
    }
}

/// The word with no letter, digit or underscore before it, nor after it unless it ends in a mark.
pub(crate) fn has_word(line: &str, word: &str) -> bool {
    let in_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        !before.is_some_and(in_word) && (word.ends_with('!') || !after.is_some_and(in_word))
    })
}

#[cfg(test)]
mod tests {
    use super::super::lines_found;
    use super::*;

    #[test]
    fn unfinished_work_is_found_and_ordinary_words_are_not() {
        let text =
            "// TODO: later\nlet METODO = 1;\n    todo!()\nunimplemented!();\n// a todo list";
        assert_eq!(
            lines_found(unfinished, "crates/x/src/a.rs", text),
            [1, 3, 4]
        );
        assert_eq!(lines_found(unfinished, "docs/a.md", "FIXME"), [1]);
        assert!(lines_found(unfinished, "fixtures/a.json", text).is_empty());
    }

    #[test]
    fn a_machine_s_folders_are_found_and_urls_are_not() {
        let text = "cd /work/main\n\"/root/.cargo\"\nx=/home/anna/y\nhttps://a.cn/work/1\n\
                    ./work/x\n/home/\nroute(\"/h5/home/x\")\nPATH=/bin:/root/bin";
        assert_eq!(lines_found(machine_paths, "docs/a.md", text), [1, 2, 3, 8]);
    }

    #[test]
    fn a_document_that_is_not_here_is_found() {
        let text = "/// As it is (design, section 4.8).\n// by design\n//! Design, section 3: all.";
        assert_eq!(
            lines_found(absent_documents, "crates/x/src/a.rs", text),
            [1, 3]
        );
    }

    #[test]
    fn registry_addresses_are_found_and_loopback_in_code_is_not() {
        let text = "url = \"https://Artifactory.example\"\nregistry = \"sparse+http://10.1.2.3/\"\n\
                    version = \"1.2.3\"\n";
        assert_eq!(lines_found(registries, ".cargo/config.toml", text), [1, 2]);
        assert_eq!(lines_found(registries, "crates/x/src/a.rs", text), [1]);
    }

    #[test]
    fn trailing_space_is_found_outside_fixtures() {
        let text = "a\nb \nc\r\nd\u{3000}\n";
        assert_eq!(lines_found(trailing_space, "docs/a.md", text), [2, 3, 4]);
        assert!(lines_found(trailing_space, "fixtures/a.txt", text).is_empty());
        assert!(lines_found(trailing_space, "crates/x/a.snap", text).is_empty());
    }
}
