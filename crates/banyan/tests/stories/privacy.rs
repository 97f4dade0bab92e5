//! Nobody's data leaks: neither the log at its most talkative nor the database in the hands of
//! somebody without the master key shows who owes, nor any secret.

use std::io::Write;
use std::sync::{Mutex, OnceLock, PoisonError};

use banyan_platform::health_card::authorise::{self, Claimed};
use banyan_platform::health_card::card;
use banyan_platform::health_card::identity::Stated;
use banyan_protocol::catalogue::Interface;
use banyan_sandbox::{Citizen, Fault};
use banyan_store::db::{Cell, Db, Engine, StoreError};
use banyan_store::ids::AppealId;
use banyan_store::on_both_engines;
use serde_json::json;
use tracing_subscriber::EnvFilter;

use crate::health_card::stated;
use crate::partners_voice::http;
use crate::telling::{
    DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, Story, item, person, report, until_number,
};
use crate::visit::{CONTACT, Visit, link};

/// The log of every story of this process.
static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut log = LOG.lock().unwrap_or_else(PoisonError::into_inner);
        log.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Writes down what our crates log at any level. Each story begins with it, because it works for
/// the whole process or not at all.
pub(crate) fn listen() {
    static LISTENING: OnceLock<()> = OnceLock::new();
    LISTENING.get_or_init(|| {
        let ours = "off,banyan=trace,banyan_platform=trace,banyan_store=trace,banyan_client=trace,\
                    banyan_protocol=trace,banyan_sandbox=trace,banyan_edge=trace";
        tracing_subscriber::fmt()
            .with_env_filter(EnvFilter::new(ours))
            .with_ansi(false)
            .with_writer(|| Log)
            .init();
    });
}

fn logged() -> String {
    let log = LOG.lock().unwrap_or_else(PoisonError::into_inner);
    String::from_utf8_lossy(&log).into_owned()
}

/// Every row of every table of ours as text, bytes as they are and as hex.
async fn dump(db: &Db) -> Vec<u8> {
    let engine = db.engine();
    db.scan(move |tx| {
        let list = match engine {
            Engine::Sqlite => "SELECT name FROM sqlite_master WHERE type = 'table'",
            Engine::Postgres => {
                "SELECT CAST(table_name AS TEXT) FROM information_schema.tables WHERE table_schema = 'public'"
            }
        };
        let tables: Vec<String> = tx.query(list, &[], |row| row.get(0))?;
        let ours = tables.iter().filter(|name| !name.contains("refinery") && !name.starts_with("sqlite_"));
        let mut dump = Vec::new();
        let mut count = 0;
        for table in ours {
            count += 1;
            tx.query(&format!("SELECT * FROM {table}"), &[], |row| {
                for place in 0..row.columns() {
                    match row.cell(place)? {
                        Cell::Null => {}
                        Cell::I64(number) => write!(dump, "{number}").unwrap(),
                        Cell::Text(text) => dump.extend_from_slice(text.as_bytes()),
                        Cell::Blob(bytes) => {
                            dump.extend_from_slice(bytes);
                            bytes.iter().for_each(|byte| write!(dump, "{byte:02x}").unwrap());
                        }
                    }
                    dump.push(b'|');
                }
                dump.push(b'\n');
                Ok(())
            })?;
        }
        assert!(count >= 12, "{count} tables");
        Ok::<_, StoreError>(dump)
    })
    .await
    .expect("it can be read")
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}

/// What a citizen and an operator wrote to one another.
const APPEAL: &str = "当日本人并未就诊请核对监控";
const ANSWER: &str = "经核对系本人家属代为挂号";

