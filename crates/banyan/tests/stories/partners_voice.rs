//! A partner that speaks the wire by itself: it seals with the primitives alone and checks every
//! answer's signature by the guide's own rule, so that a fault of ours in building the string to
//! sign can't hide on both sides.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use banyan_protocol::ambient::SharedClock;
use banyan_protocol::catalogue::{Interface, Route};
use banyan_protocol::crypto::sm4::Sm4;
use banyan_protocol::crypto::{base64, sm3};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Who speaks, and to whom.
#[derive(Clone)]
pub(crate) struct Voice {
    pub(crate) app_id: String,
    pub(crate) secret: String,
    pub(crate) platform: SocketAddr,
    pub(crate) clock: SharedClock,
}

/// What came back, its signature looked at.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) status: u16,
    pub(crate) code: String,
    pub(crate) message: String,
    /// The business JSON; null where there is none.
    pub(crate) business: Value,
    /// The name under which the business JSON was signed; `None` where no signature holds.
    pub(crate) signed_as: Option<&'static str>,
    /// The members of the envelope as they stood.
    pub(crate) envelope: Value,
}

/// An HTTP answer as it came.
#[derive(Debug)]
pub(crate) struct RawReply {
    pub(crate) status: u16,
    pub(crate) headers: String,
    pub(crate) body: Vec<u8>,
}

/// The path of an interface.
pub(crate) fn path(interface: Interface) -> &'static str {
    match interface.spec().route {
        Route::Path(path) => path,
        Route::Funid | Route::TransType => panic!("{} has no path", interface.code()),
    }
}

/// The string to sign (guide 4.1.4.1): everything but sign, encryptData, extendParams, the
/// business JSON under the given name, sorted, then the key.
pub(crate) fn string_to_sign(
    members: &BTreeMap<String, String>,
    business: Option<(&str, &str)>,
    secret: &str,
) -> String {
    let mut pairs: BTreeMap<&str, &str> = members
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .filter(|(name, _)| {
            !["sign", "encryptData", "extendParams", "data", "param"].contains(name)
        })
        .collect();
    pairs.extend(business);
    let pairs: Vec<String> = pairs.iter().map(|(k, v)| format!("{k}={v}")).collect();
    format!("{}&key={secret}", pairs.join("&"))
}

/// SM4-ECB under the first 16 bytes of the secret.
pub(crate) fn cipher(secret: &str) -> Sm4 {
    Sm4::with_key(secret.as_bytes().first_chunk().expect("16 bytes"))
}

