//! What a person at the terminal sees.

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tracing_subscriber::EnvFilter;

/// Says something that was asked for.
pub(crate) fn say(text: impl std::fmt::Display) {
    // Whoever closed the pipe has read enough.
    let _closed = writeln!(std::io::stdout(), "{text}");
}

/// Says what is going on, beside what was asked for.
pub(crate) fn note(text: impl std::fmt::Display) {
    let _closed = writeln!(std::io::stderr(), "{text}");
}

/// Says why something was not done, with everything that led to it.
pub(crate) fn complain(error: &anyhow::Error) {
    note(format_args!("错误：{error:#}"));
}

/// What somebody else wrote, without what would move a terminal's cursor or turn its letters round.
pub(crate) fn harmless(text: &str) -> String {
    let turns = |letter: char| {
        letter.is_control() && letter != '\n'
            || matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars()
        .map(|letter| if turns(letter) { '\u{fffd}' } else { letter })
        .collect()
}

/// A bar for work of known length; silent where nobody watches.
pub(crate) fn progress(total: u64, what: &'static str) -> ProgressBar {
    let bar = ProgressBar::new(total);
    if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {eta}") {
        bar.set_style(style);
    }
    bar.set_message(what);
    bar
}

/// A sign of life for work of unknown length.
pub(crate) fn spinner(what: &'static str) -> ProgressBar {
    let spinner = ProgressBar::new_spinner();
    spinner.set_message(what);
    spinner.enable_steady_tick(Duration::from_millis(120));
    spinner
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum LogFormat {
    /// 便于阅读的文本
    Text,
    /// 每行一个 JSON 对象
    Json,
}

/// Starts the log, on standard error. `RUST_LOG` chooses what is in it.
pub(crate) fn start_log(format: LogFormat, default: &str) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    // A log that was started before, by a test, goes on as it is.
    let _started = match format {
        LogFormat::Text => log.try_init(),
        LogFormat::Json => log.json().try_init(),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_wrote_can_t_move_the_terminal() {
        assert_eq!(
            harmless("a\u{1b}[2Jb\u{202e}c\n𠮷"),
            "a\u{fffd}[2Jb\u{fffd}c\n𠮷"
        );
    }
}
