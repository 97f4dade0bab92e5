//! An operator takes in a file of persons, and decides what contradicts.

use banyan_sandbox::{Citizen, citizens};

use crate::eventually;
use crate::place::{Place, after};
use crate::process::{Program, run};

const HEADER: &str = "idType,idNo,userName,userSex,birthday,mobilePhone,psnNo\n";

fn people(count: usize) -> Vec<Citizen> {
    let place = Place::sqlite();
    let vault = place.vault();
    let seeds = citizens::generate(count, 77);
    seeds
        .into_iter()
        .map(|seed| seed.with_index(&vault))
        .collect()
}

fn line(citizen: &Citizen, name: &str) -> String {
    let Citizen {
        id_type,
        id_no,
        mobile_phone,
        psn_no,
        ..
    } = citizen;
    format!("{id_type},{id_no},{name},,,{mobile_phone},{psn_no}\n")
}

#[test]
fn a_file_is_taken_in_and_what_contradicts_is_decided() {
    let place = Place::sqlite();
    let people = people(3);
    let mut file = HEADER.to_owned();
    for citizen in &people {
        file += &line(citizen, &citizen.user_name);
    }
    file += &line(&people[0], &people[0].user_name);
    file += &line(&people[1], "另一个名字");
    file += "01,11010519491231002X\n01,110105194912310021,张三,,,,\n";
    std::fs::write(place.path().join("persons.csv"), &file).unwrap();
    let ran = run(&mut place.banyan(&["person", "import", "persons.csv"]));
    let err = ran.err.clone();
    let said = ran.success();
    assert!(
        said.contains("共 7 行：新登记 3，补充 0，重复 1，姓名矛盾 1，人员编号矛盾 0，未导入 2。"),
        "{said}"
    );
    let report = std::fs::read_to_string(place.path().join("persons.csv.report.csv")).unwrap();
    let lines: Vec<_> = report
        .lines()
        .map(|line| line.split(',').next().unwrap())
        .collect();
    assert_eq!(lines, ["\u{FEFF}行号", "5", "6", "7", "8"]);
    for citizen in &people {
        for private in [&citizen.id_no, &citizen.user_name, &citizen.mobile_phone] {
            assert!(!report.contains(private) && !said.contains(private) && !err.contains(private));
        }
    }
    let again = run(&mut place.banyan(&["person", "import", "persons.csv"]));
    assert!(again.err.contains("此前已导入完毕"), "{}", again.err);
    assert_eq!(again.success(), said);

    let listed = run(&mut place.banyan(&["person", "reviews", "list"])).success();
    assert!(
        listed.contains("来源 import") && !listed.contains(&people[1].id_no),
        "{listed}"
    );
    let id = listed.split_whitespace().next().unwrap().to_owned();
    assert!(
        run(&mut place.banyan(&["person", "reviews", "rename", &id]))
            .success()
            .contains("已采用")
    );
    let failure = run(&mut place.banyan(&["person", "reviews", "keep", &id])).failure();
    assert!(failure.contains("已处理"), "{failure}");
    let index = place.vault().ehealth_card_id("01", &people[1].id_no);
    let shown = run(&mut place.banyan(&["person", "show", "--card-index", &index])).success();
    assert_eq!(after(&shown, "姓名："), Some("＊＊＊＊字"));
    assert!(!shown.contains(&people[1].id_no));
    let whole = run(&mut place.banyan(&["audit", "verify"]));
    assert!(whole.success().contains("操作审计：完整"));

    std::fs::write(place.path().join("wrong.csv"), "idType,idNo,name\n").unwrap();
    let failure = run(&mut place.banyan(&["person", "import", "wrong.csv"])).failure();
    assert!(failure.contains("name"), "{failure}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_that_was_killed_goes_on() {
    let place = Place::sqlite();
    let people = people(60_000);
    let mut file = HEADER.to_owned();
    for (number, citizen) in people.iter().enumerate() {
        file += &line(citizen, &citizen.user_name);
        if number % 100 == 0 {
            file += "01,1\n";
        }
    }
    std::fs::write(place.path().join("persons.csv"), &file).unwrap();
    run(&mut place.banyan(&["migrate"])).success();
    let import = &["person", "import", "persons.csv", "--report", "report.csv"];
    let program = Program::start(&mut place.banyan(import));
    eventually("some of it is done", async || {
        let done = "SELECT COALESCE(MAX(records_done), 0) FROM person_import";
        (place.number(done).await > 0).then_some(())
    })
    .await;
    program.kill();
    assert_eq!(
        place
            .number("SELECT COUNT(*) FROM person_import WHERE done_ms IS NULL")
            .await,
        1,
        "it was killed in the middle"
    );
    let ran = run(&mut place.banyan(import));
    assert!(ran.err.contains("从上次中断处继续"), "{}", ran.err);
    let said = ran.success();
    assert!(
        said.contains("共 60600 行：新登记 60000，") && said.contains("未导入 600。"),
        "{said}"
    );
    assert_eq!(place.number("SELECT COUNT(*) FROM person").await, 60_000);
    assert_eq!(
        place.number("SELECT COUNT(*) FROM insured_number").await,
        60_000
    );
    let report = std::fs::read_to_string(place.path().join("report.csv")).unwrap();
    let wanted: Vec<_> = (0..600)
        .map(|number| (number * 101 + 3).to_string())
        .collect();
    let lines: Vec<_> = report
        .lines()
        .skip(1)
        .map(|line| line.split(',').next().unwrap())
        .collect();
    assert_eq!(lines, wanted, "every bad line once");
}
