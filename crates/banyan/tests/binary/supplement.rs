//! An operator takes past illnesses in, corrects them, and gives the ledgers to the actuaries.

use banyan_store::ids::PartnerId;
use banyan_store::supplement::content::Content;
use banyan_store::supplement::{Named, claims, past_illness};

use crate::place::{Place, after};
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
    let claims = [
        claim(place, "A,1", "12.5"),
        claim(place, "=B", "claimTota3l"),
    ];
    run(&mut place.banyan(&["migrate"])).success();
    keep(place, PartnerId(1), 900_000, &claims, 1_760_000_000_000).await;
}

fn claim(place: &Place, case_no: &str, total: &str) -> claims::Claim {
    let vault = place.vault();
    claims::Claim {
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
    }
}

async fn keep(
    place: &Place,
    partner: PartnerId,
    first_id: i64,
    claims: &[claims::Claim],
    now_ms: i64,
) {
    let ids = first_id..first_id + 10;
    let ready = claims::ready(&place.vault(), partner, now_ms, ids, claims).unwrap();
    place
        .with_db(async |db| db.write(move |tx| claims::keep(tx, &ready, now_ms)).await)
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

    // For one service what stands for all can't be corrected, and he who tried is told.
    let in_vain =
        format!("idcard,illness_name,serviceId,past_illness_check\n{NUMBER},高血压,100005,0\n");
    std::fs::write(place.path().join("vain.csv"), in_vain).unwrap();
    let said = run(&mut place.banyan(&["illness", "import", "vain.csv"])).success();
    assert!(said.contains("另有 1 行未能更正"), "{said}");
    assert_eq!(known(&place, NUMBER).await, ["高血压"]);

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

#[tokio::test]
async fn an_operator_sees_who_said_what_of_a_record_and_when() {
    let place = Place::sqlite();
    let add = [
        "partner",
        "add",
        "--kind",
        "insurer",
        "--name",
        "榕城保险",
        "--level",
        "4",
        "--service",
        "100005",
    ];
    let app_id = after(&run(&mut place.banyan(&add)).success(), "appId：")
        .unwrap()
        .to_owned();
    let partner = PartnerId(place.number("SELECT id FROM partner").await);
    keep(
        &place,
        partner,
        900_000,
        &[claim(&place, "A1", "12.5")],
        1_760_000_000_000,
    )
    .await;
    let mut second = claim(&place, "A1", "13");
    second.left.one_fen = Some(200_005);
    keep(&place, partner, 900_010, &[second], 1_760_000_060_000).await;

    let history = |more: &[&str]| {
        let asked = [
            "ledger",
            "history",
            "claims",
            "--service",
            "100005",
            "--case-no",
        ];
        run(&mut place.banyan(&[&asked[..], more].concat()))
    };
    let said = history(&["A1"]).success();
    let expected = format!(
        "渠道 榕城保险（{app_id}）
  第 1 版  2025-10-09 16:53:20
    caseNo：A1
    certno：110*************2X
    psnName：＊三
    claimTotal：12.5
  第 2 版  2025-10-09 16:54:20
    claimTotal：13
"
    );
    assert_eq!(said, expected);
    assert!(history(&["A2"]).success().contains("没有这条记录"));
    let stranger = history(&["A1", "--channel", "nobody"]).failure();
    assert!(stranger.contains("没有这个保险渠道"), "{stranger}");

    let unexplained = history(&["A1", "--identities"]).failure();
    assert!(unexplained.contains("--reason"), "{unexplained}");
    let whole = history(&["A1", "--identities", "--reason", "本人申请复核"]).success();
    assert!(whole.contains(NUMBER) && whole.contains("张三"), "{whole}");
    let looks = |detail: &'static str| place.number(detail);
    assert_eq!(
        looks("SELECT COUNT(*) FROM operator_audit WHERE action = 'ledger.history' AND target = 'claims 100005/A1' AND detail = 'masked; 2 versions'").await,
        1
    );
    assert_eq!(
        looks("SELECT COUNT(*) FROM operator_audit WHERE action = 'ledger.history' AND detail = 'with identities: 本人申请复核; 2 versions'").await,
        1
    );

    std::fs::write(place.path().join("number"), format!("{NUMBER}\n")).unwrap();
    let left = |year: &str| {
        let number = std::fs::File::open(place.path().join("number")).unwrap();
        let mut command = place.banyan(&["ledger", "left", "--service", "100005", "--year", year]);
        let shown = command.stdin(number).output().unwrap();
        String::from_utf8(shown.stdout).unwrap()
    };
    assert_eq!(
        left("2025"),
        "责任 1 剩余免赔额：2000.05 元\n责任 2 剩余免赔额：未提供\n责任 4 剩余免赔额：未提供\n"
    );
    assert!(left("2024").contains("没有理赔记录"));
    let looked = "SELECT COUNT(*) FROM operator_audit WHERE action = 'ledger.left' \
                  AND target NOT LIKE '%1949%'";
    assert_eq!(place.number(looked).await, 2);
}
