//! Envelopes and HTTP requests that can't be, as raw bytes.

use banyan_protocol::catalogue::Interface;
use banyan_protocol::crypto::base64;
use banyan_store::db::Engine;
use banyan_store::testing::tell;
use serde_json::{Value, json};

use crate::partners_voice::{Voice, cipher, http, path};
use crate::telling::{DAY_MS, HOUR_MS, MINUTE_MS, Story, item, person, report};

const PATH: &str = "/umdl/reportOverdueData";
const KEPT: &str = "SELECT (SELECT COUNT(*) FROM overdue_batch) + (SELECT COUNT(*) FROM job)";

fn message(story: &Story) -> String {
    report(
        story.hospital(0),
        "b-1",
        person(&story.citizens[0]),
        &[item("i-1", "1")],
    )
    .to_string()
}

fn told(story_of: impl AsyncFnOnce(&Story)) {
    tell(Engine::Sqlite, async |db| {
        let story = Story::begin(db).await;
        story_of(&story).await;
        assert_eq!(story.number(KEPT).await, 0, "nothing is kept");
        assert_eq!(
            http(story.platform(), "GET", "/healthz", &[], b"")
                .await
                .status,
            200
        );
        story.end().await;
    });
}

/// A sealed message with one member changed, or taken away where the value is null.
fn with(voice: &Voice, business: &str, member: &str, value: Value) -> Vec<u8> {
    let mut sealed: Value = serde_json::from_str(&voice.seal(business)).unwrap();
    if value.is_null() {
        sealed.as_object_mut().unwrap().remove(member);
    } else {
        sealed[member] = value;
    }
    sealed.to_string().into_bytes()
}

#[test]
fn envelopes_that_are_none() {
    told(async |story| {
        assert_eq!(path(Interface::OrgMdl001), PATH);
        let voice = story.voice(0);
        let sealed = voice.seal(&message(story));
        let app_id = format!("\"appId\":\"{}\"", voice.app_id);
        let gbk: Vec<u8> = [&b"{\"appId\":\""[..], &[0xc4, 0xe3, 0xba, 0xc3], b"\"}"].concat();
        let deep = |open: &str, close: &str| {
            format!(
                "{{{app_id},\"data\":{}1{}}}",
                open.repeat(100_000),
                close.repeat(100_000)
            )
            .into_bytes()
        };
        let many: String = (0..100).map(|n| format!(",\"m{n}\":1")).collect();
        for (name, body, at, known) in [
            ("empty", Vec::new(), "", false),
            ("no JSON", b"appId=1".to_vec(), "", false),
            ("a list", b"[]".to_vec(), "", false),
            ("a string", b"\"x\"".to_vec(), "", false),
            ("an empty object", b"{}".to_vec(), "appId", false),
            (
                "cut short",
                sealed.as_bytes()[..sealed.len() / 2].to_vec(),
                "",
                false,
            ),
            (
                "with a tail",
                [sealed.as_bytes(), b"{}"].concat(),
                "",
                false,
            ),
            (
                "a byte order mark",
                [b"\xef\xbb\xbf", sealed.as_bytes()].concat(),
                "",
                false,
            ),
            (
                "invalid UTF-8",
                b"{\"appId\":\"\xff\xfe\"}".to_vec(),
                "",
                false,
            ),
            ("GBK", gbk, "", false),
            ("NUL", b"{\"appId\":\"\0\"}".to_vec(), "", false),
            ("deep lists", deep("[", "]"), "version", true),
            ("deep objects", deep("{\"a\":", "}"), "version", true),
            ("deep and open", deep("[", ""), "", false),
            (
                "too many members",
                sealed.replacen('}', &format!("{many}}}"), 1).into_bytes(),
                "",
                false,
            ),
            (
                "appId twice",
                sealed
                    .replacen('{', &format!("{{{app_id},"), 1)
                    .into_bytes(),
                "appId",
                false,
            ),
            (
                "sign twice",
                sealed.replacen('{', "{\"sign\":\"x\",", 1).into_bytes(),
                "sign",
                false,
            ),
            (
                "appId an object",
                b"{\"appId\":{}}".to_vec(),
                "appId",
                false,
            ),
        ] {
            let heard = voice.post(PATH, &body).await;
            assert_eq!(
                (heard.status, &*heard.code),
                (200, "000105"),
                "{name}: {}",
                heard.message
            );
            assert!(heard.message.starts_with(at), "{name}: {}", heard.message);
            assert_eq!(heard.signed_as.is_some(), known, "{name}");
        }
    });
}

