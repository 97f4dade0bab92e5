//! Business messages that can't be: each is refused with the path of the first bad member, signed,
//! without a trace in the records.

use banyan_protocol::catalogue::Interface;
use banyan_store::db::Engine;
use banyan_store::testing::tell;
use serde_json::{Value, json};

use crate::partners_voice::Voice;
use crate::telling::{Story, item, person, query, report, update};

/// What a bad message must not touch.
const KEPT: &str = "SELECT (SELECT COUNT(*) FROM overdue_batch) + (SELECT COUNT(*) FROM job) \
                    + (SELECT COUNT(*) FROM overdue_item) + (SELECT COUNT(*) FROM entry_link) \
                    + (SELECT COUNT(*) FROM ehc_authorisation) + (SELECT COUNT(*) FROM ehc_code_use) \
                    + (SELECT COUNT(*) FROM name_review) \
                    + (SELECT COUNT(*) FROM person) - 200";

/// A change to a good message, and the path at which it is refused.
type Case = (&'static str, Value, &'static str);

/// Sets what a JSON pointer names, or takes it away where the value is null.
fn changed(mut message: Value, pointer: &str, value: &Value) -> Value {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = message.pointer_mut(parent).unwrap();
    match (parent, value) {
        (Value::Object(map), Value::Null) => {
            map.remove(name);
        }
        (Value::Object(map), value) => {
            map.insert(name.to_owned(), value.clone());
        }
        (Value::Array(list), value) => list[name.parse::<usize>().unwrap()] = value.clone(),
        _ => panic!("{pointer}"),
    }
    message
}

async fn refuse_all(voice: &Voice, interface: Interface, good: &Value, cases: &[Case]) {
    for (pointer, value, at) in cases {
        let message = changed(good.clone(), pointer, value);
        let heard = voice.say(interface, &message).await;
        let shown: String = value.to_string().chars().take(60).collect();
        assert_eq!(heard.status, 200, "{pointer} {shown}");
        assert_eq!(heard.code, "000105", "{pointer} {shown}: {}", heard.message);
        heard.refused("000105", at);
        let secret = value.as_str().filter(|text| text.chars().count() > 3);
        assert!(
            secret.is_none_or(|text| !heard.message.contains(text)),
            "the value is not repeated"
        );
    }
}

fn long(count: usize) -> Value {
    json!("长".repeat(count))
}

/// Tells a table of bad messages; SQLite is enough, for none of them gets that far.
fn told(table: impl AsyncFnOnce(&Story)) {
    tell(Engine::Sqlite, async |db| {
        let story = Story::begin(db).await;
        table(&story).await;
        story.settle().await;
        assert_eq!(story.number(KEPT).await, 0, "nothing is kept");
        story.end().await;
    });
}

fn good_report(story: &Story) -> Value {
    let mut message = report(
        story.hospital(0),
        "b-1",
        person(&story.citizens[0]),
        &[item("i-1", "1")],
    );
    let second = person(&story.citizens[1]);
    message["unsettleList"].as_array_mut().unwrap().push(second);
    message["unsettleList"][1]["itemList"] = json!([item("i-2", "2"), item("i-3", "3")]);
    message
}

