//! A credential centre that speaks real HTTP(S) on loopback and errs by path: `/ok` is well, `/slow`
//! never answers, and so on. It builds its string to sign itself, so that it does not share a mistake
//! with the library.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use banyan_protocol::ambient::{Clock as _, SystemClock};
use banyan_protocol::crypto::{base64, sm3};
use encoding_rs::GB18030;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::{APP_ID, SECRET};

/// Longer than anything takes that goes well.
const PATIENCE: Duration = Duration::from_secs(20);

pub struct Centre {
    url: String,
    desk: Arc<Desk>,
}

#[derive(Default)]
struct Desk {
    connections: AtomicUsize,
    calls: AtomicUsize,
    typed: Mutex<bool>,
    was_typed: Condvar,
    asked: Mutex<Vec<(String, Value)>>,
}

impl Centre {
    pub fn start() -> Self {
        Self::listen("http", |stream| stream)
    }

    pub fn start_tls(config: Arc<ServerConfig>) -> Self {
        Self::listen("https", move |stream| {
            StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), stream)
        })
    }

    fn listen<S: Read + Write + Send + 'static>(
        scheme: &str,
        wrap: impl Fn(TcpStream) -> S + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!(
            "{scheme}://localhost:{}",
            listener.local_addr().unwrap().port()
        );
        let desk = Arc::new(Desk::default());
        let shared = Arc::clone(&desk);
        // It ends with the test program; nothing of it outlives that.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                shared.connections.fetch_add(1, Ordering::SeqCst);
                stream.set_nodelay(true).unwrap();
                let stream = wrap(stream);
                let desk = Arc::clone(&shared);
                thread::spawn(move || desk.serve(BufReader::new(stream)));
            }
        });
        Self { url, desk }
    }

    /// The address of the standard, with a fault.
    pub fn at(&self, fault: &str) -> String {
        format!("{}/{fault}/localcfc/api/hsecfc/localQrCodeQuery", self.url)
    }

    pub fn base(&self) -> &str {
        &self.url
    }

    pub fn connections(&self) -> usize {
        self.desk.connections.load(Ordering::SeqCst)
    }

    pub fn calls(&self) -> usize {
        self.desk.calls.load(Ordering::SeqCst)
    }

    /// What was asked of it, by path, in order.
    pub fn asked(&self) -> Vec<(String, Value)> {
        self.desk.asked.lock().unwrap().clone()
    }
}

enum Answer {
    With(u16, &'static str, Vec<u8>),
    Never,
    Hangup,
}

impl Desk {
    fn serve<S: Read + Write>(&self, mut stream: BufReader<S>) {
        while let Some((path, body)) = request(&mut stream) {
            self.calls.fetch_add(1, Ordering::SeqCst);
            let mut parts = path.trim_start_matches('/').split('/');
            let (fault, rest) = (parts.next().unwrap(), parts.next().unwrap_or_default());
            let answer = match rest {
                "scan" | "face" | "keypad" => self.terminal(fault, rest, &body),
                _ => self.centre(fault, &body),
            };
            let (status, kind, body) = match answer {
                Answer::With(status, kind, body) => (status, kind, body),
                Answer::Never => {
                    // Until the caller has had enough.
                    let _ = stream.read(&mut [0]);
                    return;
                }
                Answer::Hangup => return,
            };
            let head = format!(
                "HTTP/1.1 {status} x\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\
                 Location: /elsewhere\r\n\r\n",
                body.len()
            );
            let whole = [head.as_bytes(), &body].concat();
            if stream.get_mut().write_all(&whole).is_err() || stream.get_mut().flush().is_err() {
                return;
            }
        }
    }

