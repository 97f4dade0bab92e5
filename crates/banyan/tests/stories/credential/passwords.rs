//! Passwords: an institution's call waits while the person enters his own, on his page or at the
//! terminal.

use banyan::province::PASSWORD;
use banyan_store::on_both_engines;
use serde_json::Value;
use tokio::task::JoinHandle;

use super::window::{Window, code_of};
use crate::telling::{HOUR_MS, Story, until_number};
use crate::visit::{Visit, come_in};

type Heard = Result<Value, (String, String)>;

const OPEN: &str = "SELECT COUNT(*) FROM credential_password_request WHERE state = 'open'";

/// An institution asks, and waits.
async fn ask(story: &Story, window: &Window, person: usize) -> JoinHandle<Heard> {
    let open = story.number(OPEN).await;
    let (window, citizen) = (window.clone(), story.citizens[person].clone());
    let asking = tokio::spawn(async move { window.ask_password(&citizen, &[]).await });
    until_number(&story.app.db, OPEN, open + 1).await;
    asking
}

/// The person answers on his own page.
async fn answer(visit: &Visit<'_>, fields: &[(&str, &str)]) -> String {
    let page = visit.page("/h5/ec/requests").await;
    let action = page.split("action=\"/h5/ec/requests/").nth(1).unwrap();
    let id = action.split('"').next().unwrap();
    let said = visit
        .submit("/h5/ec/requests", &format!("/h5/ec/requests/{id}"), fields)
        .await;
    assert_eq!(said.status, 200, "{}", said.text());
    said.text()
}

async fn enter(visit: &Visit<'_>, digits: &str) -> String {
    answer(visit, &[("answer", "enter"), ("password", digits)]).await
}

