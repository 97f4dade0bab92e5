//! 授权码模式: codes for one use, tokens that end, and whoever tries with another's.

use banyan_platform::app::App;
use banyan_platform::inbound::{oauth, unified};
use banyan_protocol::catalogue::Interface;
use banyan_store::db::Engine;
use banyan_store::on_both_engines;
use banyan_store::testing::tell;
use serde_json::{Value, json};

use super::insurer::{Insurer, Wanted, done, example, refused};
use super::ledgers::order;
use crate::telling::{HOUR_MS, SECOND_MS, Story, second_node};

const ASK: Interface = Interface::Ci00030001;

on_both_engines! {
    async fn a_code_is_good_for_a_minute_and_for_one_use(db: &TestDb) {
        let story = Story::begin(db).await;
        let insurer = Insurer::register(&story, Wanted::default()).await;
        let late = insurer.code().await;
        story.clock.advance_ms(60 * SECOND_MS + 1);
        let given = insurer.redeem(&late).await;
        assert_eq!(given["code"], "-7", "{given}");
        assert!(given["message"].as_str().unwrap().contains("过期"), "{given}");
        let code = insurer.code().await;
        let first = insurer.redeem(&code).await;
        let mut copied = insurer.clone();
        copied.token = first["data"]["chs_fjs_token"].as_str().map(str::to_owned);
        done(&copied.say(ASK, &example(ASK)).await);
        // Whoever copied the code comes second, and the token that it gave ends.
        let second = insurer.redeem(&code).await;
        assert_eq!(second["code"], "-7", "{second}");
        refused(&copied.say(ASK, &example(ASK)).await, "-7", "chs_fjs_token");
        done(&insurer.say(ASK, &example(ASK)).await);
        story.end().await;
    }

    async fn of_twenty_copies_of_a_code_one_gives_a_token(db: &TestDb) {
        let story = Story::begin(db).await;
        let insurer = Insurer::register(&story, Wanted::default()).await;
        let code = insurer.code().await;
        let tries = (0..20).map(|_| {
            let (insurer, code) = (insurer.clone(), code.clone());
            tokio::spawn(async move { insurer.redeem(&code).await["code"] == "0" })
        });
        let mut given = 0;
        for one in tries.collect::<Vec<_>>() {
            given += usize::from(one.await.unwrap());
        }
        assert_eq!(given, 1);
        story.end().await;
    }

    async fn a_token_lasts_two_hours(db: &TestDb) {
        let story = Story::begin(db).await;
        let mut insurer = Insurer::register(&story, Wanted::default()).await;
        story.clock.advance_ms(2 * HOUR_MS - 10 * SECOND_MS);
        done(&insurer.say(ASK, &example(ASK)).await);
        story.clock.advance_ms(10 * SECOND_MS);
        refused(&insurer.say(ASK, &example(ASK)).await, "-7", "chs_fjs_token");
        insurer.fetch_token().await;
        done(&insurer.say(ASK, &example(ASK)).await);
        story.end().await;
    }

    async fn a_stolen_token_is_of_no_use_to_another(db: &TestDb) {
        let story = Story::begin(db).await;
        let robbed = Insurer::register(&story, Wanted::default()).await;
        let mut thief = Insurer::register(&story, Wanted::default()).await;
        thief.token = robbed.token.clone();
        refused(&thief.say(ASK, &example(ASK)).await, "-7", "chs_fjs_token");
        // Nor a stolen code, nor the token without the secret that signs.
        let code = robbed.code().await;
        assert_eq!(thief.redeem(&code).await["code"], "-7");
        assert_eq!(robbed.redeem_with(&code, thief.secret.expose()).await["code"], "-7");
        assert_eq!(robbed.redeem(&code).await["code"], "0", "the code was not used up by it");
        let mut poser = robbed.clone();
        poser.secret = thief.secret.clone();
        let sealed = poser.sealed(ASK.code(), &example(ASK));
        let answered = robbed.send(&sealed).await;
        assert!(["000101", "000102"].contains(&&*answered.code), "{}", answered.code);
        story.end().await;
    }

    async fn a_revoked_token_ends_at_once(db: &TestDb) {
        let story = Story::begin(db).await;
        let insurer = Insurer::register(&story, Wanted::default()).await;
        done(&insurer.say(ASK, &example(ASK)).await);
        let unused = insurer.code().await;
        assert_eq!(story.desk().revoke_tokens(&insurer.app_id).await.unwrap(), 1);
        refused(&insurer.say(ASK, &example(ASK)).await, "-7", "chs_fjs_token");
        assert_eq!(insurer.redeem(&unused).await["code"], "-7");
        assert_eq!(story.number("SELECT COUNT(*) FROM operator_audit WHERE action = 'insurer.revoke_tokens'").await, 1);
        story.end().await;
    }

    async fn who_is_wrong_too_often_is_no_longer_looked_up(db: &TestDb) {
        let story = Story::begin(db).await;
        let mut insurer = Insurer::register(&story, Wanted::default()).await;
        let right = insurer.token.replace("A".repeat(43));
        let mut limited = 0;
        for _ in 0..30 {
            let answered = insurer.say(ASK, &example(ASK)).await;
            assert!(["-7", "-6"].contains(&&*answered.code), "{}", answered.code);
            limited += usize::from(answered.code == "-6");
        }
        assert!(limited >= 10, "{limited}");
        insurer.token = right;
        story.clock.advance_ms(SECOND_MS);
        done(&insurer.say(ASK, &example(ASK)).await);
        story.end().await;
    }

    async fn a_wrong_secret_opens_nothing_at_the_lower_levels(db: &TestDb) {
        let story = Story::begin(db).await;
        for level in [1, 2] {
            let insurer = Insurer::register(&story, Wanted { level, ..Wanted::default() }).await;
            let good: Value = serde_json::from_str(&insurer.sealed(ASK.code(), &example(ASK))).unwrap();
            let mut wrong = good.clone();
            wrong["chs_fjs_appsecret"] = json!("0123456789abcdef0123456789abcdef");
            refused(&insurer.send(&wrong.to_string()).await, "-7", "chs_fjs_appsecret");
            wrong.as_object_mut().unwrap().remove("chs_fjs_appsecret");
            refused(&insurer.send(&wrong.to_string()).await, "000105", "chs_fjs_appsecret");
            if level == 2 {
                let mut without = good.clone();
                without.as_object_mut().unwrap().remove("chs_fjs_token");
                refused(&insurer.send(&without.to_string()).await, "000105", "chs_fjs_token");
            }
            done(&insurer.send(&good.to_string()).await);
        }
        story.end().await;
    }
}

