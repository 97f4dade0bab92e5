//! Files dropped by a HIS, and what lies in the folders afterwards.

use std::collections::HashMap;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use banyan_protocol::wire::FieldFault;
use tempfile::TempDir;

use super::*;
use crate::rows::Action;

const NOW_MS: i64 = 1_736_505_201_000;
const HEADER: &str = "机构跟踪号,用户类别,医疗类别,费用类别,项目名称,金额,产生时间\r\n";

/// Keeps rows as the outbox does: an item once, another content refused.
#[derive(Default)]
struct Intake {
    kept: Mutex<HashMap<(Action, String), Row>>,
    largest: AtomicUsize,
    is_away: AtomicBool,
    /// Away for one call.
    is_busy: AtomicBool,
    /// Somebody writes to this file while the next rows are taken.
    written_to: Mutex<Option<PathBuf>>,
    /// Goes away after so many pieces more.
    pieces_left: Mutex<Option<usize>>,
}

impl TakesRows for Intake {
    async fn take(&self, rows: Vec<Row>) -> Result<Vec<Taken>, StoreError> {
        if let Some(left) = self.pieces_left.lock().unwrap().as_mut() {
            self.is_away.store(*left == 0, Ordering::Relaxed);
            *left = left.saturating_sub(1);
        }
        if self.is_away.load(Ordering::Relaxed) || self.is_busy.swap(false, Ordering::Relaxed) {
            return Err(StoreError::Busy);
        }
        if let Some(path) = self.written_to.lock().unwrap().take() {
            let mut file = std::fs::File::options().append(true).open(path).unwrap();
            file.write_all(debt(3).as_bytes()).unwrap();
        }
        self.largest.fetch_max(rows.len(), Ordering::Relaxed);
        let mut kept = self.kept.lock().unwrap();
        let taken = rows.into_iter().map(|row| {
            let key = (row.action(), row.org_trace_id().as_str().to_owned());
            match kept.get(&key) {
                None => {
                    kept.insert(key, row);
                    Taken::New
                }
                Some(before) if *before == row => Taken::Repeated,
                Some(_) => Taken::Refused(FieldFault::new("orgTraceId", "同号而内容不同")),
            }
        });
        Ok(taken.collect())
    }
}

impl Intake {
    fn count(&self) -> usize {
        self.kept.lock().unwrap().len()
    }
}

struct Place {
    root: TempDir,
    folder: Folder,
    intake: Intake,
}

impl Place {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let settings = Files {
            drop_dir: Some(root.path().join("drop")),
            keep_days: 30,
            ..Files::default()
        };
        let folder = Folder::of(&settings).unwrap();
        folder.prepare().unwrap();
        Self {
            root,
            folder,
            intake: Intake::default(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join("drop").join(name)
    }

    fn drop(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), content).unwrap();
    }

    /// Makes a file one that was written so many seconds after the epoch.
    fn written(&self, name: &str, seconds: u64) {
        let file = std::fs::File::options().write(true).open(self.path(name));
        let written = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        file.unwrap().set_modified(written).unwrap();
    }

    fn text(&self, name: &str) -> String {
        String::from_utf8(std::fs::read(self.path(name)).unwrap()).unwrap()
    }

    async fn look(&self) -> Vec<FileOutcome> {
        self.folder.work(&self.intake, NOW_MS).await.unwrap()
    }

    /// Looks twice, as the edge does after a while; tells how each file ended.
    async fn work(&self) -> Vec<(String, String)> {
        let first = self.look().await;
        let second = self.look().await;
        first.into_iter().chain(second).map(told).collect()
    }

    /// Every file there is but those waiting, by folder and name.
    fn files(&self) -> Vec<String> {
        let mut files = Vec::new();
        for folder in ["", "done/", "failed/"] {
            for entry in std::fs::read_dir(self.path(folder)).unwrap() {
                let entry = entry.unwrap();
                if entry.file_type().unwrap().is_file() {
                    files.push(format!("{folder}{}", entry.file_name().display()));
                }
            }
        }
        files.sort();
        files
    }
}