#[test]
fn members_of_the_envelope() {
    told(async |story| {
        let voice = story.voice(0);
        let business = message(story);
        let good: Value = serde_json::from_str(&voice.seal(&business)).unwrap();
        let sealed = good["encryptData"].as_str().unwrap();
        for (member, value, code, at) in [
            ("version", Value::Null, "000105", "version"),
            ("timestamp", Value::Null, "000105", "timestamp"),
            ("timestamp", json!(""), "000105", "timestamp"),
            ("timestamp", json!("yesterday"), "000105", "timestamp"),
            ("timestamp", json!("9".repeat(40)), "000105", "timestamp"),
            ("timestamp", json!([1]), "000105", "timestamp"),
            ("encryptType", Value::Null, "000105", "encryptType"),
            ("encryptType", json!("SM2"), "000105", "encryptType"),
            ("signType", Value::Null, "000105", "signType"),
            ("signType", json!("SM2"), "000105", "signType"),
            ("sign", Value::Null, "000105", "sign"),
            ("sign", json!("short"), "000105", "sign"),
            ("sign", json!("*"), "000105", "sign"),
            ("sign", json!(base64::encode(&[7; 32])), "000102", ""),
            ("version", json!("9.9.9"), "000102", ""),
            ("extra", json!("unsigned"), "000102", ""),
            ("encryptData", Value::Null, "000102", ""),
            ("encryptData", json!("***"), "000101", ""),
            (
                "encryptData",
                json!(sealed[..sealed.len() - 8]),
                "000101",
                "",
            ),
            (
                "encryptData",
                json!(base64::encode(b"sixteen bytes...")),
                "000101",
                "",
            ),
        ] {
            let heard = voice
                .post(PATH, &with(&voice, &business, member, value.clone()))
                .await;
            assert_eq!(heard.status, 200);
            assert_eq!(heard.code, code, "{member} {value}: {}", heard.message);
            heard.refused(code, at);
        }
        // A stranger is answered, but nothing is signed for him.
        let stranger = voice
            .post(PATH, &with(&voice, &business, "appId", json!("nobody")))
            .await;
        assert_eq!((&*stranger.code, stranger.signed_as), ("000001", None));
    });
}

#[test]
fn ciphertext_that_does_not_open() {
    told(async |story| {
        let voice = story.voice(0);
        let business = message(story);
        let key = cipher(&voice.secret);
        let whole = key.encrypt_ecb(business.as_bytes());
        // One block too few: its last byte is no padding, or by chance it is and the text is short.
        let cut = base64::encode(&whole[..whole.len() - 16]);
        let zeros = [0_u8; 16];
        let no_padding = key.encrypt_ecb(&zeros);
        for (name, data) in [
            ("a block short", cut),
            ("no padding", base64::encode(&no_padding[..16])),
            ("half a block", base64::encode(&whole[..24])),
        ] {
            let heard = voice
                .post(PATH, &with(&voice, &business, "encryptData", json!(data)))
                .await;
            assert!(
                ["000101", "000102"].contains(&&*heard.code),
                "{name}: {}",
                heard.code
            );
            heard.refused(&heard.code, "");
        }
        let gbk = with(
            &voice,
            &business,
            "encryptData",
            json!(base64::encode(&key.encrypt_ecb(&[0xc4, 0xe3, 0xba, 0xc3]))),
        );
        let heard = voice.post(PATH, &gbk).await;
        heard.refused("000101", "");
        assert!(heard.message.contains("GBK"), "{}", heard.message);

        let mut late = voice.clone();
        late.secret.replace_range(
            16..17,
            if voice.secret.as_bytes()[16] == b'A' {
                "B"
            } else {
                "A"
            },
        );
        let mut early = voice.clone();
        early.secret.replace_range(
            15..16,
            if voice.secret.as_bytes()[15] == b'A' {
                "B"
            } else {
                "A"
            },
        );
        for (wrong, code) in [(late, "000102"), (early, "000101")] {
            let reply = http(
                voice.platform,
                "POST",
                PATH,
                &[],
                wrong.seal(&business).as_bytes(),
            )
            .await;
            voice.hear(&reply).refused(code, "");
        }
    });
}

