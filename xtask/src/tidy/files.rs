//! The files that are checked: what git tracks or would track.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, io};

use anyhow::{Context, Result, bail};

use super::Source;

/// Every text file; what is not UTF-8 (a GB18030 fixture, an icon) has no manners to check.
pub(crate) fn list(root: &Path) -> Result<Vec<Source>> {
    let paths = match git_files(root) {
        Some(paths) => paths,
        None => walk(root)?,
    };
    if paths.is_empty() {
        bail!("no file found in {}", root.display());
    }
    let mut files = Vec::new();
    for path in paths {
        match fs::read(root.join(&path)) {
            Ok(bytes) => files.extend(
                String::from_utf8(bytes)
                    .ok()
                    .map(|text| Source { path, text }),
            ),
            // Deleted and not yet committed, or a link to a folder.
            Err(error) if gone(&error) => {}
            Err(error) => return Err(error).with_context(|| format!("{path} can't be read")),
        }
    }
    Ok(files)
}

fn gone(error: &io::Error) -> bool {
    [io::ErrorKind::NotFound, io::ErrorKind::IsADirectory].contains(&error.kind())
}

/// `None` where there is no git, or no repository: an exported archive is checked all the same.
fn git_files(root: &Path) -> Option<Vec<String>> {
    let listed = Command::new("git")
        // A build server's clone often belongs to another account than the one that builds.
        .args(["-c", "safe.directory=*", "ls-files", "-z"])
        .args(["--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output()
        .ok()?;
    if !listed.status.success() {
        return None;
    }
    let names = String::from_utf8_lossy(&listed.stdout);
    Some(
        names
            .split_terminator('\0')
            .map(ToOwned::to_owned)
            .collect(),
    )
}

fn walk(root: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root.join(&folder))? {
            let entry = entry?;
            let path = folder.join(entry.file_name());
            let kind = entry.file_type()?;
            // In a worktree `.git` is a file.
            if ["target", ".git"].map(Path::new).contains(&path.as_path()) {
                continue;
            }
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_file() {
                found.push(path.to_string_lossy().into_owned());
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_git_is_walked_past_what_is_built() {
        let root = tempfile::tempdir().unwrap();
        for (path, bytes) in [
            ("src/lib.rs", b"//! Story.\n".as_slice()),
            ("target/debug/noise.rs", b"noise"),
            ("fixtures/gb18030.bin", &[0xB8, 0xA3]),
        ] {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        let mut paths = walk(root.path()).unwrap();
        paths.sort();
        assert_eq!(paths, ["fixtures/gb18030.bin", "src/lib.rs"]);
    }
}