fn told(outcome: FileOutcome) -> (String, String) {
    let end = match outcome.end {
        FileEnd::Done { new, repeated, bad } => format!("{new} {repeated} {bad}"),
        FileEnd::Unreadable(why) => why,
        FileEnd::Stays(trouble) => format!("stays: {trouble}"),
    };
    (outcome.name, end)
}

fn outcome(name: &str, end: &str) -> Vec<(String, String)> {
    vec![(name.to_owned(), end.to_owned())]
}

fn debt(number: u32) -> String {
    format!("T{number},01,11,01,挂号费,12.50,2025-01-10 18:33:21\r\n")
}

fn gb18030(text: &str) -> Vec<u8> {
    encoding_rs::GB18030.encode(text).0.into_owned()
}

#[tokio::test]
async fn a_file_is_taken_once_it_stopped_growing() {
    let place = Place::new();
    let mut file = std::fs::File::create(place.path("a.csv")).unwrap();
    file.write_all(HEADER.as_bytes()).unwrap();
    assert!(place.look().await.is_empty());
    file.write_all(debt(1).as_bytes()).unwrap();
    file.sync_all().unwrap();
    assert!(place.look().await.is_empty());
    assert_eq!(
        place.look().await.into_iter().map(told).collect::<Vec<_>>(),
        outcome("a.csv", "1 0 0")
    );
    assert_eq!(place.files(), ["done/a.csv", "done/a.csv.result.txt"]);
    let result = place.text("done/a.csv.result.txt");
    assert!(result.contains("编码：检测为 UTF-8"), "{result}");
    assert!(result.contains("新收下 1 条"), "{result}");
    assert!(place.look().await.is_empty());
}

#[tokio::test]
async fn both_encodings_and_both_formats_say_the_same() {
    let place = Place::new();
    let csv = format!("{HEADER}{}", debt(1));
    let json = r#"{"orgTraceId":"T1","userType":"01","medType":"11","feeType":"01","itemName":"挂号费","amount":12.50,"actualTime":"2025-01-10 18:33:21"}"#;
    let excel = format!("\u{FEFF}{}", csv.replace(',', ";"));
    for (name, content, said) in [
        (
            "1.csv",
            gb18030(&csv),
            "检测为 GB18030\r\n格式：CSV，以逗号分隔",
        ),
        (
            "2.csv",
            excel.into_bytes(),
            "检测为 UTF-8\r\n格式：CSV，以分号分隔",
        ),
        (
            "3.txt",
            gb18030(&csv.replace(',', "\t")),
            "检测为 GB18030\r\n格式：CSV，以制表符分隔",
        ),
        (
            "4.jsonl",
            json.as_bytes().to_vec(),
            "检测为 UTF-8\r\n格式：JSON Lines",
        ),
        ("5.TXT", gb18030(json), "检测为 GB18030\r\n格式：JSON Lines"),
    ] {
        place.drop(name, content);
        let end = if name == "1.csv" { "1 0 0" } else { "0 1 0" };
        assert_eq!(place.work().await, outcome(name, end));
        let result = place.text(&format!("done/{name}.result.txt"));
        assert!(result.contains(said), "{result}");
    }
    assert_eq!(place.intake.count(), 1);
}