/// A story with everything in it that could let something slip: what goes well, what is refused,
/// what a hospital answers wrongly, what an operator does.
async fn much_happens(story: &Story) -> Vec<String> {
    let (hospital, voice) = (story.hospital(0), story.voice(0));
    let (one, two) = (&story.citizens[13], &story.citizens[27]);
    let (paid, _) = story.owe(0, Some(one), 100).await;
    story.owe(0, Some(two), 200).await;
    let (nameless, _) = story.owe(0, None, 300).await;
    hospital.pay(&paid).await.unwrap();
    hospital.make_real_name(&nameless, two).await.unwrap();
    let mut half = person(one);
    half.as_object_mut().unwrap().remove("ehealthCardId");
    let mut message = report(hospital, "half", half, &[item("half", "1")]);
    voice.say(Interface::OrgMdl001, &message).await.done();
    story.settle().await;
    story.hospital(1).query(one, false).await.unwrap();
    story.mzt.query(two).await.unwrap();

    let link = link(story, one).await;
    let visit = Visit::enter(story, &link).await;
    visit.list().await;
    let (_, contested) = story.owe(0, Some(one), 250).await;
    let appeal = visit.appealed(&contested, "other", APPEAL).await;
    visit.page(&appeal).await;
    let id = AppealId(appeal.rsplit('/').next().unwrap().parse().unwrap());
    story.desk().show_appeal(id).await.unwrap();
    story.desk().reject_appeal(id, ANSWER).await.unwrap();
    let refused = visit.appeal(&contested, "other", "").await;
    assert_eq!(refused.status, 422);

    let mut tokens = health_cards(story, one, two).await;

    // Values in the wrong places, where an error might repeat them.
    for (member, value) in [
        ("idNo", json!([one.id_no])),
        ("idType", json!(one.id_no)),
        ("userName", json!(one.user_name.repeat(20))),
        ("ehealthCardId", json!(two.ehealth_card_id)),
        ("businessType", json!(one.user_name)),
    ] {
        let mut ask = crate::telling::query(one);
        ask[member] = value;
        let heard = voice.say(Interface::OrgMdl002, &ask).await;
        heard.refused("000105", "");
        assert!(!heard.message.contains(&one.id_no) && !heard.message.contains(&one.user_name));
    }
    voice
        .post(
            "/qmdl/queryOverdueData",
            json!({"appId": one.id_no}).to_string().as_bytes(),
        )
        .await;
    voice
        .say_text(
            Interface::OrgMdl002,
            &format!("{{\"idNo\":\"{}\",", one.id_no),
        )
        .await;
    for fault in [
        Fault::Garbage,
        Fault::Refuse,
        Fault::FailState,
        Fault::WrongSignature,
        Fault::Status(500),
    ] {
        hospital.set_fault(fault);
        story.owe(1, Some(one), 1).await;
        hospital.tell(&paid).await.unwrap();
        story.after(MINUTE_MS).await;
    }
    hospital.set_fault(Fault::None);
    let rotated = story
        .desk()
        .rotate(hospital.app_id(), DAY_MS)
        .await
        .unwrap();
    story.renew().await;
    story.after(DAY_MS + 11 * SECOND_MS).await;
    voice.say(Interface::OrgMdl001, &message).await;
    // A reminder that is not taken at first, and a correction.
    let (mistake, _) = story.owe(2, Some(one), 400).await;
    story.hospital(1).query(one, false).await.unwrap();
    story.hospital(2).revoke(&mistake).await.unwrap();
    story.settle().await;
    crate::corrections::found(story).await;
    story.mzt_inbox.set_away(true);
    for _ in 0..4 {
        story.after(DAY_MS).await;
    }
    story.mzt_inbox.set_away(false);
    story.after(HOUR_MS).await;
    assert!(!story.mzt_inbox.arrived().is_empty());
    // Kept and not judged yet, so that its content is still there.
    message["orgRequestId"] = json!("waiting");
    message["unsettleList"][0]["mobilePhone"] = json!(two.mobile_phone);
    let renewed = story.voice_of(hospital.app_id(), &rotated.secret);
    renewed.say(Interface::OrgMdl001, &message).await.done();

    let mut secrets = vec![
        rotated.secret,
        story.description.mzt.secret.clone(),
        link.rsplit('/').next().unwrap().to_owned(),
        visit.cookie.split_once('=').unwrap().1.to_owned(),
        APPEAL.to_owned(),
        ANSWER.to_owned(),
        CONTACT.to_owned(),
    ];
    secrets.append(&mut tokens);
    secrets.extend(
        story
            .description
            .hospitals
            .iter()
            .map(|access| access.secret.clone()),
    );
    for citizen in [one, two] {
        secrets.extend([
            citizen.id_no.clone(),
            citizen.user_name.clone(),
            citizen.mobile_phone.clone(),
            citizen.ehealth_card_id.clone(),
            citizen.psn_no.clone(),
        ]);
    }
    secrets
}

