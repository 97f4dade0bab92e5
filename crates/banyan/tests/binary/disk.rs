//! A small disk in memory, which only one process sees and which goes with it.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::{Program, run};

/// The folder that the small disk is mounted on.
pub(crate) const DISK: &str = "disk";

/// The same command on a small disk at `folder/disk`: `before` is a shell line that runs on it first.
/// `None`, and the reason printed, where the system does not let us mount; a build server must (it
/// sets `CI`).
pub(crate) fn on_small_disk(
    command: &Command,
    folder: &Path,
    size: &str,
    before: &str,
) -> Option<Command> {
    std::fs::create_dir(folder.join(DISK)).unwrap();
    let unshare = ["-m", "-rm"].into_iter().find(|how| {
        let mut try_it = Command::new("sh");
        let line = format!("unshare {how} mount -t tmpfs -o size=1m none {DISK}");
        run(try_it.args(["-c", &line]).current_dir(folder)).code == Some(0)
    });
    let Some(unshare) = unshare else {
        let why = "this system does not let the test mount a small disk (unshare)";
        assert!(
            std::env::var_os("CI").is_none(),
            "a build server must: {why}"
        );
        eprintln!("skipped: {why}");
        return None;
    };
    let environment: Vec<_> = command
        .get_envs()
        .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
        .collect();
    let line =
        format!("mount -t tmpfs -o size={size} none {DISK} && {before} && exec \"$0\" \"$@\"");
    let mut wrapped = Command::new("unshare");
    wrapped
        .args([unshare, "sh", "-c", &line])
        .arg(command.get_program())
        .args(command.get_args())
        .current_dir(folder)
        .env_clear()
        .envs(environment);
    Some(wrapped)
}

/// Takes and gives back all the room of a program's small disk.
pub(crate) struct Filler(PathBuf);

impl Filler {
    /// The disk as the program sees it.
    pub(crate) fn of(program: &Program, folder: &Path) -> Self {
        let root = PathBuf::from(format!("/proc/{}/root", program.id()));
        Self(
            root.join(folder.strip_prefix("/").unwrap())
                .join(DISK)
                .join("filler"),
        )
    }

    /// Takes all the room that is left.
    pub(crate) fn fill(&self) {
        let mut file = std::fs::File::create(&self.0).unwrap();
        while std::io::Write::write_all(&mut file, &[0; 4_096]).is_ok() {}
    }

    pub(crate) fn make_room(&self) {
        std::fs::remove_file(&self.0).unwrap();
    }
}