#[tokio::test]
async fn bad_lines_come_back_as_they_were_and_are_taken_once_corrected() {
    let place = Place::new();
    let bad = [
        "T2,09,11,01,挂号费,12.50,2025-01-10 18:33:21\r\n",
        "T3,01,11\r\n",
        "T5,01,11,01,\"换\r\n行\",1,2025-01-10 18:33:21\n",
        "T6,01,11,01,\"挂号费,1,2025-01-10 18:33:21\r\n",
    ];
    let content = format!(
        "{HEADER}{}{}{}\r\n{}{}{}{}",
        debt(1),
        bad[0],
        bad[1],
        debt(4),
        bad[2],
        bad[3],
        debt(7)
    );
    let content = gb18030(&content);
    place.drop("欠费.csv", &content);
    assert_eq!(place.work().await, outcome("欠费.csv", "3 0 4"));
    assert_eq!(
        place.files(),
        [
            "done/欠费.csv",
            "done/欠费.csv.result.txt",
            "failed/欠费.csv",
            "failed/欠费.csv.reasons.csv"
        ]
    );
    assert_eq!(std::fs::read(place.path("done/欠费.csv")).unwrap(), content);
    let failed = std::fs::read(place.path("failed/欠费.csv")).unwrap();
    assert_eq!(failed, gb18030(&format!("{HEADER}{}", bad.concat())));
    assert_eq!(
        place.text("failed/欠费.csv.reasons.csv"),
        "\u{FEFF}行号,列,原因\r\n\
         3,\"userType（用户类别）\",\"应为下列代码之一：01、02、03\"\r\n\
         4,\"\",\"列数与表头不一致：应为 7 列，实际 3 列\"\r\n\
         7,\"itemName（项目名称）\",\"不可含控制字符（如换行、制表符、NUL）\"\r\n\
         9,\"\",\"引号不成对\"\r\n"
    );
    // Dropped again as it is, nothing is taken, and what lay there is kept.
    place.drop("欠费.csv", &failed);
    assert_eq!(place.work().await, outcome("欠费.csv", "0 0 4"));
    assert!(place.path("failed/欠费-20250110-183321.csv").exists());
    // Corrected, it is taken whole.
    let corrected = encoding_rs::GB18030.decode(&failed).0.into_owned();
    let corrected = corrected
        .replace("T2,09", "T2,02")
        .replace("T3,01,11\r\n", &debt(3))
        .replace("换\r\n行", "换行")
        .replace("\"挂号费,1", "挂号费,1");
    place.drop("欠费.csv", gb18030(&corrected));
    assert_eq!(place.work().await, outcome("欠费.csv", "4 0 0"));
    assert_eq!(place.intake.count(), 7);
}

#[tokio::test]
async fn what_the_intake_refuses_is_a_bad_line_too() {
    let place = Place::new();
    place.drop("1.csv", format!("{HEADER}{}", debt(1)));
    place.work().await;
    let other = debt(1).replace("12.50", "13.00");
    place.drop("2.csv", format!("{HEADER}{}{other}", debt(2)));
    assert_eq!(place.work().await, outcome("2.csv", "1 0 1"));
    let reasons = place.text("failed/2.csv.reasons.csv");
    assert!(
        reasons.contains("3,\"orgTraceId（机构跟踪号）\",\"同号而内容不同\""),
        "{reasons}"
    );
    assert_eq!(place.text("failed/2.csv"), format!("{HEADER}{other}"));
}

#[tokio::test]
async fn what_was_written_first_is_handed_over_first() {
    let place = Place::new();
    let settle = "orgTraceId,action\nT1,结清\nT1,结清\n";
    place.drop("b.csv", format!("{HEADER}{}", debt(1)));
    place.drop("a.csv", settle);
    place.written("b.csv", 1);
    place.written("a.csv", 2);
    let outcomes = place.work().await;
    let wanted = [outcome("b.csv", "1 0 0"), outcome("a.csv", "1 1 0")];
    assert_eq!(outcomes, wanted.concat());
}

/// Else the settlement would be refused: nobody has heard of its debt yet.
#[tokio::test]
async fn a_file_that_stays_holds_up_those_that_were_written_later() {
    let place = Place::new();
    for (name, written) in [("c.csv", 1), ("b.csv", 2), ("a.csv", 3)] {
        place.drop(name, format!("{HEADER}{}", debt(written)));
        place.written(name, u64::from(written));
    }
    assert!(place.look().await.is_empty());
    place.intake.is_busy.store(true, Ordering::Relaxed);
    let outcomes: Vec<_> = place.look().await.into_iter().map(told).collect();
    let stays = outcome("c.csv", "stays: 暂时不能保存，原因见前置机日志");
    assert_eq!(outcomes, stays);
    assert_eq!(place.files(), ["a.csv", "b.csv", "c.csv"]);
    let outcomes: Vec<_> = place.look().await.into_iter().map(told).collect();
    let names: Vec<_> = outcomes.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, ["c.csv", "b.csv", "a.csv"]);
    // The same where the disk hinders: a folder stands where the first one's results go.
    place.drop("1.csv", format!("{HEADER}T9,bad\r\n"));
    place.drop("2.csv", format!("{HEADER}{}", debt(4)));
    place.written("1.csv", 4);
    place.written("2.csv", 5);
    std::fs::create_dir(place.path("failed/.lines.tmp")).unwrap();
    let outcomes = place.work().await;
    assert_eq!(outcomes.len(), 1, "{outcomes:?}");
    assert!(
        outcomes[0].1.starts_with("stays: 文件读写失败"),
        "{outcomes:?}"
    );
    std::fs::remove_dir(place.path("failed/.lines.tmp")).unwrap();
    assert_eq!(place.look().await.len(), 2);
}