    fn centre(&self, fault: &str, body: &[u8]) -> Answer {
        const GB: &str = "application/json; charset=GB18030";
        let simply = |status, text: &str| Answer::With(status, "text/html", text.into());
        match fault {
            "slow" => return Answer::Never,
            "hangup" => return Answer::Hangup,
            "garbage" => return simply(200, "<html>欢迎</html>"),
            "huge" => return simply(200, &"x".repeat(300 * 1024)),
            "redirect" => return simply(302, ""),
            "missing" => return simply(404, ""),
            "busy" => return simply(429, ""),
            "broken" => return simply(503, ""),
            "unsigned" => {
                let text =
                    r#"{"orgId":"1234567","code":500012,"message":"该电子凭证应用渠道不存在"}"#;
                return Answer::With(200, GB, gb18030(text));
            }
            "unsigned0" => return Answer::With(200, GB, br#"{"code":0,"data":{}}"#.to_vec()),
            _ => {}
        }
        let call = Call::open(body);
        self.asked
            .lock()
            .unwrap()
            .push((fault.to_owned(), call.data.clone()));
        if call.trans_type == "cn.nhsa.ec.pwd" && fault == "typed" {
            let typed = self.typed.lock().unwrap();
            drop(
                self.was_typed
                    .wait_timeout_while(typed, PATIENCE, |typed| !*typed),
            );
        }
        let data = match fault {
            "long" => json!({ "userName": "内".repeat(3000) }),
            _ => json!({
                "idNo": "359999199001010011", "idType": "01", "userName": "张三",
                "ecToken": "T", "insuOrg": "350200", "qrCode": call.qr_code,
                "authNo": call.data["authNo"], "photo": call.data["photoData"].as_str().map(str::len),
                "officeName": call.data["officeName"], "transType": call.trans_type,
            }),
        };
        let mut reply = Signed {
            org_id: call.org_id,
            code: 0,
            message: "处理成功".to_owned(),
            data: data.to_string(),
            timestamp: SystemClock.now_ms(),
            secret: SECRET,
        };
        match fault {
            "refuse" => (reply.code, reply.message) = (500_049, "电子凭证二维码无效".to_owned()),
            "longrefusal" => (reply.code, reply.message) = (500_049, "码".repeat(3000)),
            "forged" => reply.secret = "another-secret-of-another-kiosk",
            "old" => reply.timestamp -= 3_600_000,
            "others" => reply.org_id = "7654321".to_owned(),
            _ => {}
        }
        if fault == "utf8" {
            let text = reply.text().into_bytes();
            return Answer::With(200, "application/json; charset=utf-8", text);
        }
        Answer::With(200, GB, gb18030(&reply.text()))
    }

    fn terminal(&self, fault: &str, what: &str, body: &[u8]) -> Answer {
        let asked: Value = serde_json::from_slice(body).unwrap();
        self.asked.lock().unwrap().push((what.to_owned(), asked));
        let said = match (fault, what) {
            ("slow", _) => return Answer::Never,
            ("nodevice", _) => json!({ "code": 1, "message": "没有设备" }),
            ("cancelled", _) => json!({ "code": 2, "message": "已取消" }),
            ("late", _) => json!({ "code": 3, "message": "超时" }),
            ("torn", _) => json!({ "code": 4, "message": "半个码" }),
            ("half", "scan") => json!({ "code": 0, "qrCode": "EC 01" }),
            ("odd", _) => json!("?"),
            (_, "scan") => json!({ "code": 0, "message": "", "qrCode": "EC-FROM-TERMINAL" }),
            (_, "face") => json!({ "code": 0, "authNo": "A1", "photoData": "cGhvdG8=" }),
            _ => {
                *self.typed.lock().unwrap() = true;
                self.was_typed.notify_all();
                json!({ "code": 0 })
            }
        };
        Answer::With(200, "application/json", said.to_string().into_bytes())
    }
}

/// What a caller sent, its signature verified; a test fails where it does not hold.
struct Call {
    org_id: String,
    trans_type: String,
    data: Value,
    qr_code: Value,
}

impl Call {
    fn open(body: &[u8]) -> Self {
        let text = GB18030
            .decode_without_bom_handling_and_without_replacement(body)
            .expect("a body in GB18030");
        let members: HashMap<String, Box<RawValue>> = serde_json::from_str(&text).unwrap();
        let string = |name: &str| -> String { serde_json::from_str(members[name].get()).unwrap() };
        let extra: Value = serde_json::from_str(&string("extra")).unwrap();
        let data = members["data"].get();
        let signed_data = if data.starts_with('"') {
            string("data")
        } else {
            data.to_owned()
        };
        let (org_id, trans_type) = (string("orgId"), string("transType"));
        let timestamp = extra["timestamp"].as_str().unwrap();
        let signed = format!(
            "appId={APP_ID}&data={signed_data}&orgId={org_id}&timestamp={timestamp}&transType={trans_type}&key={SECRET}"
        );
        assert_eq!(
            extra["sign"],
            base64::encode(&sm3::digest(signed.as_bytes()))
        );
        assert_eq!(extra["appId"], APP_ID);
        Self {
            org_id,
            trans_type,
            data: serde_json::from_str(&signed_data).unwrap(),
            qr_code: extra["qrCode"].clone(),
        }
    }
}

struct Signed {
    org_id: String,
    code: i64,
    message: String,
    data: String,
    timestamp: i64,
    secret: &'static str,
}

impl Signed {
    fn text(&self) -> String {
        let Self {
            org_id,
            code,
            message,
            data,
            timestamp,
            secret,
        } = self;
        let signed = format!(
            "appId={APP_ID}&code={code}&data={data}&message={message}&orgId={org_id}&timestamp={timestamp}&key={secret}"
        );
        let sign = base64::encode(&sm3::digest(signed.as_bytes()));
        let extra = json!({ "appId": APP_ID, "timestamp": timestamp.to_string(), "sign": sign })
            .to_string();
        format!(
            r#"{{"orgId":"{org_id}","code":{code},"message":"{message}","data":{data},"extra":{}}}"#,
            Value::from(extra)
        )
    }
}

fn gb18030(text: &str) -> Vec<u8> {
    GB18030.encode(text).0.into_owned()
}

/// Path and body; none where the caller is gone.
fn request<S: Read + Write>(stream: &mut BufReader<S>) -> Option<(String, Vec<u8>)> {
    let line = |stream: &mut BufReader<S>| -> io::Result<String> {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    };
    let first = line(stream).ok()?;
    let path = first.split(' ').nth(1)?.to_owned();
    let mut length = 0;
    loop {
        let header = line(stream).ok()?.to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some((path, body))
}
