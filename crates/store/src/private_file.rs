//! A secret in a file that only its owner may read, beside what it opens.
//!
//! The file is there whole or not at all: a crash leaves no half of a secret under its name, and of
//! two processes that begin at once the second takes what the first made.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// The secret that the file holds; made, and synced before it is used, where there is no file.
///
/// # Errors
/// Where the file can't be read or made.
pub fn read_or_make(path: &Path, make: impl FnOnce() -> String) -> io::Result<String> {
    match std::fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => make_once(path, make),
        read => read,
    }
}

/// Makes the names in a folder durable, where the file system can.
///
/// # Errors
/// Where the folder can't be opened or the disk fails.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    match File::open(folder)?.sync_all() {
        // Some network file systems keep names at once and know no such call.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported
            ) =>
        {
            Ok(())
        }
        synced => synced,
    }
}

/// Written beside its place, and given its name when it is on the disk.
fn make_once(path: &Path, make: impl FnOnce() -> String) -> io::Result<String> {
    let beside = beside(path);
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(ONLY_OWNER)
        .open(&beside)?;
    // Whoever comes second waits here, and goes on when the file has its name.
    file.lock()?;
    if path.try_exists()? {
        // Opened after the first gave his its name, this one is nobody's.
        match std::fs::remove_file(&beside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        return std::fs::read_to_string(path);
    }
    // What a dead process wrote is no whole secret.
    file.set_len(0)?;
    file.set_permissions(Permissions::from_mode(ONLY_OWNER))?;
    let secret = make();
    file.write_all(secret.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&beside, path)?;
    sync_folder(parent(path))?;
    Ok(secret)
}

const ONLY_OWNER: u32 = 0o600;

fn beside(path: &Path) -> PathBuf {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    beside.into()
}

/// The folder of a file; a bare name lies in the present one.
fn parent(path: &Path) -> &Path {
    path.parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn it_is_made_once_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        assert_eq!(read_or_make(&path, || "one".to_owned()).unwrap(), "one");
        assert_eq!(read_or_make(&path, || "two".to_owned()).unwrap(), "one");
        assert_eq!(mode(&path), 0o600);
        let nowhere = folder.path().join("no/key");
        assert!(read_or_make(&nowhere, String::new).is_err());
    }

    #[test]
    fn what_a_crash_left_is_not_taken_for_the_secret() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(beside(&path), "half of a longer secret").unwrap();
        assert_eq!(read_or_make(&path, || "whole".to_owned()).unwrap(), "whole");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "whole");
        assert_eq!(mode(&path), 0o600);
        assert!(!beside(&path).exists());
    }

    #[test]
    fn of_many_at_once_the_first_wins() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let together = Barrier::new(8);
        let read = |number: usize| {
            together.wait();
            read_or_make(&path, || format!("secret {number}")).unwrap()
        };
        let secrets: Vec<String> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|number| {
                    scope.spawn({
                        let read = &read;
                        move || read(number)
                    })
                })
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect()
        });
        let kept = std::fs::read_to_string(&path).unwrap();
        assert!(secrets.iter().all(|secret| *secret == kept), "{secrets:?}");
        assert!(!beside(&path).exists());
    }
}
