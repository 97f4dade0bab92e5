//! Debian's packages, where the machine lets us install some.

use std::path::Path;
use std::process::{Command, Stdio};

use nix::unistd::geteuid;

/// Programs of others that the tests hold ours against, and the packages that bring them.
const PEERS: [(&str, &str); 8] = [
    ("python3", "python3"),
    ("openssl", "openssl"),
    ("node", "nodejs"),
    ("chromium", "chromium"),
    ("chromedriver", "chromium-driver"),
    ("g++", "g++"),
    ("valgrind", "valgrind"),
    ("javac", "default-jdk-headless"),
];

/// Python's library for the client example; Debian's own Python finds Debian's package.
const PYTHON_LIBRARY: &str = "python3-cryptography";

/// By which Java programs load libraries, NationECCode among them.
const JAVA_NATIVE_ACCESS: (&str, &str) = ("/usr/share/java/jna.jar", "libjna-java");

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
    let files = [FONT, JAVA_NATIVE_ACCESS];
    let absent = files.iter().filter(|(file, _)| !Path::new(file).exists());
    missing.extend(absent.map(|(_, package)| *package));
    if !install(&missing, "the tests against other programs") {
        println!(
            "xtask: tests that need {} say that they are left out",
            missing.join(" ")
        );
    }
}

/// Installs these packages, if it may; nothing to install is installed.
pub(crate) fn install(packages: &[&str], what_for: &str) -> bool {
    if packages.is_empty() {
        return true;
    }
    let packages = packages.join(" ");
    let Some(mut shell) = privileged_shell() else {
        println!("xtask: missing for {what_for}: apt-get install {packages}");
        return false;
    };
    println!("xtask: installing {packages} with apt-get, for {what_for}");
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
        println!("xtask: apt-get could not install {packages}");
    }
    installed
}

pub(crate) fn starts(program: &str) -> bool {
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
