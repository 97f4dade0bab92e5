//! An insurer that a story makes up: any level, any algorithm, its messages sent as they are.

use std::net::SocketAddr;

use banyan_platform::admin::NewPartner;
use banyan_protocol::ambient::{Clock as _, SystemRandomness};
use banyan_protocol::catalogue::Interface;
use banyan_protocol::crypto::rsa::PrivateKey;
use banyan_protocol::dictionaries::{EncType, SignType};
use banyan_protocol::envelope::Secret;
use banyan_protocol::envelope::fjs::{
    Answered, Calling, Channel, Cipher, Keys, Level, Manner, Peer, Signer, answer, member,
};
use banyan_store::partners::Kind;
use banyan_store::supplement::channels;
use serde_json::{Value, json};

use crate::partners_voice::http;
use crate::telling::{Story, StoryClock};

pub(crate) const PLATFORM_KEY: &str = include_str!("../../../../../fixtures/keys/platform.key.pem");
pub(crate) const PLATFORM_CERTIFICATE: &str =
    include_str!("../../../../../fixtures/keys/platform.crt.pem");
pub(crate) const INSURER_KEY: &str = include_str!("../../../../../fixtures/keys/insurer.key.pem");
pub(crate) const INSURER_CERTIFICATE: &str =
    include_str!("../../../../../fixtures/keys/insurer.crt.pem");

/// How a channel is to be.
#[derive(Clone, Copy)]
pub(crate) struct Wanted {
    pub(crate) level: u8,
    pub(crate) enc: EncType,
    pub(crate) sign: SignType,
    pub(crate) services: &'static [&'static str],
    pub(crate) strict: bool,
}

impl Default for Wanted {
    fn default() -> Self {
        Self {
            level: 4,
            enc: EncType::Sm4,
            sign: SignType::Sm3,
            services: &["100002", "100005"],
            strict: false,
        }
    }
}

#[derive(Clone)]
pub(crate) struct Insurer {
    pub(crate) app_id: String,
    pub(crate) secret: Secret,
    pub(crate) channel: Channel,
    pub(crate) token: Option<String>,
    pub(crate) platform: SocketAddr,
    pub(crate) clock: StoryClock,
}

pub(crate) fn new_insurer() -> NewPartner {
    NewPartner {
        kind: Kind::Insurer,
        org_id: None,
        name: "榕城保险".to_owned(),
        base_url: None,
        hosts: Vec::new(),
        grants: None,
        rate_per_second: 100_000,
        plain_replies: false,
        corrections: false,
        institutions: Vec::new(),
    }
}

pub(crate) fn channel(wanted: Wanted) -> channels::Channel {
    channels::Channel {
        level: wanted.level,
        enc_type: wanted.enc.code().to_owned(),
        sign_type: wanted.sign.code().to_owned(),
        service_ids: wanted.services.iter().map(|id| (*id).to_owned()).collect(),
        strict: wanted.strict,
        keys: channels::Keys {
            theirs: Some(INSURER_CERTIFICATE.to_owned()),
            ours: Some(PLATFORM_KEY.to_owned()),
            our_certificate: None,
        },
    }
}

impl Insurer {
    /// Registers the channel and, from level 2 on, fetches a token.
    pub(crate) async fn register(story: &Story, wanted: Wanted) -> Self {
        let desk = story.desk();
        let issued = desk
            .add_insurer(new_insurer(), channel(wanted))
            .await
            .expect("it is added");
        story.renew().await;
        let keys = Keys {
            own: Some(PrivateKey::from_pem(INSURER_KEY).expect("a key")),
            peer: Some(Peer::from_pem(PLATFORM_CERTIFICATE).expect("a certificate")),
        };
        let mut insurer = Self {
            app_id: issued.app_id,
            secret: Secret::parse(&issued.secret).expect("a secret"),
            channel: Channel {
                level: Level::from_number(wanted.level).expect("a level"),
                cipher: Cipher::new(wanted.enc, &keys).expect("its keys"),
                signer: Signer::new(wanted.sign, &keys).expect("its keys"),
            },
            token: None,
            platform: story.platform(),
            clock: story.clock.clone(),
        };
        if insurer.channel.level >= Level::Token {
            insurer.fetch_token().await;
        }
        insurer
    }

    pub(crate) async fn fetch_token(&mut self) {
        let code = self.code().await;
        let given = self.redeem(&code).await;
        assert_eq!(given["code"], "0", "{given}");
        assert_eq!(given["data"]["expires_in"], 7_200);
        let token = given["data"][member::TOKEN].as_str().expect("a token");
        self.token = Some(token.to_owned());
    }

    /// A code for one use.
    pub(crate) async fn code(&self) -> String {
        let asked = Calling {
            app_id: &self.app_id,
            token: None,
            funid: None,
            timestamp_ms: self.clock.now_ms(),
            business: None,
            manner: Manner::FIRST,
        };
        let sealed = asked.seal(&self.channel, &self.secret, &SystemRandomness);
        let given = self.post("/fjs/oauth/code", &sealed.expect("sealed")).await;
        assert_eq!(given["code"], "0", "{given}");
        assert_eq!(given["data"]["expires_in"], 60);
        given["data"]["code"].as_str().expect("a code").to_owned()
    }