/// Copied under its name with the time of its original, it is not looked at twice yet.
#[tokio::test]
async fn a_file_that_comes_late_but_was_written_first_is_waited_for() {
    let place = Place::new();
    place.drop("2.csv", format!("{HEADER}{}", debt(2)));
    place.written("2.csv", 2);
    assert!(place.look().await.is_empty());
    place.drop("1.csv", format!("{HEADER}{}", debt(1)));
    place.written("1.csv", 1);
    assert!(place.look().await.is_empty());
    let outcomes: Vec<_> = place.look().await.into_iter().map(told).collect();
    let wanted = [outcome("1.csv", "1 0 0"), outcome("2.csv", "1 0 0")];
    assert_eq!(outcomes, wanted.concat());
}

/// What its owner takes away, or still writes to, hinders nobody.
#[tokio::test]
async fn a_file_that_is_still_written_is_passed_over() {
    let place = Place::new();
    for (name, written) in [("1.csv", 1), ("2.csv", 2)] {
        place.drop(name, format!("{HEADER}{}", debt(written)));
        place.written(name, u64::from(written));
    }
    assert!(place.look().await.is_empty());
    place.drop("1.csv", format!("{HEADER}{}{}", debt(1), debt(3)));
    let outcomes: Vec<_> = place.look().await.into_iter().map(told).collect();
    assert_eq!(outcomes, outcome("2.csv", "1 0 0"));
    let outcomes: Vec<_> = place.look().await.into_iter().map(told).collect();
    assert_eq!(outcomes, outcome("1.csv", "2 0 0"));
    // Nor what is written to only while it is read, unless that does not show in its time.
    for (keeps_time, looked) in [(false, 2), (true, 1)] {
        for (name, written) in [("1.csv", 1), ("2.csv", 2)] {
            place.drop(name, format!("{HEADER}{}", debt(written)));
            place.written(
                name,
                u64::from(written) + 4_000_000_000 * u64::from(keeps_time),
            );
        }
        place.look().await;
        *place.intake.written_to.lock().unwrap() = Some(place.path("1.csv"));
        let outcomes: Vec<_> = place.look().await.into_iter().map(told).collect();
        assert_eq!(outcomes.len(), looked, "{outcomes:?}");
        assert_eq!(outcomes[0], outcome("1.csv", "stays: 文件仍在写入")[0]);
        place.work().await;
    }
}

#[tokio::test]
async fn what_was_taken_long_ago_is_cleared_and_what_failed_is_not() {
    const DAY_MS: i64 = 24 * 3_600_000;
    let place = Place::new();
    let look = async |now_ms| place.folder.work(&place.intake, now_ms).await.unwrap();
    place.drop("old.csv", format!("{HEADER}{}T9,bad\r\n", debt(1)));
    // The time of the file itself says nothing: it may have lain elsewhere for years.
    place.written("old.csv", 1);
    place.work().await;
    place.drop("new.csv", format!("{HEADER}{}", debt(2)));
    look(NOW_MS + 20 * DAY_MS).await;
    look(NOW_MS + 20 * DAY_MS).await;
    std::fs::write(place.path("done/of-somebody.csv"), "x").unwrap();
    look(NOW_MS + 30 * DAY_MS).await;
    assert_eq!(place.files().len(), 7);
    look(NOW_MS + 31 * DAY_MS).await;
    assert_eq!(
        place.files(),
        [
            "done/new.csv",
            "done/new.csv.result.txt",
            "done/of-somebody.csv",
            "failed/old.csv",
            "failed/old.csv.reasons.csv"
        ]
    );
    look(NOW_MS + 51 * DAY_MS).await;
    assert!(!place.path("done/new.csv").exists());
}