#[test]
fn a_report_s_members() {
    told(async |story| {
        let cases: &[Case] = &[
            ("/orgId", Value::Null, "orgId"),
            ("/orgId", json!(""), "orgId"),
            ("/orgId", json!(35_019_900_001_i64), "orgId"),
            ("/orgId", json!(["H35019900001"]), "orgId"),
            ("/orgId", json!({}), "orgId"),
            ("/orgId", json!(true), "orgId"),
            ("/orgId", json!("H350199000011"), "orgId"),
            ("/orgId", json!("H35019900002"), "orgId"),
            ("/orgId", json!("H3501990\u{0}001"), "orgId"),
            ("/orgName", Value::Null, "orgName"),
            ("/orgName", long(41), "orgName"),
            ("/notifyUrl", Value::Null, "notifyUrl"),
            ("/notifyUrl", json!("127.0.0.1:8080"), "notifyUrl"),
            ("/notifyUrl", json!("ftp://127.0.0.1/"), "notifyUrl"),
            ("/notifyUrl", json!("file:///etc/passwd"), "notifyUrl"),
            (
                "/notifyUrl",
                json!("http://user:word@127.0.0.1/"),
                "notifyUrl",
            ),
            ("/notifyUrl", json!("http://evil.example/"), "notifyUrl"),
            (
                "/notifyUrl",
                json!(format!("http://127.0.0.1/{}", "a".repeat(90))),
                "notifyUrl",
            ),
            ("/orgRequestId", Value::Null, "orgRequestId"),
            ("/orgRequestId", json!("  "), "orgRequestId"),
            ("/orgRequestId", json!("b\n1"), "orgRequestId"),
            ("/orgRequestId", long(41), "orgRequestId"),
            ("/unsettleList", json!("[]"), "unsettleList"),
            ("/unsettleList", json!({"0": {}}), "unsettleList"),
            ("/unsettleList/1", json!(1), "unsettleList[1]"),
            (
                "/unsettleList/1/idNo",
                json!("3599991990010100111"),
                "unsettleList[1].idNo",
            ),
            (
                "/unsettleList/1/idNo",
                json!(359_999),
                "unsettleList[1].idNo",
            ),
            (
                "/unsettleList/1/idType",
                json!("1"),
                "unsettleList[1].idType",
            ),
            (
                "/unsettleList/1/idType",
                json!("09"),
                "unsettleList[1].idType",
            ),
            (
                "/unsettleList/1/userName",
                long(21),
                "unsettleList[1].userName",
            ),
            (
                "/unsettleList/1/ehealthCardId",
                json!("a".repeat(65)),
                "unsettleList[1].ehealthCardId",
            ),
            (
                "/unsettleList/1/mobilePhone",
                json!("154000000000"),
                "unsettleList[1].mobilePhone",
            ),
            (
                "/unsettleList/1/userType",
                Value::Null,
                "unsettleList[1].userType",
            ),
            (
                "/unsettleList/1/userType",
                json!("04"),
                "unsettleList[1].userType",
            ),
            (
                "/unsettleList/1/itemList",
                Value::Null,
                "unsettleList[1].itemList",
            ),
            (
                "/unsettleList/1/itemList",
                json!([]),
                "unsettleList[1].itemList",
            ),
            (
                "/unsettleList/1/itemList/1/orgTraceId",
                Value::Null,
                "unsettleList[1].itemList[1].orgTraceId",
            ),
            (
                "/unsettleList/1/itemList/1/orgTraceId",
                long(41),
                "unsettleList[1].itemList[1].orgTraceId",
            ),
            (
                "/unsettleList/1/itemList/1/medType",
                json!("10"),
                "unsettleList[1].itemList[1].medType",
            ),
            (
                "/unsettleList/1/itemList/1/medType",
                json!(11),
                "unsettleList[1].itemList[1].medType",
            ),
            (
                "/unsettleList/1/itemList/1/feeType",
                json!("1"),
                "unsettleList[1].itemList[1].feeType",
            ),
            (
                "/unsettleList/1/itemList/1/itemName",
                long(41),
                "unsettleList[1].itemList[1].itemName",
            ),
            (
                "/unsettleList/1/itemList/1/itemName",
                json!(""),
                "unsettleList[1].itemList[1].itemName",
            ),
            ("/extData", json!([]), "extData"),
            ("/extData", json!("text"), "extData"),
            (
                "/unsettleList/0/extData",
                json!(1),
                "unsettleList[0].extData",
            ),
        ];
        refuse_all(
            &story.voice(0),
            Interface::OrgMdl001,
            &good_report(story),
            cases,
        )
        .await;
    });
}

