//! What a hospital knows of the debts of its patients, and what the platform confirmed of them.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use banyan_protocol::dictionaries::{FeeType, ItemState, MedType, UserType};
use banyan_protocol::overdue::{PersonResult, judged_bad};
use banyan_protocol::wire::{Amount, ExtData, FieldFault, LocalTime, Text};

use super::ledger_file::{LedgerError, LedgerFile};
use crate::citizens::scalar;
use crate::{Citizen, PartnerFault};

/// One debt.
#[derive(Clone, PartialEq, Eq)]
pub struct LedgerEntry {
    /// 机构跟踪号.
    pub org_trace_id: String,
    /// Whose debt it is; `None` for an anonymous patient.
    pub citizen: Option<Citizen>,
    /// What is owed.
    pub debt: Debt,
    /// How it stands at the hospital.
    pub local_state: ItemState,
    /// 平台跟踪号, once the platform has told it.
    pub trace_id: Option<String>,
    /// How it stands at the platform, as far as the platform has told.
    pub confirmed_state: Option<ItemState>,
    /// The batch that last told the platform of it.
    pub org_request_id: Option<String>,
    /// Why the platform judged it bad, newest last; empty where it did not.
    pub errors: Vec<String>,
}

/// What is owed, and for what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Debt {
    /// 用户类别.
    pub user_type: UserType,
    /// 医疗类别.
    pub med_type: MedType,
    /// 费用类别.
    pub fee_type: FeeType,
    /// 项目名称.
    pub item_name: Text<40>,
    /// 金额.
    pub amount: Amount,
    /// 产生时间.
    pub actual_time: LocalTime,
}

impl Debt {
    /// An outpatient's own debt; its other members may be changed afterwards.
    ///
    /// # Errors
    /// Where the name is too long, or the amount is none that the wire can carry.
    pub fn new(item_name: &str, amount_fen: i64, actual_ms: i64) -> Result<Self, FieldFault> {
        Ok(Self {
            user_type: UserType::SelfPaying,
            med_type: MedType::GeneralOutpatient,
            fee_type: FeeType::Outpatient,
            item_name: scalar("itemName", item_name)?,
            amount: Amount::from_fen(amount_fen)
                .ok_or_else(|| FieldFault::new("amount", "应为 0.01 至 9999999.99 元"))?,
            actual_time: LocalTime::from_epoch_ms(actual_ms),
        })
    }
}

/// A debt that is judged bad again and again keeps only what was said last.
const MAX_ERRORS: usize = 8;

/// The debts of one hospital, in memory and, where it has a file, there too.
pub(super) struct Ledger {
    entries: Vec<LedgerEntry>,
    places: HashMap<String, usize>,
    file: Option<LedgerFile>,
    prefix: String,
    named: u64,
}

/// Sets two starts without a file apart, even under a clock that stands still.
static STARTS: AtomicU64 = AtomicU64::new(1);

impl Ledger {
    /// With what the file holds.
    pub(super) fn open(file: Option<&Path>, now_ms: i64) -> Result<Self, LedgerError> {
        let (file, start, entries) = match file {
            Some(path) => {
                let (file, start, entries) = LedgerFile::open(path)?;
                (Some(file), start, entries)
            }
            None => (None, STARTS.fetch_add(1, Ordering::Relaxed), Vec::new()),
        };
        let places = entries.iter().enumerate();
        Ok(Self {
            places: places
                .map(|(place, entry)| (entry.org_trace_id.clone(), place))
                .collect(),
            entries,
            file,
            prefix: format!("{now_ms:x}-{start:x}"),
            named: 0,
        })
    }

    /// A name that no start before gave: the letter, when this start was, which one, and a count.
    pub(super) fn new_name(&mut self, letter: char) -> String {
        self.named += 1;
        format!("{letter}{}-{}", self.prefix, self.named)
    }

    pub(super) fn owe(&mut self, citizen: Option<Citizen>, debt: Debt) -> String {
        let org_trace_id = self.new_name('T');
        self.places.insert(org_trace_id.clone(), self.entries.len());
        self.entries.push(LedgerEntry {
            org_trace_id: org_trace_id.clone(),
            citizen,
            debt,
            local_state: ItemState::Unpaid,
            trace_id: None,
            confirmed_state: None,
            org_request_id: None,
            errors: Vec::new(),
        });
        self.keep(self.entries.len() - 1);
        org_trace_id
    }

    pub(super) fn entries(&self) -> &[LedgerEntry] {
        &self.entries
    }

    pub(super) fn get(&self, org_trace_id: &str) -> Result<&LedgerEntry, PartnerFault> {
        self.places
            .get(org_trace_id)
            .and_then(|place| self.entries.get(*place))
            .ok_or_else(|| PartnerFault::UnknownItem(org_trace_id.to_owned()))
    }

    pub(super) fn change(
        &mut self,
        org_trace_id: &str,
        change: impl FnOnce(&mut LedgerEntry),
    ) -> Result<(), PartnerFault> {
        let unknown = || PartnerFault::UnknownItem(org_trace_id.to_owned());
        let place = *self.places.get(org_trace_id).ok_or_else(unknown)?;
        let entry = self.entries.get_mut(place).ok_or_else(unknown)?;
        let before = entry.clone();
        change(entry);
        if *entry != before {
            self.keep(place);
        }
        Ok(())
    }

    /// Takes in what the platform says of our items; those that are not ours are passed over.
    pub(super) fn confirm<'a>(
        &mut self,
        persons: impl IntoIterator<Item = &'a PersonResult>,
        ext_data: Option<&ExtData>,
    ) {
        for item in persons.into_iter().flat_map(|person| &person.itemList) {
            let known = self.change(item.orgTraceId.as_str(), |entry| {
                entry.trace_id = Some(item.traceId.as_str().to_owned());
                entry.confirmed_state = Some(item.state);
                entry.errors.clear();
            });
            if known.is_err() {
                tracing::debug!("the platform told of an item that the ledger does not have");
            }
        }
        for (org_trace_id, reason) in ext_data.map(judged_bad).unwrap_or_default() {
            let _ = self.change(&org_trace_id, |entry| {
                entry.errors.retain(|said| *said != reason);
                entry.errors.push(reason);
                let surplus = entry.errors.len().saturating_sub(MAX_ERRORS);
                entry.errors.drain(..surplus);
            });
        }
    }

    fn keep(&mut self, place: usize) {
        if let (Some(file), Some(entry)) = (&mut self.file, self.entries.get(place))
            && let Err(error) = file.append(entry)
        {
            // The hospital goes on: a sandbox on a full disk still shows what it can.
            tracing::error!(%error, "a change of the ledger was not kept");
        }
    }
}

/// The reasons are in the platform's own words, which may name the person.
impl fmt::Debug for LedgerEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LedgerEntry")
            .field("org_trace_id", &self.org_trace_id)
            .field("is_anonymous", &self.citizen.is_none())
            .field("local_state", &self.local_state)
            .field("trace_id", &self.trace_id)
            .field("confirmed_state", &self.confirmed_state)
            .field("errors", &self.errors.len())
            .finish_non_exhaustive()
    }
}
