//! An operator's file of past illnesses, taken in batch by batch: what somebody had, or, to correct
//! what stands, had not.
//!
//! A batch and how far the file has come commit together, so an import that was broken off goes on
//! where it stopped. The report names lines and reasons, nobody's data.

use banyan_protocol::ambient::SharedClock;
use banyan_protocol::crypto::sm3;
use banyan_store::db::StoreError;
use banyan_store::imports::Progress;
use banyan_store::supplement::Named;
use banyan_store::supplement::past_illness::{self, Entry, Imported, Line, Says};
use banyan_store::vault::Vault;
use serde::{Deserialize, Serialize};

use super::export::pseudonym;
use super::icd10::{IllnessMap, NoNames, parts};
use crate::admin::{AdminError, Desk};
use crate::importing::{ImportError, ReportLine, Standing, report};
use crate::resident_number;

/// The members of a record, in the order in which documents name them; the first must be there.
pub const COLUMNS: [&str; 6] = [
    "idcard",
    "name",
    "illness_name",
    "icd10",
    "serviceId",
    "past_illness_check",
];

/// A record of a file, as text. `Debug` shows nothing of it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Row {
    /// 证件号码.
    pub idcard: String,
    /// 姓名; where it is given, nobody who asks with another is told.
    pub name: String,
    /// 既往症分类名称, as the table of categories has it.
    pub illness_name: String,
    /// 诊断编码, instead of the name.
    pub icd10: String,
    /// 服务 id; empty for all services.
    pub service_id: String,
    /// 1 (or empty): it is so; 0: it is not so.
    pub past_illness_check: String,
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
    /// Added something.
    pub added: u64,
    /// Said nothing new.
    pub known: u64,
    /// Ended something that stood.
    pub ended: u64,
    /// Ended nothing, but keep it away.
    pub denied: u64,
    /// Would correct for one service what stands for all, and do not.
    #[serde(default)]
    pub standing: u64,
    /// Not a record.
    pub bad: u64,
}

/// An import under way.
#[derive(Debug)]
pub struct Import {
    vault: Vault,
    clock: SharedClock,
    by_whom: String,
    standing: Standing<Counts>,
}

/// A batch that waits to be committed.
#[derive(Debug)]
pub struct Batch {
    records: u64,
    lines: Vec<Line>,
    /// For each of `lines` the line of the file; several may come from one.
    places: Vec<u64>,
    bad: Vec<(u64, String)>,
}

