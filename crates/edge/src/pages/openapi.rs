//! The API as an OpenAPI 3.1 document, for programs that make clients and for those that try.

use serde_json::{Map, Value, json};

use super::member::{Member, Shape, choices};
use super::routes::{GROUPS, Route, routes};
use super::sample;

/// The document. `base_url` is where the HIS reaches the edge.
pub(crate) fn openapi(base_url: &str) -> Value {
    let mut paths = Map::new();
    for route in routes() {
        let path = paths.entry(&*route.path).or_insert_with(|| json!({}));
        if let Some(verbs) = path.as_object_mut() {
            verbs.insert(route.verb.name().to_ascii_lowercase(), operation(&route));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "榕 · 前置机接口",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "院内系统以明文 JSON 调用前置机。应答均为 {\"respCode\",\"respMsg\",\"data\"}：\
                respCode 为 000000 即成功，否则 respMsg 说明如何处理。",
        },
        "servers": [{ "url": base_url }],
        "security": [{ "edgeKey": [] }],
        "tags": GROUPS.map(|name| json!({ "name": name })),
        "paths": paths,
        "components": {
            "securitySchemes": {
                "edgeKey": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "前置机配置 api_keys 中的一个",
                },
            },
            "schemas": { "Refusal": envelope(None) },
            "responses": {
                "WrongKey": refusal("没有密钥，或密钥不对"),
                "NotWhole": refusal("请求体在 30 秒内没有送完"),
                "TooLong": refusal("请求体超过 32 MB，请分次提交"),
                "TooMany": refusal("同时进行的调用或提交的数据过多，请稍后重试"),
            },
        },
    })
}

fn operation(route: &Route) -> Value {
    let mut parameters = Vec::new();
    for (place, members) in [("path", &route.places), ("query", &route.query)] {
        for member in members {
            parameters.push(json!({
                "name": member.code,
                "in": place,
                "required": member.is_required,
                "description": said(member),
                "schema": shape(&member.shape),
            }));
        }
    }
    let mut operation = json!({
        "operationId": route.id,
        "tags": [route.group],
        "summary": route.title,
        "description": route.about,
        "parameters": parameters,
    });
    if !route.has_key {
        operation["security"] = json!([]);
        operation["responses"] = json!({
            "200": {
                "description": "存活",
                "content": { "text/plain": { "schema": { "type": "string", "const": "ok" } } },
            },
        });
        return operation;
    }
    if let Some(body) = &route.body {
        operation["requestBody"] = json!({
            "required": true,
            "content": {
                "application/json": {
                    "schema": object(body),
                    "example": sample::object(body),
                },
            },
        });
    }
    operation["responses"] = json!({
        "200": {
            "description": "respCode 为 000000 即成功，否则见 respMsg",
            "content": {
                "application/json": { "schema": envelope(Some(object(&route.data))) },
            },
        },
        "401": { "$ref": "#/components/responses/WrongKey" },
        "429": { "$ref": "#/components/responses/TooMany" },
    });
    if route.body.is_some() {
        for (status, name) in [("408", "NotWhole"), ("413", "TooLong")] {
            let named = format!("#/components/responses/{name}");
            operation["responses"][status] = json!({ "$ref": named });
        }
    }
    operation
}

fn refusal(description: &str) -> Value {
    json!({
        "description": description,
        "content": {
            "application/json": { "schema": { "$ref": "#/components/schemas/Refusal" } },
        },
    })
}

/// How every answer begins, and what stands in it.
fn envelope(data: Option<Value>) -> Value {
    let mut envelope = json!({
        "type": "object",
        "properties": {
            "respCode": { "type": "string", "description": "响应码，000000 为成功" },
            "respMsg": { "type": "string", "description": "说明" },
        },
        "required": ["respCode", "respMsg"],
    });
    if let Some(data) = data {
        // Absent in a refusal, null where nothing was found.
        envelope["properties"]["data"] = json!({ "anyOf": [data, { "type": "null" }] });
    }
    envelope
}

fn object(members: &[Member]) -> Value {
    let properties: Map<String, Value> = members
        .iter()
        .map(|member| (member.code.to_owned(), described(member)))
        .collect();
    let required = members.iter().filter(|member| member.is_required);
    let required: Vec<_> = required.map(|member| member.code).collect();
    let mut object = json!({ "type": "object", "properties": properties });
    if !required.is_empty() {
        object["required"] = json!(required);
    }
    object
}

fn described(member: &Member) -> Value {
    let mut schema = shape(&member.shape);
    if !member.is_required {
        // Null means in either direction that there is none.
        schema["type"] = json!([schema["type"], "null"]);
        if let Some(codes) = schema.get_mut("enum").and_then(Value::as_array_mut) {
            codes.push(Value::Null);
        }
    }
    schema["title"] = json!(member.name);
    schema["description"] = json!(said(member));
    schema
}

/// Name, notes and choices in one text: few tools show more.
fn said(member: &Member) -> String {
    let mut parts = vec![member.name.to_owned()];
    if let Shape::Dictionary { entries, .. } = member.shape {
        parts.push(choices(entries));
    }
    if !member.note.is_empty() {
        parts.push(member.note.clone());
    }
    parts.join("。")
}

fn shape(shape: &Shape) -> Value {
    match shape {
        Shape::Text { max: None } => json!({ "type": "string" }),
        Shape::Text { max: Some(max) } => json!({ "type": "string", "maxLength": max }),
        Shape::Amount { max } => json!({
            "type": "string",
            "maxLength": max,
            "pattern": r"^[0-9]+(\.[0-9]{1,2})?$",
        }),
        Shape::LocalTime => json!({
            "type": "string",
            "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}$",
        }),
        Shape::WebAddress { max } => {
            json!({ "type": "string", "format": "uri", "maxLength": max })
        }
        Shape::Truth => json!({ "type": "boolean" }),
        Shape::Whole => json!({ "type": "integer" }),
        Shape::Dictionary { entries, .. } => {
            let codes: Vec<_> = entries.iter().map(|entry| entry.code).collect();
            let names: Vec<_> = entries.iter().map(|entry| entry.name).collect();
            json!({ "type": "string", "enum": codes, "x-enum-descriptions": names })
        }
        Shape::Object => json!({ "type": "object" }),
        Shape::List(members) => json!({ "type": "array", "items": object(members) }),
        Shape::Texts => json!({ "type": "array", "items": { "type": "string" } }),
    }
}
