//! Every folder begins with its story, and no file makes a reader sigh.

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
