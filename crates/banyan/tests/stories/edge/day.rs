//! A hospital's day and night behind its edge.

use banyan_sandbox::Citizen;
use banyan_store::on_both_engines;
use serde_json::{Value, json};

use super::place::{EdgeAt, at_the_window, row};
use crate::partners_voice::http;
use crate::telling::{DAY_MS, HOUR_MS, MINUTE_MS, Story};

fn items(traces: &[&str]) -> Value {
    let items: Vec<Value> = traces
        .iter()
        .map(|trace| json!({ "orgTraceId": trace }))
        .collect();
    json!({ "items": items })
}

fn insured(citizen: &Citizen) -> Value {
    let mut body = at_the_window(citizen);
    body["psnNo"] = citizen.psn_no.as_str().into();
    body
}

on_both_engines! {
    async fn what_was_not_paid_is_reported_at_night_and_settled_at_once(db: &TestDb) {
        let story = Story::begin(db).await;
        let edge = EdgeAt::begin(&story).await;
        let [one, other] = [&story.citizens[0], &story.citizens[1]];
        let said = edge.report(&[row("T1", Some(one), "12.50"), row("T2", Some(one), "1.00"), row("T3", Some(other), "3"), row("T4", None, "4")], false).await;
        assert_eq!((said.data["accepted"].as_i64(), said.data["repeated"].as_i64()), (Some(4), Some(0)));
        let sends = said.data["sendAfter"].as_str().unwrap().to_owned();
        assert!(("2026-03-03 02:00:00".."2026-03-03 06:00:00").contains(&&*sends), "{sends}");
        // All day nothing goes out.
        edge.settle(&story).await;
        story.clock.advance_ms(15 * HOUR_MS);
        edge.settle(&story).await;
        assert_eq!(edge.at_platform(&story, 0).await, 0);
        edge.night(&story).await;
        assert_eq!(edge.at_platform(&story, 0).await, 4);
        let batch = said.data["batchId"].as_str().unwrap();
        let view = edge.get(&format!("/v1/overdue/batches/{batch}")).await.data;
        assert_eq!(view["stages"], json!({ "kept": 4 }));
        assert_eq!(view["orgRequestIds"].as_array().unwrap().len(), 1, "one message of one night");
        let number = view["orgRequestIds"][0].as_str().unwrap();
        let by_number = edge.get(&format!("/v1/overdue/batches/{number}")).await.data;
        assert_eq!(by_number["items"].as_array().unwrap().len(), 4);

        // The patient pays by day, and the platform knows at once.
        let paid = edge.post("/v1/overdue/settle", &items(&["T1"])).await;
        assert_eq!(paid.code, "000000", "{paid:?}");
        edge.settle(&story).await;
        let item = edge.item("T1").await;
        assert_eq!((item["state"].as_str(), item["platformState"].as_str(), item["stage"].as_str()), (Some("1"), Some("1"), Some("kept")));
        assert_eq!((edge.at_platform(&story, 0).await, edge.at_platform(&story, 1).await), (3, 1));
        assert!(item["traceId"].as_str().is_some());

        // The feed tells each outcome once, in order.
        let feed = edge.get("/v1/overdue/outcomes?after=0").await.data;
        let told: Vec<&str> = feed["items"].as_array().unwrap().iter().map(|item| item["orgTraceId"].as_str().unwrap()).collect();
        assert_eq!(told.len(), 4, "{told:?}");
        assert_eq!(told.last(), Some(&"T1"));
        let after = feed["next"].as_i64().unwrap();
        assert_eq!(edge.get(&format!("/v1/overdue/outcomes?after={after}")).await.data["items"], json!([]));
        edge.stopped().await;
        story.end().await;
    }

    async fn saying_it_again_changes_nothing_and_correcting_it_before_the_night_does(db: &TestDb) {
        let story = Story::begin(db).await;
        let mut edge = EdgeAt::begin(&story).await;
        let first = edge.report(&[row("T1", None, "1.00"), row("T2", None, "2.00")], false).await;
        let again = edge.report(&[row("T1", None, "1.00"), row("T2", None, "2.00")], false).await;
        assert_eq!((again.data["accepted"].as_i64(), again.data["repeated"].as_i64()), (Some(0), Some(2)));
        assert_eq!(again.data["batchId"], first.data["batchId"]);
        edge.report(&[row("T2", None, "2.20")], false).await;
        // A patient who pays before the night was never in debt, as far as the platform knows.
        edge.report(&[row("T3", None, "3.00")], false).await;
        assert_eq!(edge.post("/v1/overdue/settle", &items(&["T3"])).await.code, "000000");
        edge.stop().await;
        edge.start().await;
        edge.night(&story).await;
        assert_eq!(edge.at_platform(&story, 0).await, 2);
        assert_eq!(edge.item("T3").await["stage"], "withdrawn");
        let amount = story.number("SELECT CAST(SUM(amount_fen) AS BIGINT) FROM overdue_item").await;
        assert_eq!(amount, 320);
        // What the platform keeps is not overwritten silently.
        let body = json!({ "items": [row("T1", None, "9.00"), row("T2", None, "2.20")] });
        let said = edge.post("/v1/overdue/report", &body).await;
        assert_eq!(said.code, "000105");
        assert_eq!(said.data["refused"][0]["path"], "items[0].orgTraceId");
        assert_eq!(said.data["repeated"], 1);
        edge.stopped().await;
        story.end().await;
    }

    async fn a_mistake_is_revoked_and_reported_anew_and_a_name_is_given(db: &TestDb) {
        let story = Story::begin(db).await;
        let edge = EdgeAt::begin(&story).await;
        let citizen = &story.citizens[3];
        edge.report(&[row("T1", Some(citizen), "1.00"), row("T2", None, "2.00")], true).await;
        edge.settle(&story).await;
        edge.post("/v1/overdue/revoke", &items(&["T1"])).await;
        // Before the platform knows, the right amount must wait: the mistake would stay otherwise.
        let early = edge.post("/v1/overdue/report", &json!({ "items": [row("T1", Some(citizen), "1.10")] })).await;
        assert_eq!(early.code, "000105", "{early:?}");
        edge.settle(&story).await;
        assert_eq!(edge.item("T1").await["platformState"], "2");
        edge.report(&[row("T1", Some(citizen), "1.10")], true).await;
        edge.settle(&story).await;
        let item = edge.item("T1").await;
        assert_eq!((item["state"].as_str(), item["platformState"].as_str()), (Some("0"), Some("0")));
        // 3.1.10: the patient without a name comes back; his index was retained meanwhile.
        let mut named = at_the_window(citizen);
        named["orgTraceId"] = "T2".into();
        let unnamed = edge.post("/v1/overdue/realname", &json!({ "items": [named] })).await;
        assert_eq!(unnamed.data["refused"][0]["path"], "items[0].ehealthCardId");
        assert_eq!(edge.post("/v1/health-card/lookup", &insured(citizen)).await.code, "000000");
        assert_eq!(edge.post("/v1/overdue/realname", &json!({ "items": [named] })).await.code, "000000");
        edge.settle(&story).await;
        assert_eq!(edge.item("T2").await["reason"], Value::Null);
        // Another hospital sees both now.
        let seen = story.hospital(1).query(citizen, false).await.unwrap();
        assert_eq!(seen.itemList.len(), 2);
        // A settled debt is not revoked any more.
        edge.post("/v1/overdue/settle", &items(&["T1"])).await;
        let said = edge.post("/v1/overdue/revoke", &items(&["T1"])).await;
        assert_eq!((&*said.code, said.data["refused"][0]["path"].as_str()), ("000105", Some("items[0].orgTraceId")));
        edge.stopped().await;
        story.end().await;
    }

    async fn somebody_whose_index_nobody_knows_is_reported_all_the_same(db: &TestDb) {
        let story = Story::begin(db).await;
        let edge = EdgeAt::begin(&story).await;
        let citizen = &story.citizens[4];
        let mut named = row("T1", Some(citizen), "1.00");
        named.as_object_mut().unwrap().remove("ehealthCardId");
        let said = edge.report(&[named.clone(), row("T2", Some(citizen), "2.00")], true).await;
        assert_eq!((said.data["accepted"].as_i64(), said.data["withoutIndex"].as_i64()), (Some(2), Some(1)));
        edge.settle(&story).await;
        assert_eq!(edge.item("T1").await["stage"], "kept");
        assert_eq!(story.hospital(1).query(citizen, false).await.unwrap().itemList.len(), 1, "elsewhere only what is his for sure");
        // The index turns up: the record gets its name, and what comes later has it from the start.
        edge.post("/v1/health-card/lookup", &insured(citizen)).await;
        let mut name = at_the_window(citizen);
        name["orgTraceId"] = "T1".into();
        assert_eq!(edge.post("/v1/overdue/realname", &json!({ "items": [name] })).await.code, "000000");
        named["orgTraceId"] = "T3".into();
        assert_eq!(edge.report(&[named], true).await.data["withoutIndex"], 0);
        edge.settle(&story).await;
        assert_eq!(story.hospital(1).query(citizen, false).await.unwrap().itemList.len(), 3);
        // Half an identity is nobody's.
        let mut half = row("T4", Some(citizen), "4.00");
        half.as_object_mut().unwrap().remove("userName");
        let said = edge.post("/v1/overdue/report", &json!({ "items": [half] })).await;
        assert_eq!(said.data["refused"][0]["path"], "items[0].userName", "{said:?}");
        edge.stopped().await;
        story.end().await;
    }

    async fn a_refused_item_says_why_and_takes_nobody_along(db: &TestDb) {
        let story = Story::begin(db).await;
        let edge = EdgeAt::begin(&story).await;
        let mut emergency = row("T2", None, "2.00");
        emergency["medType"] = "13".into();
        edge.report(&[row("T1", None, "1.00"), emergency, row("T3", None, "3.00")], true).await;
        edge.settle(&story).await;
        assert_eq!(edge.at_platform(&story, 0).await, 2);
        let refused = edge.item("T2").await;
        assert_eq!(refused["stage"], "refused");
        assert!(refused["reason"].as_str().unwrap().contains("急诊"), "{refused}");
        assert_eq!(edge.light("outbox").await.0, "notice");
        // Which ones they are is told to whoever has the key; the open page only counts.
        let listed = edge.get("/v1/overdue/refused?limit=5").await.data;
        assert_eq!(listed["items"], json!([refused]));
        let page = http(edge.server().address(), "GET", "/", &[], b"").await;
        let page = String::from_utf8(page.body).unwrap();
        assert!(page.contains("/v1/overdue/refused") && !page.contains("T2") && !page.contains("急诊"), "{page}");
        edge.report(&[row("T2", None, "2.00")], true).await;
        edge.settle(&story).await;
        assert_eq!((edge.at_platform(&story, 0).await, edge.light("outbox").await.0), (3, "good".to_owned()));
        edge.stopped().await;
        story.end().await;
    }

    async fn an_index_is_asked_for_once_and_retained(db: &TestDb) {
        let story = Story::begin(db).await;
        let mut edge = EdgeAt::begin(&story).await;
        let citizen = &story.citizens[5];
        let unknown = edge.post("/v1/overdue/query", &at_the_window(citizen)).await;
        assert_eq!(unknown.code, "000105");
        assert!(unknown.message.starts_with("ehealthCardId"), "{unknown:?}");
        let first = edge.post("/v1/health-card/lookup", &insured(citizen)).await;
        assert_eq!(first.data["source"], "ORG_EHC_004");
        let second = edge.post("/v1/health-card/lookup", &insured(citizen)).await;
        assert_eq!((second.data["source"].as_str(), &second.data["ehealthCardId"]), (Some("retained"), &first.data["ehealthCardId"]));
        // Another name under the same number is not answered from memory: the platform refuses it.
        let mut other = insured(citizen);
        other["userName"] = "别人".into();
        assert_ne!(edge.post("/v1/health-card/lookup", &other).await.code, "000000");
        edge.stop().await;
        edge.start().await;
        assert_eq!(edge.post("/v1/overdue/query", &at_the_window(citizen)).await.data["next"], "1");
        let path = format!("/v1/health-card/index?idType={}&idNo={}", citizen.id_type, citizen.id_no);
        assert_eq!(edge.get(&path).await.data["ehealthCardId"], citizen.ehealth_card_id.as_str());
        let body = json!({ "idType": citizen.id_type, "idNo": citizen.id_no });
        assert_eq!(edge.post("/v1/health-card/index/query", &body).await.data["retainedFrom"], "ORG_EHC_004");
        // What another way of the hospital found out is retained too.
        let kiosk = &story.citizens[6];
        let mut body = at_the_window(kiosk);
        body["ehealthCardId"] = kiosk.ehealth_card_id.as_str().into();
        assert_eq!(edge.post("/v1/health-card/index", &body).await.code, "000000");
        assert_eq!(edge.post("/v1/overdue/query", &at_the_window(kiosk)).await.data["source"], "platform");
        edge.stopped().await;
        story.end().await;
    }

    async fn a_link_is_made_shown_as_a_code_and_asked_about(db: &TestDb) {
        let story = Story::begin(db).await;
        let edge = EdgeAt::begin(&story).await;
        let made = edge.post("/v1/health-card/authorize", &json!({})).await.data;
        assert!(made["qrSvg"].as_str().unwrap().contains("<svg"));
        let number = made["outAuthNo"].as_str().unwrap();
        let asked = edge.get(&format!("/v1/health-card/authorizations/{number}")).await;
        assert_eq!(asked.data["authStatus"], "ing", "{asked:?}");
        let link = edge.post("/v1/overdue/entry-link", &json!({ "idType": "01", "idNo": "x", "userName": "某" })).await;
        assert_eq!(link.code, "000105");
        edge.stopped().await;
        story.end().await;
    }

    async fn any_interface_is_called_by_its_code(db: &TestDb) {
        let story = Story::begin(db).await;
        let edge = EdgeAt::begin(&story).await;
        let citizen = &story.citizens[2];
        let report = json!({ "unsettleList": [{
            "idNo": citizen.id_no, "idType": citizen.id_type, "userName": citizen.user_name,
            "ehealthCardId": citizen.ehealth_card_id, "userType": "01",
            "itemList": [{ "orgTraceId": "C1", "medType": "11", "feeType": "01", "itemName": "诊查费", "amount": "5.00", "actualTime": "2026-03-01 09:30:00" }],
        }] });
        let said = edge.post("/v1/call/ORG_MDL_001", &report).await;
        assert_eq!((&*said.code, said.data["state"].as_str()), ("000000", Some("success")), "{said:?}");
        edge.settle(&story).await;
        // The ledger has taken it over: outcome, later updates, questions of the platform.
        assert_eq!(edge.item("C1").await["stage"], "kept");
        edge.post("/v1/overdue/settle", &items(&["C1"])).await;
        edge.settle(&story).await;
        assert_eq!(edge.at_platform(&story, 1).await, 1);
        let mut query = at_the_window(citizen);
        query["businessType"] = "01101".into();
        query["ehealthCardId"] = citizen.ehealth_card_id.as_str().into();
        assert_eq!(edge.post("/v1/call/org_mdl_002", &query).await.data["next"], "1");
        for code in ["ORG_001", "CI00.03.00.01", "nothing"] {
            let said = edge.post(&format!("/v1/call/{code}"), &json!({})).await;
            assert_eq!(said.code, "-5", "{code}");
            assert!(said.message.contains("ORG_MDL_001"), "{said:?}");
        }
        // The credential centre has an envelope of its own; what was scanned stands beside the rest.
        let mut scanned = json!({
            "qrCode": citizen.ec_qr_code, "businessType": "01101", "operatorId": "008",
            "operatorName": "收款员", "officeId": "01", "officeName": "消化内科",
        });
        let said = edge.post("/v1/call/ec.query", &scanned).await;
        assert_eq!((&*said.code, said.data["idNo"].as_str()), ("000000", Some(&*citizen.id_no)), "{said:?}");
        scanned["qrCode"] = "http://example.cn".into();
        assert_eq!(edge.post("/v1/call/ec.query", &scanned).await.code, "500159");
        // The platform's own words come through.
        query["businessType"] = "99".into();
        let said = edge.post("/v1/call/ORG_MDL_002", &query).await;
        assert_eq!(said.code, "000105");
        assert!(said.message.starts_with("businessType"), "{said:?}");
        edge.stopped().await;
        story.end().await;
    }

    async fn a_file_goes_the_same_way(db: &TestDb) {
        let story = Story::begin(db).await;
        let mut drop_dir = None;
        let edge = EdgeAt::begin_with(&story, &super::place::platform(&story), |settings| {
            let folder = settings.data_dir.join("drop");
            settings.files.drop_dir = Some(folder.clone());
            settings.files.look_every_ms = 1;
            settings.sending.at_once = true;
            drop_dir = Some(folder);
        }).await;
        let drop_dir = drop_dir.unwrap();
        edge.settle(&story).await;
        let csv = "机构跟踪号,用户类别,医疗类别,费用类别,项目名称,金额,产生时间\n\
                   F1,01,11,01,诊查费,1.00,2026-03-01 09:30:00\n\
                   F2,01,11,01,诊查费,abc,2026-03-01 09:30:00\n";
        std::fs::write(drop_dir.join("欠费.csv"), csv).unwrap();
        for _ in 0..4 {
            story.clock.advance_ms(MINUTE_MS);
            edge.settle(&story).await;
        }
        assert_eq!(edge.item("F1").await["stage"], "kept");
        let reasons = std::fs::read_to_string(drop_dir.join("failed").join("欠费.csv.reasons.csv")).unwrap();
        assert!(reasons.contains("金额") && reasons.contains('3'), "{reasons}");
        assert!(drop_dir.join("done").join("欠费.csv").exists());
        edge.stopped().await;
        story.end().await;
    }

    async fn what_is_over_is_forgotten_in_time(db: &TestDb) {
        let story = Story::begin(db).await;
        let edge = EdgeAt::begin_with(&story, &super::place::platform(&story), |settings| {
            settings.retention.item_days = 30;
            settings.retention.message_days = 10;
        }).await;
        edge.report(&[row("T1", None, "1.00"), row("T2", None, "2.00")], true).await;
        edge.settle(&story).await;
        edge.post("/v1/overdue/settle", &items(&["T1"])).await;
        edge.settle(&story).await;
        let notices = edge.get("/v1/notices").await.data["items"].as_array().unwrap().len();
        assert_eq!(notices, 2, "one for the report, one for the update");
        story.clock.advance_ms(31 * DAY_MS);
        edge.settle(&story).await;
        let said = edge.get("/v1/overdue/items/T1").await;
        assert_eq!(said.code, "000105", "{said:?}");
        assert_eq!(edge.item("T2").await["stage"], "kept", "what is owed stays");
        assert_eq!(edge.get("/v1/notices").await.data["items"], json!([]));
        edge.stopped().await;
        story.end().await;
    }
}