#[tokio::test]
async fn a_folder_of_any_size_is_cleared_a_part_at_a_time() {
    let place = Place::new();
    for number in 0..700 {
        let note = place.path(&format!("done/{number}.csv.result.txt"));
        std::fs::write(place.path(&format!("done/{number}.csv")), "x").unwrap();
        std::fs::write(&note, "x").unwrap();
        place.written(&format!("done/{number}.csv.result.txt"), 1);
    }
    place.look().await;
    let left = place.files().len();
    assert!((900..1_400).contains(&left), "{left}");
    for _ in 0..3 {
        place.look().await;
    }
    assert_eq!(place.files(), Vec::<String>::new());
}

#[tokio::test]
async fn what_names_persons_is_for_its_owner_alone() {
    let place = Place::new();
    place.drop("a.csv", format!("{HEADER}{}T2,bad\r\n", debt(1)));
    let mode = |name: &str| place.path(name).metadata().unwrap().permissions().mode() & 0o777;
    let open = PermissionsExt::from_mode(0o644);
    std::fs::set_permissions(place.path("a.csv"), open).unwrap();
    place.work().await;
    for folder in ["done", "failed"] {
        assert_eq!(mode(folder), 0o700, "{folder}");
    }
    assert_eq!(place.files().len(), 4);
    for file in place.files() {
        assert_eq!(mode(&file), 0o600, "{file}");
    }
    // A hospital that lets a group in is not overruled.
    let shared = PermissionsExt::from_mode(0o770);
    std::fs::set_permissions(place.path("failed"), shared).unwrap();
    place.look().await;
    assert_eq!(mode("failed"), 0o770);
}

#[tokio::test]
async fn what_cannot_be_read_is_set_aside_whole() {
    let place = Place::new();
    for (name, content, why) in [
        ("a.csv", b"\xFF\xFEo\0r\0g\0".to_vec(), "UTF-16"),
        ("b.csv", b"PK\x03\x04\0\0".to_vec(), "Excel"),
        ("c.csv", debt(1).into_bytes(), "不是表头"),
        (
            "d.csv",
            b"orgTraceId,amount\nT1,1\n".to_vec(),
            "表头中缺少 userType（用户类别）",
        ),
        ("e.csv", b"orgTraceId\nT1\xFF\n".to_vec(), "编码无法识别"),
    ] {
        place.drop(name, &content);
        let outcomes = place.work().await;
        assert_eq!(outcomes.len(), 1);
        assert!(outcomes[0].1.contains(why), "{outcomes:?}");
        assert!(
            place
                .text(&format!("failed/{name}.reasons.csv"))
                .contains(why)
        );
        assert_eq!(
            std::fs::read(place.path(&format!("failed/{name}"))).unwrap(),
            content
        );
    }
    assert_eq!(place.intake.count(), 0);
    assert!(place.files().iter().all(|file| file.starts_with("failed/")));
}

/// Whoever drops the empty table that the page offers reports nothing, and it lacks no column.
#[tokio::test]
async fn the_empty_table_of_the_page_is_whole() {
    let place = Place::new();
    place.drop("template.csv", crate::pages::TABLE.content);
    assert_eq!(place.work().await, outcome("template.csv", "0 0 0"));
    let result = place.text("done/template.csv.result.txt");
    assert!(!result.contains("不认识的列"), "{result}");
    let header = crate::pages::TABLE
        .content
        .trim_matches(['\u{FEFF}', '\r', '\n']);
    assert_eq!(header.split(',').count(), meaning::columns().len());
}

#[tokio::test]
async fn an_empty_file_is_waited_for() {
    let place = Place::new();
    place.drop("a.csv", "");
    assert!(place.work().await.is_empty());
    let later = place.folder.work(&place.intake, NOW_MS + 60_000).await;
    let later: Vec<_> = later.unwrap().into_iter().map(told).collect();
    assert_eq!(later, outcome("a.csv", "文件是空的，没有表头"));
}

