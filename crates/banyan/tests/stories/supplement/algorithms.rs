//! Each algorithm of the dictionaries, at each level, for each interface; and the same by hand.

use banyan_protocol::ambient::Clock as _;
use banyan_protocol::catalogue::{Availability, Interface, Route};
use banyan_protocol::crypto::{base64, sm3, sm4::Sm4};
use banyan_protocol::dictionaries::{EncType, SignType};
use banyan_store::on_both_engines;
use serde_json::{Value, json};

use super::insurer::{Insurer, Wanted, done, example};
use crate::partners_voice::http;
use crate::telling::Story;

/// Level 1 and 2 use no algorithm, 3 those of signatures, 4 all of both.
fn table() -> Vec<(u8, EncType, SignType)> {
    let signs = [SignType::Sm3, SignType::Md5, SignType::Rsa];
    let encs = [EncType::Sm4, EncType::Aes, EncType::Rsa, EncType::Pkcs7];
    let mut table = vec![
        (1, EncType::Sm4, SignType::Sm3),
        (2, EncType::Sm4, SignType::Sm3),
        (2, EncType::Sm4, SignType::Md5),
        (2, EncType::Sm4, SignType::Rsa),
    ];
    table.extend(signs.map(|sign| (3, EncType::Sm4, sign)));
    for enc in encs {
        table.extend(signs.map(|sign| (4, enc, sign)));
    }
    table
}

fn interfaces() -> impl Iterator<Item = Interface> {
    Interface::ALL.into_iter().filter(|interface| {
        let spec = interface.spec();
        spec.route == Route::Funid && spec.availability == Availability::Available
    })
}

on_both_engines! {
    async fn every_algorithm_at_every_level_reaches_every_interface(db: &TestDb) {
        let story = Story::begin(db).await;
        assert_eq!(interfaces().count(), 4);
        for (level, enc, sign) in table() {
            let wanted = Wanted { level, enc, sign, ..Wanted::default() };
            let insurer = Insurer::register(&story, wanted).await;
            for interface in interfaces() {
                let mut request = example(interface);
                if interface == Interface::Ci00020007 {
                    request["appid"] = json!(insurer.app_id);
                }
                let answered = insurer.say(interface, &request).await;
                assert_eq!(answered.code, "0", "{level} {enc:?} {sign:?} {}: {}", interface.code(), answered.message);
                done(&answered);
            }
            let orders = json!({ "topic": "hmbYyxInfo", "hmbList": [
                { "psnName": "甲", "certno": "1", "serviceId": "100005", "status": "1" },
            ] });
            done(&insurer.say(Interface::Xy00000003, &orders).await);
        }
        let channels = i64::try_from(table().len()).unwrap();
        assert_eq!(story.number("SELECT COUNT(*) FROM supplement_case").await, channels);
        assert_eq!(story.number("SELECT COUNT(*) FROM supplement_claim").await, channels);
        assert_eq!(story.number("SELECT COUNT(*) FROM supplement_payment").await, channels);
        assert_eq!(story.number("SELECT COUNT(*) FROM supplement_medicine_box").await, channels);
        story.end().await;
    }

    // With the primitives alone, so that a fault of ours in building the string to sign can't hide on
    // both sides.
    async fn a_message_made_by_hand_is_understood_and_answered_as_the_rule_says(db: &TestDb) {
        let story = Story::begin(db).await;
        let insurer = Insurer::register(&story, Wanted::default()).await;
        let (key, token) = (insurer.secret.expose(), insurer.token.clone().unwrap());
        let cipher = Sm4::with_key(key.as_bytes().first_chunk().unwrap());
        let param = "{ \"data\" : { \"idcard\":\"359999198503120019\", \"name\":\"陈建国\" } }";
        let now = insurer.clock.now_ms();
        let text = format!(
            "chs_fjs_appid={}&chs_fjs_funid=CI00.03.00.01&chs_fjs_timestamp={now}&chs_fjs_token={token}&param={param}&key={key}",
            insurer.app_id,
        );
        let message = json!({
            "chs_fjs_appid": insurer.app_id, "chs_fjs_funid": "CI00.03.00.01",
            "chs_fjs_timestamp": now, "chs_fjs_token": token,
            "chs_fjs_encdata": base64::encode(&cipher.encrypt_ecb(param.as_bytes())),
            "chs_fjs_sign": base64::encode(&sm3::digest(text.as_bytes())),
        });
        let reply = http(insurer.platform, "POST", "/fjs/api", &[], message.to_string().as_bytes()).await;
        let reply: Value = serde_json::from_slice(&reply.body).unwrap();
        let sealed = base64::decode(reply["chs_fjs_encdata"].as_str().unwrap()).unwrap();
        let plain = String::from_utf8(cipher.decrypt_ecb(sealed).unwrap()).unwrap();
        let text = format!("chs_fjs_timestamp={}&param={plain}&key={key}", reply["chs_fjs_timestamp"]);
        let stated = base64::decode(reply["chs_fjs_sign"].as_str().unwrap()).unwrap();
        assert_eq!(stated, sm3::digest(text.as_bytes()));
        let plain: Value = serde_json::from_str(&plain).unwrap();
        assert_eq!(plain, json!({
            "code": "0", "message": "请求成功", "type": "success",
            "data": { "past_illness_check": "0", "past_illness": [] },
        }));
        story.end().await;
    }
}
