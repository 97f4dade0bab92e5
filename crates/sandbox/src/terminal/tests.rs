use std::sync::Mutex;
use std::time::Duration;

use NationECCode::call::trans;
use NationECCode::settings::Settings;
use NationECCode::state::Ready;
use banyan_client::HostGuard;
use banyan_protocol::ambient::{SeededRandomness, SystemClock};
use banyan_protocol::crypto::gcm::Sm4Gcm;
use banyan_protocol::crypto::{base64, sm3};
use bytes::Bytes;
use serde_json::{Value, json};

use super::*;
use crate::http_server::{Answering, Reply};
use crate::testing::{account, citizens, clock, http, loopback, secret_of};

/// A centre of the smallest kind: it checks signatures, knows the two doors of a terminal, and gives
/// the library back what it was asked.
#[derive(Default)]
struct Centre {
    told: Mutex<Vec<(String, Value)>>,
}

impl Centre {
    fn told(&self) -> Vec<(String, Value)> {
        self.told.lock().unwrap().clone()
    }
}

impl Answering for Centre {
    async fn answer(&self, _: &str, body: Bytes) -> Reply {
        let message: Value = serde_json::from_slice(&body).unwrap();
        let extra: Value = serde_json::from_str(message["extra"].as_str().unwrap()).unwrap();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (app_id, at) = (text(&extra["appId"]), text(&extra["timestamp"]));
        let (org_id, trans_type) = (text(&message["orgId"]), text(&message["transType"]));
        let key = secret_of(&app_id);
        let digest = |signed: String| base64::encode(&sm3::digest(signed.as_bytes()));
        // The bodies of these tests have their members in the order of the alphabet.
        let signed = format!(
            "appId={app_id}&data={}&orgId={org_id}&timestamp={at}&transType={trans_type}&key={key}",
            message["data"]
        );
        assert_eq!(extra["sign"], digest(signed), "{trans_type}");
        let mut data = message["data"].clone();
        if trans_type == "terminal.pwd" {
            let sealed = base64::decode(data["password"].as_str().unwrap()).unwrap();
            let gcm = Sm4Gcm::with_key(key.as_bytes().first_chunk().unwrap());
            let opened = gcm
                .open(format!("{org_id}|{at}").as_bytes(), &sealed)
                .unwrap();
            data["password"] = String::from_utf8(opened).unwrap().into();
        }
        let code = if data["password"] == "000000" {
            500_004
        } else {
            0
        };
        self.told.lock().unwrap().push((trans_type.clone(), data));
        let data = json!({ "authNo": "A7", "qrCode": extra["qrCode"] });
        let signed = format!(
            "appId={app_id}&code={code}&data={data}&orgId={org_id}&timestamp={at}&key={key}"
        );
        let extra = json!({ "appId": app_id, "timestamp": at, "sign": digest(signed) }).to_string();
        Reply::ok(
            json!({ "orgId": org_id, "code": code, "data": data, "extra": extra }).to_string(),
        )
    }
}

struct Stage {
    centre: Arc<Centre>,
    server: HttpServer,
    terminal: SimulatedTerminal,
    http: HttpClient,
}

impl Stage {
    async fn set(next_code: Option<NextCode>) -> Self {
        let centre = Arc::new(Centre::default());
        let server = HttpServer::start(loopback(), Arc::clone(&centre))
            .await
            .unwrap();
        let setup = TerminalSetup {
            listen: loopback(),
            centre_url: server.url("/localcfc/api/hsecfc/localQrCodeQuery").unwrap(),
            account: account("terminal"),
            person: citizens(1).remove(0),
            password: "135790".to_owned(),
            next_code,
        };
        let world = World {
            clock: clock(),
            random: Arc::new(SeededRandomness::new(7)),
        };
        let http = http(Duration::from_secs(10));
        let terminal = SimulatedTerminal::start(setup, world, http.clone())
            .await
            .unwrap();
        Self {
            centre,
            server,
            terminal,
            http,
        }
    }

    async fn ask(&self, path: &str, body: &Value) -> Value {
        let url = self.terminal.url().join(path).unwrap();
        let body = Bytes::from(body.to_string());
        let reply = self
            .http
            .post(&url, body, &HostGuard::Anywhere)
            .await
            .unwrap();
        serde_json::from_slice(&reply.body).unwrap()
    }

    async fn simulate(&self, wish: Value) {
        assert_eq!(self.ask("simulate", &wish).await["code"], 0);
    }
}

