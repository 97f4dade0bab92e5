//! An edge of a hospital of its own, beside a story's province.

use std::sync::Arc;

use banyan_edge::settings::{EnvironmentSetting, Hidden, Settings};
use banyan_edge::{Edge, EdgeServer};
use banyan_platform::admin::Edit;
use banyan_protocol::ambient::{SharedClock, World};
use banyan_protocol::wire::{Scalar as _, WebAddress};
use banyan_sandbox::Citizen;
use serde_json::{Value, json};
use tempfile::TempDir;
use url::Url;

use crate::partners_voice::{Voice, http};
use crate::telling::{Story, new_hospital, system_randomness};

/// Which hospital the edge belongs to.
pub(super) const ORG_ID: &str = "H35019900009";
const KEY: &str = "the-key-of-the-story";

/// An edge, and everything to start it again with.
pub(super) struct EdgeAt {
    pub(super) server: Option<EdgeServer>,
    pub(super) folder: TempDir,
    pub(super) settings: Settings,
    /// The hospital speaking to the platform past its edge.
    pub(super) voice: Voice,
    clock: SharedClock,
}

/// What the edge answered.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) status: u16,
    pub(super) code: String,
    pub(super) message: String,
    pub(super) data: Value,
}

impl EdgeAt {
    /// An edge that calls the platform directly.
    pub(super) async fn begin(story: &Story) -> Self {
        Self::begin_with(story, &platform(story), |_| {}).await
    }

    /// An edge that calls the platform at this address, with other settings.
    pub(super) async fn begin_with(
        story: &Story,
        platform: &Url,
        adjust: impl FnOnce(&mut Settings),
    ) -> Self {
        let voice = story.add_partner(new_hospital(ORG_ID)).await;
        let clock: SharedClock = Arc::new(story.clock.clone());
        Self::beside(story, voice, platform, clock, adjust).await
    }

