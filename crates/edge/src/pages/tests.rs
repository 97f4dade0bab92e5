//! Whether the pages are well written, and whether what they say of the API is so.

use std::collections::HashSet;

use banyan_protocol::wire::{self, Message};
use html5ever::tendril::TendrilSink as _;
use html5ever::{ParseOpts, parse_document};
use markup5ever_rcdom::{Handle, NodeData, RcDom};
use serde_json::Value;

use super::*;
use crate::rows::{ChangeRow, DebtRow, NameRow};

const BASE: &str = "http://127.0.0.1:8081";

#[test]
fn the_page_of_the_api_is_well_written() {
    let html = docs(BASE).unwrap();
    assert_eq!(faults(&html), Vec::<String>::new());
    let hostile = docs("http://a'\"<script>alert(1)</script>").unwrap();
    assert!(!hostile.contains("<script>alert"));
    for path in ["/v1/overdue/report", "/v1/call/ORG_MDL_005", "/healthz"] {
        assert!(html.contains(path), "{path}");
    }
    for said in ["items[].orgTraceId", "01 自费；02 医保", "-d &#39;{"] {
        assert!(html.contains(said), "{said}");
    }
}

/// The router's own source is the only list of its paths.
#[test]
fn every_path_of_the_router_is_explained_and_no_other() {
    let source = include_str!("../api/mod.rs");
    let served: HashSet<&str> = source
        .split('"')
        .filter(|text| text.starts_with("/v1/"))
        .collect();
    let routes = routes::routes();
    let explained: HashSet<&str> = routes
        .iter()
        .map(|route| match route.path.strip_prefix("/v1/call/") {
            Some(_) => "/v1/call/{code}",
            None => &*route.path,
        })
        .filter(|path| path.starts_with("/v1/"))
        .collect();
    assert_eq!(served, explained);
    let ids: HashSet<&str> = routes.iter().map(|route| &*route.id).collect();
    assert_eq!(ids.len(), routes.len());
}

#[test]
fn the_document_is_whole() {
    let document = openapi(BASE);
    check_references(&document, &document);
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.len() > 20);
    for (path, verbs) in paths {
        for (verb, operation) in verbs.as_object().unwrap() {
            let responses = &operation["responses"];
            assert!(responses["200"].is_object(), "{verb} {path}");
            let is_open = operation["security"] == serde_json::json!([]);
            assert_eq!(responses["401"].is_object(), !is_open, "{verb} {path}");
            let has_body = operation["requestBody"].is_object();
            assert_eq!(responses["413"].is_object(), has_body, "{verb} {path}");
            let named: HashSet<&str> = operation["parameters"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|parameter| parameter["in"] == "path")
                .map(|parameter| parameter["name"].as_str().unwrap())
                .collect();
            let wanted: HashSet<&str> = path
                .split('{')
                .skip(1)
                .map(|part| part.split('}').next().unwrap())
                .collect();
            assert_eq!(named, wanted, "{path}");
        }
    }
    check_objects(&document);
    let report = &paths["/v1/overdue/report"]["post"]["requestBody"]["content"]["application/json"];
    let items = &report["schema"]["properties"]["items"]["items"];
    assert_eq!(items["properties"]["amount"]["type"], "string");
    assert_eq!(items["properties"]["userType"]["enum"][1], "02");
    let urgent = &report["schema"]["properties"]["urgent"]["type"];
    assert_eq!(*urgent, serde_json::json!(["boolean", "null"]));
}

