//! `NationECCode.toml`: what a hospital sets, read whole or not at all.

mod reading;
#[cfg(test)]
mod tests;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use banyan_protocol::envelope::Secret;
use ureq::http::Uri;
use ureq::tls::Certificate;

use self::reading::Section;
use crate::charset::Charset;
use crate::fault::{Code, Fault};
use crate::log::{Level, Log};
use crate::output;

/// The file's name, beside the library.
pub const FILE_NAME: &str = "NationECCode.toml";
/// Names another file.
pub const FILE_VARIABLE: &str = "NATIONECCODE_CONFIG";

/// Forty lines are usual; beyond this it is some other file.
const MOST_BYTES: u64 = 64 * 1024;
/// The standard's length of OutData (5.2).
const USUAL_OUTPUT: i64 = 2048;
const MOST_OUTPUT: i64 = 1024 * 1024;

/// All of it. `Debug` does not show the secret.
#[derive(Debug)]
pub struct Settings {
    /// 接入方标识, as the centre registered it.
    pub app_id: String,
    /// 密钥
    pub secret: Secret,
    /// The caller's buffer.
    pub room: output::Room,
    /// What stands in for members that a caller leaves out.
    pub defaults: Defaults,
    /// How the centre is called.
    pub centre: Centre,
    /// Where a code comes from that the caller does not bring.
    pub source: Source,
    /// The terminal, where there is one.
    pub terminal: Option<Terminal>,
    /// The log, where one is wished.
    pub log: Option<Log>,
}

/// What stands in for members that a caller leaves out.
#[derive(Debug)]
pub struct Defaults {
    /// 交易类型
    pub trans_type: String,
    /// 机构 ID, where `data` has none either.
    pub org_id: Option<String>,
}

/// How the centre is called.
#[derive(Debug)]
pub struct Centre {
    /// Until the connection stands.
    pub connect: Duration,
    /// Until the reply is there.
    pub answer: Duration,
    /// The same for `cn.nhsa.ec.pwd`, which waits for a person.
    pub password: Duration,
    /// The only authorities that are trusted; none for the public ones.
    pub roots: Option<Vec<Certificate<'static>>>,
}

/// Where a code comes from that the caller does not bring.
#[derive(Debug)]
pub enum Source {
    /// Nowhere: the caller brings it in `extra.qrCode`.
    None,
    /// The terminal's scanner.
    Terminal,
    /// A scanner at a serial port.
    Serial(Serial),
}

/// A terminal that is asked over HTTP.
#[derive(Debug)]
pub struct Terminal {
    /// `{url}/scan`
    pub scan: Uri,
    /// `{url}/face`
    pub face: Uri,
    /// `{url}/keypad`
    pub keypad: Uri,
    /// A person must find his telephone, or look into the camera.
    pub patience: Duration,
    /// Whether passwords are typed at it.
    pub has_keypad: bool,
}

/// A scanner at a serial port.
#[derive(Debug)]
pub struct Serial {
    /// `COM3`, `/dev/ttyUSB0`
    pub port: String,
    /// Bits a second.
    pub baud: u32,
    /// Until a whole code was read.
    pub patience: Duration,
}

impl Settings {
    /// Reads the file.
    ///
    /// # Errors
    /// Where it is not there, or the first line that can't be: code 500032.
    pub fn load(file: &Path) -> Result<Self, Fault> {
        let fault =
            |why: &str| Fault::new(Code::Settings, format!("设置文件 {}{why}", file.display()));
        let metadata = fs::metadata(file).map_err(|_| fault(" 不存在或不可读"))?;
        if metadata.len() > MOST_BYTES {
            return Err(fault(" 过大"));
        }
        let bytes = fs::read(file).map_err(|_| fault(" 不可读"))?;
        let text =
            std::str::from_utf8(&bytes).map_err(|_| fault(" 不是 UTF-8 编码：请用 UTF-8 另存"))?;
        let folder = file.parent().unwrap_or(Path::new("."));
        Self::parse(text.strip_prefix('\u{FEFF}').unwrap_or(text), folder)
    }

    /// Reads the file's text; relative paths in it start at this folder.
    ///
    /// # Errors
    /// See [`Settings::load`].
    pub fn parse(text: &str, folder: &Path) -> Result<Self, Fault> {
        let document = reading::document(text)?;
        let mut top = Section::top(text, document.get_ref());
        let app_id = top.text("app_id")?.required()?;
        let secret = top.text("secret")?;
        let secret = secret.parse_required(|text| {
            Secret::parse(text).map_err(|_| "至少需要 16 个字节".to_owned())
        })?;
        let size = top.number(
            "output_size",
            output::SMALLEST as i64..=MOST_OUTPUT,
            USUAL_OUTPUT,
        )?;
        let charset = top.choice(
            "encoding",
            &[("gb18030", Charset::Gb18030), ("utf-8", Charset::Utf8)],
            Charset::default(),
        )?;
        let defaults = Defaults {
            trans_type: top.text("default_trans_type")?.or(crate::message::QUERY),
            org_id: top.text("default_org_id")?.optional(),
        };
        let centre = centre(top.section("centre")?, folder)?;
        let terminal = terminal(top.section("terminal")?)?;
        let serial = serial(top.section("serial")?)?;
        let source = source(top.section("code")?, terminal.is_some(), serial)?;
        let log = log(top.section("log")?, folder)?;
        top.finish()?;
        Ok(Self {
            app_id,
            secret,
            room: output::Room {
                charset,
                size: usize::try_from(size).unwrap_or(output::SMALLEST),
            },
            defaults,
            centre,
            source,
            terminal,
            log,
        })
    }
}