#[test]
fn clocks_that_are_off() {
    told(async |story| {
        let voice = story.voice(0);
        let business = message(story);
        for (off_ms, fits) in [
            (DAY_MS, false),
            (-DAY_MS, false),
            (HOUR_MS, false),
            (-11 * MINUTE_MS, false),
            (9 * MINUTE_MS, true),
            (-9 * MINUTE_MS, true),
        ] {
            let mut members = voice.members();
            let sent_ms = story.clock.shows_ms() + off_ms;
            members.insert("timestamp".to_owned(), sent_ms.to_string());
            let ask = json!({"orgId": "x", "orgRequestId": "x"}).to_string();
            let body = if fits {
                voice.seal_with(&members, ask.as_bytes())
            } else {
                voice.seal_with(&members, business.as_bytes())
            };
            let heard = voice
                .post(
                    if fits {
                        "/qmdl/queryReportResult"
                    } else {
                        PATH
                    },
                    body.as_bytes(),
                )
                .await;
            if fits {
                heard.refused("000105", "orgId");
                continue;
            }
            heard.refused("010010", "");
            let numbers: Vec<i64> = heard
                .message
                .split(|c: char| c != '-' && !c.is_ascii_digit())
                .filter_map(|word| word.parse().ok())
                .collect();
            let [server_ms, skew_ms] = numbers[..] else {
                panic!("{}", heard.message)
            };
            let own_ms = story.clock.shows_ms();
            assert!((server_ms - own_ms).abs() < 1_000, "it names its own time");
            let side = if off_ms > 0 { "时钟快" } else { "时钟慢" };
            assert!(heard.message.contains(side), "{}", heard.message);
            let error_ms = (skew_ms - off_ms.abs()).abs();
            assert!(error_ms < 1_000, "{skew_ms} is not about {off_ms}");
        }
    });
}

#[test]
fn requests_that_are_none() {
    told(async |story| {
        let voice = story.voice(0);
        let platform = voice.platform;
        for (method, at, status, code) in [
            ("GET", PATH, 405, "-5"),
            ("PUT", PATH, 405, "-5"),
            ("DELETE", "/qmdl/queryOverdueData", 405, "-5"),
            ("GET", "/umdl/nothing", 404, "-5"),
            ("POST", "/umdl/nothing", 404, "-5"),
            ("POST", "/umdl/reportOverdueData/", 404, "-5"),
            ("POST", "/UMDL/reportOverdueData", 404, "-5"),
            // Hospitals answer these, the platform does not.
            ("POST", "/umdl/callback", 404, "-5"),
            ("POST", "/qmdl/getOverdueResult", 404, "-5"),
            ("POST", "/../../etc/passwd", 404, "-5"),
        ] {
            let heard = voice.hear(&http(platform, method, at, &[], b"{}").await);
            assert_eq!(
                (heard.status, &*heard.code),
                (status, code),
                "{method} {at}"
            );
        }
        let large = with(
            &voice,
            &message(story),
            "extra",
            json!("x".repeat(5 * 1024 * 1024)),
        );
        let heard = voice.post(PATH, &large).await;
        assert_eq!((heard.status, &*heard.code), (413, "000105"));

        // Another content type is somebody's habit and does no harm.
        let ask = json!({"orgId": "x", "orgRequestId": "x"}).to_string();
        let query = "/qmdl/queryReportResult";
        for header in [("Content-Type", "text/plain"), ("Accept", "text/html")] {
            let heard = voice.hear(
                &http(
                    platform,
                    "POST",
                    query,
                    &[header],
                    voice.seal(&ask).as_bytes(),
                )
                .await,
            );
            heard.refused("000105", "orgId");
        }
        let sealed = voice.seal(&ask);
        let header = "h".repeat(64 * 1024);
        let reply = http(
            platform,
            "POST",
            query,
            &[("X-Large", &header)],
            sealed.as_bytes(),
        )
        .await;
        assert!(reply.status < 500, "{}", reply.status);
        let many: Vec<String> = (0..200).map(|n| format!("X-{n}")).collect();
        let many: Vec<_> = many.iter().map(|name| (&**name, "1")).collect();
        let reply = http(platform, "POST", query, &many, voice.seal(&ask).as_bytes()).await;
        assert!(reply.status < 500, "{}", reply.status);
    });
}
