//! How long the ledgers are kept, and what becomes of the registry when the table of diagnoses is
//! replaced.

use std::num::NonZeroU32;
use std::path::Path;

use banyan_platform::settings::Settings;
use banyan_protocol::catalogue::Interface;
use banyan_store::on_both_engines;
use banyan_store::supplement::past_illness::{self, Line, Says};
use banyan_store::supplement::{Named, walks};
use serde_json::{Value, json};

use super::insurer::{Insurer, Wanted, cases, done, example};
use super::ledgers::{illnesses, order};
use crate::telling::Story;

const MONTH_MS: i64 = 31 * 86_400_000;

fn two_years(settings: &mut Settings) {
    settings.retention.ledger_months = NonZeroU32::new(24);
}

fn other_table(settings: &mut Settings) {
    let table = "tests/stories/supplement/other_categories.toml";
    settings.supplement.illness_map_file = Some(Path::new(env!("CARGO_MANIFEST_DIR")).join(table));
}

fn names(known: &Value) -> Vec<&str> {
    let rows = known["past_illness"].as_array().unwrap();
    rows.iter()
        .map(|row| row["illness_name"].as_str().unwrap())
        .collect()
}

/// So many cases like the example, about as many persons, after what was sent before.
fn cases_of(first: usize, count: usize) -> Value {
    let mut request = cases(count);
    for (place, row) in request["hmbList"]
        .as_array_mut()
        .unwrap()
        .iter_mut()
        .enumerate()
    {
        row["caseNo"] = json!(format!("NR{}", first + place));
        row["insuredCertno"] = json!(format!("E{:06}", first + place));
        row["mainDiagCode"] = json!("C34.9");
        row["previousIllnessCode"] = json!("I10");
    }
    request
}

