//! What outlives a call: the settings as they were read, and the connections that they opened.
//!
//! Each call looks at the file's time and length, which costs a microsecond, and reads it anew where
//! they changed: whoever corrects a line on a kiosk need not end the program on it. A file that can't
//! be read refuses every call until it can; to go on under what stood there before would hide the
//! mistake until the next morning.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, Once, OnceLock, PoisonError};
use std::time::SystemTime;

use crate::fault::{Code, Fault};
use crate::http::Line;
use crate::settings::{FILE_NAME, FILE_VARIABLE, Settings};
use crate::{call, place};

/// What a call works with.
#[derive(Debug)]
pub struct Ready {
    /// As they stand in the file.
    pub settings: Settings,
    pub(crate) centre: Line,
    pub(crate) terminal: Line,
}

impl Ready {
    /// With connections of its own.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let centre = call::line_to_centre(&settings.centre);
        let terminal = call::line_to_terminal(&settings.centre);
        Self {
            settings,
            centre,
            terminal,
        }
    }
}

struct Loaded {
    file: PathBuf,
    stamp: Option<(SystemTime, u64)>,
    outcome: Result<Arc<Ready>, Fault>,
}

static LOADED: Mutex<Option<Loaded>> = Mutex::new(None);

/// The settings as the file has them now.
///
/// # Errors
/// Where it can't be read: code 500032.
pub fn current() -> Result<Arc<Ready>, Fault> {
    static FIRST: Once = Once::new();
    FIRST.call_once(|| {
        place::keep_sockets();
        place::at_unload(forget);
    });
    let file = settings_file()?;
    let stamp = stamp(&file);
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = loaded.as_ref()
        && known.file == file
        && known.stamp == stamp
        && stamp.is_some()
    {
        return known.outcome.clone();
    }
    let outcome = Settings::load(&file).map(|settings| Arc::new(Ready::new(settings)));
    *loaded = Some(Loaded {
        file,
        stamp,
        outcome: outcome.clone(),
    });
    outcome
}

fn settings_file() -> Result<PathBuf, Fault> {
    static BESIDE: OnceLock<Option<PathBuf>> = OnceLock::new();
    if let Some(file) = std::env::var_os(FILE_VARIABLE).filter(|file| !file.is_empty()) {
        return Ok(file.into());
    }
    let beside = BESIDE.get_or_init(|| Some(place::own_folder()?.join(FILE_NAME)));
    beside.clone().ok_or_else(|| {
        let text = format!("不知道动态库所在的目录，请用环境变量 {FILE_VARIABLE} 指明设置文件");
        Fault::new(Code::Settings, text)
    })
}

fn stamp(file: &Path) -> Option<(SystemTime, u64)> {
    let metadata = fs::metadata(file).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

/// Closes what is open when the library goes. A call under way on another thread, which nobody
/// should unload the library under, keeps what it has.
extern "C" fn forget() {
    if let Ok(mut loaded) = LOADED.try_lock() {
        *loaded = None;
    }
}
