//! Examples: requests with data of persons whom nobody is.

use serde_json::{Map, Value, json};

use super::member::{Member, Shape};

/// What stands in examples, by code. Optional members that are not here are left out.
const SAMPLES: [(&str, &str); 28] = [
    ("actualTime", "2026-03-01 09:30:00"),
    ("amount", "12.50"),
    ("businessType", "01101"),
    (
        "ehealthCardId",
        "3a5e0b7c9d1f24680ace13579bdf02468ace13579bdf02468ace13579bdf0246",
    ),
    ("ehealthCode", "EHC1Jf0mK3dR8sVwQ2xZ7yB5nC1tL6hG9aE4oU0iP"),
    ("feeType", "01"),
    ("idNo", "359999198503120019"),
    ("idType", "01"),
    ("itemName", "诊查费"),
    ("medType", "11"),
    ("mobilePhone", "15400000001"),
    ("orgTraceId", "T20260301-0001"),
    ("outAuthNo", "AUTH202603010001"),
    ("out_auth_no", "AUTH202603010001"),
    ("org_trace_id", "T20260301-0001"),
    ("id", "B1"),
    ("after", "0"),
    ("limit", "100"),
    ("psnNo", "35999900000000000001"),
    ("state", "1"),
    ("traceId", "P0000000000000000001"),
    ("type", "02"),
    ("userName", "陈建国"),
    ("userType", "01"),
    ("orgRequestId", "R20260302-0001"),
    ("orgId", "H35019900001"),
    ("orgName", "榕城第一医院（沙箱）"),
    ("notifyUrl", "http://127.0.0.1:8081/umdl/callback"),
];

/// Optional members without which an example would say too little.
const SHOWN: [&str; 8] = [
    "idNo",
    "idType",
    "userName",
    "ehealthCardId",
    "businessType",
    "type",
    "items",
    "unsettleList",
];

/// An object with these members.
pub(super) fn object(members: &[Member]) -> Value {
    let mut object = Map::new();
    for member in members {
        // The same said in two forms: the first is enough.
        let is_said = member.code == "unsettleList" && object.contains_key("items");
        if !is_said && (member.is_required || SHOWN.contains(&member.code)) {
            object.insert(member.code.to_owned(), value(member));
        }
    }
    Value::Object(object)
}

/// The text that stands for a part of a path or of a query.
pub(super) fn text(code: &str) -> &'static str {
    let known = SAMPLES.iter().find(|(known, _)| *known == code);
    known.map_or("", |(_, sample)| sample)
}

fn value(member: &Member) -> Value {
    match &member.shape {
        Shape::List(members) => json!([object(members)]),
        Shape::Truth => json!(false),
        Shape::Whole => json!(0),
        Shape::Object => json!({}),
        Shape::Texts => json!([]),
        Shape::Dictionary { entries, .. } if text(member.code).is_empty() => {
            json!(entries.first().map(|entry| entry.code))
        }
        _ => json!(text(member.code)),
    }
}
