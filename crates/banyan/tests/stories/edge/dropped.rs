//! Files and calls about the same debts, in any order.

use std::path::PathBuf;

use banyan_store::on_both_engines;
use serde_json::json;

use super::place::{EdgeAt, platform, row};
use crate::telling::{MINUTE_MS, Story};

const HEADER: &str = "机构跟踪号,操作,用户类别,医疗类别,费用类别,项目名称,金额,产生时间\n";

/// An edge with a folder for files.
async fn edge_with_folder(story: &Story) -> (EdgeAt, PathBuf) {
    let mut drop_dir = PathBuf::new();
    let edge = EdgeAt::begin_with(story, &platform(story), |settings| {
        drop_dir = settings.data_dir.join("drop");
        settings.files.drop_dir = Some(drop_dir.clone());
        settings.files.look_every_ms = 1;
        settings.sending.at_once = true;
    })
    .await;
    edge.settle(story).await;
    (edge, drop_dir)
}

/// Lets the edge find what was dropped, and waits for what the platform says of it.
async fn work(edge: &EdgeAt, story: &Story) {
    for _ in 0..4 {
        story.clock.advance_ms(MINUTE_MS);
        edge.settle(story).await;
    }
}

fn debt(trace: &str) -> String {
    format!("{trace},,01,11,01,诊查费,1.00,2026-03-01 09:30:00\n")
}

on_both_engines! {
    async fn a_file_that_is_read_again_revives_nothing(db: &TestDb) {
        let story = Story::begin(db).await;
        let (edge, drop_dir) = edge_with_folder(&story).await;
        let file = format!("{HEADER}{}{}", debt("F1"), debt("F2"));
        std::fs::write(drop_dir.join("a.csv"), &file).unwrap();
        work(&edge, &story).await;
        let settled = edge.post("/v1/overdue/settle", &json!({"items": [{"orgTraceId": "F1"}]})).await;
        assert_eq!(settled.code, "000000", "{settled:?}");
        work(&edge, &story).await;
        assert_eq!(edge.item("F1").await["platformState"], "1");
        // As after a crash between the last row and the moving of the file.
        std::fs::write(drop_dir.join("a.csv"), &file).unwrap();
        work(&edge, &story).await;
        let item = edge.item("F1").await;
        assert_eq!((&item["state"], &item["platformState"]), (&json!("1"), &json!("1")));
        let result = std::fs::read_to_string(drop_dir.join("done/a.csv.result.txt")).unwrap();
        assert!(result.contains("新收下 2 条"), "{result}");
        assert_eq!(edge.item("F2").await["state"], "0");
        edge.stopped().await;
        story.end().await;
    }

    async fn a_folder_that_went_away_is_said_and_taken_up_again(db: &TestDb) {
        let story = Story::begin(db).await;
        let (edge, drop_dir) = edge_with_folder(&story).await;
        let away = drop_dir.with_file_name("away");
        std::fs::rename(&drop_dir, &away).unwrap();
        work(&edge, &story).await;
        let (level, text) = edge.light("his").await;
        assert!(level == "bad" && text == "文件交接目录无法读取：目录或文件不存在", "{text}");
        assert!(!drop_dir.exists());
        std::fs::write(away.join("a.csv"), format!("{HEADER}{}", debt("F1"))).unwrap();
        std::fs::rename(&away, &drop_dir).unwrap();
        work(&edge, &story).await;
        assert_eq!(edge.item("F1").await["stage"], "kept");
        assert_eq!(edge.light("his").await.0, "good");
        edge.stopped().await;
        story.end().await;
    }

    async fn a_file_settles_revokes_and_names(db: &TestDb) {
        let story = Story::begin(db).await;
        let (edge, drop_dir) = edge_with_folder(&story).await;
        let debts: String = ["F1", "F2", "F3"].map(debt).concat();
        std::fs::write(drop_dir.join("a.csv"), format!("{HEADER}{debts}")).unwrap();
        work(&edge, &story).await;
        let citizen = &story.citizens[0];
        let lines = format!(
            "{{\"orgTraceId\":\"F1\",\"action\":\"settle\"}}\n{{\"机构跟踪号\":\"F2\",\"操作\":\"撤销\"}}\n{}\n",
            json!({"orgTraceId": "F3", "action": "realname", "idNo": citizen.id_no, "idType": citizen.id_type,
                "userName": citizen.user_name, "ehealthCardId": citizen.ehealth_card_id}),
        );
        std::fs::write(drop_dir.join("b.jsonl"), lines).unwrap();
        work(&edge, &story).await;
        assert!(drop_dir.join("done/b.jsonl").exists());
        for (trace, state) in [("F1", "1"), ("F2", "2"), ("F3", "0")] {
            assert_eq!(edge.item(trace).await["platformState"], state, "{trace}");
        }
        let asked = edge.post("/v1/overdue/query", &row("F3", Some(citizen), "1.00")).await;
        assert_eq!(asked.data["itemList"].as_array().map(Vec::len), Some(1), "{asked:?}");
        edge.stopped().await;
        story.end().await;
    }
}
