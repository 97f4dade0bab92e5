//! The ledger on disk: JSON Lines, each an item as it stood then; the last line of an item wins.
//!
//! Lines survive the end of the process, not a power failure: a sandbox may lose its last
//! seconds with the machine. Each start writes the file anew with one line an item, so that it
//! grows with the items and not with their changes.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use banyan_protocol::dictionaries::{FeeType, ItemState, MedType, UserType};
use banyan_protocol::wire::{Amount, LocalTime, Scalar as _, Text};
use serde::{Deserialize, Serialize};

use super::ledger::{Debt, LedgerEntry};
use crate::Citizen;
use crate::description::{owners, write_whole};

/// Why a ledger can't be used. It repeats nothing of the content.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The file system refused.
    #[error("the ledger {}: {source}", .path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A line is none of a ledger.
    #[error("line {line} of {} is none of a ledger", .path.display())]
    BadLine {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
    },
}

/// The file, open for appending.
pub(super) struct LedgerFile {
    file: File,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
enum Line {
    /// How many starts there were, this one included.
    Start { number: u64 },
    /// An item as it stands.
    Item(Box<ItemLine>),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ItemLine {
    org_trace_id: String,
    citizen: Option<Citizen>,
    user_type: String,
    med_type: String,
    fee_type: String,
    item_name: String,
    amount_fen: i64,
    actual_ms: i64,
    local_state: String,
    trace_id: Option<String>,
    confirmed_state: Option<String>,
    org_request_id: Option<String>,
    errors: Vec<String>,
}

impl LedgerFile {
    /// Opens or makes the file; gives the number of this start, and the entries.
    pub(super) fn open(path: &Path) -> Result<(Self, u64, Vec<LedgerEntry>), LedgerError> {
        let at = |source| LedgerError::File {
            path: path.to_owned(),
            source,
        };
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(at(error)),
        };
        let (starts, entries) = read(&text).map_err(|line| LedgerError::BadLine {
            path: path.to_owned(),
            line,
        })?;
        let start = starts + 1;
        let mut content = Vec::new();
        write_line(&mut content, &Line::Start { number: start }).map_err(at)?;
        for entry in &entries {
            write_line(&mut content, &line_of(entry)).map_err(at)?;
        }
        write_whole(path, &content).map_err(at)?;
        let file = owners(OpenOptions::new().append(true))
            .open(path)
            .map_err(at)?;
        Ok((Self { file }, start, entries))
    }

    /// Adds how the entry stands now.
    pub(super) fn append(&mut self, entry: &LedgerEntry) -> io::Result<()> {
        let mut line = Vec::new();
        write_line(&mut line, &line_of(entry))?;
        // In one piece, so that only the last line of a killed process can be torn.
        self.file.write_all(&line)
    }
}

fn write_line(to: &mut Vec<u8>, line: &Line) -> io::Result<()> {
    serde_json::to_writer(&mut *to, line)?;
    to.push(b'\n');
    Ok(())
}

/// How many starts there were, and the entries in the order of their first lines; the number of
/// the first bad line otherwise. A last line without its end was torn and is left out.
fn read(text: &str) -> Result<(u64, Vec<LedgerEntry>), usize> {
    let mut starts = 0;
    let mut entries: Vec<LedgerEntry> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    if whole.len() + 1 < text.len() {
        tracing::warn!("the last line of the ledger was torn and is left out");
    }
    for (number, line) in whole.lines().enumerate() {
        let bad = || number + 1;
        match serde_json::from_str(line).map_err(|_| bad())? {
            Line::Start { number } => starts = starts.max(number),
            Line::Item(item) => {
                let entry = entry_of(*item).ok_or_else(bad)?;
                if let Some(place) = places.get(&entry.org_trace_id) {
                    entries[*place] = entry;
                } else {
                    places.insert(entry.org_trace_id.clone(), entries.len());
                    entries.push(entry);
                }
            }
        }
    }
    Ok((starts, entries))
}

fn line_of(entry: &LedgerEntry) -> Line {
    let LedgerEntry {
        org_trace_id,
        citizen,
        debt,
        local_state,
        trace_id,
        confirmed_state,
        org_request_id,
        errors,
    } = entry.clone();
    Line::Item(Box::new(ItemLine {
        org_trace_id,
        citizen,
        user_type: debt.user_type.code().to_owned(),
        med_type: debt.med_type.code().to_owned(),
        fee_type: debt.fee_type.code().to_owned(),
        item_name: debt.item_name.as_str().to_owned(),
        amount_fen: debt.amount.fen(),
        actual_ms: debt.actual_time.epoch_ms(),
        local_state: local_state.code().to_owned(),
        trace_id,
        confirmed_state: confirmed_state.map(|state| state.code().to_owned()),
        org_request_id,
        errors,
    }))
}

fn entry_of(line: ItemLine) -> Option<LedgerEntry> {
    Some(LedgerEntry {
        debt: Debt {
            user_type: UserType::from_code(&line.user_type)?,
            med_type: MedType::from_code(&line.med_type)?,
            fee_type: FeeType::from_code(&line.fee_type)?,
            item_name: Text::parse(&line.item_name).ok()?,
            amount: Amount::from_fen(line.amount_fen)?,
            actual_time: LocalTime::from_epoch_ms(line.actual_ms),
        },
        local_state: ItemState::from_code(&line.local_state)?,
        confirmed_state: match line.confirmed_state {
            Some(code) => Some(ItemState::from_code(&code)?),
            None => None,
        },
        org_trace_id: line.org_trace_id,
        citizen: line.citizen,
        trace_id: line.trace_id,
        org_request_id: line.org_request_id,
        errors: line.errors,
    })
}
