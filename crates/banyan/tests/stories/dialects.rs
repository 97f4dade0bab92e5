//! The ways in which partners read the guide: all of them are understood, and each is answered in
//! its own.

use banyan_platform::settings::EnvironmentSetting;
use banyan_protocol::catalogue::Interface;
use banyan_protocol::crypto::{base64, sm3};
use banyan_store::on_both_engines;
use serde_json::{Value, json};

use crate::partners_voice::{Heard, Voice, cipher, http, path, string_to_sign};
use crate::telling::{Platform, Story, new_hospital, query};

/// Every kind of base64, with the line breaks of old encoders besides.
const BASE64_KINDS: [fn(&str) -> String; 4] = [
    |url_safe| url_safe.to_owned(),
    |url_safe| url_safe.trim_end_matches('=').to_owned(),
    |url_safe| url_safe.replace('-', "+").replace('_', "/"),
    |url_safe| {
        let standard = url_safe.replace('-', "+").replace('_', "/");
        let lines: Vec<_> = standard.as_bytes().chunks(76).collect();
        lines
            .join(&b"\r\n"[..])
            .iter()
            .map(|byte| char::from(*byte))
            .collect()
    },
];

/// A sealed message, its business JSON signed under `name`, with these members besides, which are
/// signed only where `signs_empties` or they are not empty.
fn seal(
    voice: &Voice,
    business: &str,
    name: &str,
    besides: &[(&str, &str)],
    signs_empties: bool,
    kind: fn(&str) -> String,
) -> Value {
    let mut members = voice.members();
    members.extend(
        besides
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned())),
    );
    let mut signed = members.clone();
    signed.retain(|_, value| signs_empties || !value.is_empty());
    let text = string_to_sign(&signed, Some((name, business)), &voice.secret);
    let mut message = json!(members);
    message["sign"] = json!(kind(&base64::encode(&sm3::digest(text.as_bytes()))));
    let encrypted = cipher(&voice.secret).encrypt_ecb(business.as_bytes());
    message["encryptData"] = json!(kind(&base64::encode(&encrypted)));
    message
}

async fn send(voice: &Voice, message: &Value) -> Heard {
    voice
        .post(path(Interface::OrgMdl002), message.to_string().as_bytes())
        .await
}

/// A plain message with its business JSON in this member.
fn plain(voice: &Voice, member: &str, business: Value, word: &str) -> Value {
    let mut message = json!(voice.members());
    message["encryptType"] = json!(word);
    message["signType"] = json!(word);
    message[member] = business;
    message
}