impl Voice {
    /// The members that every call begins with.
    pub(crate) fn members(&self) -> BTreeMap<String, String> {
        let timestamp = self.clock.now_ms().to_string();
        [
            ("appId", self.app_id.as_str()),
            ("version", "1.0.0"),
            ("timestamp", &timestamp),
            ("encryptType", "SM4"),
            ("signType", "SM3"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    }

    /// The sealed message with these members, signed over `param`.
    pub(crate) fn seal_with(&self, members: &BTreeMap<String, String>, business: &[u8]) -> String {
        let param = String::from_utf8_lossy(business);
        let text = string_to_sign(members, Some(("param", &param)), &self.secret);
        let mut message = json!(members);
        message["sign"] = json!(base64::encode(&sm3::digest(text.as_bytes())));
        let encrypted = cipher(&self.secret).encrypt_ecb(business);
        message["encryptData"] = json!(base64::encode(&encrypted));
        message.to_string()
    }

    /// The sealed message, made now.
    pub(crate) fn seal(&self, business: &str) -> String {
        self.seal_with(&self.members(), business.as_bytes())
    }

    /// Says something and hears the answer.
    pub(crate) async fn say(&self, interface: Interface, business: &Value) -> Heard {
        self.say_text(interface, &business.to_string()).await
    }

    /// The same with the business JSON as text.
    pub(crate) async fn say_text(&self, interface: Interface, business: &str) -> Heard {
        let sealed = self.seal(business);
        self.post(path(interface), sealed.as_bytes()).await
    }

    /// Posts bytes as they are and hears the answer.
    pub(crate) async fn post(&self, path: &str, body: &[u8]) -> Heard {
        let reply = http(self.platform, "POST", path, &[], body).await;
        self.hear(&reply)
    }

    /// Reads an answer.
    pub(crate) fn hear(&self, reply: &RawReply) -> Heard {
        let text = std::str::from_utf8(&reply.body).expect("the answer is UTF-8");
        let raw: BTreeMap<String, Box<RawValue>> = serde_json::from_str(text)
            .unwrap_or_else(|error| panic!("{} is no envelope: {text}: {error}", reply.status));
        let members: BTreeMap<String, String> = raw
            .iter()
            .map(|(name, value)| {
                let plain = serde_json::from_str::<String>(value.get());
                (
                    name.clone(),
                    plain.unwrap_or_else(|_| value.get().to_owned()),
                )
            })
            .collect();
        let business = members.get("encryptData").map_or_else(
            || members.get("data").or(members.get("param")).cloned(),
            |text| {
                let sealed = base64::decode(text).expect("base64");
                let plain = cipher(&self.secret).decrypt_ecb(sealed).ok()?;
                String::from_utf8(plain).ok()
            },
        );
        let sign = members.get("sign").cloned().unwrap_or_default();
        let signed_as = ["param", "data"].into_iter().find(|name| {
            let business = business.as_deref().map(|json| (*name, json));
            let text = string_to_sign(&members, business, &self.secret);
            base64::encode(&sm3::digest(text.as_bytes())) == sign
        });
        let said = |name: &str| members.get(name).cloned().unwrap_or_default();
        Heard {
            status: reply.status,
            code: said("respCode"),
            message: said("respMsg"),
            business: business.map_or(Value::Null, |json| {
                serde_json::from_str(&json).expect("business JSON")
            }),
            signed_as,
            envelope: serde_json::from_str(text).expect("an object"),
        }
    }
}

impl Heard {
    /// The business JSON of an answer that went well and was signed.
    #[track_caller]
    pub(crate) fn done(self) -> Value {
        assert_eq!(
            (self.status, &*self.code),
            (200, "000000"),
            "{}",
            self.message
        );
        assert!(self.signed_as.is_some(), "an answer is signed");
        self.business
    }

    /// A refusal with this code, signed and without business data, whose message begins with
    /// this path.
    #[track_caller]
    pub(crate) fn refused(&self, code: &str, path: &str) {
        assert_eq!(self.code, code, "{}", self.message);
        assert!(
            path.is_empty() || self.message.starts_with(&format!("{path}：")),
            "{path} is to be named first: {}",
            self.message
        );
        assert!(
            self.signed_as.is_some(),
            "a refusal is signed: {}",
            self.message
        );
        assert_eq!(self.business, Value::Null);
    }
}

/// One HTTP exchange on a connection of its own.
pub(crate) async fn http(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> RawReply {
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n");
    if method == "POST" {
        head += &format!("content-length: {}\r\n", body.len());
        let named = |(name, _): &(&str, &str)| name.eq_ignore_ascii_case("content-type");
        if !headers.iter().any(named) {
            head += "content-type: application/json; charset=utf-8\r\n";
        }
    }
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    head += "\r\n";
    let mut stream = TcpStream::connect(address)
        .await
        .expect("the platform listens");
    stream
        .write_all(head.as_bytes())
        .await
        .expect("the head is taken");
    // A server may refuse a body before it has read it all; what it says counts.
    let _ = stream.write_all(body).await;
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes).await;
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.unwrap_or_else(|| panic!("no HTTP answer to {method} {path}"));
    let headers = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let status = headers
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    RawReply {
        status: status.expect("an HTTP status"),
        body: bytes[end + 4..].to_vec(),
        headers,
    }
}

impl RawReply {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, wanted: &str) -> Option<&str> {
        self.headers.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case(wanted).then_some(value)
        })
    }
}
