//! A hospital's window, and a terminal, as callers of the centre: their own bytes over a real socket.

use std::net::SocketAddr;

use banyan_platform::admin::NewPartner;
use banyan_protocol::ambient::Clock as _;
use banyan_protocol::crypto::base64;
use banyan_protocol::crypto::gcm::Sm4Gcm;
use banyan_protocol::envelope::Secret;
use banyan_protocol::envelope::centre::{BadReply, Charset, PATH, Request, open_reply};
use banyan_sandbox::Citizen;
use banyan_store::partners::Kind;
use serde_json::{Value, json};

use crate::partners_voice::{RawReply, http};
use crate::telling::{Story, StoryClock, new_hospital, system_randomness};

/// Whoever calls the centre.
#[derive(Clone)]
pub(super) struct Window {
    pub(super) app_id: String,
    pub(super) secret: Secret,
    pub(super) org_id: String,
    pub(super) platform: SocketAddr,
    pub(super) clock: StoryClock,
}

/// What somebody is charged for at a window.
pub(super) const SETTLEMENT: &str = "01301";

impl Window {
    /// That of one of the sandbox's hospitals.
    pub(super) fn of(story: &Story, place: usize) -> Self {
        let access = &story.description.hospitals[place];
        Self::with(story, &access.app_id, &access.secret, &access.org_id)
    }

    pub(super) fn with(story: &Story, app_id: &str, secret: &str, org_id: &str) -> Self {
        Self {
            app_id: app_id.to_owned(),
            secret: Secret::parse(secret).unwrap(),
            org_id: org_id.to_owned(),
            platform: story.platform(),
            clock: story.clock.clone(),
        }
    }

    /// A terminal, registered beside the sandbox's own.
    pub(super) async fn terminal(story: &Story, org_id: &str) -> Self {
        let new = NewPartner {
            kind: Kind::Terminal,
            org_id: None,
            name: "窗口终端".to_owned(),
            institutions: vec![org_id.to_owned()],
            ..new_hospital("")
        };
        let voice = story.add_partner(new).await;
        Self::with(story, &voice.app_id, &voice.secret, org_id)
    }

    /// The members that every message of a window has, with some more.
    pub(super) fn data(&self, more: &[(&str, &str)]) -> Value {
        let mut data = json!({
            "orgId": self.org_id, "businessType": SETTLEMENT, "operatorId": "008",
            "operatorName": "收款员", "officeId": "01", "officeName": "消化内科",
        });
        for (name, value) in more {
            data[name] = json!(value);
        }
        data
    }

    /// The signed message.
    pub(super) fn signed(&self, trans_type: &str, data: &Value, qr_code: Option<&str>) -> String {
        let request = Request::new(&self.org_id, trans_type, &data.to_string(), qr_code).unwrap();
        request.seal(&self.app_id, &self.secret, self.clock.now_ms())
    }

    /// Sends bytes as they are.
    pub(super) async fn send(&self, bytes: &[u8], content_type: &str) -> RawReply {
        let headers = [("content-type", content_type)];
        http(self.platform, "POST", PATH, &headers, bytes).await
    }

    /// Sends a message as the standard has it, in GB18030; gives the answer, opened.
    pub(super) async fn say_text(&self, message: &str) -> Result<Value, (String, String)> {
        let charset = Charset::Gb18030;
        let sent = charset.encode(message).into_owned();
        let reply = self.send(&sent, charset.content_type()).await;
        assert_eq!(reply.header("content-type"), Some(charset.content_type()));
        let text = charset.decode(&reply.body).unwrap().into_owned();
        opened(&text, &self.app_id, &self.secret).unwrap()
    }

    pub(super) async fn say(
        &self,
        trans_type: &str,
        data: &Value,
        qr_code: Option<&str>,
    ) -> Result<Value, (String, String)> {
        self.say_text(&self.signed(trans_type, data, qr_code)).await
    }

    /// Scans a code.
    pub(super) async fn scan(&self, code: &str) -> Result<Value, (String, String)> {
        self.say("ec.query", &self.data(&[]), Some(code)).await
    }

    /// Asks for a person's password.
    pub(super) async fn ask_password(
        &self,
        citizen: &Citizen,
        more: &[(&str, &str)],
    ) -> Result<Value, (String, String)> {
        let mut data = self.data(&[
            ("idNo", &citizen.id_no),
            ("idType", "01"),
            ("userName", &citizen.user_name),
            ("mdtrtCertType", "01A"),
        ]);
        for (name, value) in more {
            data[name] = json!(value);
        }
        self.say("cn.nhsa.ec.pwd", &data, None).await
    }

    /// As a terminal: this person's face was recognised.
    pub(super) async fn recognise(&self, citizen: &Citizen) -> Result<String, (String, String)> {
        let reply = self
            .say("terminal.face", &self.named(citizen), None)
            .await?;
        Ok(reply["authNo"].as_str().unwrap().to_owned())
    }

    /// As a terminal: this person typed this.
    pub(super) async fn typed(
        &self,
        citizen: &Citizen,
        digits: &str,
    ) -> Result<Value, (String, String)> {
        let timestamp_ms = self.clock.now_ms();
        let key = self.secret.expose().as_bytes().first_chunk().unwrap();
        let context = format!("{}|{timestamp_ms}", self.org_id);
        let random = system_randomness();
        let sealed = Sm4Gcm::with_key(key).seal(&*random, context.as_bytes(), digits.as_bytes());
        let mut data = self.named(citizen);
        data["password"] = json!(base64::encode(&sealed));
        let data = data.to_string();
        let request = Request::new(&self.org_id, "terminal.pwd", &data, None).unwrap();
        let signed = request.seal(&self.app_id, &self.secret, timestamp_ms);
        self.say_text(&signed).await
    }

    fn named(&self, citizen: &Citizen) -> Value {
        json!({
            "orgId": self.org_id, "idType": "01", "idNo": citizen.id_no,
            "userName": citizen.user_name,
        })
    }
}

/// An answer's data, or code and message of a refusal, which may be unsigned.
pub(super) fn opened(
    text: &str,
    app_id: &str,
    secret: &Secret,
) -> Result<Result<Value, (String, String)>, BadReply> {
    match open_reply(text, app_id, secret) {
        Ok(reply) if reply.code == 0 => Ok(Ok(serde_json::from_str(
            &reply.data.unwrap_or_default(),
        )
        .unwrap())),
        Ok(reply) => Ok(Err((reply.code.to_string(), reply.message))),
        Err(BadReply::Unsigned { code, message }) if code != 0 => {
            Ok(Err((code.to_string(), message)))
        }
        Err(bad) => Err(bad),
    }
}

/// The code and nothing else of a refusal.
pub(super) fn code_of(heard: Result<Value, (String, String)>) -> String {
    match heard {
        Ok(data) => panic!("not refused: {data}"),
        Err((code, message)) => {
            assert!(!message.is_empty());
            code
        }
    }
}
