//! Debian's packages, where the machine lets us install some.

use std::path::Path;
use std::process::{Command, Stdio};

use nix::unistd::geteuid;

/// Programs of others that the tests hold ours against, and the packages that bring them.
const PEERS: [(&str, &str); 5] = [
    ("python3", "python3"),
    ("openssl", "openssl"),
    ("node", "nodejs"),
    ("chromium", "chromium"),
    ("chromedriver", "chromium-driver"),
];

/// Python's library for the client example; Debian's own Python finds Debian's package.
const PYTHON_LIBRARY: &str = "python3-cryptography";

/// Chinese letters for the browser, without which its pictures show boxes.
const FONT: (&str, &str) = (
    "/usr/share/fonts/truetype/wqy/wqy-microhei.ttc",
    "fonts-wqy-microhei",
);

/// Installs the peers that are missing, if it may. Where it may not, the tests that need one are
/// left out with a word about it.
pub(crate) fn bring_peers() {
    let mut missing: Vec<&str> = PEERS
        .iter()
        .filter(|(program, _)| !starts(program))
        .map(|(_, package)| *package)
        .collect();
    let imports = |python: &str| answers(Command::new(python).args(["-c", "import cryptography"]));
    if !["python3", "/usr/bin/python3"].into_iter().any(imports) {
        missing.push(PYTHON_LIBRARY);
    }
    if !Path::new(FONT.0).exists() {
        missing.push(FONT.1);
    }
    if missing.is_empty() {
        return;
    }
    let packages = missing.join(" ");
    let Some(mut shell) = privileged_shell() else {
        println!("xtask: without {packages} some tests are left out; apt-get install {packages}");
        return;
    };
    println!("xtask: installing {packages} with apt-get, for the tests against other programs");
    let script = format!(
        "export DEBIAN_FRONTEND=noninteractive; apt-get -o DPkg::Lock::Timeout=120 update || true; \
         apt-get -o DPkg::Lock::Timeout=120 install -y --no-install-recommends {packages}"
    );
    let installed = shell
        .args(["-euc", &script])
        .stdin(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !installed {
        println!("xtask: apt-get could not install {packages}; tests that need them will say so");
    }
}

fn starts(program: &str) -> bool {
    // Whatever it thinks of the argument, it started.
    Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok()
}

/// A shell with root's rights, if there is apt-get to use them on and nobody need type a password.
pub(crate) fn privileged_shell() -> Option<Command> {
    if !answers(Command::new("apt-get").arg("--version")) {
        return None;
    }
    if geteuid().is_root() {
        return Some(Command::new("sh"));
    }
    answers(Command::new("sudo").args(["-n", "true"])).then(|| {
        let mut sudo = Command::new("sudo");
        sudo.args(["-n", "sh"]);
        sudo
    })
}

/// Whether a program is there and ends well.
pub(crate) fn answers(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
