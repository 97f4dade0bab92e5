//! Every folder begins with its story, no file makes a reader sigh, and the files that documents
//! name are there.

use super::{Finding, Source};

/// What a reader can hold in one sitting; the houses we admire have a median near 90 lines, and
/// beyond this a file tells two stories.
const MOST_LINES: usize = 700;

pub(crate) fn files_stay_short(file: &Source, findings: &mut Vec<Finding>) {
    let lines = file.text.lines().count();
    if file.extension() == "rs" && lines > MOST_LINES {
        findings.push(file.finding(
            MOST_LINES + 1,
            format!("{lines} lines, and {MOST_LINES} are the most: split the file by story"),
        ));
    }
}

/// A crate's root and a folder's `mod.rs` are the first thing opened.
pub(crate) fn folders_begin_with_their_story(file: &Source, findings: &mut Vec<Finding>) {
    if (is_crate_root(&file.path) || is_folder_root(&file.path)) && !file.text.starts_with("//!") {
        findings.push(file.finding(1, "no `//!` docs: begin with what this part is for"));
    }
}

/// A document that leads somebody to a file that was moved costs him more than none.
pub(crate) fn named_files_exist(files: &[Source], findings: &mut Vec<Finding>) {
    let paths: Vec<String> = files
        .iter()
        .map(|file| format!("/{}", without_src(&file.path)))
        .collect();
    let is_there = |named: &str| {
        let end = format!("/{}", without_src(named));
        paths.iter().any(|path| path.ends_with(&end))
    };
    for file in files.iter().filter(|file| leads_people(&file.path)) {
        for (number, line) in file.lines() {
            for named in named_in(line).filter(|named| !is_there(named)) {
                findings.push(file.finding(
                    number,
                    format!("`{named}` is the end of no file's path: name where it is now"),
                ));
            }
        }
    }
}

fn leads_people(path: &str) -> bool {
    let in_folder = path.strip_prefix("docs/").unwrap_or(path);
    path.ends_with(".md")
        && !in_folder.contains('/')
        && (path.starts_with("docs/") || path.starts_with("README"))
}

/// Between back-ticks, what looks like a Rust file.
fn named_in(line: &str) -> impl Iterator<Item = &str> {
    let quoted = line.split('`').skip(1).step_by(2);
    quoted.filter(|text| text.ends_with(".rs") && !text.contains([' ', '*', '<']))
}

/// Documents leave the folder `src` out, which every crate has.
fn without_src(path: &str) -> String {
    let parts = path.split('/').filter(|part| *part != "src");
    parts.collect::<Vec<_>>().join("/")
}

fn is_crate_root(path: &str) -> bool {
    match path.split('/').collect::<Vec<_>>()[..] {
        ["crates", _, "src", file] | ["xtask", "src", file] => {
            file == "lib.rs" || file == "main.rs"
        }
        ["crates", _, "src", "bin", file] => file.ends_with(".rs"),
        _ => false,
    }
}

fn is_folder_root(path: &str) -> bool {
    let mut parts = path.split('/');
    let ours = match parts.next() {
        Some("crates") => parts.nth(1) == Some("src"),
        Some("xtask") => parts.next() == Some("src"),
        _ => false,
    };
    ours && parts.next_back() == Some("mod.rs")
}

#[cfg(test)]
mod tests {
    use super::super::lines_found;
    use super::*;

    #[test]
    fn roots_and_folders_need_docs_and_other_files_do_not() {
        let told = |path| lines_found(folders_begin_with_their_story, path, "mod a;\n");
        assert_eq!(told("crates/store/src/lib.rs"), [1]);
        assert_eq!(told("crates/banyan/src/bin/tool.rs"), [1]);
        assert_eq!(told("crates/platform/src/overdue/mod.rs"), [1]);
        assert_eq!(told("xtask/src/tidy/mod.rs"), [1]);
        assert!(told("crates/platform/src/overdue/jobs.rs").is_empty());
        assert!(told("crates/platform/tests/support/mod.rs").is_empty());
        let good = "//! What is owed.\n";
        assert!(
            lines_found(folders_begin_with_their_story, "crates/a/src/lib.rs", good).is_empty()
        );
    }

    #[test]
    fn a_document_names_files_that_are_there() {
        let file = |path: &str, text: &str| Source {
            path: path.to_owned(),
            text: text.to_owned(),
        };
        let text =
            "`queue/mod.rs`, `store/queue/mod.rs`\n`queue.rs` and `store/queue.rs`\nlib.rs\n";
        let files = [
            file("crates/store/src/queue/mod.rs", ""),
            file("docs/a.md", text),
            file("README.md", "`ue/mod.rs`"),
            file("CHANGELOG.md", "`gone.rs`"),
        ];
        let mut findings = Vec::new();
        named_files_exist(&files, &mut findings);
        let found = findings
            .iter()
            .map(|finding| (&*finding.path, finding.line));
        assert_eq!(
            found.collect::<Vec<_>>(),
            [("docs/a.md", 2), ("docs/a.md", 2), ("README.md", 1)]
        );
    }

    #[test]
    fn a_long_file_is_found() {
        let at_most = "\n".repeat(MOST_LINES);
        assert!(lines_found(files_stay_short, "crates/a/src/b.rs", &at_most).is_empty());
        let longer = "\n".repeat(MOST_LINES + 1);
        assert_eq!(
            lines_found(files_stay_short, "crates/a/src/b.rs", &longer),
            [MOST_LINES + 1]
        );
        assert!(lines_found(files_stay_short, "docs/b.md", &longer).is_empty());
    }
}