/// A second node needs a database that both can open, which SQLite's lock does not allow.
#[test]
fn a_code_of_one_node_gives_a_token_at_another() {
    tell(Engine::Postgres, async |db| {
        let story = Story::begin(db).await;
        let insurer = Insurer::register(&story, Wanted::default()).await;
        let other: App = second_node(&story, db).await;
        let code = insurer.code().await;
        let shown = json!({
            "chs_fjs_appid": insurer.app_id, "chs_fjs_appsecret": insurer.secret.expose(),
            "code": code,
        });
        let reply = oauth::token(&other, shown.to_string().as_bytes()).await;
        let given: Value = serde_json::from_str(&reply.body).unwrap();
        assert_eq!(given["code"], "0", "{given}");
        assert_eq!(insurer.redeem(&code).await["code"], "-7");
        other.close().await;
        story.end().await;
    });
}

/// Nor does a node remember tokens: what one revokes ends at the other with the next call.
#[test]
fn a_revoked_token_ends_at_once_at_every_node() {
    tell(Engine::Postgres, async |db| {
        let story = Story::begin(db).await;
        let insurer = Insurer::register(&story, Wanted::default()).await;
        let other: App = second_node(&story, db).await;
        let ask_there = async || {
            let sealed = insurer.sealed(ASK.code(), &example(ASK));
            let reply = unified::receive(&other, sealed.into()).await;
            insurer.opened(reply.body.as_bytes())
        };
        done(&insurer.say(ASK, &example(ASK)).await);
        done(&ask_there().await);
        assert_eq!(
            story.desk().revoke_tokens(&insurer.app_id).await.unwrap(),
            1
        );
        refused(&ask_there().await, "-7", "chs_fjs_token");
        refused(
            &insurer.say(ASK, &example(ASK)).await,
            "-7",
            "chs_fjs_token",
        );
        other.close().await;
        story.end().await;
    });
}

/// The other node has not heard what the first one has: the record's own time keeps a copy out.
#[test]
fn a_copy_at_another_node_undoes_no_refund() {
    tell(Engine::Postgres, async |db| {
        let story = Story::begin(db).await;
        let insurer = Insurer::register(&story, Wanted::default()).await;
        let other: App = second_node(&story, db).await;
        let migrate = Interface::Xy00000003;
        let ordered = insurer.sealed(migrate.code(), &order("1"));
        done(&insurer.send(&ordered).await);
        done(&insurer.say(migrate, &order("2")).await);
        let reply = unified::receive(&other, ordered.into()).await;
        done(&insurer.opened(reply.body.as_bytes()));
        let refunded = "SELECT COUNT(*) FROM supplement_medicine_box WHERE state = 2";
        assert_eq!(story.number(refunded).await, 1);
        other.close().await;
        story.end().await;
    });
}
