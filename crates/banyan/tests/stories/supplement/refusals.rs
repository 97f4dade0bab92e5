//! Under which secret, and in which manner, somebody is told that he is refused.

use banyan_protocol::ambient::{Clock as _, SystemRandomness};
use banyan_protocol::catalogue::Interface;
use banyan_protocol::dictionaries::{EncType, SignType};
use banyan_protocol::envelope::Secret;
use banyan_protocol::envelope::fjs::{Calling, Carrier, Manner, SignText};
use banyan_store::on_both_engines;
use serde_json::{Value, json};

use super::insurer::{Insurer, Wanted, done, example, refused};
use crate::partners_voice::http;
use crate::telling::{HOUR_MS, Story};

const ASK: Interface = Interface::Ci00030001;

/// What comes back for a message, as it stands on the wire.
async fn heard(insurer: &Insurer, message: &str) -> Value {
    let reply = http(
        insurer.platform,
        "POST",
        "/fjs/api",
        &[],
        message.as_bytes(),
    )
    .await;
    serde_json::from_slice(&reply.body).unwrap()
}

/// A question in this manner.
fn asked(insurer: &Insurer, manner: Manner) -> String {
    let business = json!({ "data": example(ASK) }).to_string();
    let calling = Calling {
        app_id: &insurer.app_id,
        token: insurer.token.as_deref(),
        funid: Some(ASK.code()),
        timestamp_ms: insurer.clock.now_ms(),
        business: Some(&business),
        manner,
    };
    let sealed = calling.seal(&insurer.channel, &insurer.secret, &SystemRandomness);
    sealed.unwrap()
}

fn is_bare(answer: &Value) -> bool {
    answer["code"].is_string() && answer.get("chs_fjs_encdata").is_none()
}

