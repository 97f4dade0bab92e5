//! An operator's file of persons, taken in batch by batch.
//!
//! A batch's persons, and how far the file has come, commit together, so an import that was broken
//! off goes on where it stopped: nothing is done twice, and nothing of the report is lost or said
//! twice. The report names lines and reasons, nobody's data.

use banyan_protocol::ambient::SharedClock;
use banyan_store::db::{Db, StoreError};
use banyan_store::health_card::{Claim, Registered, register_all};
use banyan_store::ids::{HealthCardPersonId, Ids};
use banyan_store::vault::Vault;
use serde::{Deserialize, Serialize};

use super::identity::{Stated, psn_no};
use crate::importing::{ImportError, ReportLine, Standing, report};

/// The members of a record, in the order in which documents name them; the first three must be
/// there.
pub const COLUMNS: [&str; 7] = [
    "idType",
    "idNo",
    "userName",
    "userSex",
    "birthday",
    "mobilePhone",
    "psnNo",
];

/// A record of a file, as text. `Debug` shows nothing of it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Row {
    /// 证件类型.
    pub id_type: String,
    /// 证件号.
    pub id_no: String,
    /// 姓名.
    pub user_name: String,
    /// 性别.
    pub user_sex: Option<String>,
    /// 出生日期.
    pub birthday: Option<String>,
    /// 手机号.
    pub mobile_phone: Option<String>,
    /// 人员编号.
    pub psn_no: Option<String>,
}

/// A record with its line, or why the line is none.
#[derive(Debug, Clone)]
pub struct Record {
    /// The line, counted from 1.
    pub line: u64,
    /// What it says.
    pub row: Result<Row, String>,
}

/// What records came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Registered anew.
    pub new: u64,
    /// Registered before; something unknown was added.
    pub completed: u64,
    /// Registered before; nothing was added.
    pub known: u64,
    /// Another name than the registered one; kept for review.
    pub names: u64,
    /// A number that leads to somebody else; kept for review.
    pub numbers: u64,
    /// Not a record.
    pub bad: u64,
}

/// An import under way.
#[derive(Debug)]
pub struct Import {
    vault: Vault,
    ids: Ids,
    clock: SharedClock,
    standing: Standing<Counts>,
}

/// Makes batches of records.
#[derive(Debug, Clone)]
pub struct Preparer {
    vault: Vault,
    ids: Ids,
}

/// A batch that waits to be committed: checked, coded, sealed.
#[derive(Debug)]
pub struct Batch {
    records: u64,
    claims: Vec<Claim>,
    /// The line of each claim.
    lines: Vec<u64>,
    bad: Vec<(u64, String)>,
}

impl Import {
    /// Takes up the import of the file with this digest.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub async fn open(
        db: Db,
        vault: Vault,
        clock: SharedClock,
        file: [u8; 32],
    ) -> Result<Self, StoreError> {
        Ok(Self {
            ids: Ids::of_persons(db.clone()),
            vault,
            clock,
            standing: Standing::open(db, file).await?,
        })
    }

    /// Records that are done, from the file's beginning.
    #[must_use]
    pub fn records_done(&self) -> u64 {
        self.standing.progress.records_done.unsigned_abs()
    }

    /// Whether the whole file is done.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        self.standing.progress.done
    }

    /// What everything done so far came to.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.standing.counts
    }

    /// The length up to which the report is certain to have been written before the last batch, in
    /// bytes without its head, and what belongs behind it.
    #[must_use]
    pub fn report(&self) -> (u64, &str) {
        (
            self.standing.progress.report_bytes.unsigned_abs(),
            &self.standing.progress.last_report,
        )
    }

    /// What makes batches, on another thread than the one that commits them.
    #[must_use]
    pub fn preparer(&self) -> Preparer {
        Preparer {
            vault: self.vault.clone(),
            ids: self.ids.clone(),
        }
    }

    /// Commits a batch; gives what it adds to the report.
    ///
    /// # Errors
    /// See [`ImportError`].
    pub async fn commit(&mut self, batch: Batch, is_last: bool) -> Result<&str, ImportError> {
        let (vault, now_ms) = (self.vault.clone(), self.clock.now_ms());
        self.standing
            .commit(batch.records, is_last, now_ms, move |tx, counts| {
                let outcomes = register_all(tx, &vault, &batch.claims, "import", now_ms)?;
                Ok(batch.report(&outcomes, counts))
            })
            .await
    }
}

impl Preparer {
    /// Ids for a batch of at most so many records.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub async fn ids(&self, records: usize) -> Result<std::ops::Range<i64>, StoreError> {
        self.ids.take(records).await
    }

    /// Checks records and seals them; `ids` are as many or more. Takes its time.
    #[must_use]
    pub fn prepare(&self, records: Vec<Record>, ids: std::ops::Range<i64>) -> Batch {
        let mut batch = Batch {
            records: records.len() as u64,
            claims: Vec::with_capacity(records.len()),
            lines: Vec::with_capacity(records.len()),
            bad: Vec::new(),
        };
        for (record, id) in records.into_iter().zip(ids) {
            match claim(&self.vault, record.row, HealthCardPersonId(id)) {
                Ok(claim) => {
                    batch.claims.push(claim);
                    batch.lines.push(record.line);
                }
                Err(reason) => batch.bad.push((record.line, reason)),
            }
        }
        batch
    }
}

