//! A secret in a file that only its owner may read, beside what it opens.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// The secret that the file holds; made, and synced before it is used, where there is no file.
///
/// # Errors
/// Where the file can't be read or made.
pub fn read_or_make(path: &Path, make: impl FnOnce() -> String) -> io::Result<String> {
    if !path.exists() {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        file.write_all(make().as_bytes())?;
        file.sync_all()?;
    }
    std::fs::read_to_string(path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn it_is_made_once_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        assert_eq!(read_or_make(&path, || "one".to_owned()).unwrap(), "one");
        assert_eq!(read_or_make(&path, || "two".to_owned()).unwrap(), "one");
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let nowhere = folder.path().join("no/key");
        assert!(read_or_make(&nowhere, String::new).is_err());
    }
}