impl Import {
    /// Takes up the import of the file with this digest by this table; by another one the same file may
    /// say something else, and is taken in anew.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub async fn open(desk: &Desk, map: &IllnessMap, file: &[u8; 32]) -> Result<Self, StoreError> {
        // The same file may have been taken in as persons.
        let file = sm3::digest_parts(&[b"past illnesses", file, map.code().as_bytes()]);
        Ok(Self {
            vault: desk.vault.clone(),
            clock: desk.world.clock.clone(),
            by_whom: desk.actor.clone(),
            standing: Standing::open(desk.db.clone(), file).await?,
        })
    }

    /// How far it has come.
    #[must_use]
    pub const fn progress(&self) -> &Progress {
        &self.standing.progress
    }

    /// What everything done so far came to.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.standing.counts
    }

    /// Commits a batch; gives what it adds to the report.
    ///
    /// # Errors
    /// See [`ImportError`].
    pub async fn commit(&mut self, batch: Batch, is_last: bool) -> Result<&str, ImportError> {
        let (now_ms, by_whom) = (self.clock.now_ms(), self.by_whom.clone());
        self.standing
            .commit(batch.records, is_last, now_ms, move |tx, counts| {
                let outcomes = past_illness::import(tx, &batch.lines, &by_whom, now_ms)?;
                Ok(batch.report(&outcomes, counts))
            })
            .await
    }

    /// Checks records.
    #[must_use]
    pub fn prepare(&self, map: &IllnessMap, records: Vec<Record>) -> Batch {
        let mut batch = Batch {
            records: records.len() as u64,
            lines: Vec::with_capacity(records.len()),
            places: Vec::with_capacity(records.len()),
            bad: Vec::new(),
        };
        for record in records {
            match record.row.and_then(|row| checked(&self.vault, map, &row)) {
                Ok(lines) => {
                    batch.places.extend(lines.iter().map(|_| record.line));
                    batch.lines.extend(lines);
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

    /// Lines of the report, in their order in the file; each record is counted once, by the most
    /// that it did.
    fn report(&self, outcomes: &[Imported], counts: &mut Counts) -> String {
        let mut entries: Vec<ReportLine<'_>> = Vec::new();
        for (line, reason) in &self.bad {
            counts.bad += 1;
            entries.push((*line, "未导入", reason));
        }
        let said: Vec<(u64, Imported)> = self
            .places
            .iter()
            .copied()
            .zip(outcomes.iter().copied())
            .collect();
        for record in said.chunk_by(|one, next| one.0 == next.0) {
            let came_to = |outcome| record.iter().any(|(_, one)| *one == outcome);
            let line = record.first().map_or(0, |(line, _)| *line);
            if came_to(Imported::StandsForAll) {
                entries.push((line, "未更正", STANDS_FOR_ALL));
            }
            if came_to(Imported::Added) {
                counts.added += 1;
            } else if came_to(Imported::Ended) {
                counts.ended += 1;
            } else if came_to(Imported::Known) {
                counts.known += 1;
                entries.push((line, "重复", "该既往症已有登记，无新增内容"));
            } else if came_to(Imported::StandsForAll) {
                counts.standing += 1;
            } else if record.iter().all(|(_, one)| *one == Imported::NoCategory) {
                counts.bad += 1;
                entries.push((line, "未导入", NO_CATEGORY_STANDS));
            } else {
                counts.denied += 1;
                entries.push((line, "已记录", "原无此登记；今后历史案件也不再据此登记"));
            }
        }
        report(entries)
    }
}

const STANDS_FOR_ALL: &str = "该既往症的登记面向全部服务，单个服务的更正对其不生效（仅该服务自己的登记与今后的历史案件受此更正约束）；如登记有误，请将 serviceId 留空重新导入";
const NO_CATEGORY: &str = "illness_name：不在既往症分类表中";
const NO_CATEGORY_STANDS: &str = "illness_name：不在既往症分类表中，此人也没有这样的登记";

/// What a record says, for each category that it names.
fn checked(vault: &Vault, map: &IllnessMap, row: &Row) -> Result<Vec<Line>, String> {
    let idcard = row.idcard.trim();
    let letters = idcard.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !letters || !(5..=MOST_NUMBER).contains(&idcard.len()) {
        return Err(format!("idcard：应为 5 至 {MOST_NUMBER} 位字母或数字"));
    }
    let resident = idcard.len() == 18 && idcard.bytes().take(17).all(|byte| byte.is_ascii_digit());
    if resident && !resident_number::checks(idcard) {
        return Err("idcard：居民身份证的最后一位（校验码）不符，请核对是否有误".to_owned());
    }
    let service_id = row.service_id.trim();
    let letters = service_id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !letters || service_id.len() > MOST_SERVICE {
        return Err(format!(
            "serviceId：应为至多 {MOST_SERVICE} 位字母或数字，或留空"
        ));
    }
    let says = match row.past_illness_check.trim() {
        "" | "1" => Says::Had,
        "0" => Says::HadNot,
        _ => return Err("past_illness_check：应为 1（有）或 0（无，用于更正）".to_owned()),
    };
    let names = row.illness_name.trim();
    let mut categories = match (map.of_known_names(names), says) {
        (Ok(categories), _) => categories,
        (Err(_), Says::Had) => return Err(NO_CATEGORY.to_owned()),
        // What was imported under an older table can still be corrected, as it stands.
        (Err(no_names), _) => {
            let categories = as_they_stand(names, no_names);
            let says = Says::HadNotAsItStands;
            return Ok(lines(vault, row, categories, says));
        }
    };
    for code in parts(&row.icd10) {
        match map.of_codes(code) {
            none if none.is_empty() => {
                return Err("icd10：不是诊断编码，或不属于任何既往症分类".to_owned());
            }
            some => categories.extend(some),
        }
    }
    categories.sort_unstable();
    categories.dedup();
    if categories.is_empty() {
        return Err("illness_name 与 icd10 至少填写一项".to_owned());
    }
    Ok(lines(vault, row, categories, says))
}

/// The names under which something may stand that no longer has a category: the text as a whole,
/// which may hold what separates names, and each name where none of them has one.
fn as_they_stand<'a>(whole: &'a str, no_names: NoNames<'a>) -> Vec<&'a str> {
    let mut names = vec![whole];
    if no_names.are_all {
        names.extend(no_names.unknown);
    }
    names.sort_unstable();
    names.dedup();
    names
}

fn lines(vault: &Vault, row: &Row, categories: Vec<&str>, says: Says) -> Vec<Line> {
    let named = Named::new(vault, row.idcard.trim(), &row.name);
    let categories = categories.into_iter();
    categories
        .map(|category| Line {
            named,
            service_id: row.service_id.trim().to_owned(),
            category: category.to_owned(),
            says,
        })
        .collect()
}

/// Longer than any number of any document.
const MOST_NUMBER: usize = 50;
/// Longer than any service's id.
const MOST_SERVICE: usize = 20;

impl Counts {
    /// Records in all.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.added + self.known + self.ended + self.denied + self.standing + self.bad
    }
}

impl Desk {
    /// Everything that is or was said of the person with this number; the audit has who looked, and
    /// the person by the code that exports show.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub async fn past_illnesses(&self, cert_no: &str) -> Result<Vec<Entry>, AdminError> {
        let named = Named::new(&self.vault, cert_no, "");
        let entries = past_illness::history(&self.db, &named.person).await?;
        let target = pseudonym(&self.vault, cert_no);
        let detail = format!("{} entries", entries.len());
        self.note("illness.show", &target, detail).await?;
        Ok(entries)
    }

    /// Notes that a file of past illnesses was taken in, and what it came to.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub async fn note_illness_import(&self, file: &str, counts: Counts) -> Result<(), AdminError> {
        let detail = format!(
            "{} records: {} added, {} known, {} ended, {} denied, {} standing for all services, {} bad",
            counts.total(),
            counts.added,
            counts.known,
            counts.ended,
            counts.denied,
            counts.standing,
            counts.bad
        );
        self.note("illness.import", file, detail).await
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

    use banyan_protocol::ambient::{ManualClock, SeededRandomness, SharedRandomness, World};
    use banyan_store::db::Db;
    use banyan_store::ids::Ids;
    use banyan_store::vault::MasterKey;

    use super::*;

    fn desk(db: &Db) -> Desk {
        let random: SharedRandomness = Arc::new(SeededRandomness::new(1));
        let key = MasterKey::parse(&"0a".repeat(32)).unwrap();
        Desk {
            db: db.clone(),
            vault: Vault::new(&key, random.clone()),
            ids: Ids::new(db.clone()),
            world: World {
                clock: Arc::new(ManualClock::at(100)),
                random,
            },
            actor: "wang".to_owned(),
        }
    }

    fn record(line: u64, idcard: &str, illness: &str, icd10: &str, check: &str) -> Record {
        let row = Row {
            idcard: idcard.to_owned(),
            name: "张三".to_owned(),
            illness_name: illness.to_owned(),
            icd10: icd10.to_owned(),
            service_id: String::new(),
            past_illness_check: check.to_owned(),
        };
        Record { line, row: Ok(row) }
    }

    async fn commit(
        import: &mut Import,
        records: Vec<Record>,
        is_last: bool,
    ) -> Result<String, ImportError> {
        let map = IllnessMap::load(None).unwrap();
        let batch = import.prepare(&map, records);
        import.commit(batch, is_last).await.map(str::to_owned)
    }

    banyan_store::on_both_engines! {
        async fn an_import_that_broke_off_goes_on_and_corrects(db: &TestDb) {
            let desk = desk(db);
            let map = IllnessMap::load(None).unwrap();
            let mut first = Import::open(&desk, &map, &[7; 32]).await.unwrap();
            let bad = Record { line: 5, row: Err("列数, 有误".to_owned()) };
            let records = vec![
                record(2, "11010519491231002X", "癌症", "", ""),
                record(3, "11010519491231002x", "恶性肿瘤", "C34.9", "1"),
                record(4, "E12345", "", "I10、E11.9", ""),
                bad,
            ];
            let said = commit(&mut first, records, false).await.unwrap();
            assert_eq!(said, "3,重复,该既往症已有登记，无新增内容\r\n5,未导入,列数， 有误\r\n");

            // The program ended; the next one finds how far it came, and what it said.
            let mut second = Import::open(&desk, &map, &[7; 32]).await.unwrap();
            assert_eq!((second.progress().records_done, &*second.progress().last_report), (4, &*said));
            let more = vec![record(6, "E12345", "", "E11", "0"), record(7, "E99999", "脑卒中", "", "0")];
            let more = commit(&mut second, more, true).await.unwrap();
            assert!(more.starts_with("7,已记录,"), "{more}");
            let counts = Counts { added: 2, known: 1, ended: 1, denied: 1, standing: 0, bad: 1 };
            assert_eq!((second.counts(), counts.total()), (counts, 6));
            let known = past_illness::of(db, &Named::new(&desk.vault, "e12345", "张三"), &[]).await.unwrap();
            assert_eq!(known.categories, ["高血压"]);
            let history = past_illness::history(db, &Named::new(&desk.vault, "E12345", "").person).await.unwrap();
            assert!(history.iter().all(|entry| entry.by_whom == "wang"));

            let late = commit(&mut first, vec![record(6, "E99999", "脑卒中", "", "")], false).await;
            assert!(matches!(late, Err(ImportError::Elsewhere)), "{late:?}");
            assert!(Import::open(&desk, &map, &[7; 32]).await.unwrap().progress().done);
            assert!(!Import::open(&desk, &map, &[8; 32]).await.unwrap().progress().done);
        }

        async fn by_another_table_the_same_file_is_another_import(db: &TestDb) {
            let desk = desk(db);
            let (old, new) = (table("老分类/旧"), table("新分类"));
            let had = |line| record(line, "E12345", "老分类/旧", "", "");
            let mut import = Import::open(&desk, &old, &[7; 32]).await.unwrap();
            let batch = import.prepare(&old, vec![had(2)]);
            import.commit(batch, true).await.unwrap();
            let mut import = Import::open(&desk, &new, &[7; 32]).await.unwrap();
            assert!(!import.progress().done);
            // What the new table lacks can't be said any more, but corrected.
            let had_not = |line, name| record(line, "E12345", name, "", "0");
            let records = vec![had(2), had_not(3, "老分累/旧"), had_not(4, " 老分类/旧 "), had_not(5, "新分类"), had_not(6, "老分类/旧、新分类")];
            let batch = import.prepare(&new, records);
            let said = import.commit(batch, true).await.unwrap().to_owned();
            let lines: Vec<&str> = said.lines().map(|line| line.rsplit_once(',').unwrap().0).collect();
            assert_eq!(lines, ["2,未导入", "3,未导入", "5,已记录", "6,未导入"], "{said}");
            assert!(!said.contains("老分"), "{said}");
            let counts = Counts { ended: 1, denied: 1, bad: 3, ..Counts::default() };
            assert_eq!((import.counts(), counts.total()), (counts, 5));
            let known = past_illness::of(db, &Named::new(&desk.vault, "E12345", "张三"), &[]).await.unwrap();
            assert_eq!(known.categories, [""; 0]);
        }

        async fn a_correction_for_one_service_of_what_is_for_all_is_told_so(db: &TestDb) {
            let desk = desk(db);
            let map = IllnessMap::load(None).unwrap();
            let mut import = Import::open(&desk, &map, &[7; 32]).await.unwrap();
            let mut for_one = record(3, "E12345", "高血压", "", "0");
            for_one.row.as_mut().unwrap().service_id = "100005".to_owned();
            let said = commit(&mut import, vec![record(2, "E12345", "高血压", "", ""), for_one], true).await.unwrap();
            assert!(said.starts_with("3,未更正,该既往症的登记面向全部服务"), "{said}");
            assert_eq!(import.counts(), Counts { added: 1, standing: 1, ..Counts::default() });
            let known = past_illness::of(db, &Named::new(&desk.vault, "E12345", "张三"), &["100005"]).await.unwrap();
            assert_eq!(known.categories, ["高血压"]);
        }
    }

    fn table(category: &str) -> IllnessMap {
        IllnessMap::parse(&format!(
            "source = \"s\"\nversion = \"1\"\n[[category]]\nname = \"{category}\"\ncodes = []\n"
        ))
        .unwrap()
    }

    #[test]
    fn a_record_that_is_none_says_which_member_is_wrong() {
        let random: SharedRandomness = Arc::new(SeededRandomness::new(1));
        let vault = Vault::new(&MasterKey::parse(&"0a".repeat(32)).unwrap(), random);
        let map = IllnessMap::load(None).unwrap();
        let fault = |record: Record, service_id: &str| {
            let row = Row {
                service_id: service_id.to_owned(),
                ..record.row.unwrap()
            };
            checked(&vault, &map, &row).unwrap_err()
        };
        for (record, service_id, member) in [
            (
                record(1, "110105194912310021", "高血压", "", ""),
                "",
                "idcard",
            ),
            (record(1, "一二三", "高血压", "", ""), "", "idcard"),
            (record(1, "E12345", "高血鸭", "", ""), "", "illness_name"),
            (
                record(1, "E12345", "高血压、高血鸭", "", ""),
                "",
                "illness_name",
            ),
            (record(1, "E12345", "", "I10;J00", ""), "", "icd10"),
            (record(1, "E12345", "", "", ""), "", "illness_name"),
            (
                record(1, "E12345", "高血压", "", "2"),
                "",
                "past_illness_check",
            ),
            (record(1, "E12345", "高血压", "", ""), "10 02", "serviceId"),
        ] {
            let said = fault(record, service_id);
            assert!(said.starts_with(member), "{said}");
            assert!(!said.contains("E12345"), "{said}");
        }
    }
}