impl Batch {
    /// How many records it has.
    #[must_use]
    pub const fn records(&self) -> u64 {
        self.records
    }

    /// Lines of the report, in their order in the file.
    fn report(&self, outcomes: &[Registered], counts: &mut Counts) -> String {
        let mut entries: Vec<ReportLine<'_>> = Vec::new();
        for (line, reason) in &self.bad {
            counts.bad += 1;
            entries.push((*line, "未导入", reason));
        }
        for (line, outcome) in self.lines.iter().zip(outcomes) {
            let (count, said) = match outcome {
                Registered::New(_) => (&mut counts.new, None),
                Registered::Completed(_) => (&mut counts.completed, None),
                Registered::Known(_) => (
                    &mut counts.known,
                    Some(("重复", "该人员已登记，无新增内容")),
                ),
                Registered::NameContradicts(_) => (
                    &mut counts.names,
                    Some(("矛盾", "姓名与该证件登记的不一致，已转人工核实")),
                ),
                Registered::NumberContradicts(_) => (
                    &mut counts.numbers,
                    Some(("矛盾", "人员编号已对应另一位登记人员，已转人工核实")),
                ),
            };
            *count += 1;
            entries.extend(said.map(|(result, reason)| (*line, result, reason)));
        }
        report(entries)
    }
}

fn claim(vault: &Vault, row: Result<Row, String>, id: HealthCardPersonId) -> Result<Claim, String> {
    let row = row?;
    let stated = Stated {
        id_type: &row.id_type,
        id_no: &row.id_no,
        user_name: &row.user_name,
        user_sex: row.user_sex.as_deref().unwrap_or_default(),
        birthday: row.birthday.as_deref().unwrap_or_default(),
        mobile_phone: row.mobile_phone.as_deref().unwrap_or_default(),
    };
    let identity = stated.check().map_err(|fault| fault.to_string())?;
    let number =
        psn_no(row.psn_no.as_deref().unwrap_or_default()).map_err(|fault| fault.to_string())?;
    Ok(Claim::new(vault, id, identity, number))
}

impl Counts {
    /// Records in all.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.new + self.completed + self.known + self.names + self.numbers + self.bad
    }
}

impl std::fmt::Debug for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Row(***)")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use banyan_protocol::ambient::{ManualClock, SeededRandomness, SharedRandomness};
    use banyan_store::health_card::persons;
    use banyan_store::vault::MasterKey;

    use super::*;

    async fn open(db: &Db) -> Import {
        let random: SharedRandomness = Arc::new(SeededRandomness::new(1));
        let key = MasterKey::parse(&"0a".repeat(32)).unwrap();
        let vault = Vault::new(&key, random);
        let clock = Arc::new(ManualClock::at(100));
        Import::open(db.clone(), vault, clock, [7; 32])
            .await
            .unwrap()
    }

    fn record(line: u64, passport: &str, name: &str, psn_no: &str) -> Record {
        let row = Row {
            id_type: "03".to_owned(),
            id_no: passport.to_owned(),
            user_name: name.to_owned(),
            psn_no: Some(psn_no.to_owned()),
            ..Row::default()
        };
        Record { line, row: Ok(row) }
    }

    async fn commit(
        import: &mut Import,
        records: Vec<Record>,
        is_last: bool,
    ) -> Result<String, ImportError> {
        let preparer = import.preparer();
        let ids = preparer.ids(records.len()).await?;
        let batch = preparer.prepare(records, ids);
        import.commit(batch, is_last).await.map(str::to_owned)
    }

    banyan_store::on_both_engines! {
        async fn an_import_that_broke_off_goes_on(db: &TestDb) {
            let mut first = open(db).await;
            assert_eq!((first.records_done(), first.report()), (0, (0, "")));
            let bad = Record { line: 4, row: Err("列数, 有误".to_owned()) };
            let records = vec![record(2, "E1", "张三", "n1"), record(3, "E1", "李四", ""), bad, record(5, "E 1\u{1}", "张三", "")];
            let said = commit(&mut first, records, false).await.unwrap();
            let lines: Vec<_> = said.split_terminator("\r\n").collect();
            assert_eq!(lines.len(), 3);
            assert!(lines[0].starts_with("3,矛盾,姓名") && lines[1] == "4,未导入,列数， 有误" && lines[2].starts_with("5,未导入,idNo："));

            // The program ended before it wrote that down; the next one finds it.
            let mut second = open(db).await;
            assert_eq!((second.records_done(), second.is_done(), second.report()), (4, false, (0, said.as_str())));
            let more = commit(&mut second, vec![record(6, "E2", "王五", "n1"), record(7, "E1", "张 三", "n1"), record(8, "E1", "张三", "n2")], true).await.unwrap();
            assert!(more.starts_with("6,矛盾,人员编号") && more.contains("7,重复,"), "{more}");
            let counts = Counts { new: 1, completed: 1, known: 1, names: 1, numbers: 1, bad: 2 };
            assert_eq!(second.counts(), counts);

            let third = open(db).await;
            assert_eq!((third.is_done(), third.counts(), third.counts().total()), (true, counts, 7));
            assert_eq!(third.report(), (said.len() as u64, more.as_str()));
            // Whoever is late changes nothing.
            let late = commit(&mut first, vec![record(6, "E9", "赵六", "")], false).await;
            assert!(matches!(late, Err(ImportError::Elsewhere)), "{late:?}");
            assert_eq!(persons::count(db).await.unwrap(), 1);
        }
    }
}
