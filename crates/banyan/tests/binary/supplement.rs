//! An operator takes past illnesses in, corrects them, and gives the ledgers to the actuaries.

use banyan_store::ids::PartnerId;
use banyan_store::supplement::content::Content;
use banyan_store::supplement::{Named, claims, past_illness};

use crate::place::Place;
use crate::process::run;

const NUMBER: &str = "11010519491231002X";

async fn known(place: &Place, number: &str) -> Vec<String> {
    let named = Named::new(&place.vault(), number, "张三");
    place
        .with_db(async |db| past_illness::of(db, &named, &[]).await)
        .await
        .categories
}

/// Two claims, one of them with nonsense in it.
async fn keep_claims(place: &Place) {
    let vault = place.vault();
    let claim = |case_no: &'static str, total: &'static str| claims::Claim {
        service_id: "100005".to_owned(),
        case_no: case_no.to_owned(),
        named: Named::new(&vault, NUMBER, "张三"),
        year: "2025".to_owned(),
        claim_fen: None,
        invoice_fen: None,
        left: claims::Left::default(),
        content: Content::of(claims::FIELDS, |field| match field {
            "caseNo" => Some(case_no),
            "certno" => Some(NUMBER),
            "psnName" => Some("张三"),
            "claimTotal" => Some(total),
            _ => None,
        }),
    };
    let claims = [claim("A,1", "12.5"), claim("=B", "claimTota3l")];
    let ready = claims::ready(&vault, PartnerId(1), 900_000..900_002, &claims).unwrap();
    run(&mut place.banyan(&["migrate"])).success();
    place
        .with_db(async |db| {
            db.write(move |tx| claims::keep(tx, &ready, 1_760_000_000_000))
                .await
        })
        .await;
}

#[tokio::test]
async fn past_illnesses_are_taken_in_and_corrected() {
    let place = Place::sqlite();
    let file = format!(
        "idcard,name,illness_name,icd10\n{NUMBER},张三,高血压,\n{NUMBER},张三,,C34.9\nE12345,,感冒,\n"
    );
    std::fs::write(place.path().join("ill.csv"), &file).unwrap();
    let ran = run(&mut place.banyan(&["illness", "import", "ill.csv"]));
    assert!(ran.err.contains("ill.csv.report.csv"), "{}", ran.err);
    let said = ran.success();
    assert!(
        said.contains("共 3 行：新增 2，已有 0，更正为无 0，预先记为无 0，未导入 1。"),
        "{said}"
    );
    let report = std::fs::read_to_string(place.path().join("ill.csv.report.csv")).unwrap();
    assert_eq!(
        report,
        "\u{FEFF}行号,结果,原因\r\n4,未导入,illness_name：不在既往症分类表中\r\n"
    );
    assert_eq!(known(&place, NUMBER).await, ["恶性肿瘤", "高血压"]);
    let again = run(&mut place.banyan(&["illness", "import", "ill.csv"]));
    assert!(again.err.contains("此前已导入完毕"), "{}", again.err);

    let correction =
        format!("{{\"证件号码\":\"{NUMBER}\",\"诊断编码\":\"C34\",\"既往症结果\":\"0\"}}\n");
    std::fs::write(place.path().join("right.jsonl"), correction).unwrap();
    let said = run(&mut place.banyan(&["illness", "import", "right.jsonl"])).success();
    assert!(said.contains("更正为无 1"), "{said}");
    assert_eq!(known(&place, NUMBER).await, ["高血压"]);
    let acts = "SELECT COUNT(*) FROM operator_audit WHERE action = 'illness.import'";
    assert_eq!(place.number(acts).await, 4);

    std::fs::write(place.path().join("number"), format!("{NUMBER}\n")).unwrap();
    let number = std::fs::File::open(place.path().join("number")).unwrap();
    let mut show = place.banyan(&["illness", "show"]);
    let shown = show.stdin(number).output().unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    let lines: Vec<&str> = shown.lines().collect();
    assert!(
        lines.len() == 2 && lines[0].starts_with("高血压  所有服务  导入"),
        "{shown}"
    );
    assert!(
        lines[1].starts_with("恶性肿瘤") && lines[1].contains("更正"),
        "{shown}"
    );
    let nobody = run(&mut place.banyan(&["illness", "show"])).failure();
    assert!(nobody.contains("标准输入"), "{nobody}");
    let looked = "SELECT COUNT(*) FROM operator_audit WHERE action = 'illness.show' \
                  AND target NOT LIKE '%1949%'";
    assert_eq!(place.number(looked).await, 1);

    let said = run(&mut place.banyan(&["illness", "categories"])).success();
    assert!(
        said.contains("ICD-10") && said.contains("恶性肿瘤"),
        "{said}"
    );
}

#[tokio::test]
async fn a_ledger_leaves_without_identities_unless_they_are_asked_for() {
    let place = Place::sqlite();
    keep_claims(&place).await;
    let said = run(&mut place.banyan(&["export", "claims", "--out", "claims.csv"])).success();
    assert!(said.contains("已导出 2 行"), "{said}");
    let text = std::fs::read_to_string(place.path().join("claims.csv")).unwrap();
    let lines: Vec<&str> = text.split("\r\n").collect();
    assert!(lines[0].starts_with("\u{FEFF}channel,version,first_at,changed_at,person,caseNo,certType,closeTime,year,claimTotal,claimTotal_fen,"), "{}", lines[0]);
    assert!(
        lines[1].contains(",\"A,1\",") && lines[1].contains(",12.5,1250,"),
        "{}",
        lines[1]
    );
    assert!(
        lines[2].contains(",'=B,") && lines[2].contains(",claimTota3l,,"),
        "{}",
        lines[2]
    );
    assert!(!text.contains(NUMBER) && !text.contains("张三"));
    let person = |line: &str| line.split(',').nth(4).unwrap().to_owned();
    assert_eq!(
        (person(lines[1]).len(), person(lines[1])),
        (32, person(lines[2]))
    );

    let refused = run(&mut place.banyan(&["export", "claims", "--out", "claims.csv"])).failure();
    assert!(refused.contains("已存在"), "{refused}");
    run(&mut place.banyan(&["export", "claims", "--out", "named.csv", "--identities"])).success();
    let named = std::fs::read_to_string(place.path().join("named.csv")).unwrap();
    assert!(named.contains(NUMBER) && named.contains("张三"));
    let whose = "SELECT COUNT(*) FROM operator_audit WHERE action = 'supplement.export' \
                 AND detail LIKE 'with identities, %'";
    assert_eq!(
        place.number(whose).await,
        2,
        "before it began and when it was whole"
    );

    run(&mut place.banyan(&[
        "export",
        "claims",
        "--format",
        "parquet",
        "--out",
        "claims.parquet",
    ]))
    .success();
    let table = std::fs::read(place.path().join("claims.parquet")).unwrap();
    assert!(table.starts_with(b"PAR1") && table.ends_with(b"PAR1"));
    assert!(
        !table
            .windows(NUMBER.len())
            .any(|part| part == NUMBER.as_bytes())
    );
    let totals = run(&mut place.banyan(&["ledger", "totals"])).success();
    assert!(totals.contains("服务 100005  年度 2025  2 件"), "{totals}");
    assert!(totals.contains("另有 2 条金额无法识别"), "{totals}");
    for ledger in ["cases", "payments", "medicine-box"] {
        let said = run(&mut place.banyan(&["export", ledger, "--out", &format!("{ledger}.csv")]))
            .success();
        assert!(said.contains("已导出 0 行"), "{said}");
    }
}
