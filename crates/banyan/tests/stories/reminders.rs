//! 催缴提醒: who owes is reminded through 闽政通, of all he owes at once, now and then, by day.

use banyan_platform::admin::Resend;
use banyan_platform::settings::TimeOfDay;
use banyan_platform::work::Worker;
use banyan_protocol::catalogue::Interface;
use banyan_protocol::dictionaries::NotifyType;
use banyan_protocol::wire::{LocalTime, Scalar as _};
use banyan_sandbox::{Arrived, Citizen};
use banyan_store::db::Engine;
use banyan_store::ids::JobId;
use banyan_store::on_both_engines;
use banyan_store::overdue::reminders::{self, NewReminder};
use banyan_store::partners::Kind;
use banyan_store::testing::tell;
use serde_json::json;

use crate::partners_voice::http;
use crate::telling::{
    DAY_MS, HOUR_MS, MINUTE_MS, Platform, SECOND_MS, Story, item, new_hospital, number, query,
    second_node,
};

const WAITING: &str = "SELECT COUNT(*) FROM job WHERE kind = 7 AND state = 0";
const MADE: &str = "SELECT COUNT(*) FROM job WHERE kind = 7";

/// Moves on to when this hour comes next, then does what is due.
async fn at(story: &Story, hour: i64, minute: i64) {
    let now_ms = story.clock.shows_ms();
    let next_ms = LocalTime::next_daily_ms(now_ms, hour, minute);
    story.clock.reach_ms(next_ms + SECOND_MS);
    story.settle().await;
}

/// The notifications of a citizen.
fn reminders_of(story: &Story, citizen: &Citizen) -> Vec<Arrived> {
    let mut arrived = story.mzt_inbox.arrived();
    arrived.retain(|one| one.ext("idNo") == citizen.id_no);
    arrived
}

/// Debts of as many citizens, one each, that are old enough on the next day.
async fn many_owe(story: &Story, count: usize) {
    let hospital = story.hospital(0);
    for citizen in &story.citizens[..count] {
        let number = hospital.owe(Some(citizen), story.debt("诊查费", 100));
        hospital.report(&[&number]).await.unwrap();
    }
    story.settle().await;
    for _ in 0..3 {
        at(story, 23, 0).await;
    }
}

/// Each of them was reminded, with one message that came once.
#[track_caller]
fn each_once(story: &Story, count: usize) {
    for citizen in &story.citizens[..count] {
        let counts: Vec<u32> = reminders_of(story, citizen)
            .iter()
            .map(|one| one.count)
            .collect();
        assert_eq!(counts, [1]);
    }
    assert_eq!(story.mzt_inbox.arrived().len(), count);
}

fn at_ten_at_night(settings: &mut banyan_platform::settings::Settings) {
    settings.overdue.reminders.at = TimeOfDay {
        hour: 22,
        minute: 0,
    };
}

fn just_before_the_quiet(settings: &mut banyan_platform::settings::Settings) {
    settings.overdue.reminders.at = TimeOfDay {
        hour: 20,
        minute: 59,
    };
}

