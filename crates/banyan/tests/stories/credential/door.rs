//! What the door of the centre lets in, in which character set, and what it says to the rest.

use banyan_platform::settings::EnvironmentSetting;
use banyan_protocol::catalogue::{Interface, Route};
use banyan_protocol::crypto::{base64, sm3};
use banyan_protocol::envelope::centre::Charset;
use banyan_store::on_both_engines;
use serde_json::{Value, json};

use super::window::{Window, code_of, opened};
use crate::partners_voice::RawReply;
use crate::telling::{HOUR_MS, MINUTE_MS, Story, new_hospital};

fn heard(reply: &RawReply, charset: Charset) -> Value {
    serde_json::from_str(&charset.decode(&reply.body).unwrap()).unwrap()
}

on_both_engines! {
    async fn the_standard_s_own_message_is_answered_in_its_own_character_set(db: &TestDb) {
        let story = Story::begin(db).await;
        let mut window = Window::of(&story, 0);
        // 5.3.5.1 as printed, layout and all; `extra` is what the standard leaves open.
        let printed = concat!(
            "{\n    \"operatorId\": \"008\",\n    \"operatorName\": \"TEST\",\n    \"officeId\": \"01\",\n",
            "    \"officeName\": \"内科\",\n    \"orgId\": \"1234567\",\n    \"businessType\": \"01101\",\n",
            "    \"deviceType\": \"\"\n  }"
        );
        window.org_id = "1234567".to_owned();
        let citizen = &story.citizens[3];
        let signed = format!(
            "appId={}&data={printed}&orgId=1234567&timestamp={}&transType=ec.query&key={}",
            window.app_id, story.clock.shows_ms(), window.secret.expose()
        );
        let extra = json!({
            "appId": window.app_id, "timestamp": story.clock.shows_ms().to_string(),
            "sign": base64::encode(&sm3::digest(signed.as_bytes())), "qrCode": citizen.ec_qr_code,
        });
        let message = format!(
            "{{\n  \"data\": {printed},\n  \"orgId\": \"1234567\",\n  \"transType\": \"ec.query\",\n  \"extra\": {}\n}}\n",
            json!(extra.to_string())
        );
        let told = window.say_text(&message).await.unwrap();
        assert_eq!(told["idNo"], json!(citizen.id_no));
        assert_eq!(told["userName"], json!(citizen.user_name));
        assert_eq!((&told["idType"], &told["extra"]), (&json!("01"), &json!("")));
        assert_eq!(told["birthday"].as_str().unwrap().replace('-', ""), citizen.id_no[6..14]);
        assert_eq!(told["ecToken"].as_str().unwrap().len(), 40);
        story.end().await;
    }

    async fn the_signature_decides_where_the_character_set_is_not_said(db: &TestDb) {
        let story = Story::begin(db).await;
        let window = Window::of(&story, 0);
        let code = &story.citizens[0].ec_qr_code;
        for (sent_as, content_type, answered_in) in [
            (Charset::Gb18030, "application/json", Charset::Gb18030),
            (Charset::Utf8, "application/json", Charset::Utf8),
            (Charset::Utf8, "application/json; charset=UTF-8", Charset::Utf8),
            (Charset::Gb18030, "text/plain; charset=GBK", Charset::Gb18030),
        ] {
            let message = window.signed("ec.query", &window.data(&[]), Some(code));
            let reply = window.send(&sent_as.encode(&message), content_type).await;
            assert_eq!(reply.header("content-type"), Some(answered_in.content_type()));
            let text = answered_in.decode(&reply.body).unwrap();
            assert!(matches!(opened(&text, &window.app_id, &window.secret), Ok(Ok(_))), "{content_type}");
        }
        // What says that it is the one and is the other is told so, and is no wrong signature.
        let message = window.signed("ec.query", &window.data(&[]), Some(code));
        let bytes = Charset::Gb18030.encode(&message).into_owned();
        let reply = window.send(&bytes, Charset::Utf8.content_type()).await;
        let said = heard(&reply, Charset::Utf8);
        assert_eq!(said["code"], json!(-2), "{said}");
        assert!(said["message"].as_str().unwrap().contains("UTF-8"));
        story.end().await;
    }

    async fn every_message_that_was_changed_is_refused(db: &TestDb) {
        let story = Story::begin(db).await;
        let window = Window::of(&story, 0);
        let code = &story.citizens[0].ec_qr_code;
        for interface in Interface::ALL.into_iter().filter(|one| one.spec().route == Route::TransType) {
            let good = window.signed(interface.code(), &window.data(&[]), Some(code));
            let good: Value = serde_json::from_str(&good).unwrap();
            let extra: Value = serde_json::from_str(good["extra"].as_str().unwrap()).unwrap();
            let mut changed = Vec::new();
            for (member, value) in [("orgId", json!("1234567")), ("transType", json!("cn.other")), ("data", window.data(&[("operatorId", "009")]))] {
                let mut other = good.clone();
                other[member] = value;
                changed.push(other);
            }
            for (member, value) in [("timestamp", json!("1")), ("sign", json!(base64::encode(&[7; 32]))), ("appId", json!(story.description.hospitals[1].app_id))] {
                let mut other = good.clone();
                let mut extra = extra.clone();
                extra[member] = value;
                other["extra"] = json!(extra.to_string());
                changed.push(other);
            }
            for message in changed {
                // What is sealed for another is signed by his secret, which the window has not.
                let reply = window.send(message.to_string().as_bytes(), Charset::Utf8.content_type()).await;
                assert_eq!(heard(&reply, Charset::Utf8)["code"], json!(500_036), "{message}");
            }
        }
        story.end().await;
    }

    async fn of_twenty_copies_one_passes_and_an_old_message_is_no_wrong_signature(db: &TestDb) {
        let story = Story::begin(db).await;
        let window = Window::of(&story, 0);
        let code = story.citizens[0].ec_qr_code.clone();
        let message = window.signed("ec.query", &window.data(&[]), Some(&code));
        let copies: Vec<_> = (0..20)
            .map(|_| {
                let (window, message) = (window.clone(), message.clone());
                tokio::spawn(async move { window.say_text(&message).await.is_ok() })
            })
            .collect();
        let mut passed = 0;
        for copy in copies {
            passed += usize::from(copy.await.unwrap());
        }
        assert_eq!(passed, 1);
        let old = window.signed("ec.query", &window.data(&[]), Some(&code));
        story.clock.advance_ms(11 * MINUTE_MS);
        let (said, message) = window.say_text(&old).await.unwrap_err();
        assert_eq!(said, "-2");
        assert!(message.contains("时间戳") && message.contains("时钟慢"), "{message}");
        story.end().await;
    }

    async fn whoever_may_not_is_told_which_of_them_he_is(db: &TestDb) {
        let story = Story::begin(db).await;
        let code = story.citizens[0].ec_qr_code.clone();
        let window = Window::of(&story, 0);
        let stranger = Window { app_id: "nobody".to_owned(), ..window.clone() };
        assert_eq!(code_of(stranger.scan(&code).await), "500012");
        let mzt = Window::with(&story, &story.description.mzt.app_id, &story.description.mzt.secret, &window.org_id);
        assert_eq!(code_of(mzt.scan(&code).await), "500003");
        let mut new = new_hospital("H35019900009");
        new.grants = Some(Vec::new());
        let voice = story.add_partner(new).await;
        let nothing = Window::with(&story, &voice.app_id, &voice.secret, "H35019900009");
        for interface in Interface::ALL.into_iter().filter(|one| one.spec().route == Route::TransType) {
            assert_eq!(code_of(nothing.say(interface.code(), &nothing.data(&[]), None).await), "-4");
        }
        story.desk().set_active(&voice.app_id, false).await.unwrap();
        story.renew().await;
        assert_eq!(code_of(nothing.scan(&code).await), "500013");
        story.end().await;
    }

    async fn an_institution_s_code_must_be_one_and_its_own(db: &TestDb) {
        let story = Story::begin(db).await;
        let code = story.citizens[0].ec_qr_code.clone();
        let window = Window::of(&story, 1);
        for (org_id, refusal) in [("", "500169"), ("35-01", "500228"), (&*"1".repeat(41), "500228"), ("1234567", "500316")] {
            let other = Window { org_id: org_id.to_owned(), ..window.clone() };
            assert_eq!(code_of(other.say("ec.query", &window.data(&[]), Some(&code)).await), refusal, "{org_id}");
        }
        let elsewhere = window.data(&[("orgId", "1234567")]);
        assert_eq!(code_of(window.say("ec.query", &elsewhere, Some(&code)).await), "500316");
        for (name, value, refusal) in [("businessType", "99999", "500142"), ("operatorId", "", "-2"), ("officeName", &*"长".repeat(31), "-2"), ("photoData", "照片", "-2")] {
            let (said, message) = window.say("ec.query", &window.data(&[(name, value)]), Some(&code)).await.unwrap_err();
            assert_eq!(said, refusal, "{name}");
            assert!(message.contains(name), "{message}");
        }
        assert_eq!(code_of(window.say("ec.query", &window.data(&[]), None).await), "-2");
        assert!(window.say("ec.query", &window.data(&[("photoData", &"A".repeat(100 << 10))]), Some(&code)).await.is_ok());
        story.end().await;
    }

    async fn what_is_no_message_is_answered_in_the_shape_of_an_answer(db: &TestDb) {
        let story = Story::begin(db).await;
        let window = Window::of(&story, 0);
        for (body, status, code) in [
            (b"<html>".to_vec(), 200, -2), (b"{}".to_vec(), 200, -2), (b"[]".to_vec(), 200, -2),
            (b"\xff\xff{".to_vec(), 200, -2), (b"{\"extra\":\"{\"}".to_vec(), 200, -2),
            (vec![b' '; 2 << 20], 413, -2),
        ] {
            let reply = window.send(&body, "application/json").await;
            let said = heard(&reply, Charset::Gb18030);
            assert_eq!((reply.status, &said["code"]), (status, &json!(code)), "{said}");
            assert!(said["message"].as_str().is_some_and(|text| !text.is_empty()));
        }
        let (said, message) = window.say("ec.other", &window.data(&[]), None).await.unwrap_err();
        assert_eq!(said, "500021");
        assert!(message.contains("cn.nhsa.qrcode.get"), "{message}");
        story.end().await;
    }

    async fn too_much_at_once_is_refused_as_the_standard_says(db: &TestDb) {
        let story = Story::begin(db).await;
        let mut new = new_hospital("H35019900009");
        new.rate_per_second = 1;
        let voice = story.add_partner(new).await;
        let window = Window::with(&story, &voice.app_id, &voice.secret, "H35019900009");
        let code = story.citizens[0].ec_qr_code.clone();
        let mut codes = Vec::new();
        for _ in 0..5 {
            codes.push(window.scan(&code).await.map_or_else(|(code, _)| code, |_| "0".to_owned()));
        }
        assert!(codes.contains(&"-6".to_owned()), "{codes:?}");
        assert!(codes.contains(&"0".to_owned()), "{codes:?}");
        story.end().await;
    }

    async fn production_takes_no_code_for_tests_and_lists_nothing(db: &TestDb) {
        let story = Story::begin_with(db, |settings| settings.environment = EnvironmentSetting::Production).await;
        let window = Window::of(&story, 0);
        assert_eq!(code_of(window.scan(&story.citizens[0].ec_qr_code).await), "500049");
        let (_, message) = window.say("ec.other", &window.data(&[]), None).await.unwrap_err();
        assert!(!message.contains("nhsa"), "{message}");
        story.end().await;
    }

    async fn what_is_switched_off_says_so(db: &TestDb) {
        let story = Story::begin_with(db, |settings| settings.switched_off = vec!["ec.query".to_owned()]).await;
        let window = Window::of(&story, 0);
        let code = story.citizens[0].ec_qr_code.clone();
        let (said, message) = window.scan(&code).await.unwrap_err();
        assert_eq!((&*said, &*message), ("-4", "该功能未开放"));
        assert!(window.say("cn.nhsa.qrcode.get", &window.data(&[("outBizNo", "1")]), Some(&code)).await.is_ok());
        story.end().await;
    }

    async fn a_rotated_secret_overlaps_here_too(db: &TestDb) {
        let story = Story::begin(db).await;
        let window = Window::of(&story, 0);
        let code = story.citizens[0].ec_qr_code.clone();
        let new = story.desk().rotate(&window.app_id, HOUR_MS).await.unwrap();
        story.renew().await;
        assert!(window.scan(&code).await.is_ok());
        let rotated = Window::with(&story, &new.app_id, &new.secret, &window.org_id);
        assert!(rotated.scan(&code).await.is_ok());
        story.clock.advance_ms(HOUR_MS);
        // The refusal is signed under the new secret, which whoever has only the old one can't check.
        let message = window.signed("ec.query", &window.data(&[]), Some(&code));
        let reply = window.send(message.as_bytes(), Charset::Utf8.content_type()).await;
        assert_eq!(heard(&reply, Charset::Utf8)["code"], json!(500_036));
        story.end().await;
    }
}