#[tokio::test]
async fn a_crash_between_any_two_steps_loses_and_doubles_nothing() {
    let content = format!("{HEADER}{}T2,bad\r\n{}", debt(1), debt(3));
    let wanted = [
        "done/a.csv",
        "done/a.csv.result.txt",
        "failed/a.csv",
        "failed/a.csv.reasons.csv",
    ];
    for step in 0..3 {
        let place = Place::new();
        place.drop("a.csv", &content);
        let stamp = stamp(&place.path("a.csv").symlink_metadata().unwrap()).unwrap();
        let found = Found {
            path: place.path("a.csv"),
            name: "a.csv".into(),
            stamp,
        };
        // What the dead process had done: handed the rows over, written its lines, named them.
        let shelves = place.folder.shelves.clone();
        let sheet = Sheet::open(&found).unwrap();
        let results = Results::new(shelves, sheet.head());
        let (sheet, piece) = sheet.next_piece().unwrap();
        let mut piece = piece.unwrap();
        let taken = place.intake.take(piece.take_rows()).await.unwrap();
        if step > 0 {
            let results = results.add(&found.path, &piece, taken).unwrap();
            if step > 1 {
                let summary = sheet.summary();
                results.write_beside(&found, &summary, NOW_MS).unwrap();
            }
        }
        assert!(place.path("a.csv").exists());
        assert_eq!(place.work().await, outcome("a.csv", "0 2 1"), "{step}");
        assert_eq!(place.intake.count(), 2);
        assert_eq!(place.files(), wanted, "{step}");
        assert_eq!(place.text("failed/a.csv"), format!("{HEADER}T2,bad\r\n"));
    }
}

#[tokio::test]
async fn a_file_stays_while_its_rows_cannot_be_kept() {
    let place = Place::new();
    let many: String = (1..=1_200).map(debt).collect();
    place.drop("a.csv", format!("{HEADER}T0,bad\r\n{many}"));
    *place.intake.pieces_left.lock().unwrap() = Some(2);
    let outcomes = place.work().await;
    assert!(
        outcomes[0].1.starts_with("stays: 暂时不能保存"),
        "{outcomes:?}"
    );
    assert_eq!(place.files(), ["a.csv"]);
    *place.intake.pieces_left.lock().unwrap() = None;
    place.intake.is_away.store(false, Ordering::Relaxed);
    let outcomes: Vec<_> = place.look().await.into_iter().map(told).collect();
    assert_eq!(outcomes, outcome("a.csv", "201 999 1"));
    assert_eq!(place.intake.count(), 1_200);
}

#[tokio::test]
async fn a_file_that_is_written_while_it_is_read_is_read_again() {
    let place = Place::new();
    place.drop("a.csv", format!("{HEADER}{}T2,01,11,01,挂号费,1", debt(1)));
    place.look().await;
    let path = place.path("a.csv");
    let found = Found {
        stamp: stamp(&path.symlink_metadata().unwrap()).unwrap(),
        path: path.clone(),
        name: "a.csv".into(),
    };
    let mut file = std::fs::File::options().append(true).open(&path).unwrap();
    file.write_all(b"2.50,2025-01-10 18:33:21\r\n").unwrap();
    drop(file);
    let worked = place.folder.work_on(&found, &place.intake, NOW_MS).await;
    assert!(worked.is_err());
    assert_eq!(place.intake.count(), 0);
    assert_eq!(place.work().await, outcome("a.csv", "2 0 0"));
}

#[tokio::test]
async fn a_folder_that_is_away_is_an_error_and_is_not_made_anew() {
    let place = Place::new();
    let drop = place.root.path().join("drop");
    std::fs::remove_dir_all(&drop).unwrap();
    assert!(place.folder.work(&place.intake, NOW_MS).await.is_err());
    assert!(!drop.exists());
}

mod names_and_rights {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;

    use super::*;