#[test]
fn the_examples_are_what_the_edge_takes() {
    fn rows<M: Message>(document: &Value, path: &str) {
        let example = &document["paths"][path]["post"]["requestBody"]["content"]["application/json"]
            ["example"]["items"];
        for item in example.as_array().unwrap() {
            wire::read::<M>(&item.to_string()).unwrap();
        }
    }
    let document = openapi(BASE);
    rows::<DebtRow>(&document, "/v1/overdue/report");
    rows::<ChangeRow>(&document, "/v1/overdue/settle");
    rows::<NameRow>(&document, "/v1/overdue/realname");
    let called = |code: &str| {
        let operation = &document["paths"][format!("/v1/call/{code}")]["post"];
        operation["requestBody"]["content"]["application/json"]["example"].clone()
    };
    let with_own = |mut example: Value| {
        for (own, said) in [
            ("orgId", "H35019900001"),
            ("orgName", "榕城第一医院"),
            ("notifyUrl", "http://127.0.0.1:8081/umdl/callback"),
            ("orgRequestId", "R1"),
            ("outAuthNo", "A1"),
        ] {
            example[own] = said.into();
        }
        example.to_string()
    };
    use banyan_protocol::health_card::{org_ehc_001, org_ehc_002, org_ehc_003, org_ehc_004};
    use banyan_protocol::overdue::{
        org_mdl_001, org_mdl_002, org_mdl_003, org_mdl_004, org_mdl_005,
    };
    macro_rules! is_read {
        ($($code:literal => $message:ty,)*) => {
            $( wire::read::<$message>(&with_own(called($code))).unwrap(); )*
        };
    }
    is_read! {
        "ORG_MDL_001" => org_mdl_001::ReportRequest,
        "ORG_MDL_002" => org_mdl_002::QueryRequest,
        "ORG_MDL_003" => org_mdl_003::UpdateRequest,
        "ORG_MDL_004" => org_mdl_004::EntryLinkRequest,
        "ORG_MDL_005" => org_mdl_005::ResultRequest,
        "ORG_EHC_001" => org_ehc_001::AuthUrlRequest,
        "ORG_EHC_002" => org_ehc_002::AuthResultRequest,
        "ORG_EHC_003" => org_ehc_003::VerifyRequest,
        "ORG_EHC_004" => org_ehc_004::InsuredRequest,
    }
}

fn check_references(document: &Value, value: &Value) {
    match value {
        Value::Object(members) => {
            if let Some(Value::String(reference)) = members.get("$ref") {
                let pointer = reference.strip_prefix('#').unwrap();
                assert!(document.pointer(pointer).is_some(), "{reference}");
            }
            members
                .values()
                .for_each(|inner| check_references(document, inner));
        }
        Value::Array(values) => values
            .iter()
            .for_each(|inner| check_references(document, inner)),
        _ => {}
    }
}

/// What is required is described, and what is described has a type.
fn check_objects(value: &Value) {
    match value {
        Value::Object(members) => {
            let properties = members.get("properties").and_then(Value::as_object);
            if let Some(Value::Array(required)) = members.get("required") {
                for name in required {
                    let name = name.as_str().unwrap();
                    assert!(properties.unwrap().contains_key(name), "{name}");
                }
            }
            for (name, property) in properties.into_iter().flatten() {
                let is_typed = property.get("type").is_some() || property.get("anyOf").is_some();
                assert!(is_typed, "{name}");
            }
            members.values().for_each(check_objects);
        }
        Value::Array(values) => values.iter().for_each(check_objects),
        _ => {}
    }
}