#[test]
fn a_health_card_s_members() {
    told(async |story| {
        let voice = story.voice(0);
        let org_id = story.hospital(0).org_id();
        let asked = json!({"outAuthNo": "a-1", "orgId": org_id});
        let number: &[Case] = &[
            ("/outAuthNo", Value::Null, "outAuthNo"),
            ("/outAuthNo", json!(" "), "outAuthNo"),
            ("/outAuthNo", json!(1), "outAuthNo"),
            ("/outAuthNo", long(33), "outAuthNo"),
            ("/outAuthNo", json!("a\u{0}"), "outAuthNo"),
            ("/orgId", Value::Null, "orgId"),
            ("/orgId", json!("H35019900002"), "orgId"),
            ("/extData", json!("text"), "extData"),
        ];
        refuse_all(&voice, Interface::OrgEhc001, &asked, number).await;
        refuse_all(&voice, Interface::OrgEhc002, &asked, number).await;
        let code = json!({"ehealthCode": "EHC1AAAA", "orgId": org_id});
        let code_cases: &[Case] = &[
            ("/ehealthCode", Value::Null, "ehealthCode"),
            ("/ehealthCode", json!(""), "ehealthCode"),
            ("/ehealthCode", long(129), "ehealthCode"),
            ("/ehealthCode", json!("EHC1".repeat(32)), "ehealthCode"),
            ("/orgId", json!("H35019900002"), "orgId"),
        ];
        refuse_all(&voice, Interface::OrgEhc003, &code, code_cases).await;
        let citizen = &story.citizens[0];
        let insured = json!({
            "orgId": org_id, "type": "01", "psnNo": citizen.psn_no, "idNo": citizen.id_no,
            "idType": "01", "userName": citizen.user_name,
        });
        let insured_cases: &[Case] = &[
            ("/type", Value::Null, "type"),
            ("/type", json!("03"), "type"),
            ("/type", json!(1), "type"),
            ("/psnNo", Value::Null, "psnNo"),
            ("/psnNo", long(31), "psnNo"),
            ("/cardNo", long(13), "cardNo"),
            ("/idNo", Value::Null, "idNo"),
            ("/idNo", json!("35999919850312002"), "idNo"),
            ("/idNo", json!("359999198503120020"), "idNo"),
            ("/idNo", json!("359999198502300020"), "idNo"),
            ("/idType", Value::Null, "idType"),
            ("/idType", json!("09"), "idType"),
            ("/userName", Value::Null, "userName"),
            ("/userName", long(21), "userName"),
            ("/insuplcAdmdvs", long(11), "insuplcAdmdvs"),
        ];
        refuse_all(&voice, Interface::OrgEhc004, &insured, insured_cases).await;
    });
}

#[test]
fn amounts_and_times() {
    told(async |story| {
        const AMOUNT: &str = "/unsettleList/0/itemList/0/amount";
        const TIME: &str = "/unsettleList/0/itemList/0/actualTime";
        let amounts = [
            "1.234",
            "-1",
            "+1",
            "0",
            "0.00",
            "-0.01",
            "10000000",
            "99999999999",
            "1e3",
            "1E3",
            "0x10",
            "1,000",
            "1.",
            ".5",
            "１２",
            " 1",
            "1 ",
            "NaN",
            "Infinity",
            "",
            "1..2",
            "12.5元",
        ];
        let times = [
            "2026-02-29 00:00:00",
            "2026-13-01 00:00:00",
            "2026-04-31 00:00:00",
            "2026-01-01 24:00:00",
            "2026-01-01 23:59:60",
            "2026-01-01",
            "2026-01-01T00:00:00",
            "20260101000000",
            "0000-01-01 00:00:00",
            "1899-12-31 23:59:59",
            "2026-1-1 0:00:00",
            "2026-01-01 00:00:00.000",
            "昨天",
            "",
        ];
        let cases: Vec<Case> = amounts
            .map(|text| (AMOUNT, json!(text), "unsettleList[0].itemList[0].amount"))
            .into_iter()
            .chain(times.map(|text| (TIME, json!(text), "unsettleList[0].itemList[0].actualTime")))
            .chain([
                (AMOUNT, json!(12.5), "unsettleList[0].itemList[0].amount"),
                (AMOUNT, json!(1), "unsettleList[0].itemList[0].amount"),
                (AMOUNT, Value::Null, "unsettleList[0].itemList[0].amount"),
                (
                    TIME,
                    json!(1_772_330_000_000_i64),
                    "unsettleList[0].itemList[0].actualTime",
                ),
                (TIME, Value::Null, "unsettleList[0].itemList[0].actualTime"),
            ])
            .collect();
        refuse_all(
            &story.voice(0),
            Interface::OrgMdl001,
            &good_report(story),
            &cases,
        )
        .await;
    });
}

