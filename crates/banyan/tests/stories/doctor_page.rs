//! The doctor as a page: in a test environment whoever has a captured message and its secret is
//! told what to change; in production there is no such page.

use banyan_platform::settings::EnvironmentSetting;
use banyan_store::journal::{self, Direction};
use banyan_store::on_both_engines;
use serde_json::{Value, json};
use url::form_urlencoded;

use crate::partners_voice::{RawReply, http};
use crate::telling::{Platform, Story};

const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");

fn form(fields: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish()
}

fn is_safe(reply: &RawReply) {
    for (name, value) in [
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
    ] {
        assert_eq!(reply.header(name), Some(value), "{}", reply.headers);
    }
    let policy = reply.header("content-security-policy").unwrap();
    assert!(
        policy.starts_with("default-src 'none'") && !policy.contains("script"),
        "{policy}"
    );
}

on_both_engines! {
    async fn a_captured_message_is_examined_and_the_secret_does_not_come_back(db: &TestDb) {
        let story = Story::begin(db).await;
        let voice = story.voice(0);
        let at = story.platform();
        let empty = http(at, "GET", "/docs/doctor", &[], b"").await;
        assert_eq!(empty.status, 200);
        is_safe(&empty);
        assert!(empty.text().contains("签名医生") && !empty.text().contains("<script"));
        let style = http(at, "GET", "/docs/docs.css", &[], b"").await;
        assert_eq!(style.header("content-type"), Some("text/css; charset=utf-8"));

        let citizen = &story.citizens[0];
        let business = json!({"userName": citizen.user_name, "idNo": citizen.id_no}).to_string();
        let mut message: Value = serde_json::from_str(&voice.seal(&business)).unwrap();
        message["remark"] = json!("<script>alert(1)</script>");
        let examined = async |fields: &[(&str, &str)]| {
            let reply = http(at, "POST", "/docs/doctor", &[FORM], form(fields).as_bytes()).await;
            is_safe(&reply);
            let html = reply.text();
            assert!(!html.contains(&voice.secret[..16]), "{html}");
            assert!(!html.contains("<script"), "{html}");
            (reply.status, html)
        };
        let captured = message.to_string();
        let fields = [("captured", &*captured), ("secret", &*voice.secret), ("language", "Java")];
        let (status, html) = examined(&fields).await;
        assert_eq!(status, 200);
        // The remark was put in after the signature, and no reading knows of it.
        assert!(html.contains("能解密，但签名对不上"), "{html}");
        assert!(!html.contains(&citizen.id_no) && !html.contains(&citizen.user_name));

        let sealed = voice.seal(&business).replace("\"encryptType\":\"SM4\"", "\"encryptType\":\"sm-4\"");
        let (_, html) = examined(&[("captured", &*sealed), ("secret", &*voice.secret)]).await;
        assert!(html.contains("encryptType"), "{html}");
        let sealed = voice.seal(&business);
        let (_, html) = examined(&[("captured", &*sealed), ("secret", &*voice.secret)]).await;
        assert!(html.contains("结论：正确"), "{html}");
        let shown = [("captured", &*sealed), ("secret", &*voice.secret), ("show_data", "1")];
        assert!(examined(&shown).await.1.contains(&citizen.id_no));

        // What can't be examined is said on the page.
        let (status, html) = examined(&[("captured", &*sealed), ("secret", "short")]).await;
        assert!(status == 422 && html.contains("密钥至少 16 位"), "{html}");
        let huge = "x".repeat(5 << 20);
        let (status, html) = examined(&[("captured", &*huge), ("secret", &*voice.secret)]).await;
        assert!(status == 413 && html.contains("role=\"alert\""), "{status} {html}");
        story.end().await;
    }

    async fn the_journal_knows_by_its_number_who_exchanged_what(db: &TestDb) {
        let story = Story::begin(db).await;
        story.owe(0, Some(&story.citizens[0]), 1_250).await;
        let newest = "SELECT MAX(id) FROM journal WHERE interface = 'ORG_MDL_001'";
        let id = story.app.db.query_opt(newest, &[], |row| row.get::<i64>(0)).await.unwrap().unwrap();
        let seen = journal::one(&story.app.db, id).await.unwrap().unwrap();
        assert_eq!(seen.app_id, story.hospital(0).app_id());
        assert_eq!((&*seen.interface, &*seen.result), ("ORG_MDL_001", "000000"));
        assert_eq!((seen.direction, seen.digest.map(|digest| digest.len())), (Direction::Received, Some(32)));
        assert_eq!(journal::one(&story.app.db, -1).await.unwrap(), None);
        story.end().await;
    }

    async fn in_production_there_is_no_such_page(db: &TestDb) {
        let platform = Platform::open(db, |settings| settings.environment = EnvironmentSetting::Production).await;
        let at = platform.server.address();
        for (method, path) in [("GET", "/docs/doctor"), ("POST", "/docs/doctor"), ("GET", "/docs/docs.css")] {
            let reply = http(at, method, path, &[FORM], b"").await;
            assert_eq!(reply.status, 404);
            assert!(reply.text().contains("\"-5\""), "{}", reply.text());
        }
        platform.end().await;
    }
}
