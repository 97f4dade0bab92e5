//! Faces: a terminal gets a number for one, and the institution at whose window it stands may use the
//! number once, for a while.

use banyan_store::on_both_engines;
use serde_json::{Value, json};

use super::window::{Window, code_of};
use crate::partners_voice::http;
use crate::telling::{MINUTE_MS, Story, until_number};

async fn check(window: &Window, auth_no: &str, number: &str) -> Result<Value, (String, String)> {
    let data = window.data(&[
        ("outBizNo", number),
        ("authNo", auth_no),
        ("photoData", "QUJD"),
    ]);
    window.say("cn.nhsa.auth.check", &data, None).await
}

on_both_engines! {
    async fn a_face_leads_to_its_person_once(db: &TestDb) {
        let story = Story::begin(db).await;
        let (window, other) = (Window::of(&story, 1), Window::of(&story, 2));
        let terminal = Window::terminal(&story, &window.org_id).await;
        let citizen = &story.citizens[5];
        let auth_no = terminal.recognise(citizen).await.unwrap();
        assert_eq!(code_of(check(&other, &auth_no, "1").await), "500008");
        assert_eq!(code_of(check(&window, "5F0C", "1").await), "500037");
        // A number that was used before costs nobody his face.
        assert!(window.say("cn.nhsa.qrcode.get", &window.data(&[("outBizNo", "2")]), Some(&citizen.ec_qr_code)).await.is_ok());
        assert_eq!(code_of(check(&window, &auth_no, "2").await), "500014");
        let told = check(&window, &auth_no, "3").await.unwrap();
        assert_eq!((&told["authNo"], &told["idNo"]), (&json!(auth_no), &json!(citizen.id_no)));
        assert_eq!(code_of(check(&window, &auth_no, "4").await), "500051");
        let late = terminal.recognise(citizen).await.unwrap();
        story.clock.advance_ms(6 * MINUTE_MS);
        assert_eq!(code_of(check(&window, &late, "5").await), "500051");
        story.end().await;
    }

    async fn only_terminals_recognise_and_only_whom_there_is(db: &TestDb) {
        let story = Story::begin(db).await;
        let window = Window::of(&story, 1);
        let citizen = &story.citizens[5];
        assert_eq!(code_of(window.recognise(citizen).await.map(Value::from)), "-4");
        let terminal = Window::terminal(&story, &window.org_id).await;
        let mut other = citizen.clone();
        other.user_name = "欧阳某某".to_owned();
        assert_eq!(code_of(terminal.recognise(&other).await.map(Value::from)), "500028");
        other.id_no = "11010519491231002X".to_owned();
        assert_eq!(code_of(terminal.recognise(&other).await.map(Value::from)), "500001");
        for (org_id, refusal) in [("99999999999", "500057"), (&*story.description.hospitals[2].org_id, "500059")] {
            let elsewhere = Window { org_id: org_id.to_owned(), ..terminal.clone() };
            assert_eq!(code_of(elsewhere.recognise(citizen).await.map(Value::from)), refusal);
        }
        // And a terminal is no institution.
        assert_eq!(code_of(terminal.scan(&citizen.ec_qr_code).await), "500316");
        story.end().await;
    }

    async fn what_a_terminal_tells_is_counted_and_kept_under_its_name(db: &TestDb) {
        let story = Story::begin(db).await;
        let window = Window::of(&story, 1);
        let terminal = Window::terminal(&story, &window.org_id).await;
        let citizen = &story.citizens[5];
        terminal.recognise(citizen).await.unwrap();
        let mut other = citizen.clone();
        other.id_no = "11010519491231002X".to_owned();
        assert_eq!(code_of(terminal.recognise(&other).await.map(Value::from)), "500001");
        // A known partner who asks for nothing there is.
        let data = terminal.data(&[]);
        assert!(terminal.say("terminal.nothing", &data, None).await.is_err());

        let figures = http(story.platform(), "GET", "/metrics", &[], b"").await;
        let figures = String::from_utf8(figures.body).unwrap();
        let of_terminal: Vec<&str> = figures
            .lines()
            .filter(|line| line.starts_with("banyan_requests_total") && line.contains(&terminal.app_id))
            .collect();
        for (name, result) in [("terminal.face", "000000"), ("terminal.face", "500001"), ("unknown", "500021")] {
            let is_it = |line: &&&str| line.contains(&format!("interface=\"{name}\"")) && line.contains(&format!("result=\"{result}\""));
            assert!(of_terminal.iter().any(|line| is_it(&line)), "{name} {result}: {of_terminal:#?}");
        }
        assert!(!figures.contains("banyan_strangers_total"), "nobody was a stranger");
        until_number(&story.app.db, "SELECT COUNT(*) FROM journal WHERE interface = 'terminal.face' AND person IS NOT NULL AND subject IS NOT NULL", 1).await;
        until_number(&story.app.db, "SELECT COUNT(*) FROM journal WHERE interface = 'terminal.face' AND result = '500001'", 1).await;
        story.end().await;
    }

    async fn in_maintenance_terminals_wait_like_everybody(db: &TestDb) {
        let story = Story::begin_with(db, |settings| settings.maintenance = true).await;
        let window = Window::of(&story, 1);
        let terminal = Window::terminal(&story, &window.org_id).await;
        let citizen = &story.citizens[5];
        let of_window = window.scan(&citizen.ec_qr_code).await.unwrap_err();
        let of_terminal = terminal.recognise(citizen).await.unwrap_err();
        assert_eq!(of_terminal, of_window);
        assert_eq!(story.number("SELECT COUNT(*) FROM credential_face").await, 0);
        story.end().await;
    }
}