on_both_engines! {
    async fn a_debtor_is_reminded_of_all_he_owes_and_not_of_what_it_was(db: &TestDb) {
        let story = Story::begin(db).await;
        let (citizen, other) = (&story.citizens[0], &story.citizens[1]);
        let number = story.hospital(0).owe(Some(citizen), story.debt("精神科诊查费", 100));
        story.hospital(0).report(&[&number]).await.unwrap();
        story.owe(0, Some(citizen), 1_000).await;
        story.owe(1, Some(citizen), 100_000_150).await;
        story.owe(2, Some(other), 5).await;
        story.owe(2, None, 700).await;
        let (paid, _) = story.owe(2, Some(&story.citizens[2]), 700).await;
        story.hospital(2).pay(&paid).await.unwrap();
        for _ in 0..2 {
            at(&story, 10, 0).await;
            assert_eq!(story.mzt_inbox.arrived().len(), 0, "the debts are not three days old");
        }
        at(&story, 10, 0).await;
        let arrived = reminders_of(&story, citizen);
        assert_eq!(arrived.len(), 1);
        let request = &arrived[0].request;
        assert_eq!(request.notifyType, NotifyType::Remind);
        assert_eq!((request.orgId.as_str(), request.reportResultList.len(), request.updateResultList.len()), ("MZT", 0, 0));
        let said = json!(request.extData.as_ref().unwrap().0);
        assert_eq!(said, json!({
            "notifyId": said["notifyId"], "idType": "01", "idNo": citizen.id_no, "userName": citizen.user_name,
            "itemCount": 3, "totalAmount": "1000012.50", "orgCount": 2, "oldestTime": said["oldestTime"],
        }));
        let oldest = LocalTime::parse(said["oldestTime"].as_str().unwrap()).unwrap().epoch_ms();
        assert!(story.clock.shows_ms() - oldest >= 4 * DAY_MS);
        assert_eq!(reminders_of(&story, other)[0].ext("totalAmount"), "0.05");
        assert_eq!(story.mzt_inbox.arrived().len(), 2);
        // What the citizen was told is in the journal, and not among who looked him up.
        assert_eq!(story.number("SELECT COUNT(*) FROM journal WHERE purpose = 'REMIND' AND result = 'success' AND person IS NOT NULL AND direction = 1").await, 2);
        let metrics = http(story.platform(), "GET", "/metrics", &[], b"").await.text();
        assert!(metrics.contains("banyan_notices_total{kind=\"reminder\",outcome=\"taken\"} 2"), "{metrics}");
        story.end().await;
    }

    async fn nobody_is_reminded_too_often(db: &TestDb) {
        let story = Story::begin_with(db, |settings| settings.overdue.reminders.max_times = 3).await;
        let citizen = &story.citizens[0];
        story.owe(0, Some(citizen), 100).await;
        let mut days = Vec::new();
        for day in 1..=40 {
            at(&story, 10, 0).await;
            if reminders_of(&story, citizen).len() > days.len() {
                days.push(day);
            }
        }
        assert_eq!(days, [3, 10, 17], "once a week, three times at the most");
        // Something changes, and it begins anew.
        story.owe(1, Some(citizen), 250).await;
        for day in 41..=70 {
            at(&story, 10, 0).await;
            if reminders_of(&story, citizen).len() > days.len() {
                days.push(day);
            }
        }
        assert_eq!(days, [3, 10, 17, 41, 48, 55]);
        let arrived = reminders_of(&story, citizen);
        assert_eq!((arrived[2].ext("totalAmount"), arrived[3].ext("totalAmount")), ("1.00".to_owned(), "3.50".to_owned()));
        let mut ids: Vec<_> = arrived.iter().map(|one| one.notify_id.clone()).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 6, "each is a notice of its own");
        story.end().await;
    }

    async fn at_night_nobody_is_reminded_and_nothing_is_tried_again(db: &TestDb) {
        let story = Story::begin_with(db, just_before_the_quiet).await;
        many_owe(&story, 3).await;
        story.mzt_inbox.set_away(true);
        at(&story, 20, 59).await;
        assert_eq!(story.number(WAITING).await, 3);
        let tries = "SELECT COUNT(*) FROM journal WHERE purpose = 'REMIND'";
        let before = story.number(tries).await;
        assert!(before >= 1, "it was tried while it was day");
        story.mzt_inbox.set_away(false);
        // Retries would be due at 5 s, 30 s, 2 min, 10 min, ...
        for _ in 0..11 {
            story.after(HOUR_MS).await;
        }
        assert_eq!(story.number(tries).await, before, "but not at night");
        assert_eq!(story.mzt_inbox.arrived().len(), 0);
        at(&story, 9, 0).await;
        for _ in 0..3 {
            story.after(11 * MINUTE_MS).await;
        }
        each_once(&story, 3);
        story.end().await;
    }

    async fn who_paid_in_the_meantime_is_not_reminded(db: &TestDb) {
        let story = Story::begin_with(db, at_ten_at_night).await;
        let (paying, half, owing) = (&story.citizens[0], &story.citizens[1], &story.citizens[2]);
        let (one, _) = story.owe(0, Some(paying), 100).await;
        let (first, _) = story.owe(0, Some(half), 100).await;
        story.owe(1, Some(half), 250).await;
        story.owe(0, Some(owing), 100).await;
        for _ in 0..4 {
            at(&story, 22, 0).await;
        }
        assert_eq!((story.number(WAITING).await, story.mzt_inbox.arrived().len()), (3, 0));
        story.hospital(0).pay(&one).await.unwrap();
        story.hospital(0).pay(&first).await.unwrap();
        story.settle().await;
        at(&story, 9, 0).await;
        assert_eq!(story.number(WAITING).await, 0);
        assert_eq!(reminders_of(&story, paying).len(), 0);
        assert_eq!(reminders_of(&story, half)[0].ext("totalAmount"), "2.50", "as it stands when it is sent");
        assert_eq!(reminders_of(&story, owing).len(), 1);
        let metrics = http(story.platform(), "GET", "/metrics", &[], b"").await.text();
        for line in ["outcome=\"not_needed\"} 1", "outcome=\"taken\"} 2", "outcome=\"not_taken\"} 0"] {
            assert!(metrics.contains(&format!("banyan_notices_total{{kind=\"reminder\",{line}")), "{metrics}");
        }
        // Nobody says that he was reminded.
        assert_eq!(story.number("SELECT COUNT(*) FROM overdue_reminder WHERE told_ms IS NULL").await, 1);
        story.end().await;
    }

    async fn a_channel_that_is_down_for_two_days_gets_each_reminder_once(db: &TestDb) {
        const DEBTORS: usize = 25;
        let story = Story::begin(db).await;
        many_owe(&story, DEBTORS).await;
        story.mzt_inbox.set_away(true);
        at(&story, 10, 0).await;
        assert_eq!(story.number(WAITING).await, 25);
        for _ in 0..48 {
            story.after(HOUR_MS).await;
        }
        assert_eq!(story.number(MADE).await, 25, "who waits to be reminded is not reminded beside it");
        // Its breaker held back what had no chance.
        let tried = story.number("SELECT COUNT(*) FROM journal WHERE purpose = 'REMIND'").await;
        assert!(tried < 150, "{tried}");
        story.mzt_inbox.set_away(false);
        for _ in 0..24 {
            story.after(HOUR_MS).await;
        }
        assert_eq!(story.number(WAITING).await, 0);
        each_once(&story, DEBTORS);
        story.end().await;
    }

    async fn a_reminder_that_was_given_up_is_on_record_and_another_takes_its_place(db: &TestDb) {
        let story = Story::begin(db).await;
        let citizen = &story.citizens[0];
        story.owe(0, Some(citizen), 100).await;
        story.mzt_inbox.set_away(true);
        for _ in 0..14 {
            at(&story, 10, 0).await;
            story.after(9 * HOUR_MS).await;
        }
        let given_up = "SELECT COUNT(*) FROM job WHERE kind = 7 AND state = 2";
        assert_eq!((story.number(given_up).await, story.number(WAITING).await), (1, 1));
        let first = story.number("SELECT MIN(id) FROM job WHERE kind = 7").await;
        let second = story.number("SELECT MAX(id) FROM job WHERE kind = 7").await;
        story.mzt_inbox.set_away(false);
        // An operator sends both again; the citizen hears of it once.
        let resend = Resend::Some(vec![first, second]);
        assert_eq!(story.desk().resend(resend).await.unwrap(), 2);
        at(&story, 10, 0).await;
        let arrived = reminders_of(&story, citizen);
        assert_eq!(arrived.iter().map(|one| one.notify_id.clone()).collect::<Vec<_>>(), [second.to_string()]);
        assert_eq!((story.number(given_up).await, story.number(WAITING).await), (0, 0));
        // By a window of time, also what was taken: but nobody is reminded again for that.
        let resend = Resend::Window {
            app_id: story.description.mzt.app_id.clone(),
            from_ms: 0,
            to_ms: story.clock.shows_ms(),
            delivered: true,
        };
        assert_eq!(story.desk().resend(resend).await.unwrap(), 0);
        story.settle().await;
        let arrived = reminders_of(&story, citizen);
        assert_eq!((arrived.len(), arrived[0].count), (1, 1));
        story.end().await;
    }

    async fn a_walk_that_was_broken_off_goes_on_where_it_stood(db: &TestDb) {
        const DEBTORS: usize = 40;
        let story = Story::begin(db).await;
        many_owe(&story, DEBTORS).await;
        let now_ms = story.clock.shows_ms();
        let db = story.app.db.clone();
        let walk = db.write(move |tx| reminders::begin(tx, now_ms, 0)).await.unwrap();
        let piece = reminders::next_piece(&db, &walk, 15).await.unwrap();
        let mut ids = story.app.ids.take(30).await.unwrap();
        let new: Vec<_> = piece
            .debtors
            .iter()
            .map(|debtor| NewReminder {
                id: ids.next().unwrap(),
                job: JobId(ids.next().unwrap()),
                person: debtor.person,
            })
            .collect();
        let channel = story.app.directory.reminding_channel().map(|channel| channel.id);
        let left = db.write(move |tx| reminders::leave(tx, &walk, &piece, &new, channel, 0, now_ms)).await;
        assert!(left.unwrap());
        // Here the node died; the next day's walk takes over.
        assert_eq!(story.number(MADE).await, 15);
        at(&story, 10, 0).await;
        assert_eq!(story.number(MADE).await, 40);
        each_once(&story, DEBTORS);
        assert_eq!(story.number("SELECT COUNT(*) FROM overdue_reminder_walk WHERE ended_ms IS NOT NULL").await, 1);
        story.end().await;
    }

    async fn without_a_channel_nobody_is_reminded(db: &TestDb) {
        let platform = Platform::open(db, |_| {}).await;
        let mut hospital = new_hospital("H35019900009");
        hospital.hosts = vec!["127.0.0.1:1".to_owned()];
        let voice = platform.add_partner(hospital).await;
        let somebody = json!({
            "orgId": "H35019900009", "type": "02", "psnNo": "P-1",
            "idNo": "E12345678", "idType": "03", "userName": "某人",
        });
        let known = voice.say(Interface::OrgEhc004, &somebody).await.done();
        let citizen = json!({
            "idNo": "E12345678", "idType": "03", "userName": "某人", "userType": "01",
            "ehealthCardId": known["ehealthCardId"],
            "itemList": [item("i-1", "1")],
        });
        let message = json!({
            "orgId": "H35019900009", "orgName": "榕树医院", "notifyUrl": "http://127.0.0.1:1/",
            "orgRequestId": "b-1", "unsettleList": [citizen],
        });
        voice.say(Interface::OrgMdl001, &message).await.done();
        // A channel that has no address can't be told anything.
        let mut channel = new_hospital("H35019900008");
        (channel.kind, channel.org_id) = (Kind::Mzt, None);
        platform.add_partner(channel).await;
        let worker = Worker::new(platform.app.clone());
        for _ in 0..5 {
            platform.clock.advance_ms(DAY_MS);
            worker.settle().await.unwrap();
        }
        assert_eq!(number(&platform.app.db, "SELECT COUNT(*) FROM overdue_item WHERE state = 0").await, 1);
        assert_eq!(number(&platform.app.db, MADE).await, 0);
        assert_eq!(number(&platform.app.db, "SELECT COUNT(*) FROM overdue_reminder_walk").await, 0);
        platform.end().await;
    }

    async fn where_reminders_are_switched_off_nobody_is_reminded(db: &TestDb) {
        let story = Story::begin_with(db, |settings| settings.overdue.reminders.enabled = false).await;
        story.owe(0, Some(&story.citizens[0]), 100).await;
        for _ in 0..5 {
            at(&story, 10, 0).await;
        }
        assert_eq!(story.number(MADE).await, 0);
        story.end().await;
    }

    async fn the_channel_asks_without_a_health_card_index(db: &TestDb) {
        let story = Story::begin(db).await;
        let citizen = &story.citizens[0];
        story.owe(0, Some(citizen), 100).await;
        let mut ask = query(citizen);
        ask.as_object_mut().unwrap().remove("ehealthCardId");
        let heard = story.mzt_voice().say(Interface::OrgMdl002, &ask).await.done();
        assert_eq!((heard["next"].as_str(), heard["itemList"].as_array().map(Vec::len)), (Some("0"), Some(1)));
        ask.as_object_mut().unwrap().remove("businessType");
        let heard = story.mzt_voice().say(Interface::OrgMdl004, &ask).await.done();
        assert!(heard["mdrUrl"].as_str().unwrap().starts_with("http"));
        ask["businessType"] = json!("01101");
        story.voice(0).say(Interface::OrgMdl002, &ask).await.refused("000105", "ehealthCardId");
        story.end().await;
    }
}

#[test]
fn two_nodes_remind_each_debtor_once() {
    const DEBTORS: usize = 60;
    tell(Engine::Postgres, async |db| {
        let story = Story::begin(db).await;
        many_owe(&story, DEBTORS).await;
        let second = second_node(&story, db).await;
        let worker = Worker::new(second.clone());
        for _ in 0..3 {
            let next_ms = LocalTime::next_daily_ms(story.clock.shows_ms(), 10, 0);
            story.clock.reach_ms(next_ms + SECOND_MS);
            let (one, two) = tokio::join!(story.province.settle(), worker.settle());
            one.unwrap();
            two.unwrap();
        }
        assert_eq!(story.number(MADE).await, 60);
        each_once(&story, DEBTORS);
        second.close().await;
        story.end().await;
    });
}