#[tokio::test]
async fn codes_are_shown_once_and_then_come_from_the_telephone() {
    let telephone: NextCode = Arc::new(|| Box::pin(async { Some("EC-LIVING".to_owned()) }));
    let stage = Stage::set(Some(telephone)).await;
    let ask = json!({ "orgId": "1", "businessType": "01301" });
    stage.simulate(json!({ "qrCode": "EC-SET" })).await;
    assert_eq!(stage.ask("scan", &ask).await["qrCode"], "EC-SET");
    assert_eq!(stage.ask("scan", &ask).await["qrCode"], "EC-LIVING");
    for (fault, code) in [("no_device", 1), ("torn_code", 4)] {
        stage.simulate(json!({ "fault": fault })).await;
        assert_eq!(stage.ask("scan", &ask).await["code"], code);
    }
    stage
        .simulate(json!({ "fault": "slow", "delayMs": 20 }))
        .await;
    assert_eq!(stage.ask("scan", &ask).await["code"], 0);
    // A slow terminal wakes when it is mended, and a scanner when somebody shows a code.
    stage
        .simulate(json!({ "fault": "slow", "delayMs": 60_000 }))
        .await;
    let (scanned, ()) = tokio::join!(
        stage.ask("scan", &ask),
        stage.simulate(json!({ "fault": "none" }))
    );
    assert_eq!(scanned["qrCode"], "EC-LIVING");
    assert_eq!(
        stage.ask("simulate", &json!({ "falut": "slow" })).await["code"],
        6
    );
    stage.terminal.stop().await;
}

#[tokio::test]
async fn a_face_and_a_password_go_to_the_centre() {
    let stage = Stage::set(None).await;
    let person = json!({ "idType": "01", "idNo": "359999199001010011", "userName": "张三" });
    let mut ask = person.clone();
    ask["orgId"] = "H1".into();
    let first = citizens(1).remove(0);
    let face = stage.ask("face", &ask).await;
    assert_eq!((&face["authNo"], &face["code"]), (&json!("A7"), &json!(0)));
    stage
        .simulate(json!({ "person": person, "password": "246802" }))
        .await;
    stage.ask("face", &ask).await;
    assert_eq!(stage.ask("keypad", &ask).await["code"], 0);
    let told = stage.centre.told();
    assert_eq!(told[0].1["idNo"], first.id_no);
    assert_eq!(told[1].1["userName"], "张三");
    assert_eq!(
        (&*told[2].0, &told[2].1["password"]),
        ("terminal.pwd", &json!("246802"))
    );
    stage.simulate(json!({ "password": "000000" })).await;
    let refused = stage.ask("keypad", &ask).await;
    assert_eq!(refused["code"], 5);
    assert!(refused["message"].as_str().unwrap().contains("500004"));
    stage.server.stop().await;
    assert_eq!(stage.ask("face", &ask).await["code"], 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_library_gets_its_codes_and_faces_from_it() {
    let stage = Stage::set(None).await;
    let centre = stage
        .server
        .url("/localcfc/api/hsecfc/localQrCodeQuery")
        .unwrap();
    let settings = format!(
        "app_id = \"kiosk\"\nsecret = \"{}\"\n[code]\nsource = \"terminal\"\n[terminal]\nurl = \"{}\"\nkeypad = true",
        secret_of("kiosk"),
        stage.terminal.url()
    );
    stage
        .simulate(json!({ "qrCode": "EC-FOR-THE-LIBRARY" }))
        .await;
    let asked = tokio::task::spawn_blocking(move || {
        let ready = Ready::new(Settings::parse(&settings, std::path::Path::new(".")).unwrap());
        let ask = |trans_type: &str| {
            let data =
                r#"{"businessType":"01301","idNo":"1","idType":"01","orgId":"H1","userName":"z"}"#;
            let text = format!(r#"{{"transType":"{trans_type}","data":{data}}}"#);
            let outcome = trans(
                &ready,
                &SystemClock,
                centre.as_str().as_bytes(),
                text.as_bytes(),
            );
            assert_eq!(outcome.returned, Ok(()), "{trans_type}");
            serde_json::from_slice::<Value>(&outcome.output).unwrap()
        };
        (
            ask("ec.query"),
            ask("cn.nhsa.auth.check"),
            ask("cn.nhsa.ec.pwd"),
        )
    });
    let (code, face, _) = asked.await.unwrap();
    assert_eq!(code["data"]["qrCode"], "EC-FOR-THE-LIBRARY");
    assert_eq!(face["code"], 0);
    let told = stage.centre.told();
    let checked = told
        .iter()
        .find(|(what, _)| what == "cn.nhsa.auth.check")
        .unwrap();
    assert_eq!(checked.1["authNo"], "A7");
    assert!(checked.1["photoData"].as_str().is_some());
}

#[tokio::test]
async fn it_listens_on_loopback_only_and_shows_nobody() {
    let stage = Stage::set(None).await;
    let setup = TerminalSetup {
        listen: "0.0.0.0:0".parse().unwrap(),
        centre_url: stage.server.url("/").unwrap(),
        account: account("terminal"),
        person: citizens(1).remove(0),
        password: "135790".to_owned(),
        next_code: None,
    };
    let shown = format!("{setup:?} {:?}", stage.terminal);
    assert!(!shown.contains("135790") && !shown.contains(&setup.person.id_no));
    let world = World {
        clock: clock(),
        random: Arc::new(SeededRandomness::new(7)),
    };
    let refused = SimulatedTerminal::start(setup, world, stage.http.clone()).await;
    assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::InvalidInput);
}