#[test]
fn updates_queries_links_and_results() {
    told(async |story| {
        let voice = story.voice(0);
        let good = update(
            story.hospital(0),
            "b-1",
            Some(&story.citizens[0]),
            &[("i-1", "1", "1")],
        );
        refuse_all(
            &voice,
            Interface::OrgMdl003,
            &good,
            &[
                ("/itemList", Value::Null, "itemList"),
                ("/itemList", json!([]), "itemList"),
                ("/itemList/0/traceId", Value::Null, "itemList[0].traceId"),
                ("/itemList/0/traceId", json!(100_001), "itemList[0].traceId"),
                ("/itemList/0/state", json!("3"), "itemList[0].state"),
                ("/itemList/0/state", json!(1), "itemList[0].state"),
                (
                    "/itemList/0/orgTraceId",
                    json!(""),
                    "itemList[0].orgTraceId",
                ),
                ("/idType", json!("XX"), "idType"),
            ],
        )
        .await;
        let good = query(&story.citizens[0]);
        refuse_all(
            &voice,
            Interface::OrgMdl002,
            &good,
            &[
                ("/businessType", json!("01100"), "businessType"),
                ("/businessType", Value::Null, "businessType"),
                ("/idNo", Value::Null, "idNo"),
                ("/idNo", json!(""), "idNo"),
                ("/idType", Value::Null, "idType"),
                ("/userName", Value::Null, "userName"),
                ("/ehealthCardId", json!("f".repeat(64)), "ehealthCardId"),
                ("/orgId", json!("H99999999999"), "orgId"),
            ],
        )
        .await;
        let mut good = query(&story.citizens[0]);
        good["orgId"] = json!(story.hospital(0).org_id());
        refuse_all(
            &voice,
            Interface::OrgMdl004,
            &good,
            &[
                ("/orgId", Value::Null, "orgId"),
                ("/userName", long(21), "userName"),
                ("/ehealthCardId", json!("f".repeat(64)), "ehealthCardId"),
            ],
        )
        .await;
        let good = json!({"orgId": story.hospital(0).org_id(), "orgRequestId": "b"});
        refuse_all(
            &voice,
            Interface::OrgMdl005,
            &good,
            &[
                ("/orgRequestId", Value::Null, "orgRequestId"),
                ("/orgRequestId", long(41), "orgRequestId"),
                ("/orgRequestId", json!("unknown"), "orgRequestId"),
            ],
        )
        .await;
    });
}

