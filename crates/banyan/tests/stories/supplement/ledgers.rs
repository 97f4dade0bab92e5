//! What is kept of what insurers say, and what they are told of past illnesses.

use banyan_protocol::ambient::SeededRandomness;
use banyan_protocol::catalogue::Interface;
use banyan_sandbox::{Pace, Traffic};
use banyan_store::on_both_engines;
use banyan_store::supplement::{Named, claims, medicine_box, past_illness};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

use super::insurer::{Insurer, Wanted, cases, claims as claims_of, done, example, orders, refused};
use crate::telling::{Story, until_number};
use crate::visit::come_in;

pub(super) fn order(status: &str) -> Value {
    json!({ "topic": "hmbYyxInfo", "hmbList": [
        { "psnName": "陈建国", "certno": "359999198503120019", "serviceId": "100005", "status": status },
    ] })
}

pub(super) async fn illnesses(insurer: &Insurer, service: &str) -> Value {
    let ask = json!({ "idcard": "359999198503120019", "name": "陈建国", "serviceId": service });
    done(&insurer.say(Interface::Ci00030001, &ask).await).clone()
}

on_both_engines! {
    async fn five_hundred_are_kept_and_one_more_is_too_many(db: &TestDb) {
        let story = Story::begin(db).await;
        let insurer = Insurer::register(&story, Wanted { strict: true, ..Wanted::default() }).await;
        let answered = insurer.say(Interface::Xy00000003, &cases(501)).await;
        refused(&answered, "000105", "hmbList[500]");
        assert_eq!(story.number("SELECT COUNT(*) FROM supplement_case").await, 0);
        done(&insurer.say(Interface::Xy00000003, &cases(500)).await);
        assert_eq!(story.number("SELECT COUNT(*) FROM supplement_case").await, 500);
        let none = json!({ "topic": "hmbExtInfo", "hmbList": [] });
        refused(&insurer.say(Interface::Xy00000003, &none).await, "000105", "hmbList");
        story.end().await;
    }

    async fn one_bad_entry_in_five_hundred_and_nothing_is_kept(db: &TestDb) {
        let story = Story::begin(db).await;
        let insurer = Insurer::register(&story, Wanted { strict: true, ..Wanted::default() }).await;
        for (member, value, path) in [
            ("insuredCertno", json!(""), "hmbList[417].insuredCertno"),
            ("invoiceAmt", json!("viel"), "hmbList[417].invoiceAmt"),
            ("serviceId", json!("100099"), "hmbList[417].serviceId"),
            ("caseNo", json!(17), "hmbList[417].caseNo"),
        ] {
            let mut request = cases(500);
            request["hmbList"][417][member] = value;
            let answered = insurer.say(Interface::Xy00000003, &request).await;
            let code = if member == "serviceId" { "-4" } else { "000105" };
            refused(&answered, code, path);
        }
        assert_eq!(story.number("SELECT COUNT(*) FROM supplement_case").await, 0);
        assert_eq!(story.number("SELECT COUNT(*) FROM past_illness").await, 0);
        story.end().await;
    }

    async fn claims_and_orders_are_bounded_and_kept_whole_or_not_at_all(db: &TestDb) {
        let story = Story::begin(db).await;
        let insurer = Insurer::register(&story, Wanted { strict: true, ..Wanted::default() }).await;
        let (claim, order) = (Interface::Ci00030003, Interface::Xy00000003);
        refused(&insurer.say(claim, &claims_of(501)).await, "000105", "claimsInfo[500]");
        refused(&insurer.say(order, &orders(501)).await, "000105", "hmbList[500]");
        for (interface, list, member, value, code) in [
            (claim, "claimsInfo", "caseNo", json!(""), "000105"),
            (claim, "claimsInfo", "claimTotal", json!("viel"), "000105"),
            (claim, "claimsInfo", "closeTime", json!("2025-99-01 00:00:00"), "000105"),
            (claim, "claimsInfo", "serviceId", json!("100099"), "-4"),
            (order, "hmbList", "certno", json!(""), "000105"),
            (order, "hmbList", "status", json!("3"), "000105"),
            (order, "hmbList", "psnName", json!(17), "000105"),
            (order, "hmbList", "serviceId", json!("100099"), "-4"),
        ] {
            let mut request = if interface == claim { claims_of(500) } else { orders(500) };
            request[list][417][member] = value;
            refused(&insurer.say(interface, &request).await, code, &format!("{list}[417].{member}"));
        }
        assert_eq!(story.number("SELECT COUNT(*) FROM supplement_claim").await, 0);
        assert_eq!(story.number("SELECT COUNT(*) FROM supplement_medicine_box").await, 0);
        done(&insurer.say(claim, &claims_of(500)).await);
        done(&insurer.say(order, &orders(500)).await);
        assert_eq!(story.number("SELECT COUNT(*) FROM supplement_claim").await, 500);
        assert_eq!(story.number("SELECT COUNT(*) FROM supplement_medicine_box").await, 500);
        story.end().await;
    }

    async fn a_payment_is_held_to_the_table_where_the_channel_is(db: &TestDb) {
        let story = Story::begin(db).await;
        let strict = Insurer::register(&story, Wanted { strict: true, ..Wanted::default() }).await;
        let tolerant = Insurer::register(&story, Wanted::default()).await;
        let payment = |insurer: &Insurer| {
            let mut payment = example(Interface::Ci00020007);
            payment["appid"] = json!(insurer.app_id);
            payment
        };
        for (member, value) in [
            ("pay_kind", json!("1")),
            ("appid", json!(tolerant.app_id)),
            ("hi_pay_date", json!("2025-99-10 18:33:21")),
            ("medfee_sumamt", json!("12.345")),
        ] {
            let mut wrong = payment(&strict);
            wrong[member] = value;
            refused(&strict.say(Interface::Ci00020007, &wrong).await, "000105", member);
            let mut noted = payment(&tolerant);
            noted[member] = if member == "appid" { json!(strict.app_id) } else { wrong[member].clone() };
            done(&tolerant.say(Interface::Ci00020007, &noted).await);
            let count = format!("SELECT COUNT(*) FROM journal WHERE purpose = 'warn 1: {member}'");
            assert_eq!(story.number(count.leak()).await, 1, "{member}");
        }
        assert_eq!(story.number("SELECT COUNT(*) FROM supplement_payment WHERE version = 4").await, 1, "the tolerant channel's");
        done(&strict.say(Interface::Ci00020007, &payment(&strict)).await);
        assert_eq!(story.number("SELECT COUNT(*) FROM supplement_payment WHERE year = '2025'").await, 2);
        story.end().await;
    }

    // Which messages were heard before stands in a node's memory, and ends with it.
    async fn a_copy_at_a_platform_begun_anew_undoes_no_refund(db: &TestDb) {
        let story = Story::begin(db).await;
        let mut insurer = Insurer::register(&story, Wanted::default()).await;
        let ordered = insurer.sealed(Interface::Xy00000003.code(), &order("1"));
        done(&insurer.send(&ordered).await);
        done(&insurer.say(Interface::Xy00000003, &order("2")).await);
        refused(&insurer.send(&ordered).await, "010010", "");
        let story = story.again_with(db, |_| {}).await;
        insurer.platform = story.platform();
        done(&insurer.send(&ordered).await);
        let totals = medicine_box::totals(&story.app.db).await.unwrap();
        assert_eq!((totals[0].valid, totals[0].refunded), (0, 1));
        assert_eq!(story.number("SELECT version FROM supplement_medicine_box").await, 2);
        story.end().await;
    }

    async fn the_same_again_changes_nothing_and_other_content_is_the_next_version(db: &TestDb) {
        let story = Story::begin(db).await;
        let insurer = Insurer::register(&story, Wanted::default()).await;
        let mut claim = example(Interface::Ci00030003);
        for _ in 0..2 {
            done(&insurer.say(Interface::Ci00030003, &claim).await);
        }
        assert_eq!(story.number("SELECT CAST(SUM(version) AS BIGINT) FROM supplement_claim").await, 1);
        claim["claimsInfo"][0]["claimTotal"] = json!("1300");
        done(&insurer.say(Interface::Ci00030003, &claim).await);
        let partner = story.desk().partners().await.unwrap().into_iter().find(|partner| partner.profile.app_id == insurer.app_id).unwrap().id;
        let versions = claims::history(&story.app.db, &story.app.vault, partner, "100005", "HMB2025000017").await.unwrap();
        let totals: Vec<_> = versions.iter().map(|version| version.content.get(claims::FIELDS, "claimTotal").unwrap().to_owned()).collect();
        assert_eq!(totals, ["1300", "1250.50"]);
        let named = Named::new(&story.app.vault, "359999198503120019", "陈建国");
        let left = claims::left(&story.app.db, &named.person, "100005", "2025").await.unwrap().unwrap();
        assert_eq!((left.one_fen, left.two_fen, left.four_fen), (Some(0), Some(350_000), Some(2_000_000)));
        story.end().await;
    }

    async fn two_channels_writing_one_case_number_have_a_record_each(db: &TestDb) {
        let story = Story::begin(db).await;
        for _ in 0..2 {
            let insurer = Insurer::register(&story, Wanted::default()).await;
            done(&insurer.say(Interface::Ci00030003, &example(Interface::Ci00030003)).await);
            done(&insurer.say(Interface::Xy00000003, &cases(2)).await);
        }
        assert_eq!(story.number("SELECT COUNT(*) FROM supplement_claim").await, 2);
        assert_eq!(story.number("SELECT COUNT(*) FROM supplement_case").await, 4);
        assert_eq!(story.number("SELECT COUNT(*) FROM supplement_case WHERE version > 1").await, 0);
        story.end().await;
    }

    async fn an_order_is_paid_back(db: &TestDb) {
        let story = Story::begin(db).await;
        let insurer = Insurer::register(&story, Wanted::default()).await;
        done(&insurer.say(Interface::Xy00000003, &order("1")).await);
        done(&insurer.say(Interface::Xy00000003, &order("2")).await);
        let totals = medicine_box::totals(&story.app.db).await.unwrap();
        assert_eq!((totals[0].orders, totals[0].valid, totals[0].refunded), (1, 0, 1));
        refused(&insurer.say(Interface::Xy00000003, &order("3")).await, "000105", "hmbList[0].status");
        story.end().await;
    }

    async fn a_case_teaches_its_own_service_and_no_other(db: &TestDb) {
        let story = Story::begin(db).await;
        let insurer = Insurer::register(&story, Wanted::default()).await;
        assert_eq!(illnesses(&insurer, "100005").await, json!({ "past_illness_check": "0", "past_illness": [] }));
        done(&insurer.say(Interface::Xy00000003, &cases(1)).await);
        let known = illnesses(&insurer, "100005").await;
        assert_eq!(known["past_illness_check"], "1");
        let names: Vec<&str> = known["past_illness"].as_array().unwrap().iter().map(|row| {
            assert_eq!(row["illness_name"], row["illness_type_name"]);
            row["illness_name"].as_str().unwrap()
        }).collect();
        assert!(names.contains(&"恶性肿瘤"), "{names:?}");
        assert_eq!(illnesses(&insurer, "100002").await["past_illness_check"], "0");
        // Without a service, as before revision 1.2, the channel's own are meant.
        let ask = json!({ "idcard": "359999198503120019", "name": "陈建国" });
        assert_eq!(done(&insurer.say(Interface::Ci00030001, &ask).await)["past_illness_check"], "1");
        let other = Insurer::register(&story, Wanted { services: &["100002"], ..Wanted::default() }).await;
        assert_eq!(done(&other.say(Interface::Ci00030001, &ask).await)["past_illness_check"], "0");
        // Another name under the same number is told nothing.
        let stranger = json!({ "idcard": "359999198503120019", "name": "王五", "serviceId": "100005" });
        assert_eq!(done(&insurer.say(Interface::Ci00030001, &stranger).await)["past_illness_check"], "0");
        story.end().await;
    }

    async fn every_look_is_in_the_journal_with_its_person(db: &TestDb) {
        let story = Story::begin(db).await;
        let insurer = Insurer::register(&story, Wanted::default()).await;
        for _ in 0..3 {
            illnesses(&insurer, "100005").await;
        }
        until_number(&story.app.db, "SELECT COUNT(*) FROM journal WHERE interface = 'CI00.03.00.01' AND person IS NOT NULL AND subject = '100005'", 3).await;
        // And the person sees who asked.
        let citizen = &story.citizens[0];
        let ask = json!({ "idcard": citizen.id_no, "name": citizen.user_name, "serviceId": "100005" });
        done(&insurer.say(Interface::Ci00030001, &ask).await);
        until_number(&story.app.db, "SELECT COUNT(*) FROM journal WHERE interface = 'CI00.03.00.01'", 4).await;
        let html = come_in(&story, citizen).await.page("/h5/overdue/looks").await;
        assert!(html.contains("榕城保险") && html.contains("查询您是否有既往症记录"), "{html}");
        story.end().await;
    }

    async fn a_sandbox_insurer_hands_over_its_cases(db: &TestDb) {
        let story = Story::begin(db).await;
        for insurer in story.insurers() {
            let mut seen = Vec::new();
            let migrated = insurer.migrate(1_200, &story.citizens, |through| seen.push(through)).await.unwrap();
            assert_eq!((migrated.cases, migrated.calls), (1_200, 3));
            assert_eq!(seen, [500, 1_000, 1_200]);
            insurer.migrate(1_200, &story.citizens, |_| {}).await.unwrap();
        }
        assert_eq!(story.description.insurers.iter().map(|insurer| insurer.level).collect::<Vec<_>>(), [1, 4]);
        assert_eq!(story.number("SELECT COUNT(*) FROM supplement_case").await, 2_400);
        assert_eq!(story.number("SELECT COUNT(*) FROM supplement_case WHERE version > 1 OR invoice_fen IS NULL OR year = ''").await, 0);
        assert!(past_illness::count(&story.app.db).await.unwrap() > 0);
        story.end().await;
    }

    async fn insurers_take_part_in_the_sandboxs_traffic(db: &TestDb) {
        let story = Story::begin(db).await;
        let traffic = Traffic {
            hospitals: story.hospitals.clone(),
            his: None,
            mzt: story.mzt.clone(),
            insurers: story.insurers(),
            citizens: story.citizens.clone(),
            clock: Arc::new(story.clock.clone()),
            random: Arc::new(SeededRandomness::new(7)),
            pace: Pace { interval: Duration::from_millis(1), ..Pace::default() },
        };
        let (stop, stopped) = watch::channel(false);
        let running = tokio::spawn(traffic.run(stopped));
        let of = "SELECT COUNT(DISTINCT partner_id) FROM journal WHERE interface = 'CI00.03.00.01' AND result = '000000'";
        until_number(&story.app.db, of, 2).await;
        until_number(&story.app.db, "SELECT COUNT(*) FROM supplement_case", 1).await;
        stop.send_replace(true);
        let summary = running.await.unwrap();
        assert_eq!((summary.refused, summary.pauses), (0, 0), "{summary:?}");
        story.end().await;
    }
}