    /// What the platform says to a code.
    pub(crate) async fn redeem(&self, code: &str) -> Value {
        self.redeem_with(code, self.secret.expose()).await
    }

    pub(crate) async fn redeem_with(&self, code: &str, secret: &str) -> Value {
        let shown = json!({
            member::APPID: self.app_id, member::APPSECRET: secret, "code": code,
        });
        self.post("/fjs/oauth/token", &shown.to_string()).await
    }

    /// The message for a business object, wrapped in `data` as the document shows.
    pub(crate) fn sealed(&self, funid: &str, inner: &Value) -> String {
        self.sealed_text(funid, &json!({ "data": inner }).to_string())
    }

    pub(crate) fn sealed_text(&self, funid: &str, business: &str) -> String {
        let calling = Calling {
            app_id: &self.app_id,
            token: self.token.as_deref(),
            funid: Some(funid),
            timestamp_ms: self.clock.now_ms(),
            business: Some(business),
            manner: Manner::FIRST,
        };
        let sealed = calling.seal(&self.channel, &self.secret, &SystemRandomness);
        sealed.expect("sealed")
    }

    /// Calls, and opens the answer.
    pub(crate) async fn say(&self, interface: Interface, inner: &Value) -> Answered {
        self.send(&self.sealed(interface.code(), inner)).await
    }

    pub(crate) async fn say_text(&self, funid: &str, business: &str) -> Answered {
        self.send(&self.sealed_text(funid, business)).await
    }

    pub(crate) async fn send(&self, sealed: &str) -> Answered {
        let reply = http(self.platform, "POST", "/fjs/api", &[], sealed.as_bytes()).await;
        self.opened(&reply.body)
    }

    pub(crate) fn opened(&self, body: &[u8]) -> Answered {
        let opened = answer::open(body, &self.channel, &self.secret, &SystemRandomness);
        opened.unwrap_or_else(|fault| panic!("{fault}: {}", String::from_utf8_lossy(body)))
    }

    async fn post(&self, path: &str, body: &str) -> Value {
        let reply = http(self.platform, "POST", path, &[], body.as_bytes()).await;
        serde_json::from_slice(&reply.body).expect("JSON")
    }
}

/// It was done.
#[track_caller]
pub(crate) fn done(answered: &Answered) -> &Value {
    assert_eq!(
        (&*answered.code, &*answered.kind, &*answered.message),
        ("0", "success", "请求成功")
    );
    &answered.data
}

/// It was refused with this code, and the message begins with this path.
#[track_caller]
pub(crate) fn refused(answered: &Answered, code: &str, path: &str) {
    assert_eq!(answered.code, code, "{}", answered.message);
    assert_eq!((&*answered.kind, &answered.data), ("error", &Value::Null));
    assert!(
        path.is_empty() || answered.message.starts_with(&format!("{path}：")),
        "{path} is to be named first: {}",
        answered.message
    );
}

/// A fixture's request.
pub(crate) fn example(interface: Interface) -> Value {
    let name = interface.code().to_lowercase().replace('.', "_");
    let path = format!(
        "{}/../../fixtures/supplement/{name}.json",
        env!("CARGO_MANIFEST_DIR")
    );
    let text = std::fs::read_to_string(&path).expect("a fixture");
    let fixture: Value = serde_json::from_str(&text).expect("JSON");
    fixture["request"].clone()
}

/// So many sound historical cases, each its own.
pub(crate) fn cases(count: usize) -> Value {
    let mut request = example(Interface::Xy00000003);
    let case = request["hmbList"][0].clone();
    let rows: Vec<Value> = (0..count)
        .map(|number| {
            let mut row = case.clone();
            row["caseNo"] = json!(format!("CASE{number}"));
            row
        })
        .collect();
    request["hmbList"] = json!(rows);
    request
}

/// So many sound claims, each its own.
pub(crate) fn claims(count: usize) -> Value {
    let claim = example(Interface::Ci00030003)["claimsInfo"][0].clone();
    let rows: Vec<Value> = (0..count)
        .map(|number| {
            let mut row = claim.clone();
            row["caseNo"] = json!(format!("CLAIM{number}"));
            row
        })
        .collect();
    json!({ "claimsInfo": rows })
}

/// So many sound orders of medicine boxes, each somebody else's.
pub(crate) fn orders(count: usize) -> Value {
    let rows: Vec<Value> = (0..count)
        .map(|number| {
            json!({
                "psnName": "陈建国", "certno": format!("E{number:06}"),
                "serviceId": "100005", "status": "1",
            })
        })
        .collect();
    json!({ "topic": "hmbYyxInfo", "hmbList": rows })
}
