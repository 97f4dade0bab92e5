//! An operator's file, wherever one is taken in: found out, read again record by record, reported on.

use std::fs::File;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use banyan_protocol::crypto::sm3;
use banyan_tables::{Encoding, Plan};

use crate::terminal;

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// 逗号、制表符或分号分隔，首行为表头
    Csv,
    /// 每行一个 JSON 对象
    Jsonl,
}

/// What a first reading of the whole file tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Survey {
    /// By which the same file is known again.
    pub(crate) digest: [u8; 32],
    /// Its lines, about.
    pub(crate) lines: u64,
    /// Whether it is in GB18030; in UTF-8 otherwise.
    pub(crate) gb18030: bool,
}

/// What is to be imported.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) file: PathBuf,
    pub(crate) format: Format,
    pub(crate) report: PathBuf,
}

impl Wanted {
    pub(crate) fn new(file: &Path, format: Option<Format>, report: Option<&Path>) -> Self {
        let extension = file.extension().and_then(|extension| extension.to_str());
        let by_name = match extension.map(str::to_ascii_lowercase).as_deref() {
            Some("jsonl" | "ndjson") => Format::Jsonl,
            _ => Format::Csv,
        };
        let report = report.map_or_else(
            || {
                let mut beside = file.as_os_str().to_owned();
                beside.push(".report.csv");
                PathBuf::from(beside)
            },
            Path::to_owned,
        );
        Self {
            file: file.to_owned(),
            format: format.unwrap_or(by_name),
            report,
        }
    }
}

/// The report's file.
pub(crate) struct Report(File);

impl Report {
    /// Opens the report so that it holds exactly what was committed: `before` bytes behind its
    /// head, then `last`. `begun` says whether anything was done before.
    pub(crate) fn open(
        path: &Path,
        head: &str,
        begun: bool,
        before: u64,
        last: &str,
    ) -> Result<Self> {
        let named = || format!("写入报告 {}", path.display());
        let mut file = File::options()
            .create(true)
            .write(true)
            .truncate(false)
            .open(path)
            .with_context(named)?;
        let kept = head.len() as u64 + before;
        if !begun || file.metadata()?.len() < kept {
            if before > 0 {
                terminal::note("未找到上次的报告，新报告从续传处开始。");
            }
            file.set_len(0)?;
            file.write_all(head.as_bytes()).with_context(named)?;
        } else {
            file.set_len(kept)?;
            file.seek(SeekFrom::End(0))?;
        }
        file.write_all(last.as_bytes()).with_context(named)?;
        Ok(Self(file))
    }

    pub(crate) fn add(&mut self, text: &str) -> Result<()> {
        self.0.write_all(text.as_bytes()).context("写入报告")
    }

    pub(crate) fn close(self) -> Result<()> {
        self.0.sync_all().context("写入报告")
    }
}

impl Survey {
    pub(crate) fn of(path: &Path) -> Result<Self> {
        let named = || path.display().to_string();
        let file = File::open(path).with_context(|| format!("打开 {}", named()))?;
        let mut digest = [0; 32];
        let survey = banyan_tables::Survey::of(file, |piece| {
            digest = sm3::digest_parts(&[&digest, piece]);
        })
        .with_context(named)?;
        Ok(Self {
            digest,
            lines: survey.lines,
            gb18030: survey.encoding == Encoding::Gb18030,
        })
    }
}

/// Opens the file and reads the header, if it has one.
pub(crate) fn open(
    path: &Path,
    format: Format,
    survey: &Survey,
    plan: Plan,
) -> Result<banyan_tables::Records<File>> {
    let format = match format {
        Format::Csv => banyan_tables::Format::Delimited,
        Format::Jsonl => banyan_tables::Format::JsonLines,
    };
    let encoding = if survey.gb18030 {
        Encoding::Gb18030
    } else {
        Encoding::Utf8
    };
    banyan_tables::Records::open(File::open(path)?, format, encoding, plan)
        .with_context(|| path.display().to_string())
}
