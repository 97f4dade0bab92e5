//! The shared vectors (`fixtures/vectors/envelope.json`): what clients in other languages hold
//! their own envelope against.
//!
//! They are made of a fixed synthetic secret by this crate and checked in; `UPDATE_VECTORS=1 cargo
//! test -p banyan-protocol vectors` writes them anew.

use serde_json::{Value, json};

use super::signing::{self, Dialect, Empties, Manner, SignedAs};
use super::{Envelope, Environment, Outcome, Sealing, Secret};
use crate::crypto::base64;
use crate::result_code::ResultCode;

const FILE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../fixtures/vectors/envelope.json"
);
/// The same for languages without a JSON library of their own: a line for each message, its fields
/// in base64: name, signed as, business JSON, string to sign, message, secret.
const LINES_FILE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../fixtures/vectors/envelope.tsv"
);
const SECRET: &str = "vK3mQ9xT2bN7cW4zR8yL5pD1sF6hJ0gA";
const APP_ID: &str = "zxm3QCh5RA5SrXm2C3b5JDcGAHMtepFN";
const TIMESTAMP_MS: i64 = 1_772_330_400_123;

fn vector(name: &str, about: &str, business: Option<&str>, manner: Manner, reply: bool) -> Value {
    let secret = Secret::parse(SECRET).unwrap();
    let outcome = reply.then_some(Outcome {
        code: if business.is_some() {
            ResultCode::Success
        } else {
            ResultCode::BadParameter
        },
        message: if business.is_some() {
            "成功"
        } else {
            "orgId：不可缺少"
        },
    });
    let sealing = Sealing {
        outcome,
        business,
        manner,
        ..Sealing::call(APP_ID, TIMESTAMP_MS, "")
    };
    let text = sealing.string_to_sign(&secret);
    let message: Value = serde_json::from_str(&sealing.seal(&secret)).unwrap();
    json!({
        "name": name,
        "about": about,
        "business": business,
        "signedAs": if manner.dialect.signed_as == SignedAs::Data { "data" } else { "param" },
        "stringToSign": text,
        "sm3Hex": hex::encode(signing::sign(&text)),
        "message": message,
    })
}

fn vectors() -> Value {
    let data = Manner {
        dialect: Dialect {
            signed_as: SignedAs::Data,
            empties: Empties::Signed,
        },
        ..Manner::SEALED
    };
    let secret = Secret::parse(SECRET).unwrap();
    let blocks: Vec<Value> = ["", "0123456789abcdef", "榕"]
        .iter()
        .map(|text| {
            json!({"plain": text, "encryptData": base64::encode(&secret.cipher().encrypt_ecb(text.as_bytes()))})
        })
        .collect();
    json!({
        "about": "接入指南 4.1 的报文结构：固定的虚构密钥，可用来核对任何语言的实现",
        "appId": APP_ID,
        "secret": SECRET,
        "sm4KeyHex": hex::encode(&SECRET.as_bytes()[..16]),
        "sm4Ecb": blocks,
        "messages": [
            vector("request", "最普通的请求", Some(r#"{"orgId":"H35019900001","orgRequestId":"R1"}"#), Manner::SEALED, false),
            vector("chinese", "汉字、斜杠、& 与 =，一字不差地参与签名", Some(r#"{"itemName":"住院费 & 药费=1","notifyUrl":"http://127.0.0.1:8081/umdl/callback","userName":"陈建国"}"#), Manner::SEALED, false),
            vector("spaced", "业务 JSON 自带空格与换行：原样加密、原样签名", Some("{ \"orgId\" : \"H35019900001\",\n  \"note\": \"\", \"old\": null }"), Manner::SEALED, false),
            vector("escaped", "业务 JSON 自带转义：原样签名", Some(r#"{"userName":"\u9648\u5efa\u56fd","url":"http:\/\/a.cn\/b"}"#), Manner::SEALED, false),
            vector("signed_as_data", "以 data= 参与签名：平台同样接受", Some(r#"{"orgId":"H35019900001"}"#), data, false),
            vector("whole_block", "明文恰好是 16 字节的整数倍：PKCS#7 再补一整块", Some(r#"{"a":"12345678"}"#), Manner::SEALED, false),
            vector("reply", "成功的应答：respCode、respMsg 也参与签名", Some(r#"{"next":"1","itemList":[]}"#), Manner::SEALED, true),
            vector("refusal", "拒绝的应答：没有业务数据，param 不参与签名", None, Manner::SEALED, true),
        ],
    })
}

fn lines(vectors: &Value) -> String {
    use ::base64::Engine as _;
    let mut lines = String::new();
    for vector in vectors["messages"].as_array().unwrap() {
        let text = |name: &str| vector[name].as_str().unwrap_or_default().to_owned();
        let fields = [
            text("name"),
            text("signedAs"),
            text("business"),
            text("stringToSign"),
            vector["message"].to_string(),
            SECRET.to_owned(),
        ];
        let fields = fields.map(|field| ::base64::engine::general_purpose::STANDARD.encode(field));
        lines += &(fields.join("\t") + "\n");
    }
    lines
}

#[test]
fn the_vectors_are_up_to_date() {
    let made = vectors();
    for (file, made) in [
        (FILE, serde_json::to_string_pretty(&made).unwrap() + "\n"),
        (LINES_FILE, lines(&made)),
    ] {
        if std::env::var_os("UPDATE_VECTORS").is_some() {
            std::fs::write(file, &made).unwrap();
        }
        let kept = std::fs::read_to_string(file).unwrap();
        assert!(
            kept == made,
            "run UPDATE_VECTORS=1 cargo test -p banyan-protocol vectors"
        );
    }
}

#[test]
fn every_vector_opens() {
    let vectors: Value = serde_json::from_str(&std::fs::read_to_string(FILE).unwrap()).unwrap();
    let secret = Secret::parse(vectors["secret"].as_str().unwrap()).unwrap();
    for vector in vectors["messages"].as_array().unwrap() {
        let text = vector["message"].to_string();
        let envelope = Envelope::parse(text.as_bytes()).unwrap();
        let opened = envelope
            .open(&secret, Environment::Production, Dialect::default())
            .unwrap();
        assert_eq!(opened.business.as_deref(), vector["business"].as_str());
        let again =
            envelope.string_to_sign(opened.business.as_deref(), opened.manner.dialect, &secret);
        assert_eq!(Some(again.as_str()), vector["stringToSign"].as_str());
    }
}
