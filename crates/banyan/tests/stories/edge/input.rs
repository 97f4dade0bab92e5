//! What bad input gets: the first bad field by name, and nothing half done.

use banyan_store::on_both_engines;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

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

    async fn what_is_wrong_in_an_address_is_named(db: &TestDb) {
        let story = Story::begin(db).await;
        let edge = EdgeAt::begin(&story).await;
        for (path, field) in [
            ("/v1/overdue/outcomes?after=abc", "after"),
            ("/v1/notices?limit=1.5", "limit"),
            ("/v1/overdue/refused?limit=x", "limit"),
            ("/v1/overdue/batches/B1?offset=1&offset=2", "offset"),
            ("/v1/overdue/items/%FF", "org_trace_id"),
            ("/v1/health-card/authorizations/%FF", "out_auth_no"),
            ("/v1/health-card/index?idType=01&idNo=1&idNo=2", "idNo"),
        ] {
            let said = edge.get(path).await;
            assert_eq!((said.status, &*said.code), (200, "000105"), "{path}");
            assert!(said.message.starts_with(field), "{path}: {}", said.message);
        }
        edge.stopped().await;
        story.end().await;
    }

    async fn too_long_a_body_is_refused_as_such(db: &TestDb) {
        let story = Story::begin(db).await;
        let edge = EdgeAt::begin(&story).await;
        let long = vec![b' '; 33 * 1024 * 1024];
        for path in ["/v1/overdue/report", "/v1/health-card/verify"] {
            let said = edge.send("POST", path, &long).await;
            assert_eq!((said.status, &*said.code), (413, "000105"), "{path}");
            assert!(said.message.contains("32 MB"), "{}", said.message);
        }
        edge.stopped().await;
        story.end().await;
    }

    /// Whoever knows no secret can fill the room at the doors, but not keep the HIS out; and who merely
    /// announces a message keeps nobody out.
    async fn the_doors_have_room_for_so_much_at_a_time(db: &TestDb) {
        let story = Story::begin(db).await;
        let edge = EdgeAt::begin(&story).await;
        let address = edge.server().address();
        let begin = async |head: &str, body: &[u8]| {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let head = format!("POST /umdl/callback HTTP/1.1\r\nhost: x\r\n{head}\r\n\r\n");
            stream.write_all(head.as_bytes()).await.unwrap();
            stream.write_all(body).await.unwrap();
            stream
        };
        let mut held = Vec::new();
        for _ in 0..200 {
            held.push(begin("content-length: 1000000", b"{").await);
        }
        let said = edge.send_as("POST", "/umdl/callback", &[], b"{}").await;
        assert_eq!(said.status, 200, "{}", said.message);
        held.clear();

        let megabyte = [&b"100000\r\n"[..], &vec![b' '; 1 << 20], b"\r\n"].concat();
        for _ in 0..64 {
            held.push(begin("transfer-encoding: chunked", &megabyte).await);
        }
        let knock = async || edge.send_as("POST", "/umdl/callback", &[], b"{}").await;
        let until = async |status: u16| {
            for _ in 0..1_000 {
                let said = knock().await;
                if said.status == status {
                    return said;
                }
            }
            panic!("never {status}");
        };
        assert_eq!(until(429).await.code, "-6");
        edge.report(&[row("T1", None, "1.00")], false).await;
        held.clear();
        assert_ne!(until(200).await.code, "000000");
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
