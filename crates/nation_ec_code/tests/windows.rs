//! The DLL under wine: run by `cargo xtask dll --test` and `--test-32`, which build it and say where it
//! is.
#![expect(
    clippy::unwrap_used,
    reason = "these are tests and their scaffold: they fail by panicking"
)]

mod support;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use NationECCode::charset::Charset;
use tempfile::TempDir;

use support::centre::Centre;
use support::certificates::Authority;
use support::programs::{compile, printed};
use support::{APP_ID, SECRET};

/// A folder as a kiosk has it: program, DLL and settings side by side.
struct Kiosk {
    folder: TempDir,
    /// An i386 Debian that the folder lies in, where wine is not this machine's own.
    wine_root: Option<PathBuf>,
}

impl Kiosk {
    fn new(settings: &str) -> Self {
        let wine_root = env::var_os("BANYAN_TEST_WINE_ROOT").map(PathBuf::from);
        let folder = match &wine_root {
            Some(root) => tempfile::tempdir_in(root.join("tmp")).unwrap(),
            None => tempfile::tempdir().unwrap(),
        };
        let dll = Path::new(&env::var_os("BANYAN_TEST_DLL").unwrap()).join("NationECCode.dll");
        fs::copy(dll, folder.path().join("NationECCode.dll")).unwrap();
        let settings = format!("app_id = \"{APP_ID}\"\nsecret = \"{SECRET}\"\n{settings}");
        fs::write(folder.path().join("NationECCode.toml"), settings).unwrap();
        Self { folder, wine_root }
    }

    fn build(&self, compiler: &str, file: &str, flags: &[&str]) -> PathBuf {
        let arch = env::var("BANYAN_TEST_DLL_ARCH").unwrap();
        let compiler = format!("{arch}-w64-mingw32-{compiler}");
        // Nothing of MinGW lies on a kiosk.
        let flags = [flags, &["-static"]].concat();
        let program = compile(&compiler, file, &flags, self.folder.path());
        program.with_extension("exe")
    }

    fn run(&self, program: &Path, words: &[&str]) -> Output {
        let name = program.file_name().unwrap();
        let mut command = match &self.wine_root {
            None => {
                let mut wine = Command::new("wine");
                wine.arg(name).current_dir(self.folder.path());
                wine
            }
            Some(root) => {
                let inside = Path::new("/").join(self.folder.path().strip_prefix(root).unwrap());
                let script = "mount -t proc proc \"$1/proc\"; mount --rbind /dev \"$1/dev\"; \
                              root=$1; folder=$2; shift 2; \
                              exec chroot \"$root\" sh -euc 'cd \"$1\"; shift; exec wine \"$@\"' sh \"$folder\" \"$@\"";
                let mut wine = Command::new("unshare");
                wine.args(["-m", "sh", "-euc", script, "sh"])
                    .args([root.as_path(), &inside])
                    .arg(name)
                    .env("WINEARCH", "win32")
                    .env("HOME", "/root");
                wine
            }
        };
        command
            .args(words)
            .env("WINEDEBUG", "-all")
            .output()
            .unwrap()
    }
}

#[test]
#[ignore = "needs the DLL: cargo xtask dll --test"]
fn a_windows_program_calls_it_over_http_and_https() {
    let centre = Centre::start();
    let authority = Authority::new("ours");
    let secure = Centre::start_tls(authority.server("localhost", false));
    let kiosk = Kiosk::new("[centre]\nca_file = 'ca.pem'\n[log]\nfile = 'ec.log'\n");
    authority.file(kiosk.folder.path());
    let program = kiosk.build("gcc", "tests/c/windows.c", &[]);
    let output = kiosk.run(&program, &[&centre.at("ok"), &secure.at("ok")]);
    assert!(printed(&output).starts_with("ok, "), "{output:?}");
    let log = fs::read_to_string(kiosk.folder.path().join("ec.log")).unwrap();
    assert!(
        log.lines().count() > 200 && log.contains("ec.query code=0"),
        "{log}"
    );
}

#[test]
#[ignore = "needs the DLL: cargo xtask dll --test"]
fn the_cpp_program_of_annex_a_runs_as_printed() {
    let centre = Centre::start();
    let kiosk = Kiosk::new(&format!(
        "[code]\nsource = \"terminal\"\n[terminal]\nurl = \"{}/ok\"",
        centre.base()
    ));
    let flags = [
        "-fexec-charset=GB18030",
        "-Wno-cast-function-type",
        "-Wno-unused-variable",
        "-Wno-unused-but-set-variable",
    ];
    let program = kiosk.build("g++", "tests/annex_a/annex_a.cpp", &flags);
    let output = kiosk.run(&program, &[&centre.at("ok")]);
    let said = Charset::Gb18030.decode(&output.stdout).unwrap();
    assert!(output.status.success(), "{said}");
    assert!(said.starts_with("0000") && said.contains("张三"), "{said}");
    assert!(said.contains("消化内科") && said.contains("EC-FROM-TERMINAL"));
}
