//! The ledgers as tables, for the actuaries.
//!
//! Rows come in the order in which records were first kept, a page at a time, so that a ledger of
//! any size passes through a bounded part of memory. Everything is given as it was sent; beside each
//! amount stands the number of fen that it reads as, or nothing. Whoever counts money need not know
//! whose it is: unless an operator asks for identities, numbers and names stay out, and a keyed code
//! says which rows are about one person.

use std::collections::BTreeMap;

use banyan_protocol::supplement::fen;
use banyan_protocol::wire::{LocalTime, Scalar as _};
use banyan_store::db::StoreError;
use banyan_store::ids::PartnerId;
use banyan_store::partners;
use banyan_store::supplement::{Page, Record, cases, claims, medicine_box, payments};
use banyan_store::vault::Vault;

use super::ledgers::{Identity, Ledger, is_amount};
use crate::admin::{AdminError, Desk};

/// A column of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name: the field's, or that with `_fen` behind it.
    pub name: String,
    /// Whether it holds whole numbers; text otherwise.
    pub is_number: bool,
}

/// What stands in a row; `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub enum Cell {
    /// Text; `None` where the field was absent.
    Text(Option<String>),
    /// A number; `None` where what was sent is none.
    Number(Option<i64>),
}

/// An export under way.
#[derive(Debug)]
pub struct Export {
    desk: Desk,
    ledger: Ledger,
    identities: bool,
    channels: BTreeMap<PartnerId, String>,
    columns: Vec<Column>,
    /// The id to go on after; `None` at the end.
    after: Option<i64>,
}

/// Records of a page: about a megabyte of the widest ledger.
const PAGE: u32 = 1_000;

impl Export {
    /// Begins an export; the operators' audit has it before the first row leaves.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub async fn begin(desk: Desk, ledger: Ledger, identities: bool) -> Result<Self, AdminError> {
        let now_ms = desk.world.clock.now_ms();
        let channels = partners::all(&desk.db, &desk.vault, now_ms).await?;
        let export = Self {
            ledger,
            identities,
            channels: channels
                .into_iter()
                .map(|partner| (partner.id, partner.profile.app_id))
                .collect(),
            columns: columns(ledger, identities),
            after: Some(0),
            desk,
        };
        export.note("begun").await?;
        Ok(export)
    }

    /// The columns of every row.
    #[must_use]
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The next rows; none at the end.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub async fn next_rows(&mut self) -> Result<Vec<Vec<Cell>>, StoreError> {
        let Some(after) = self.after else {
            return Ok(Vec::new());
        };
        let (db, vault) = (&self.desk.db, &self.desk.vault);
        let page: Page = match self.ledger {
            Ledger::Claims => claims::page(db, vault, after, PAGE).await,
            Ledger::Cases => cases::page(db, vault, after, PAGE).await,
            Ledger::Payments => payments::page(db, vault, after, PAGE).await,
            Ledger::MedicineBox => medicine_box::page(db, vault, after, PAGE).await,
        }?;
        self.after = page.next;
        let rows = page.records.iter().map(|record| self.row(record));
        Ok(rows.collect())
    }

    /// Notes in the operators' audit that the export is whole.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub async fn end(self, rows: u64) -> Result<(), AdminError> {
        self.note(&format!("{rows} rows")).await
    }

    fn row(&self, record: &Record) -> Vec<Cell> {
        let at = |ms| Cell::Text(Some(LocalTime::from_epoch_ms(ms).render().into_owned()));
        let content = &record.content;
        let number = content.get(self.ledger.fields(), self.ledger.person_field());
        let mut row = vec![
            Cell::Text(self.channels.get(&record.partner).cloned()),
            Cell::Number(Some(record.version)),
            at(record.created_ms),
            at(record.changed_ms),
            Cell::Text(number.map(|number| pseudonym(&self.desk.vault, number))),
        ];
        for (place, field) in self.ledger.fields().iter().enumerate() {
            if !self.identities && Identity::of(field).is_some() {
                continue;
            }
            let text = content.at(place);
            row.push(Cell::Text(text.map(str::to_owned)));
            if is_amount(field) {
                row.push(Cell::Number(text.and_then(fen)));
            }
        }
        row
    }

    async fn note(&self, how_far: &str) -> Result<(), AdminError> {
        let persons = if self.identities {
            "with identities"
        } else {
            "with pseudonyms"
        };
        let detail = format!("{persons}, {how_far}");
        self.desk
            .note("supplement.export", self.ledger.name(), detail)
            .await
    }
}

/// The columns of a ledger's table.
fn columns(ledger: Ledger, identities: bool) -> Vec<Column> {
    let text = |name: &str| Column {
        name: name.to_owned(),
        is_number: false,
    };
    let number = |name: String| Column {
        name,
        is_number: true,
    };
    let mut columns = vec![
        text("channel"),
        number("version".to_owned()),
        text("first_at"),
        text("changed_at"),
        text("person"),
    ];
    for field in ledger.fields() {
        if !identities && Identity::of(field).is_some() {
            continue;
        }
        columns.push(text(field));
        if is_amount(field) {
            columns.push(number(format!("{field}_fen")));
        }
    }
    columns
}

/// The same for the same number, in every ledger and every export of this platform, and nothing that
/// leads back to it.
pub(super) fn pseudonym(vault: &Vault, number: &str) -> String {
    let number = number.trim().to_ascii_uppercase();
    let code = vault.content_code(format!("export\n{number}").as_bytes());
    hex::encode(&code[..16])
}

impl std::fmt::Debug for Cell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cell(***)")
    }
}