on_both_engines! {
    async fn param_or_data_empties_or_not_and_every_base64(db: &TestDb) {
        let story = Story::begin(db).await;
        let voice = story.voice(0);
        let business = query(&story.citizens[0]).to_string();
        for name in ["param", "data"] {
            for signs_empties in [true, false] {
                for kind in BASE64_KINDS {
                    let message = seal(&voice, &business, name, &[("remark", "")], signs_empties, kind);
                    let heard = send(&voice, &message).await;
                    assert_eq!(heard.signed_as, Some(name), "an answer mirrors its call");
                    heard.done();
                }
            }
        }
        // A refusal has no business data, so it is signed alike in every dialect.
        let message = seal(&voice, "{}", "data", &[], true, BASE64_KINDS[0]);
        send(&voice, &message).await.refused("000105", "businessType");
        story.end().await;
    }

    async fn the_signed_text_is_what_was_encrypted_byte_for_byte(db: &TestDb) {
        let story = Story::begin(db).await;
        let voice = story.voice(0);
        let pretty = serde_json::to_string_pretty(&query(&story.citizens[0])).unwrap();
        let odd = pretty.replace(": ", " :\t").replace("01101", "\\u00301101");
        let mut unsigned = seal(&voice, &odd, "param", &[("a", "0"), ("zz", "后缀&=")], true, BASE64_KINDS[0]);
        // extendParams is never signed, null members count as absent, numbers are signed as text.
        unsigned["extendParams"] = json!({"any": "thing"});
        unsigned["nothing"] = Value::Null;
        unsigned["timestamp"] = json!(unsigned["timestamp"].as_str().unwrap().parse::<i64>().unwrap());
        send(&voice, &unsigned).await.done();
        let mut lower = voice.members();
        lower.insert("encryptType".to_owned(), "sm4".to_owned());
        lower.insert("signType".to_owned(), "sm3".to_owned());
        let sealed = voice.seal_with(&lower, pretty.as_bytes());
        voice.post(path(Interface::OrgMdl002), sealed.as_bytes()).await.done();
        story.end().await;
    }

    async fn plain_messages_are_understood_in_a_test_environment(db: &TestDb) {
        let story = Story::begin(db).await;
        let voice = story.voice(0);
        let ask = query(&story.citizens[0]);
        for word in ["PLAIN", "plain", "Plain"] {
            for member in ["data", "param"] {
                for business in [ask.clone(), json!(ask.to_string())] {
                    let heard = send(&voice, &plain(&voice, member, business, word)).await;
                    assert_eq!((heard.status, &*heard.code), (200, "000000"), "{}", heard.message);
                    assert_eq!(heard.envelope[member]["next"], "1", "answered in {member}");
                    assert_eq!((&heard.envelope["encryptType"], &heard.envelope["signType"]), (&json!("PLAIN"), &json!("PLAIN")));
                    assert!(heard.envelope.get("encryptData").is_none() && heard.envelope.get("sign").is_none());
                }
            }
        }
        // Signed but not encrypted, and encrypted but not signed.
        let text = ask.to_string();
        for (encrypt, sign) in [("PLAIN", "SM3"), ("SM4", "PLAIN")] {
            let mut members = voice.members();
            members.insert("encryptType".to_owned(), encrypt.to_owned());
            members.insert("signType".to_owned(), sign.to_owned());
            let mut message: Value = serde_json::from_str(&voice.seal_with(&members, text.as_bytes())).unwrap();
            if encrypt == "PLAIN" {
                message.as_object_mut().unwrap().remove("encryptData");
                message["data"] = ask.clone();
            } else {
                message.as_object_mut().unwrap().remove("sign");
            }
            let heard = send(&voice, &message).await;
            assert_eq!(heard.code, "000000", "{encrypt} {sign}: {}", heard.message);
            assert_eq!((&heard.envelope["encryptType"], &heard.envelope["signType"]), (&json!(encrypt), &json!(sign)));
            assert_eq!(heard.business["next"], "1");
            assert_eq!(heard.signed_as.is_some(), sign == "SM3");
        }
        let absent = plain(&voice, "nowhere", ask, "PLAIN");
        assert_eq!(send(&voice, &absent).await.code, "000105");
        story.end().await;
    }

    async fn in_production_only_sealed_messages_are_understood(db: &TestDb) {
        let platform = Platform::open(db, |settings| settings.environment = EnvironmentSetting::Production).await;
        let voice = platform.add_partner(new_hospital("H35019900008")).await;
        let ask = json!({"orgId": "H35019900008", "orgRequestId": "x"});
        for (encrypt, sign, at) in [
            ("PLAIN", "PLAIN", "encryptType"),
            ("PLAIN", "SM3", "encryptType"),
            ("SM4", "PLAIN", "signType"),
            ("SM4", "plain", "signType"),
            ("AES", "SM3", "encryptType"),
            ("SM4", "MD5", "signType"),
        ] {
            let mut members = voice.members();
            members.insert("encryptType".to_owned(), encrypt.to_owned());
            members.insert("signType".to_owned(), sign.to_owned());
            let mut message: Value = serde_json::from_str(&voice.seal_with(&members, ask.to_string().as_bytes())).unwrap();
            message["data"] = ask.clone();
            let heard = voice.post(path(Interface::OrgMdl005), message.to_string().as_bytes()).await;
            heard.refused("000105", at);
        }
        voice.say(Interface::OrgMdl005, &ask).await.refused("000105", "orgRequestId");
        platform.end().await;
    }

    async fn another_sign_version_is_refused_and_none_is_taken(db: &TestDb) {
        let story = Story::begin(db).await;
        let voice = story.voice(0);
        let ask = query(&story.citizens[0]).to_string();
        let mut answers = Vec::new();
        for version in [None, Some("2.0.0"), Some("1.0.0"), Some("3"), Some("")] {
            let headers: Vec<_> = version.map(|version| ("X-Api-Sign-Version", version)).into_iter().collect();
            let reply = http(voice.platform, "POST", path(Interface::OrgMdl002), &headers, voice.seal(&ask).as_bytes()).await;
            assert_eq!(reply.header("x-api-sign-version"), Some("2.0.0"));
            assert_eq!(reply.header("content-type"), Some("application/json; charset=utf-8"));
            let heard = voice.hear(&reply);
            if heard.code != "000000" {
                heard.refused("000105", "X-Api-Sign-Version");
            }
            answers.push(heard.code);
        }
        assert_eq!(answers, ["000000", "000000", "000105", "000105", "000105"]);
        story.end().await;
    }
}