    #[tokio::test]
    async fn any_name_is_taken_and_no_link_is_followed() {
        let place = Place::new();
        let content = format!("{HEADER}{}T2,bad\r\n", debt(1));
        let outside = place.root.path().join("outside.csv");
        std::fs::write(&outside, &content).unwrap();
        std::os::unix::fs::symlink(&outside, place.path("link.csv")).unwrap();
        std::fs::create_dir(place.path("folder.csv")).unwrap();
        let drop = place.root.path().join("drop");
        let long = format!("{}.csv", "a".repeat(251));
        let names = [
            OsStr::from_bytes(b"\xC7\xB7\xB7\xD1.csv"),
            OsStr::new("a\nb\".csv"),
            OsStr::new(&long),
        ];
        for name in names {
            std::fs::write(drop.join(name), &content).unwrap();
        }
        let ends: Vec<_> = place.work().await.into_iter().map(|(_, end)| end).collect();
        assert_eq!(ends.len(), 3);
        assert!(ends.iter().all(|end| end.ends_with(" 1")), "{ends:?}");
        assert_eq!(place.intake.count(), 1);
        assert!(drop.join("done").join(names[0]).exists());
        assert!(drop.join("failed").join(names[1]).exists());
        assert!(place.path("link.csv").symlink_metadata().is_ok());
        assert!(outside.exists());
    }

    /// A disk that takes no more, as far as a test can make one: the folder for bad lines takes no
    /// file. Nobody is kept out who may do everything, so there the test has nothing to see.
    #[tokio::test]
    async fn a_file_whose_results_cannot_be_written_stays() {
        let place = Place::new();
        place.drop("a.csv", format!("{HEADER}{}T2,bad\r\n", debt(1)));
        let failed = place.path("failed");
        let mode = |mode| std::fs::set_permissions(&failed, PermissionsExt::from_mode(mode));
        mode(0o500).unwrap();
        let is_kept_out = std::fs::File::create(failed.join("probe")).is_err();
        let outcomes = place.work().await;
        mode(0o700).unwrap();
        if is_kept_out {
            assert!(
                outcomes[0].1.starts_with("stays: 文件读写失败"),
                "{outcomes:?}"
            );
            assert_eq!(place.files(), ["a.csv"]);
            let outcomes: Vec<_> = place.look().await.into_iter().map(told).collect();
            assert_eq!(outcomes, outcome("a.csv", "0 1 1"));
        }
    }

    #[tokio::test]
    async fn a_full_disk_keeps_the_file() {
        let place = Place::new();
        let bad = "T2,bad\r\n".repeat(600);
        place.drop("a.csv", format!("{HEADER}{}{bad}", debt(1)));
        let stamp = stamp(&place.path("a.csv").symlink_metadata().unwrap()).unwrap();
        let found = Found {
            path: place.path("a.csv"),
            name: "a.csv".into(),
            stamp,
        };
        let sheet = Sheet::open(&found).unwrap();
        let results = Results::new(place.folder.shelves.clone(), sheet.head());
        let (sheet, first) = sheet.next_piece().unwrap();
        let (_, second) = sheet.next_piece().unwrap();
        let mut results = results
            .add(&found.path, &first.unwrap(), vec![Taken::New])
            .unwrap();
        // Every write to this device fails as on a full disk.
        let full = std::fs::File::options().write(true).open("/dev/full");
        results.redirect_bad_lines(full.unwrap());
        let added = results.add(&found.path, &second.unwrap(), Vec::new());
        assert_eq!(added.err().unwrap().kind(), io::ErrorKind::StorageFull);
        assert!(place.path("a.csv").exists());
        assert_eq!(place.work().await, outcome("a.csv", "1 0 600"));
        assert_eq!(place.text("failed/a.csv"), format!("{HEADER}{bad}"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_rows_go_through_in_pieces() {
    let place = Place::new();
    let mut text = HEADER.to_owned();
    for number in 0..100_000 {
        text += &debt(number);
        if number % 1_000 == 0 {
            text += "bad\r\n";
        }
    }
    place.drop("a.csv", gb18030(&text));
    assert_eq!(place.work().await, outcome("a.csv", "100000 0 100"));
    assert_eq!(place.intake.count(), 100_000);
    assert!(place.intake.largest.load(Ordering::Relaxed) <= 500);
    let reasons = place.text("failed/a.csv.reasons.csv");
    assert_eq!(reasons.lines().count(), 101);
}