on_both_engines! {
    async fn the_call_waits_until_he_has_entered_it_on_his_page(db: &TestDb) {
        let story = Story::begin(db).await;
        let window = Window::of(&story, 1);
        let visit = come_in(&story, &story.citizens[0]).await;
        assert_eq!(visit.get("/h5/ec/waiting").await.status, 204);
        let empty = visit.page("/h5/ec/requests").await;
        assert!(empty.contains("http-equiv=\"refresh\"") && empty.contains("正在等待窗口发起"));
        let asking = ask(&story, &window, 0).await;
        assert_eq!(visit.get("/h5/ec/waiting").await.status, 200);
        let page = visit.page("/h5/ec/requests").await;
        assert!(page.contains("鹭岛中医院（沙箱）") && page.contains("医院结算") && page.contains("消化内科"), "{page}");
        assert!(enter(&visit, PASSWORD).await.contains("密码正确"));
        let told = asking.await.unwrap().unwrap();
        assert_eq!(told["pwdFlag"], "1");
        assert_eq!(told["ecToken"].as_str().unwrap().len(), 40);
        assert_eq!(story.number(OPEN).await, 0);
        story.end().await;
    }

    async fn a_token_of_another_person_or_institution_is_refused(db: &TestDb) {
        let story = Story::begin(db).await;
        let (window, other) = (Window::of(&story, 1), Window::of(&story, 2));
        let citizen = &story.citizens[0];
        let token = |told: Heard| told.unwrap()["ecToken"].as_str().unwrap().to_owned();
        let own = token(window.scan(&citizen.ec_qr_code).await);
        let of_another = token(window.scan(&story.citizens[1].ec_qr_code).await);
        let given_elsewhere = token(other.scan(&citizen.ec_qr_code).await);
        for wrong in [&of_another, &given_elsewhere, "00"] {
            assert_eq!(code_of(window.ask_password(citizen, &[("ecToken", wrong)]).await), "501001");
        }
        let asking = {
            let (window, citizen, own) = (window.clone(), citizen.clone(), own.clone());
            tokio::spawn(async move { window.ask_password(&citizen, &[("ecToken", &own)]).await })
        };
        until_number(&story.app.db, OPEN, 1).await;
        enter(&come_in(&story, citizen).await, PASSWORD).await;
        assert!(asking.await.unwrap().is_ok());
        story.clock.advance_ms(3 * HOUR_MS);
        assert_eq!(code_of(window.ask_password(citizen, &[("ecToken", &own)]).await), "501001");
        story.end().await;
    }

    async fn five_wrong_ones_lock_it_for_a_day_for_everybody(db: &TestDb) {
        let story = Story::begin(db).await;
        let window = Window::of(&story, 1);
        let citizen = &story.citizens[0];
        let visit = come_in(&story, citizen).await;
        for left in ["还可输入 4 次", "还可输入 3 次", "还可输入 2 次", "还可输入 1 次"] {
            let asking = ask(&story, &window, 0).await;
            assert!(enter(&visit, "111112").await.contains(left));
            assert_eq!(code_of(asking.await.unwrap()), "500004");
        }
        // Whoever else waits for him learns it too.
        let elsewhere = ask(&story, &Window::of(&story, 2), 0).await;
        let asking = ask(&story, &window, 0).await;
        assert!(enter(&visit, "111112").await.contains("已锁定"));
        assert_eq!(code_of(asking.await.unwrap()), "500079");
        assert_eq!(code_of(elsewhere.await.unwrap()), "500079");
        story.clock.advance_ms(23 * HOUR_MS);
        let (code, message) = window.ask_password(citizen, &[]).await.unwrap_err();
        assert_eq!(code, "500079");
        assert!(message.contains("2026-03-03 10:0"), "{message}");
        story.clock.advance_ms(HOUR_MS);
        let asking = ask(&story, &window, 0).await;
        enter(&come_in(&story, citizen).await, PASSWORD).await;
        assert!(asking.await.unwrap().is_ok());
        story.end().await;
    }

    async fn a_right_one_forgives_those_before_it(db: &TestDb) {
        let story = Story::begin(db).await;
        let window = Window::of(&story, 1);
        let visit = come_in(&story, &story.citizens[0]).await;
        for digits in ["111112", "111112", "111112", "111112", PASSWORD, "111112"] {
            let asking = ask(&story, &window, 0).await;
            let page = enter(&visit, digits).await;
            assert!(!page.contains("已锁定"), "{page}");
            asking.await.unwrap().ok();
        }
        let asking = ask(&story, &window, 0).await;
        assert!(enter(&visit, "111112").await.contains("还可输入 3 次"));
        asking.await.unwrap().unwrap_err();
        story.end().await;
    }

    async fn he_may_not_want_to(db: &TestDb) {
        let story = Story::begin(db).await;
        let asking = ask(&story, &Window::of(&story, 1), 0).await;
        let visit = come_in(&story, &story.citizens[0]).await;
        assert!(answer(&visit, &[("answer", "decline")]).await.contains("不核验"));
        assert_eq!(code_of(asking.await.unwrap()), "500022");
        story.end().await;
    }

    async fn the_wait_has_its_bounds(db: &TestDb) {
        let story = Story::begin_with(db, |settings| {
            settings.credential.password_wait_ms = 1_500;
            settings.credential.max_waiting = 4;
        }).await;
        let window = Window::of(&story, 1);
        // Three for one person, four in all.
        let mut waiting = Vec::new();
        for _ in 0..3 {
            waiting.push(ask(&story, &window, 0).await);
        }
        assert_eq!(code_of(window.ask_password(&story.citizens[0], &[]).await), "500319");
        waiting.push(ask(&story, &window, 1).await);
        assert_eq!(code_of(window.ask_password(&story.citizens[2], &[]).await), "-6");
        for one in waiting {
            assert_eq!(code_of(one.await.unwrap()), "-3");
        }
        // Once they have given up there is room again, and nobody can answer them any more.
        until_number(&story.app.db, "SELECT COUNT(*) FROM credential_password_request WHERE state = 'over'", 4).await;
        let page = come_in(&story, &story.citizens[0]).await.page("/h5/ec/requests").await;
        assert!(page.contains("正在等待窗口发起"));
        story.end().await;
    }

    async fn whoever_hangs_up_waits_no_longer(db: &TestDb) {
        let story = Story::begin(db).await;
        let asking = ask(&story, &Window::of(&story, 1), 0).await;
        asking.abort();
        until_number(&story.app.db, "SELECT COUNT(*) FROM credential_password_request WHERE state = 'over'", 1).await;
        assert_eq!(story.number(OPEN).await, 0);
        story.end().await;
    }

    async fn it_may_be_typed_at_the_terminal(db: &TestDb) {
        let story = Story::begin(db).await;
        let window = Window::of(&story, 1);
        let citizen = &story.citizens[0];
        let terminal = Window::terminal(&story, &window.org_id).await;
        assert_eq!(code_of(terminal.typed(citizen, PASSWORD).await), "500051", "nobody waits");
        let asking = ask(&story, &window, 0).await;
        let elsewhere = Window::terminal(&story, &story.description.hospitals[2].org_id).await;
        assert_eq!(code_of(elsewhere.typed(citizen, PASSWORD).await), "500051", "not at that window");
        assert_eq!(code_of(terminal.typed(citizen, "12345").await), "-2");
        let (code, message) = terminal.typed(citizen, "111112").await.unwrap_err();
        assert!(code == "500004" && message.contains("还可输入 4 次"), "{message}");
        assert_eq!(code_of(asking.await.unwrap()), "500004");
        let asking = ask(&story, &window, 0).await;
        assert_eq!(terminal.typed(citizen, PASSWORD).await.unwrap()["pwdFlag"], "1");
        until_number(&story.app.db, "SELECT COUNT(*) FROM journal WHERE interface = 'terminal.pwd' AND result = '000000' AND person IS NOT NULL", 1).await;
        until_number(&story.app.db, "SELECT COUNT(*) FROM journal WHERE interface = 'terminal.pwd' AND result = '500004'", 1).await;
        assert!(asking.await.unwrap().is_ok());
        story.end().await;
    }

    async fn another_node_s_page_answers_too(db: &TestDb) {
        // One file has one node; two share a PostgreSQL.
        if db.url.starts_with("sqlite") {
            return;
        }
        let story = Story::begin(db).await;
        let asking = ask(&story, &Window::of(&story, 1), 0).await;
        let node = crate::telling::second_node(&story, db).await;
        let id = story.number("SELECT id FROM credential_password_request").await;
        let person = story.number("SELECT person_id FROM credential_password_request").await;
        let digits = banyan_platform::credential::password::Digits::parse(PASSWORD).unwrap();
        let entered = banyan_platform::credential::password::enter(
            &node,
            banyan_store::ids::HealthCardPersonId(person),
            banyan_store::ids::PasswordRequestId(id),
            digits,
        ).await.unwrap();
        assert_eq!(entered, banyan_platform::credential::password::Entered::Right);
        assert!(asking.await.unwrap().is_ok());
        node.close().await;
        story.end().await;
    }

    async fn an_operator_lifts_the_lock_and_clears_what_was_forgotten(db: &TestDb) {
        let story = Story::begin(db).await;
        let window = Window::of(&story, 1);
        let citizen = &story.citizens[0];
        let visit = come_in(&story, citizen).await;
        for _ in 0..5 {
            let asking = ask(&story, &window, 0).await;
            enter(&visit, "111112").await;
            asking.await.unwrap().unwrap_err();
        }
        let desk = story.desk();
        let index = &citizen.ehealth_card_id;
        let standing = desk.credential(index).await.unwrap();
        assert!(standing.locked_until_ms.is_some() && standing.has_password);
        assert!(!standing.masked_name.contains(&citizen.user_name) && !format!("{standing:?}").contains(&citizen.id_no));
        assert!(desk.unlock_credential(index).await.unwrap());
        assert!(!desk.unlock_credential(index).await.unwrap());
        let asking = ask(&story, &window, 0).await;
        enter(&visit, PASSWORD).await;
        assert!(asking.await.unwrap().is_ok());
        assert!(desk.clear_credential_password(index).await.unwrap());
        assert_eq!(code_of(window.ask_password(citizen, &[]).await), "500042");
        let new = [("new", "295103"), ("again", "295103")];
        assert_eq!(visit.submit("/h5/ec/password", "/h5/ec/password", &new).await.status, 303);
        assert!(desk.credential(index).await.unwrap().has_password);
        assert!(desk.credential("00").await.is_err());
        let acts = story.number("SELECT COUNT(*) FROM operator_audit WHERE action LIKE 'credential.%'").await;
        assert_eq!(acts, 5);
        story.end().await;
    }

    async fn some_business_needs_none(db: &TestDb) {
        let story = Story::begin_with(db, |settings| settings.credential.password_free = vec!["01302".to_owned()]).await;
        let window = Window::of(&story, 1);
        let heard = window.ask_password(&story.citizens[0], &[("businessType", "01302")]).await;
        assert_eq!(code_of(heard), "500320");
        let mut other = story.citizens[0].clone();
        other.user_name = "欧阳某某".to_owned();
        assert_eq!(code_of(window.ask_password(&other, &[]).await), "500028");
        other.id_no = "11010519491231002X".to_owned();
        assert_eq!(code_of(window.ask_password(&other, &[]).await), "500001");
        story.end().await;
    }
}
