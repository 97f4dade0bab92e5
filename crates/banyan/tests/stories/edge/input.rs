//! What bad input gets: the first bad field by name, and nothing half done.

use banyan_store::on_both_engines;
use serde_json::{Value, json};

use super::place::{EdgeAt, row};
use crate::telling::Story;

fn bad_rows() -> Vec<(&'static str, Value, &'static str)> {
    vec![
        ("orgTraceId", Value::Null, "items[1].orgTraceId"),
        ("orgTraceId", json!("T".repeat(41)), "items[1].orgTraceId"),
        ("amount", json!(12.5), "items[1].amount"),
        ("amount", json!("-1"), "items[1].amount"),
        ("amount", json!("1.005"), "items[1].amount"),
        (
            "actualTime",
            json!("2026-02-30 10:00:00"),
            "items[1].actualTime",
        ),
        ("medType", json!("77"), "items[1].medType"),
        ("userType", json!(["01"]), "items[1].userType"),
        ("itemName", json!({}), "items[1].itemName"),
        ("idNo", json!("3".repeat(19)), "items[1].idNo"),
    ]
}

on_both_engines! {
    async fn one_bad_row_keeps_the_whole_call_out_and_is_named(db: &TestDb) {
        let story = Story::begin(db).await;
        let edge = EdgeAt::begin(&story).await;
        for (member, value, path) in bad_rows() {
            let mut bad = row("T2", None, "2.00");
            bad[member] = value;
            let said = edge.post("/v1/overdue/report", &json!({ "items": [row("T1", None, "1.00"), bad] })).await;
            assert_eq!((said.status, &*said.code), (200, "000105"), "{path}");
            assert!(said.message.starts_with(path), "{path}: {}", said.message);
        }
        assert_eq!(edge.get("/v1/overdue/items/T1").await.code, "000105", "nothing was kept");
        for (body, says) in [
            (&b""[..], "items"),
            (b"{}", "items"),
            (b"[]", ""),
            (b"{\"items\":[]}", "items"),
            (b"{\"items\":", "items"),
            (b"{\"items\":[{}],\"items\":[]}", "items"),
            (b"\xd5\xc5\xc8\xfd", "UTF-8"),
            (b"{\"urgent\":\"maybe\"}", "urgent"),
        ] {
            let said = edge.send("POST", "/v1/overdue/report", body).await;
            assert_eq!(said.code, "000105", "{}", String::from_utf8_lossy(body));
            assert!(said.message.contains(says), "{}", said.message);
        }
        let deep = format!("{}1{}", "[".repeat(5000), "]".repeat(5000));
        assert_eq!(edge.send("POST", "/v1/overdue/report", deep.as_bytes()).await.code, "000105");
        edge.stopped().await;
        story.end().await;
    }

    async fn nobody_without_the_key_is_heard(db: &TestDb) {
        let story = Story::begin(db).await;
        let edge = EdgeAt::begin(&story).await;
        for headers in [&[][..], &[("authorization", "Bearer wrong")], &[("authorization", "the-key-of-the-story")], &[("authorization", "Basic dGhlOmtleQ==")]] {
            for (method, path) in [("GET", "/v1/status"), ("POST", "/v1/overdue/report"), ("POST", "/v1/call/ORG_MDL_002"), ("GET", "/v1/notices")] {
                let said = edge.send_as(method, path, headers, b"{}").await;
                assert_eq!((said.status, &*said.code), (401, "-4"), "{path}");
            }
        }
        assert_eq!(edge.get("/v1/nothing").await.status, 404);
        assert_eq!(edge.get("/v1/overdue/report").await.status, 405);
        edge.stopped().await;
        story.end().await;
    }

    async fn what_is_kept_shows_nobody(db: &TestDb) {
        let story = Story::begin(db).await;
        let mut edge = EdgeAt::begin(&story).await;
        let citizen = &story.citizens[9];
        edge.report(&[row("T1", Some(citizen), "1.00")], true).await;
        edge.settle(&story).await;
        let mut body = super::place::at_the_window(citizen);
        body["ehealthCardId"] = citizen.ehealth_card_id.as_str().into();
        edge.post("/v1/health-card/index", &body).await;
        edge.stop().await;
        let mut files = 0;
        for entry in std::fs::read_dir(edge.folder.path()).unwrap() {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap_or_default();
            files += 1;
            for said in [&citizen.id_no, &citizen.user_name, &citizen.ehealth_card_id] {
                let found = bytes.windows(said.len()).any(|part| part == said.as_bytes());
                assert!(!found, "a file of the edge shows somebody");
            }
        }
        assert!(files >= 3, "{files}");
        story.end().await;
    }
}