/// Health cards given, claimed rightly and wrongly, shown and verified; gives the secrets of it.
async fn health_cards(story: &Story, one: &Citizen, two: &Citizen) -> Vec<String> {
    let (voice, org_id) = (story.voice(0), story.hospital(0).org_id());
    let ask = json!({"outAuthNo": "p-1", "orgId": org_id});
    let link = voice.say(Interface::OrgEhc001, &ask).await.done();
    let token = link["authUrl"]
        .as_str()
        .unwrap()
        .rsplit('/')
        .next()
        .unwrap()
        .to_owned();
    let wrong = Stated {
        user_name: &two.user_name,
        ..stated(one)
    };
    authorise::claim(&story.app, &token, &wrong).await.unwrap();
    let claimed = authorise::claim(&story.app, &token, &stated(one))
        .await
        .unwrap();
    let Some(Claimed::Right { proof, card, .. }) = claimed else {
        panic!("the claim is right")
    };
    authorise::confirm(&story.app, &token, &proof)
        .await
        .unwrap();
    voice.say(Interface::OrgEhc002, &ask).await.done();
    let code = card::issue_code(&story.app, card.person).unwrap().text;
    let verify = json!({"orgId": org_id, "ehealthCode": code});
    voice.say(Interface::OrgEhc003, &verify).await.done();
    voice
        .say(Interface::OrgEhc003, &verify)
        .await
        .refused("000105", "ehealthCode");
    let mut insured = json!({
        "orgId": org_id, "type": "01", "psnNo": two.psn_no,
        "idNo": two.id_no, "idType": "01", "userName": two.user_name,
    });
    voice.say(Interface::OrgEhc004, &insured).await.done();
    for (member, other) in [("userName", &one.user_name), ("psnNo", &one.psn_no)] {
        let right = std::mem::replace(&mut insured[member], json!(other));
        let heard = voice.say(Interface::OrgEhc004, &insured).await;
        heard.refused("000105", member);
        assert!(!heard.message.contains(other.as_str()));
        insured[member] = right;
    }
    let shown = format!("{:?} {card:?}", story.desk().open_reviews().await.unwrap());
    assert!(!shown.contains(&one.user_name) && !shown.contains(&two.user_name));
    vec![token, proof, code]
}

on_both_engines! {
    async fn neither_log_nor_database_shows_anybody(db: &TestDb) {
        let story = Story::begin(db).await;
        let secrets = much_happens(&story).await;
        until_number(&story.app.db, "SELECT COUNT(*) FROM journal WHERE interface = 'ORG_MDL_002' AND result = '000105'", 6).await;
        let metrics = http(story.platform(), "GET", "/metrics", &[], b"").await.text();
        let (log, rows) = (logged(), dump(&story.app.db).await);
        assert!(log.contains("a callback was not taken"), "the log was listened to");
        assert!(holds(&rows, story.hospital(0).org_id()), "the tables were read");
        assert_eq!(story.number("SELECT COUNT(*) FROM overdue_batch WHERE content IS NOT NULL").await, 1);
        for table in ["SELECT COUNT(*) FROM overdue_revocation", "SELECT COUNT(*) FROM overdue_correction", "SELECT COUNT(*) FROM overdue_reminder"] {
            assert!(story.number(table).await >= 1, "{table}");
        }
        // SQLite's own files hold what was deleted, too.
        let files = match db.url.strip_prefix("sqlite:") {
            Some(path) => ["", "-wal"].map(|end| std::fs::read(format!("{path}{end}")).unwrap_or_default()).concat(),
            None => Vec::new(),
        };
        let master = std::fs::read_to_string(story.folder.path().join("master.key")).unwrap();
        for secret in secrets.iter().chain([&master.trim().to_owned()]) {
            let shown: String = secret.chars().take(2).collect();
            assert!(!log.contains(secret.as_str()), "the log shows {shown}...");
            assert!(!holds(&rows, secret), "the database shows {shown}...");
            assert!(!holds(&files, secret), "the database's files show {shown}...");
            assert!(!metrics.contains(secret.as_str()), "the metrics show {shown}...");
        }
        story.end().await;
    }
}