    /// An edge of the hospital that this voice is.
    pub(super) async fn beside(
        story: &Story,
        voice: Voice,
        platform: &Url,
        clock: SharedClock,
        adjust: impl FnOnce(&mut Settings),
    ) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut settings = Settings {
            platform_url: platform.to_string(),
            environment: EnvironmentSetting::Test,
            org_id: ORG_ID.to_owned(),
            org_name: "榕树医院".to_owned(),
            app_id: voice.app_id.clone(),
            secret: Hidden(voice.secret.clone()),
            api_keys: vec![Hidden(KEY.to_owned())],
            data_dir: folder.path().to_owned(),
            ..Settings::default()
        };
        // What looks around by itself would disturb what a story counts.
        settings.sending.probe_every_ms = 0;
        settings.sending.presence_every_ms = 0;
        adjust(&mut settings);
        let mut edge = Self {
            server: None,
            folder,
            settings,
            voice,
            clock,
        };
        edge.start().await;
        let base = edge.server().callback_url().origin().ascii_serialization();
        let edit = Edit {
            base_url: Some(Some(WebAddress::parse(&base).expect("an address"))),
            ..Edit::default()
        };
        story
            .desk()
            .edit(&edge.voice.app_id, edit)
            .await
            .expect("it is edited");
        story.renew().await;
        edge
    }

    /// Starts it on its folder; at the port that it had, if it had one.
    pub(super) async fn start(&mut self) {
        let listener = std::net::TcpListener::bind(self.settings.listen)
            .or_else(|_| std::net::TcpListener::bind("127.0.0.1:0"))
            .expect("a port");
        self.settings.listen = listener.local_addr().expect("an address");
        let world = World {
            clock: self.clock.clone(),
            random: system_randomness(),
        };
        let url = format!("http://{}", self.settings.listen);
        let edge = Edge::open(self.settings.clone(), world, &url)
            .await
            .expect("it opens");
        let server = EdgeServer::start(edge, listener, false)
            .await
            .expect("it serves");
        self.server = Some(server);
    }

    pub(super) async fn stop(&mut self) {
        if let Some(server) = self.server.take() {
            server.stop().await;
        }
    }

    /// Its end.
    pub(super) async fn stopped(mut self) {
        self.stop().await;
    }

    pub(super) fn server(&self) -> &EdgeServer {
        self.server.as_ref().expect("it runs")
    }

    /// The edge does what is due, then the platform, then the edge again.
    pub(super) async fn settle(&self, story: &Story) {
        for _ in 0..3 {
            self.server().settle().await.expect("the outbox works");
            story.settle().await;
        }
    }

    /// Moves on to the middle of the next night and lets both work.
    pub(super) async fn night(&self, story: &Story) {
        story.clock.advance_ms(crate::telling::HOUR_MS * 20);
        self.settle(story).await;
    }

    /// What the HIS sends.
    pub(super) async fn post(&self, path: &str, body: &Value) -> Said {
        self.send("POST", path, body.to_string().as_bytes()).await
    }

    /// What the HIS asks for.
    pub(super) async fn get(&self, path: &str) -> Said {
        self.send("GET", path, b"").await
    }

    /// With its key.
    pub(super) async fn send(&self, method: &str, path: &str, body: &[u8]) -> Said {
        let key = format!("Bearer {KEY}");
        self.send_as(method, path, &[("authorization", &key)], body)
            .await
    }

    pub(super) async fn send_as(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Said {
        let reply = http(self.server().address(), method, path, headers, body).await;
        let said: Value = serde_json::from_slice(&reply.body)
            .unwrap_or_else(|_| panic!("{path}: {}", String::from_utf8_lossy(&reply.body)));
        Said {
            status: reply.status,
            code: said["respCode"].as_str().unwrap_or_default().to_owned(),
            message: said["respMsg"].as_str().unwrap_or_default().to_owned(),
            data: said["data"].clone(),
        }
    }

    /// Reports rows; all of them are taken.
    pub(super) async fn report(&self, rows: &[Value], urgent: bool) -> Said {
        let body = json!({ "items": rows, "urgent": urgent });
        let said = self.post("/v1/overdue/report", &body).await;
        assert_eq!(said.code, "000000", "{said:?}");
        said
    }

    /// A debt as the edge has it.
    pub(super) async fn item(&self, org_trace_id: &str) -> Value {
        let said = self.get(&format!("/v1/overdue/items/{org_trace_id}")).await;
        assert_eq!(said.code, "000000", "{said:?}");
        said.data
    }

    /// How many debts the platform keeps of this hospital, in this state.
    pub(super) async fn at_platform(&self, story: &Story, state: i64) -> i64 {
        let app_id = self.voice.app_id.clone();
        story
            .app
            .db
            .query_opt(
                "SELECT COUNT(*) FROM overdue_item WHERE state = $1 AND partner_id =
                   (SELECT id FROM partner WHERE app_id = $2)",
                &[state.into(), app_id.into()],
                |row| row.get(0),
            )
            .await
            .expect("it is counted")
            .unwrap_or(0)
    }

    /// One of the lights.
    pub(super) async fn light(&self, code: &str) -> (String, String) {
        let said = self.get("/v1/status").await;
        let lights = said.data["lights"].as_array().cloned().unwrap_or_default();
        let light = lights
            .into_iter()
            .find(|light| light["code"] == code)
            .unwrap_or_else(|| panic!("no light {code}"));
        let text = |member: &str| light[member].as_str().unwrap_or_default().to_owned();
        (text("level"), text("text"))
    }
}

pub(super) fn platform(story: &Story) -> Url {
    story.description.platform.parse().expect("a URL")
}

/// A row of the HIS about somebody.
pub(super) fn row(org_trace_id: &str, citizen: Option<&Citizen>, amount: &str) -> Value {
    let mut row = json!({
        "userType": "01",
        "orgTraceId": org_trace_id,
        "medType": "11",
        "feeType": "01",
        "itemName": "诊查费",
        "amount": amount,
        "actualTime": "2026-03-01 09:30:00",
    });
    if let Some(citizen) = citizen {
        for (member, text) in [
            ("idNo", &citizen.id_no),
            ("idType", &citizen.id_type),
            ("userName", &citizen.user_name),
            ("ehealthCardId", &citizen.ehealth_card_id),
        ] {
            row[member] = text.as_str().into();
        }
    }
    row
}

/// Who a patient is, as he stands at the window.
pub(super) fn at_the_window(citizen: &Citizen) -> Value {
    json!({
        "idNo": citizen.id_no,
        "idType": citizen.id_type,
        "userName": citizen.user_name,
    })
}
