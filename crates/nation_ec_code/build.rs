//! Gives the DLL its version resource: what Windows shows under 属性 › 详细信息, by which an engineer
//! tells a stale copy from the new one. Other systems have none.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=build.rs");
    if env::var("CARGO_CFG_TARGET_OS")? != "windows" {
        return Ok(());
    }
    let folder = PathBuf::from(env::var("OUT_DIR")?);
    let (text, object) = (folder.join("version.rc"), folder.join("version.o"));
    fs::write(&text, resource(&env::var("CARGO_PKG_VERSION")?))?;
    let arch = env::var("CARGO_CFG_TARGET_ARCH")?;
    let arch = if arch == "x86" { "i686" } else { &arch };
    let windres = format!("{arch}-w64-mingw32-windres");
    let status = Command::new(&windres)
        .args(["--codepage=65001", "-i"])
        .arg(&text)
        .arg("-o")
        .arg(&object)
        .status()
        .map_err(|error| format!("{windres}: {error}"))?;
    if !status.success() {
        return Err(format!("{windres}: {status}").into());
    }
    println!("cargo:rustc-link-arg-cdylib={}", object.display());
    Ok(())
}

fn resource(version: &str) -> String {
    let numbers = format!("{},0", version.replace('.', ","));
    format!(
        r#"#pragma code_page(65001)
1 VERSIONINFO
FILEVERSION {numbers}
PRODUCTVERSION {numbers}
FILEOS 0x40004
FILETYPE 2
BEGIN
  BLOCK "StringFileInfo"
  BEGIN
    BLOCK "080404B0"
    BEGIN
      VALUE "CompanyName", "Banyan"
      VALUE "FileDescription", "国家医保电子凭证业务标准动态库"
      VALUE "FileVersion", "{version}"
      VALUE "InternalName", "NationECCode"
      VALUE "LegalCopyright", "Apache-2.0"
      VALUE "OriginalFilename", "NationECCode.dll"
      VALUE "ProductName", "Banyan NationECCode"
      VALUE "ProductVersion", "{version}"
    END
  END
  BLOCK "VarFileInfo"
  BEGIN
    VALUE "Translation", 0x0804, 1200
  END
END
"#
    )
}