fn centre(mut section: Section<'_>, folder: &Path) -> Result<Centre, Fault> {
    let settings = Centre {
        connect: section.millis("connect_timeout_ms", 5_000)?,
        answer: section.millis("answer_timeout_ms", 15_000)?,
        password: section.millis("password_timeout_ms", 90_000)?,
        roots: section
            .text("ca_file")?
            .parse(|path| certificates(&folder.join(path)))?,
    };
    section.finish()?;
    Ok(settings)
}

fn certificates(file: &Path) -> Result<Vec<Certificate<'static>>, String> {
    let pem = fs::read(file).map_err(|_| "文件不存在或不可读".to_owned())?;
    let mut found = Vec::new();
    for item in ureq::tls::parse_pem(&pem) {
        match item {
            Ok(ureq::tls::PemItem::Certificate(certificate)) => found.push(certificate),
            Ok(_) => {}
            Err(_) => return Err("不是 PEM 格式的证书".to_owned()),
        }
    }
    if found.is_empty() {
        return Err("文件中没有 PEM 格式的证书".to_owned());
    }
    Ok(found)
}

fn terminal(mut section: Section<'_>) -> Result<Option<Terminal>, Fault> {
    let base = section.text("url")?.parse(|text| {
        let base = text.trim_end_matches('/').to_owned();
        address(&base).map(|_| base)
    })?;
    let patience = section.millis("timeout_ms", 30_000)?;
    let has_keypad = section.flag("keypad", false)?;
    section.finish()?;
    let Some(base) = base else {
        return Ok(None);
    };
    let at = |path: &str| {
        address(&format!("{base}{path}"))
            .map_err(|why| Fault::new(Code::Settings, format!("terminal.url {why}")))
    };
    Ok(Some(Terminal {
        scan: at("/scan")?,
        face: at("/face")?,
        keypad: at("/keypad")?,
        patience,
        has_keypad,
    }))
}

fn serial(mut section: Section<'_>) -> Result<Option<Serial>, Fault> {
    let port = section.text("port")?.optional();
    let baud = section.number("baud", 300..=4_000_000, 9_600)?;
    let patience = section.millis("timeout_ms", 30_000)?;
    section.finish()?;
    Ok(port.map(|port| Serial {
        port,
        baud: u32::try_from(baud).unwrap_or(9_600),
        patience,
    }))
}

fn source(
    mut section: Section<'_>,
    has_terminal: bool,
    serial: Option<Serial>,
) -> Result<Source, Fault> {
    #[derive(Clone, Copy)]
    enum Kind {
        None,
        Terminal,
        Serial,
    }
    let kinds = [
        ("none", Kind::None),
        ("terminal", Kind::Terminal),
        ("serial", Kind::Serial),
    ];
    let kind = section.choice("source", &kinds, Kind::None)?;
    let source = match (kind, serial) {
        (Kind::None, _) => Source::None,
        (Kind::Terminal, _) if has_terminal => Source::Terminal,
        (Kind::Terminal, _) => {
            return Err(section.fault("source", "为 terminal 时，须有 [terminal] 的 url"));
        }
        (Kind::Serial, Some(serial)) => Source::Serial(serial),
        (Kind::Serial, None) => {
            return Err(section.fault("source", "为 serial 时，须有 [serial] 的 port"));
        }
    };
    section.finish()?;
    Ok(source)
}

fn log(mut section: Section<'_>, folder: &Path) -> Result<Option<Log>, Fault> {
    let file: Option<PathBuf> = section
        .text("file")?
        .optional()
        .map(|file| folder.join(file));
    let levels = [
        ("error", Some(Level::Error)),
        ("info", Some(Level::Info)),
        ("off", None),
    ];
    let level = section.choice("level", &levels, Some(Level::Info))?;
    let most_bytes = section.number("max_bytes", 10_000..=1_000_000_000, 1_000_000)?;
    section.finish()?;
    Ok(file.zip(level).map(|(file, level)| Log {
        file,
        level,
        most_bytes: most_bytes.unsigned_abs(),
    }))
}

/// An address that can be called, or in Chinese why not.
pub(crate) fn address(text: &str) -> Result<Uri, String> {
    let uri: Uri = text.parse().map_err(|_| "不是合法的地址".to_owned())?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err("应以 http:// 或 https:// 开头".to_owned());
    }
    match uri.host() {
        None | Some("") => Err("缺少主机名".to_owned()),
        Some(_) => Ok(uri),
    }
}