/// Everything that is wrong with a page: parsed as the standard has it, no error passed over, and
/// what a screen reader needs is there.
pub(super) fn faults(html: &str) -> Vec<String> {
    let mut options = ParseOpts::default();
    options.tokenizer.exact_errors = true;
    options.tree_builder.exact_errors = true;
    let dom = parse_document(RcDom::default(), options).one(html);
    let mut faults: Vec<String> = dom
        .errors
        .borrow()
        .iter()
        .map(ToString::to_string)
        .collect();
    let mut elements = Vec::new();
    gather(&dom.document, &mut elements);
    outline(&elements, &mut faults);
    let ids: Vec<&str> = elements
        .iter()
        .filter_map(|element| element.get("id"))
        .collect();
    let labelled: HashSet<&str> = elements
        .iter()
        .filter_map(|element| element.get("for"))
        .collect();
    for (at, id) in ids.iter().enumerate() {
        if ids[..at].contains(id) {
            faults.push(format!("the id {id} twice"));
        }
    }
    for element in &elements {
        element.check(&labelled, &mut faults);
        for name in ["for", "aria-labelledby"] {
            let wanted = element.get(name).unwrap_or_default();
            if wanted
                .split_whitespace()
                .any(|wanted| !ids.contains(&wanted))
            {
                faults.push(format!("{name} names {wanted}, which is not there"));
            }
        }
        for (name, value) in &element.attributes {
            let leads = ["href", "src", "action"].contains(&&**name);
            let is_own =
                value.starts_with('#') || (value.starts_with('/') && !value.starts_with("//"));
            if name.starts_with("on") || name == "style" || (leads && !is_own) {
                faults.push(format!("{name}={value}"));
            }
            if leads && value.starts_with('#') && !ids.contains(&&value[1..]) {
                faults.push(format!("{value} leads nowhere"));
            }
        }
    }
    faults
}

fn outline(elements: &[Element], faults: &mut Vec<String>) {
    let count = |name: &str| {
        elements
            .iter()
            .filter(|element| element.name == name)
            .count()
    };
    for name in ["title", "h1", "main", "header", "footer"] {
        if count(name) != 1 {
            faults.push(format!("{} <{name}>", count(name)));
        }
    }
    let mut last = 0;
    for element in elements {
        let level = element
            .name
            .strip_prefix('h')
            .and_then(|level| level.parse::<u32>().ok());
        let Some(level) = level else { continue };
        if level > last + 1 || element.text.trim().is_empty() {
            faults.push(format!("<h{level}> after <h{last}>: {}", element.text));
        }
        last = level;
    }
    let html = elements.iter().find(|element| element.name == "html");
    if html.and_then(|html| html.get("lang")) != Some("zh-CN") {
        faults.push("the page's language is not said".to_owned());
    }
}

struct Element {
    name: String,
    attributes: Vec<(String, String)>,
    text: String,
}

impl Element {
    fn get(&self, name: &str) -> Option<&str> {
        let found = self
            .attributes
            .iter()
            .find(|(its_name, _)| its_name == name);
        found.map(|(_, value)| value.as_str())
    }

    fn check(&self, labelled: &HashSet<&str>, faults: &mut Vec<String>) {
        let is_named = !self.text.trim().is_empty() || self.get("aria-label").is_some();
        let is_wrong = match self.name.as_str() {
            "input" | "textarea" | "select" => {
                !self.get("id").is_some_and(|id| labelled.contains(id))
            }
            "button" | "a" | "label" | "summary" | "th" | "title" => !is_named,
            "img" => self.get("alt").is_none(),
            "nav" => self.get("aria-label").is_none(),
            "style" | "iframe" | "object" | "embed" => true,
            "script" => !self.text.trim().is_empty(),
            _ => false,
        };
        if is_wrong {
            faults.push(format!("<{}> {:?}", self.name, self.attributes));
        }
    }
}

fn gather(node: &Handle, elements: &mut Vec<Element>) {
    if let NodeData::Element { name, attrs, .. } = &node.data {
        let attributes = attrs.borrow();
        let attributes = attributes.iter().map(|attribute| {
            (
                attribute.name.local.to_string(),
                attribute.value.to_string(),
            )
        });
        elements.push(Element {
            name: name.local.to_string(),
            attributes: attributes.collect(),
            text: text_of(node),
        });
    }
    for child in node.children.borrow().iter() {
        gather(child, elements);
    }
}

fn text_of(node: &Handle) -> String {
    match &node.data {
        NodeData::Text { contents } => contents.borrow().to_string(),
        _ => node.children.borrow().iter().map(text_of).collect(),
    }
}
