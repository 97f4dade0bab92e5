//! 院内账: each debt as the HIS last said it, and how far the platform knows.

use banyan_protocol::dictionaries::{IdType, ItemState};
use banyan_protocol::overdue::{EhealthCardId, IdNo, UserName};
use banyan_protocol::wire;
use banyan_store::db::{Cell, Column, Row as DbRow, StoreError, Val};
use banyan_store::vault::{PersonCode, Place, Vault};

use super::Outbox;
use crate::rows::DebtRow;

/// How far a debt has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It is to be reported.
    Waiting,
    /// It is in a report on its way.
    Reporting,
    /// The platform keeps it.
    Kept,
    /// The platform refused it; the HIS may correct it.
    Refused,
    /// It was settled or revoked before it was reported.
    Withdrawn,
    /// The platform keeps it, and an update of it is on its way.
    Updating,
}

/// A debt that is kept.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub(crate) org_trace_id: String,
    pub(crate) stage: Stage,
    pub(crate) his_state: ItemState,
    pub(crate) trace_id: Option<String>,
    pub(crate) platform_state: Option<ItemState>,
    pub(crate) fault: Option<String>,
    pub(crate) changed_ms: i64,
}

/// A batch of the HIS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BatchId(pub(crate) i64);

impl Outbox {
    /// The debt that this 机构跟踪号 names.
    pub(crate) async fn item(&self, org_trace_id: &str) -> Result<Option<Item>, StoreError> {
        const SQL: &str = concat_item_columns!("FROM item WHERE org_trace_id = $1");
        self.db
            .query_opt(SQL, &[org_trace_id.into()], read_item)
            .await
    }

    /// What the HIS itself was asked and said about a debt (ORG_001). The platform is told the same
    /// once more: it may not have got the answer.
    pub(crate) async fn learn_his_state(
        &self,
        org_trace_id: &str,
        state: ItemState,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        let org_trace_id = org_trace_id.to_owned();
        self.db
            .write(move |tx| {
                tx.execute(
                    "UPDATE item SET his_state = $2, version = version + 1, fault = NULL,
                       stage = CASE WHEN stage IN (0, 3) THEN $4 ELSE stage END, changed_ms = $3
                     WHERE org_trace_id = $1 AND his_state = '0'",
                    &[
                        (&org_trace_id).into(),
                        state.code().into(),
                        now_ms.into(),
                        Stage::Withdrawn.into(),
                    ],
                )
            })
            .await
            .map(|_: u64| ())
    }
}

/// The columns that [`read_item`] reads, before the rest of a statement.
macro_rules! concat_item_columns {
    ($rest:literal) => {
        concat!(
            "SELECT org_trace_id, stage, his_state, trace_id, platform_state, fault, changed_ms ",
            $rest
        )
    };
}
pub(crate) use concat_item_columns;

pub(super) fn read_item(row: &DbRow<'_>) -> Result<Item, StoreError> {
    Ok(Item {
        org_trace_id: row.get(0)?,
        stage: row.get(1)?,
        his_state: state(&row.get::<String>(2)?)?,
        trace_id: row.get(3)?,
        platform_state: known_state(row.get(4)?)?,
        fault: row.get(5)?,
        changed_ms: row.get(6)?,
    })
}

/// The code of the person whom a row names, if it names one.
pub(super) fn person_code(vault: &Vault, row: &DebtRow) -> Option<Vec<u8>> {
    let code = code_of(vault, row.idType?, row.idNo.as_ref()?);
    Some(code.0.to_vec())
}

/// The code by which a person is looked up in the edge's records.
pub(crate) fn code_of(vault: &Vault, id_type: IdType, id_no: &IdNo) -> PersonCode {
    vault.person_code(id_type.code(), id_no.expose().as_str())
}

/// Whether two rows name the same person in the same words.
pub(super) fn same_person(one: &DebtRow, other: &DebtRow) -> bool {
    fn words(
        row: &DebtRow,
    ) -> (
        Option<&IdNo>,
        Option<IdType>,
        Option<&UserName>,
        Option<&EhealthCardId>,
    ) {
        (
            row.idNo.as_ref(),
            row.idType,
            row.userName.as_ref(),
            row.ehealthCardId.as_ref(),
        )
    }
    one.idNo.is_some() && words(one) == words(other)
}

pub(super) fn open_content(vault: &Vault, sealed: &[u8]) -> Result<DebtRow, StoreError> {
    let json = vault.open(Place::EdgeItem, sealed)?;
    std::str::from_utf8(&json)
        .ok()
        .and_then(|json| wire::read(json).ok())
        .ok_or_else(|| StoreError::Corrupt("a debt's content is no row".to_owned()))
}

pub(super) fn known_state(code: Option<String>) -> Result<Option<ItemState>, StoreError> {
    code.as_deref().map(state).transpose()
}

pub(super) fn state(code: &str) -> Result<ItemState, StoreError> {
    ItemState::from_code(code)
        .ok_or_else(|| StoreError::Corrupt("a state is not in the dictionary".to_owned()))
}

impl Stage {
    const fn number(self) -> i64 {
        match self {
            Self::Waiting => 0,
            Self::Reporting => 1,
            Self::Kept => 2,
            Self::Refused => 3,
            Self::Withdrawn => 4,
            Self::Updating => 5,
        }
    }

    /// In words for the HIS.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Waiting => "待上报",
            Self::Reporting => "上报中",
            Self::Kept => "平台已登记",
            Self::Refused => "平台未通过",
            Self::Withdrawn => "未上报即已结清或撤销",
            Self::Updating => "更新中",
        }
    }

    /// One word for programs.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Reporting => "reporting",
            Self::Kept => "kept",
            Self::Refused => "refused",
            Self::Withdrawn => "withdrawn",
            Self::Updating => "updating",
        }
    }
}

impl Column for Stage {
    const EXPECTED: &'static str = "a stage";

    fn from_cell(cell: Cell<'_>) -> Option<Self> {
        let Cell::I64(number) = cell else {
            return None;
        };
        [
            Self::Waiting,
            Self::Reporting,
            Self::Kept,
            Self::Refused,
            Self::Withdrawn,
            Self::Updating,
        ]
        .into_iter()
        .find(|stage| stage.number() == number)
    }
}

impl From<Stage> for Val<'_> {
    fn from(stage: Stage) -> Self {
        stage.number().into()
    }
}
