//! What came out: one export by its plain name, known imports, a version, a size.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use super::{Arch, printed};

/// It is copied onto kiosks and into installers by hand.
const MOST_BYTES: u64 = 2_500_000;

/// Every Windows since 7 has these; anything else would have to be shipped along, and a HIS folder
/// with somebody else's copy of it would break the library.
const KNOWN: &[&str] = &[
    "advapi32.dll",
    "bcrypt.dll",
    "kernel32.dll",
    "msvcrt.dll",
    "ntdll.dll",
    "setupapi.dll",
    "user32.dll",
    "userenv.dll",
    "ws2_32.dll",
    "cfgmgr32.dll",
];

/// A line about the DLL, or what is wrong with it.
pub(crate) fn all(dll: &Path, arch: Arch) -> Result<String> {
    let size = fs::metadata(dll)?.len();
    if size > MOST_BYTES {
        bail!(
            "{} has {size} bytes, and {MOST_BYTES} are the most",
            dll.display()
        );
    }
    let headers = printed(Command::new(arch.tool("objdump")).arg("-p").arg(dll))?;
    let exports = exports(&headers);
    if exports != ["NationEcTrans"] {
        bail!("exports {exports:?} instead of NationEcTrans alone");
    }
    let imports = imports(&headers);
    if let Some(unknown) = imports.iter().find(|name| !KNOWN.contains(&&***name)) {
        bail!("imports {unknown}, which not every Windows has");
    }
    let version = version(&fs::read(dll)?)?;
    Ok(format!(
        "{size} bytes, version {version}, exports NationEcTrans, imports {}",
        imports.join(" ")
    ))
}

/// The names under `[Ordinal/Name Pointer] Table`.
fn exports(headers: &str) -> Vec<String> {
    headers
        .lines()
        .skip_while(|line| !line.starts_with("[Ordinal/Name Pointer] Table"))
        .skip(1)
        .take_while(|line| line.trim_start().starts_with('['))
        .filter_map(|line| line.split_whitespace().next_back().map(str::to_owned))
        .collect()
}

fn imports(headers: &str) -> Vec<String> {
    let names = headers.lines().filter_map(|line| {
        line.trim()
            .strip_prefix("DLL Name: ")
            .map(str::to_lowercase)
    });
    let mut names: Vec<_> = names
        .filter(|name| !name.starts_with("api-ms-win-"))
        .collect();
    names.sort();
    names.dedup();
    names
}

/// What Windows shows as the file's version: UTF-16 text in the resource.
fn version(dll: &[u8]) -> Result<String> {
    let wide = |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_le_bytes).collect() };
    for (name, value) in [
        ("CompanyName", "Banyan"),
        ("OriginalFilename", "NationECCode.dll"),
        ("ProductName", "Banyan NationECCode"),
        ("FileVersion", env!("CARGO_PKG_VERSION")),
    ] {
        let (name, value) = (format!("{name}\0"), format!("{value}\0"));
        let (name, value) = (wide(&name), wide(&value));
        let after = dll
            .windows(name.len())
            .position(|part| part == name)
            .and_then(|at| dll.get(at + name.len()..))
            // At most two bytes fill up to a multiple of four.
            .is_some_and(|rest| {
                rest.starts_with(&value)
                    || rest.get(2..).is_some_and(|rest| rest.starts_with(&value))
            });
        if !after {
            bail!("its version resource is missing or wrong");
        }
    }
    Ok(env!("CARGO_PKG_VERSION").to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exports_and_imports_are_read_from_both_kinds_of_objdump() {
        for line in [
            "\t[   0] NationEcTrans",
            "\t[   0] +base[   1]  0000 NationEcTrans",
        ] {
            let text = format!(
                "\tDLL Name: KERNEL32.dll\n\tDLL Name: api-ms-win-core-synch-l1-2-0.dll\n\
                 \tDLL Name: WS2_32.dll\n\n[Ordinal/Name Pointer] Table\n{line}\n\nThe Function Table\n"
            );
            assert_eq!(exports(&text), ["NationEcTrans"]);
            assert_eq!(imports(&text), ["kernel32.dll", "ws2_32.dll"]);
        }
    }
}
