//! QR codes: decoded by whoever scans them first, while they live; and tokens.

use banyan_platform::credential::{code, token};
use banyan_platform::health_card::card;
use banyan_store::ids::{HealthCardPersonId, PartnerId};
use banyan_store::on_both_engines;
use serde_json::json;

use super::window::{Window, code_of};
use crate::telling::{HOUR_MS, MINUTE_MS, SECOND_MS, Story, until_number};
use crate::visit::come_in;

async fn person(story: &Story, place: usize) -> HealthCardPersonId {
    let citizen = &story.citizens[place];
    let card = card::of_identity(&story.app, &citizen.id_type, &citizen.id_no).await;
    card.unwrap().unwrap().person
}

on_both_engines! {
    async fn a_living_code_is_for_whoever_scans_it_first(db: &TestDb) {
        let story = Story::begin(db).await;
        let (first, second) = (Window::of(&story, 0), Window::of(&story, 1));
        let living = code::issue(&story.app, person(&story, 0).await).unwrap().text;
        let told = first.scan(&living).await.unwrap();
        assert_eq!(told["userName"], json!(story.citizens[0].user_name));
        // An answer that got lost may be asked for again; whoever photographed the code gets nothing.
        assert!(first.scan(&living).await.is_ok());
        assert_eq!(code_of(second.scan(&living).await), "501001");
        story.clock.advance_ms(MINUTE_MS);
        assert_eq!(code_of(first.scan(&living).await), "500005");
        let fresh = code::issue(&story.app, person(&story, 0).await).unwrap().text;
        assert!(second.scan(&fresh).await.is_ok());
        story.end().await;
    }

    async fn what_is_no_code_or_was_changed_is_told_apart(db: &TestDb) {
        let story = Story::begin(db).await;
        let window = Window::of(&story, 0);
        let person = person(&story, 0).await;
        let living = code::issue(&story.app, person).unwrap().text;
        for text in ["http://weixin.qq.com/r/x", "28123456789", &card::issue_code(&story.app, person).unwrap().text] {
            assert_eq!(code_of(window.scan(text).await), "500159", "{text}");
        }
        let mut forged = living.clone();
        let last = forged.pop().unwrap();
        forged.push(if last == 'A' { 'B' } else { 'A' });
        let mut other = code::for_tests(&story.app, person);
        other.replace_range(19..20, if &other[19..20] == "0" { "1" } else { "0" });
        for text in [&*forged, &living[..30], "YBM1", "YBT1", &other] {
            assert_eq!(code_of(window.scan(text).await), "500049", "{text}");
        }
        // Of somebody who has no credential any more.
        assert_eq!(code_of(window.scan(&code::for_tests(&story.app, HealthCardPersonId(1))).await), "500001");
        story.end().await;
    }

    async fn a_number_is_taken_once_and_not_for_what_failed(db: &TestDb) {
        let story = Story::begin(db).await;
        let (window, other) = (Window::of(&story, 0), Window::of(&story, 1));
        let code = story.citizens[0].ec_qr_code.clone();
        let ask = |window: &Window, qr: &str| {
            let (window, qr) = (window.clone(), qr.to_owned());
            async move { window.say("cn.nhsa.qrcode.get", &window.data(&[("outBizNo", "20260302100000001")]), Some(&qr)).await }
        };
        assert_eq!(code_of(ask(&window, "nothing").await), "500159");
        assert!(ask(&window, &code).await.is_ok());
        assert_eq!(code_of(ask(&window, &code).await), "500014");
        assert!(ask(&other, &code).await.is_ok(), "another institution's number");
        let missing = window.say("cn.nhsa.qrcode.get", &window.data(&[]), Some(&code)).await.unwrap_err();
        assert!(missing.0 == "-2" && missing.1.contains("outBizNo"), "{missing:?}");
        let used = story.number("SELECT COUNT(*) FROM journal WHERE interface = 'cn.nhsa.qrcode.get' AND result = '000000'").await;
        assert_eq!(used, 2);
        story.end().await;
    }

    async fn of_twenty_messages_with_one_number_one_is_answered(db: &TestDb) {
        let story = Story::begin(db).await;
        let window = Window::of(&story, 0);
        let code = story.citizens[0].ec_qr_code.clone();
        let asked: Vec<_> = (0..20)
            .map(|_| {
                let (window, code) = (window.clone(), code.clone());
                tokio::spawn(async move {
                    let data = window.data(&[("outBizNo", "1")]);
                    window.say("cn.nhsa.qrcode.get", &data, Some(&code)).await.is_ok()
                })
            })
            .collect();
        let mut answered = 0;
        for one in asked {
            answered += usize::from(one.await.unwrap());
        }
        assert_eq!(answered, 1);
        story.end().await;
    }

    async fn a_token_says_who_to_whom_it_was_given_and_until_when(db: &TestDb) {
        let story = Story::begin(db).await;
        let window = Window::of(&story, 0);
        let told = window.scan(&story.citizens[0].ec_qr_code).await.unwrap();
        let text = told["ecToken"].as_str().unwrap();
        let partner = story.app.directory.by_org_id(&window.org_id).unwrap().id;
        let now_ms = story.clock.shows_ms();
        let read = |by: PartnerId, text: &str, at_ms: i64| token::read(&story.app, by, text, at_ms);
        assert_eq!(read(partner, text, now_ms), Ok(person(&story, 0).await));
        assert_eq!(read(partner, &text.to_lowercase(), now_ms), Ok(person(&story, 0).await));
        assert_eq!(read(PartnerId(1), text, now_ms), Err(token::NotTaken::NotOurs));
        assert_eq!(read(partner, text, now_ms + 2 * HOUR_MS + 61 * SECOND_MS), Err(token::NotTaken::Over));
        for place in 0..40 {
            let mut changed = text.to_owned();
            let other = if &text[place..=place] == "0" { "1" } else { "0" };
            changed.replace_range(place..=place, other);
            assert_eq!(read(partner, &changed, now_ms), Err(token::NotTaken::NotOurs), "{place}");
        }
        assert_eq!(read(partner, "ADBHJRS5I01E0F3438C00000B959FA88", now_ms), Err(token::NotTaken::NotOurs));
        let again = window.scan(&story.citizens[0].ec_qr_code).await.unwrap();
        assert_ne!(again["ecToken"], told["ecToken"]);
        assert_eq!(again["ecIndexNo"], told["ecIndexNo"]);
        story.end().await;
    }

    async fn he_sees_who_scanned_him_and_what_for(db: &TestDb) {
        let story = Story::begin(db).await;
        let window = Window::of(&story, 1);
        window.scan(&story.citizens[0].ec_qr_code).await.unwrap();
        until_number(&story.app.db, "SELECT COUNT(*) FROM journal WHERE interface = 'ec.query'", 1).await;
        let visit = come_in(&story, &story.citizens[0]).await;
        let looks = visit.page("/h5/overdue/looks").await;
        assert!(looks.contains("鹭岛中医院（沙箱）") && looks.contains("扫描您出示的医保码") && looks.contains("（结算）"), "{looks}");
        story.end().await;
    }
}
