//! Two platforms on one PostgreSQL share the work, and nothing is done twice.

use std::sync::Arc;

use banyan_platform::app::{App, Setup};
use banyan_platform::settings::{DatabaseUrl, Settings};
use banyan_platform::web::Server;
use banyan_protocol::ambient::SystemClock;
use banyan_protocol::ambient::World;
use banyan_protocol::catalogue::Interface;
use banyan_sandbox::{Account, CallbackReceiver};
use banyan_store::db::Engine;
use banyan_store::testing::{TestDb, tell};
use banyan_store::vault::MasterKey;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::partners_voice::Voice;
use crate::telling::{PATIENCE, desk, item, new_hospital, number, system_randomness, until_number};

const HOSPITALS: usize = 6;
const BATCHES: usize = 50;
const ITEMS: usize = 3;

/// A node, its worker running by itself.
async fn node(db: &TestDb, master: &MasterKey) -> Server {
    let settings = Settings {
        database_url: DatabaseUrl(db.url.clone()),
        ..Settings::default()
    };
    let world = World {
        clock: Arc::new(SystemClock),
        random: system_randomness(),
    };
    let setup = Setup {
        loopback_hosts: true,
        ..Setup::default()
    };
    let app = App::open(settings, master, world, setup).await.unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    Server::start(app, listener).await.unwrap()
}

fn batch(place: usize, batch: usize, notify_url: &str) -> Value {
    let items: Vec<Value> = (0..ITEMS)
        .map(|n| item(&format!("{batch}-{n}"), "1"))
        .collect();
    json!({
        "orgId": format!("H3501990001{place}"), "orgName": "榕树医院", "notifyUrl": notify_url,
        "orgRequestId": format!("{place}-{batch}"),
        "unsettleList": [{"userType": "01", "itemList": items}],
    })
}

#[test]
fn they_share_jobs_without_doubling() {
    tell(Engine::Postgres, async |db| {
        crate::privacy::listen();
        let master = MasterKey::parse(&MasterKey::generate(&system_randomness())).unwrap();
        let nodes = [node(db, &master).await, node(db, &master).await];
        assert_ne!(nodes[0].app().node, nodes[1].app().node);
        let mut voices = Vec::new();
        for place in 0..HOSPITALS {
            let new = new_hospital(&format!("H3501990001{place}"));
            let issued = desk(nodes[0].app()).add_partner(new).await.unwrap();
            voices.push(Voice {
                app_id: issued.app_id,
                secret: issued.secret,
                platform: nodes[0].address(),
                clock: Arc::new(SystemClock),
            });
        }
        for node in &nodes {
            node.app().directory.renew(0).await.unwrap();
        }
        let accounts = voices
            .iter()
            .map(|voice| Account::new(&voice.app_id, &voice.secret).unwrap());
        let receiver =
            CallbackReceiver::start(([127, 0, 0, 1], 0).into(), accounts, Arc::new(SystemClock))
                .await
                .unwrap();
        let notify_url = receiver.callback_url().as_str();

        // Each batch is sent to both nodes at once, as a hospital does whose first call timed out.
        let other = nodes[1].address();
        let hospitals = voices.iter().enumerate().map(|(place, voice)| async move {
            for number in 0..BATCHES {
                let message = batch(place, number, notify_url);
                let elsewhere = Voice {
                    platform: other,
                    ..voice.clone()
                };
                let (one, two) = tokio::join!(
                    voice.say(Interface::OrgMdl001, &message),
                    elsewhere.say(Interface::OrgMdl001, &message)
                );
                assert_eq!(one.done(), two.done());
            }
        });
        join_all(hospitals).await;
        assert!(
            receiver
                .wait_for_distinct(HOSPITALS * BATCHES, PATIENCE)
                .await
        );
        until_number(
            db,
            "SELECT COUNT(*) FROM job WHERE kind = 2 AND state = 1",
            300,
        )
        .await;

        let told = receiver.told();
        assert_eq!(told.len(), HOSPITALS * BATCHES);
        assert!(
            told.values().all(|told| told.deliveries == 1),
            "nobody heard anything twice"
        );
        assert_eq!(receiver.refused(), 0);
        assert_eq!(
            number(db, "SELECT COUNT(*) FROM overdue_batch WHERE state = 1").await,
            300
        );
        assert_eq!(number(db, "SELECT COUNT(*) FROM overdue_item").await, 900);
        assert_eq!(number(db, "SELECT COUNT(*) FROM job").await, 300);
        let ids = number(db, "SELECT COUNT(DISTINCT id) FROM journal").await;
        assert_eq!(ids, number(db, "SELECT COUNT(*) FROM journal").await);
        let worked: Vec<bool> = nodes
            .iter()
            .map(|node| {
                node.app()
                    .meters
                    .render()
                    .contains("banyan_items_judged_total")
            })
            .collect();
        assert_eq!(worked, [true, true], "both had their share");
        for node in nodes {
            node.stop().await;
        }
        receiver.stop().await;
    });
}