on_both_engines! {
    async fn ledgers_are_kept_for_as_long_as_is_set(db: &TestDb) {
        let story = Story::begin_with(db, two_years).await;
        let mut insurer = Insurer::register(&story, Wanted::default()).await;
        let payment = example(Interface::Ci00020007);
        done(&insurer.say(Interface::Ci00030003, &example(Interface::Ci00030003)).await);
        done(&insurer.say(Interface::Ci00020007, &payment).await);
        done(&insurer.say(Interface::Xy00000003, &order("1")).await);
        for first in [0, 500, 1_000] {
            done(&insurer.say(Interface::Xy00000003, &cases_of(first, 500)).await);
        }
        done(&insurer.say(Interface::Xy00000003, &cases(1)).await);
        story.after(20 * MONTH_MS).await;
        insurer.fetch_token().await;
        // Only what is said last counts: this one is young again, and has a past.
        done(&insurer.say(Interface::Xy00000003, &order("2")).await);
        let mut again = cases(1);
        again["hmbList"][0]["claimConclus"] = json!("复核后赔付");
        done(&insurer.say(Interface::Xy00000003, &again).await);
        story.after(3 * MONTH_MS).await;
        assert_eq!(story.number("SELECT COUNT(*) FROM supplement_case").await, 1_501, "nothing is old yet");

        story.after(2 * MONTH_MS).await;
        assert_eq!(story.number("SELECT COUNT(*) FROM supplement_claim").await, 0);
        assert_eq!(story.number("SELECT COUNT(*) FROM supplement_payment").await, 0);
        assert_eq!(story.number("SELECT COUNT(*) FROM supplement_medicine_box").await, 1);
        assert_eq!(story.number("SELECT COUNT(*) FROM supplement_case").await, 1);
        assert_eq!(story.number("SELECT COUNT(*) FROM supplement_past").await, 2, "of the two that stay");
        insurer.fetch_token().await;
        assert_eq!(illnesses(&insurer, "100005").await["past_illness_check"], "1");
        assert_eq!(story.number("SELECT COUNT(*) FROM past_illness WHERE case_id NOT IN (SELECT id FROM supplement_case)").await, 0);
        let acts = "SELECT COUNT(*) FROM operator_audit WHERE actor = 'banyan' AND action = 'supplement.retention'";
        assert_eq!(story.number(acts).await, 4, "one for each chunk that removed something");

        story.after(24 * MONTH_MS).await;
        assert_eq!(story.number("SELECT COUNT(*) FROM supplement_case").await, 0);
        assert_eq!(story.number("SELECT COUNT(*) FROM supplement_past").await, 0);
        assert_eq!(story.number("SELECT COUNT(*) FROM past_illness").await, 0);
        story.end().await;
    }

    async fn ledgers_are_kept_for_ever_unless_something_else_is_set(db: &TestDb) {
        let story = Story::begin(db).await;
        let insurer = Insurer::register(&story, Wanted::default()).await;
        done(&insurer.say(Interface::Xy00000003, &cases(3)).await);
        story.after(100 * MONTH_MS).await;
        assert_eq!(story.number("SELECT COUNT(*) FROM supplement_case").await, 3);
        story.end().await;
    }

    async fn another_table_of_diagnoses_and_the_registry_says_what_that_one_says(db: &TestDb) {
        let story = Story::begin(db).await;
        let mut insurer = Insurer::register(&story, Wanted::default()).await;
        story.after(61_000).await;
        for first in [0, 500, 1_000] {
            done(&insurer.say(Interface::Xy00000003, &cases_of(first, 500)).await);
        }
        done(&insurer.say(Interface::Xy00000003, &cases(1)).await);
        let vault = story.app.vault.clone();
        let line = |number: &str, category: &str, says| Line {
            named: Named::new(&vault, number, ""),
            service_id: String::new(),
            category: category.to_owned(),
            says,
        };
        let lines = [line("E000001", "恶性肿瘤", Says::Had), line("E000002", "肺部肿瘤", Says::HadNot)];
        story.app.db.write(move |tx| past_illness::import(tx, &lines, "wang", 5)).await.map_err(|error: banyan_store::db::StoreError| error).unwrap();
        assert_eq!(story.number("SELECT COUNT(*) FROM past_illness WHERE category = '恶性肿瘤' AND map_version <> ''").await, 1_501);

        let story = story.again_with(db, other_table).await;
        insurer.platform = story.platform();
        let known = illnesses(&insurer, "100005").await;
        assert!(names(&known).contains(&"恶性肿瘤"), "it takes its time: {known}");
        story.after(61_000).await;
        let walk = walks::read(&story.app.db, "illness map").await.unwrap().unwrap();
        assert!(walk.done && walk.walked == 1_501, "{walk:?}");
        assert_eq!(names(&illnesses(&insurer, "100005").await), ["肺部肿瘤"]);
        assert_eq!(story.number("SELECT COUNT(*) FROM past_illness WHERE category = '肺部肿瘤' AND map_version = 'stories 2'").await, 1_500, "one is denied");
        assert_eq!(story.number("SELECT COUNT(*) FROM past_illness WHERE category = '恶性肿瘤'").await, 1, "an operator said so");
        assert_eq!(story.number("SELECT COUNT(*) FROM past_illness_ended WHERE category = '恶性肿瘤' AND ended_by = 'map stories 2' AND map_version <> ''").await, 1_501);
        let acts = "SELECT COUNT(*) FROM operator_audit WHERE action = 'illness.derive' AND target = 'stories 2'";
        assert_eq!(story.number(acts).await, 2, "that it began, and what it came to");

        // Begun again with the same table, nothing is to be done; with the first one, all of it.
        let story = story.again_with(db, other_table).await;
        assert_eq!(story.number(acts).await, 2);
        let story = story.again_with(db, |_| {}).await;
        story.after(61_000).await;
        insurer.platform = story.platform();
        assert!(names(&illnesses(&insurer, "100005").await).contains(&"恶性肿瘤"));
        assert_eq!(story.number("SELECT COUNT(*) FROM past_illness WHERE category = '肺部肿瘤'").await, 0);
        story.end().await;
    }
}