on_both_engines! {
    async fn a_channel_on_its_old_secret_reads_that_its_token_ended(db: &TestDb) {
        let story = Story::begin(db).await;
        for enc in [EncType::Sm4, EncType::Aes, EncType::Rsa, EncType::Pkcs7] {
            for sign in [SignType::Sm3, SignType::Md5, SignType::Rsa] {
                let mut insurer = Insurer::register(&story, Wanted { enc, sign, ..Wanted::default() }).await;
                let new = story.desk().rotate(&insurer.app_id, HOUR_MS).await.unwrap();
                story.renew().await;
                assert_eq!(story.desk().revoke_tokens(&insurer.app_id).await.unwrap(), 1);
                // `say` opens the answer under the old secret.
                refused(&insurer.say(ASK, &example(ASK)).await, "-7", "chs_fjs_token");
                let mut rotated = insurer.clone();
                rotated.secret = Secret::parse(&new.secret).unwrap();
                refused(&rotated.say(ASK, &example(ASK)).await, "-7", "chs_fjs_token");
                insurer.fetch_token().await;
                done(&insurer.say(ASK, &example(ASK)).await);
            }
        }
        story.end().await;
    }

    async fn a_sandbox_insurer_on_its_old_secret_renews_its_token(db: &TestDb) {
        let story = Story::begin(db).await;
        for insurer in story.insurers() {
            insurer.look_up(&story.citizens[0]).await.unwrap();
            story.desk().rotate(insurer.app_id(), HOUR_MS).await.unwrap();
            story.renew().await;
            story.desk().revoke_tokens(insurer.app_id()).await.unwrap();
            insurer.look_up(&story.citizens[0]).await.unwrap();
        }
        story.end().await;
    }

    async fn a_refusal_stands_where_the_question_stood(db: &TestDb) {
        let story = Story::begin(db).await;
        for level in [1, 2] {
            let mut insurer = Insurer::register(&story, Wanted { level, ..Wanted::default() }).await;
            insurer.token = insurer.token.map(|_| "A".repeat(43));
            insurer.secret = match level {
                1 => Secret::parse("0123456789abcdef0123456789abcdef").unwrap(),
                _ => insurer.secret,
            };
            let member = if level == 1 { "chs_fjs_appsecret" } else { "chs_fjs_token" };
            let beside = heard(&insurer, &asked(&insurer, Manner { carrier: Carrier::Beside, ..Manner::FIRST })).await;
            assert!(is_bare(&beside), "{level}: {beside}");
            assert!(beside["message"].as_str().unwrap().starts_with(member), "{beside}");
            let object = heard(&insurer, &asked(&insurer, Manner { carrier: Carrier::Object, ..Manner::FIRST })).await;
            assert_eq!(object["chs_fjs_encdata"]["code"], "-7", "{level}: {object}");
            let text = heard(&insurer, &asked(&insurer, Manner::FIRST)).await;
            assert!(text["chs_fjs_encdata"].as_str().unwrap().contains("\"-7\""), "{level}: {text}");
        }
        let mut signed = Insurer::register(&story, Wanted { level: 3, ..Wanted::default() }).await;
        signed.token = Some("A".repeat(43));
        let manner = Manner { carrier: Carrier::Object, sign_text: SignText::UpperHex, ..Manner::FIRST };
        let object = heard(&signed, &asked(&signed, manner)).await;
        assert_eq!(object["chs_fjs_encdata"]["code"], "-7", "{object}");
        let sign = object["chs_fjs_sign"].as_str().unwrap();
        assert!(sign.len() == 64 && sign.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase()), "{sign}");
        story.end().await;
    }

    // What opened but holds nothing that can be read is its maker's all the same.
    async fn whoever_sends_no_json_is_told_under_his_own_secret(db: &TestDb) {
        let story = Story::begin(db).await;
        let insurer = Insurer::register(&story, Wanted::default()).await;
        let answer = heard(&insurer, &insurer.sealed_text(ASK.code(), "{\"data\":")).await;
        assert!(answer["chs_fjs_encdata"].is_string() && answer["chs_fjs_sign"].is_string(), "{answer}");
        refused(&insurer.say_text(ASK.code(), "{\"data\":").await, "000105", "");
        refused(&insurer.say_text("", "{\"data\":{}}").await, "000105", "chs_fjs_funid");
        story.end().await;
    }

    async fn whoever_only_knows_an_appid_makes_nobody_sign(db: &TestDb) {
        let story = Story::begin(db).await;
        for (level, enc, sign) in [
            (3, EncType::Sm4, SignType::Rsa),
            (4, EncType::Sm4, SignType::Rsa),
            (4, EncType::Rsa, SignType::Sm3),
            (4, EncType::Pkcs7, SignType::Sm3),
        ] {
            let insurer = Insurer::register(&story, Wanted { level, enc, sign, ..Wanted::default() }).await;
            let good: Value = serde_json::from_str(&insurer.sealed(ASK.code(), &example(ASK))).unwrap();
            let mut unknown = good.clone();
            unknown["chs_fjs_token"] = json!("A".repeat(43));
            let mut without = good.clone();
            without.as_object_mut().unwrap().remove("chs_fjs_token");
            let alone = json!({ "chs_fjs_appid": insurer.app_id, "chs_fjs_funid": ASK.code() });
            for message in [unknown, without, alone] {
                let answer = heard(&insurer, &message.to_string()).await;
                assert!(is_bare(&answer) && answer.get("chs_fjs_sign").is_none(), "{enc:?} {sign:?}: {answer}");
            }
            done(&insurer.send(&good.to_string()).await);
        }
        story.end().await;
    }

    async fn what_does_not_open_is_answered_so_that_anybody_can_read_it(db: &TestDb) {
        let story = Story::begin(db).await;
        for level in [3, 4] {
            let insurer = Insurer::register(&story, Wanted { level, ..Wanted::default() }).await;
            let mut stranger = insurer.clone();
            stranger.secret = Secret::parse("0123456789abcdef0123456789abcdef").unwrap();
            let answer = heard(&insurer, &stranger.sealed(ASK.code(), &example(ASK))).await;
            assert!(is_bare(&answer), "{answer}");
            let code = answer["code"].as_str().unwrap();
            assert!(["000101", "000102"].contains(&code), "{answer}");
        }
        story.end().await;
    }

    async fn an_empty_member_that_need_not_be_there_is_none(db: &TestDb) {
        let story = Story::begin(db).await;
        for level in [1, 2, 3] {
            let insurer = Insurer::register(&story, Wanted { level, ..Wanted::default() }).await;
            let mut message: Value = serde_json::from_str(&insurer.sealed(ASK.code(), &example(ASK))).unwrap();
            for member in ["chs_fjs_appsecret", "chs_fjs_token", "chs_fjs_timestamp", "chs_fjs_sign"] {
                if message.get(member).is_none() {
                    message[member] = json!("");
                }
            }
            done(&insurer.send(&message.to_string()).await);
        }
        story.end().await;
    }
}
