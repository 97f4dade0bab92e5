//! The edge's pages over HTTP: no key is asked for, and nobody's identity is given.

use banyan_store::on_both_engines;
use serde_json::{Value, json};

use super::place::{EdgeAt, row};
use crate::partners_voice::http;
use crate::telling::Story;

on_both_engines! {
    async fn pages_need_no_key_and_name_nobody(db: &TestDb) {
        let story = Story::begin(db).await;
        let edge = EdgeAt::begin(&story).await;
        let citizen = &story.citizens[0];
        edge.report(&[row("T1", Some(citizen), "12.50")], true).await;
        edge.settle(&story).await;
        let address = edge.server().address();
        for path in ["/", "/docs", "/openapi.json", "/assets/edge.css", "/assets/try.js", "/assets/mark.svg"] {
            let reply = http(address, "GET", path, &[], b"").await;
            assert_eq!(reply.status, 200, "{path}");
            for header in ["content-security-policy: default-src 'none'", "x-content-type-options: nosniff"] {
                assert!(reply.headers.contains(header), "{path}: {}", reply.headers);
            }
            let text = String::from_utf8(reply.body).unwrap();
            for person in [&citizen.id_no, &citizen.user_name, &citizen.ehealth_card_id] {
                assert!(!text.contains(person.as_str()), "{path}");
            }
            if path == "/" {
                assert!(text.contains("一切正常") && text.contains("ORG_MDL_001"), "{text}");
            }
        }
        edge.stopped().await;
        story.end().await;
    }

    async fn what_the_document_says_is_what_the_edge_answers(db: &TestDb) {
        let story = Story::begin(db).await;
        let edge = EdgeAt::begin(&story).await;
        edge.report(&[row("T1", Some(&story.citizens[0]), "12.50")], true).await;
        edge.settle(&story).await;
        let document = http(edge.server().address(), "GET", "/openapi.json", &[], b"").await;
        let document: Value = serde_json::from_slice(&document.body).unwrap();
        let batch = edge.report(&[row("T2", None, "1.00")], true).await.data["batchId"].as_str().unwrap().to_owned();
        let settled = edge.post("/v1/overdue/settle", &json!({"items": [{"orgTraceId": "T1"}]})).await;
        check(&document, "post", "/v1/overdue/settle", &settled.data);
        for (path, at) in [
            ("/v1/overdue/batches/{id}", format!("/v1/overdue/batches/{batch}")),
            ("/v1/overdue/items/{org_trace_id}", "/v1/overdue/items/T1".to_owned()),
            ("/v1/overdue/outcomes", "/v1/overdue/outcomes".to_owned()),
            ("/v1/overdue/refused", "/v1/overdue/refused".to_owned()),
            ("/v1/notices", "/v1/notices".to_owned()),
            ("/v1/status", "/v1/status".to_owned()),
        ] {
            let said = edge.get(&at).await;
            assert_eq!(said.code, "000000", "{said:?}");
            check(&document, "get", path, &said.data);
        }
        edge.stopped().await;
        story.end().await;
    }

    async fn a_number_that_is_asked_for_is_the_callers_to_say(db: &TestDb) {
        let story = Story::begin(db).await;
        let edge = EdgeAt::begin(&story).await;
        for (code, member) in [("ORG_EHC_002", "outAuthNo"), ("ORG_MDL_005", "orgRequestId")] {
            let said = edge.post(&format!("/v1/call/{code}"), &json!({})).await;
            assert_eq!(said.code, "000105");
            assert!(said.message.starts_with(member), "{said:?}");
        }
        let said = edge.post("/v1/call/ORG_EHC_001", &json!({})).await;
        assert_eq!(said.code, "000000", "{said:?}");
        edge.stopped().await;
        story.end().await;
    }
}

/// Holds an answer against the document: what is required is there, nothing else than what is
/// described, and each of the type that it should have.
fn check(document: &Value, verb: &str, path: &str, data: &Value) {
    let schema =
        &document["paths"][path][verb]["responses"]["200"]["content"]["application/json"]["schema"];
    fits(&schema["properties"]["data"]["anyOf"][0], data, path);
}

fn fits(schema: &Value, value: &Value, at: &str) {
    let name = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let types = match &schema["type"] {
        Value::Array(types) => types.clone(),
        one => vec![one.clone()],
    };
    assert!(
        types.contains(&name.into()),
        "{at} is {name}, not {types:?}"
    );
    if let Value::Array(values) = value {
        for value in values {
            fits(&schema["items"], value, &format!("{at}[]"));
        }
    }
    let (Value::Object(members), Value::Object(properties)) = (value, &schema["properties"]) else {
        return;
    };
    for required in schema["required"].as_array().into_iter().flatten() {
        assert!(
            members.contains_key(required.as_str().unwrap()),
            "{at} lacks {required}"
        );
    }
    for (code, value) in members {
        let schema = properties
            .get(code)
            .unwrap_or_else(|| panic!("{at}.{code} is not described"));
        fits(schema, value, &format!("{at}.{code}"));
    }
}