#[test]
fn one_hundred_items_and_one() {
    tell(Engine::Sqlite, async |db| {
        let story = Story::begin(db).await;
        let voice = story.voice(0);
        let items = |from: usize, count: usize| -> Vec<Value> {
            (from..from + count)
                .map(|n| item(&format!("i-{n}"), "1"))
                .collect()
        };
        let who = || person(&story.citizens[0]);
        let mut too_many = report(story.hospital(0), "b-1", who(), &items(0, 60));
        let mut second = who();
        second["itemList"] = json!(items(60, 41));
        too_many["unsettleList"]
            .as_array_mut()
            .unwrap()
            .push(second);
        voice
            .say(Interface::OrgMdl001, &too_many)
            .await
            .refused("000105", "unsettleList[1].itemList[40]");
        let updates: Vec<String> = (0..101).map(|n| format!("i-{n}")).collect();
        let updates: Vec<_> = updates.iter().map(|number| (&**number, "1", "1")).collect();
        let too_many = update(story.hospital(0), "b-2", None, &updates);
        voice
            .say(Interface::OrgMdl003, &too_many)
            .await
            .refused("000105", "itemList[100]");
        assert_eq!(story.number(KEPT).await, 0);

        let full = report(story.hospital(0), "b-3", who(), &items(0, 100));
        voice.say(Interface::OrgMdl001, &full).await.done();
        let none = json!({
            "orgId": story.hospital(0).org_id(), "orgName": "榕树医院", "orgRequestId": "b-4",
            "notifyUrl": story.hospital(0).callback_url().as_str(), "unsettleList": null,
        });
        voice.say(Interface::OrgMdl001, &none).await.done();
        story.settle().await;
        assert_eq!(story.number("SELECT COUNT(*) FROM overdue_item").await, 100);
        assert_eq!(
            story.hospital(0).received().len(),
            2,
            "an empty report is told too"
        );
        story.end().await;
    });
}

#[test]
fn business_json_that_is_none() {
    told(async |story| {
        let voice = story.voice(0);
        let good = good_report(story).to_string();
        let deep = |open: &str, close: &str| {
            format!(
                "{{\"orgId\":\"H35019900001\",\"extData\":{}{}}}",
                open.repeat(100_000),
                close.repeat(100_000)
            )
        };
        for (text, at) in [
            (
                good.replacen(
                    "\"orgId\"",
                    "\"orgRequestId\":\"x\",\"orgRequestId\":\"y\",\"orgId\"",
                    1,
                ),
                "orgRequestId",
            ),
            (
                good.replacen("\"amount\":\"1\"", "\"amount\":\"1\",\"amount\":\"2\"", 1),
                "unsettleList[0].itemList[0].amount",
            ),
            (format!("{good}{good}"), ""),
            (format!("{good} x"), ""),
            (good[..good.len() - 1].to_owned(), ""),
            ("[]".to_owned(), ""),
            ("null".to_owned(), ""),
            ("\"text\"".to_owned(), ""),
            ("12".to_owned(), ""),
            ("not json".to_owned(), ""),
            ("{\"orgId\":\"\\ud800\"}".to_owned(), "orgId"),
            ("{'orgId':1}".to_owned(), ""),
            (deep("[", "]"), ""),
            (deep("{\"a\":", "}"), ""),
            (deep("{\"a\":", ""), ""),
            (
                good.replacen(
                    '{',
                    &format!(
                        "{{\"unknown\":{}1{},",
                        "[".repeat(100_000),
                        "]".repeat(100_000)
                    ),
                    1,
                ),
                "deep-unknown",
            ),
        ] {
            let heard = voice.say_text(Interface::OrgMdl001, &text).await;
            let shown: String = text.chars().take(80).collect();
            assert_eq!(heard.status, 200, "{shown}");
            if at == "deep-unknown" {
                // Members that we do not know are skipped, however deep; this one is a good message.
                assert!(["000000", "000105"].contains(&&*heard.code));
                assert!(heard.signed_as.is_some());
                continue;
            }
            assert_eq!(heard.code, "000105", "{shown}: {}", heard.message);
            heard.refused("000105", at);
        }
        // The deep but good one was kept; it is no part of what must not be.
        crate::telling::meddle(&story.app.db, "DELETE FROM job").await;
        crate::telling::meddle(&story.app.db, "DELETE FROM overdue_batch").await;
    });
}
