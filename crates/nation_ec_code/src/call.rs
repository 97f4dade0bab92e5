//! One call, from the caller's JSON to what he gets, in safe code over slices.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use banyan_protocol::ambient::Clock;
use banyan_protocol::envelope::centre::{self, BadReply, Reply, Request};
use serde_json::Value;
use ureq::http::Uri;

use banyan_protocol::envelope::centre::escaped;

use crate::charset::Charset;
use crate::device::{self, Occasion, terminal};
use crate::fault::{Code, Fault};
use crate::http::{Answered, Line, Post};
use crate::message::{self, FACE, PASSWORD, QR_CODE, QUERY};
use crate::settings::{self, Centre};
use crate::state::Ready;

/// How far the centre's clock may be from ours for a reply to count as one to this call; the centre
/// itself allows as much.
const MOST_SKEW_MS: i64 = 600_000;
const CONTENT_TYPE: &str = "application/json; charset=GB18030";

/// What a call came to.
pub struct Outcome {
    /// For `OutData`, without the NUL; never too long for it.
    pub output: Vec<u8>,
    /// `Ok` where a reply of the centre arrived whole and verified, whatever its code: `0000`.
    pub returned: Result<(), Fault>,
    /// 返回码 in `output`.
    pub code: i64,
    /// The caller's, or the default.
    pub trans_type: String,
    /// What went by at the centre, in devices and on the way there.
    pub outside: Duration,
}

/// Calls the centre at this address.
#[must_use]
pub fn trans(ready: &Ready, clock: &dyn Clock, url: &[u8], in_data: &[u8]) -> Outcome {
    let mut call = Call {
        ready,
        clock,
        org_id: None,
        trans_type: String::new(),
        outside: Duration::ZERO,
    };
    let room = ready.settings.room;
    let done = call
        .centre(url, in_data)
        .and_then(|reply| Ok((reply.code, room.reply(&reply)?)));
    let (code, output, returned) = match done {
        Ok((code, output)) => (code, output, Ok(())),
        Err(fault) => (
            fault.code().number(),
            room.fault(call.org_id.as_deref(), &fault),
            Err(fault),
        ),
    };
    Outcome {
        output,
        returned,
        code,
        trans_type: call.trans_type,
        outside: call.outside,
    }
}

/// The way to the centre.
pub(crate) fn line_to_centre(settings: &Centre) -> Line {
    Line::new("中心", settings.connect, settings.roots.as_deref())
}

/// The way to the terminal, which stands on the same desk.
pub(crate) fn line_to_terminal(settings: &Centre) -> Line {
    Line::new("终端", settings.connect, settings.roots.as_deref())
}

struct Call<'a> {
    ready: &'a Ready,
    clock: &'a dyn Clock,
    org_id: Option<String>,
    trans_type: String,
    outside: Duration,
}

impl Call<'_> {
    fn centre(&mut self, url: &[u8], in_data: &[u8]) -> Result<Reply, Fault> {
        let settings = &self.ready.settings;
        let address = address(url)?;
        let text = settings.room.charset.decode(in_data)?;
        let mut request = message::read(&text, &settings.defaults)?;
        self.org_id = Some(request.org_id.clone());
        self.trans_type.clone_from(&request.trans_type);
        let occasion = Occasion {
            org_id: request.org_id.clone(),
            business_type: message::of_data(&request.data, "businessType"),
        };
        match &*request.trans_type {
            QUERY | QR_CODE => self.bring_code(&mut request, &occasion)?,
            FACE => self.bring_face(&mut request, &occasion)?,
            _ => {}
        }
        let message = request.seal(&settings.app_id, &settings.secret, self.clock.now_ms());
        let body = Charset::Gb18030.encode(&escaped(&message));
        let post = Post {
            address: &address,
            content_type: CONTENT_TYPE,
            body: &body,
            within: match &*request.trans_type {
                PASSWORD => settings.centre.password,
                _ => settings.centre.answer,
            },
        };
        let answered = match &*request.trans_type {
            PASSWORD => self.timed(|ready| with_keypad(ready, &request, &occasion, &post))?,
            _ => self.timed(|ready| ready.centre.post(&post))?,
        };
        self.believe(&answered, &request.org_id)
    }

    /// The caller's own code first; a device only where he has none.
    fn bring_code(&mut self, request: &mut Request, occasion: &Occasion) -> Result<(), Fault> {
        let said = request.extra.get("qrCode");
        if said.is_some_and(|code| !matches!(code.get(), "\"\"" | "null")) {
            return Ok(());
        }
        let code = self.timed(|ready| device::scan(ready, occasion))?;
        if let Some(code) = message::raw(&Value::from(code).to_string()) {
            request.extra.insert("qrCode".to_owned(), code);
        }
        Ok(())
    }

    fn bring_face(&mut self, request: &mut Request, occasion: &Occasion) -> Result<(), Fault> {
        if !message::of_data(&request.data, "authNo").is_empty() {
            return Ok(());
        }
        let Some(terminal) = &self.ready.settings.terminal else {
            let text = "data.authNo 为空，设置中也没有 [terminal] 可供刷脸";
            return Err(Fault::new(Code::Parameter, text));
        };
        let face = self.timed(|ready| terminal::face(&ready.terminal, terminal, occasion))?;
        let mut members = vec![("authNo", face.auth_no.as_str())];
        let has_photo = !message::of_data(&request.data, "photoData").is_empty();
        if let Some(photo) = face.photo.as_deref().filter(|_| !has_photo) {
            members.push(("photoData", photo));
        }
        request.data = message::with_members(&request.data, &members);
        Ok(())
    }

    fn timed<T>(&mut self, wait: impl FnOnce(&Ready) -> Result<T, Fault>) -> Result<T, Fault> {
        let started = Instant::now();
        let done = wait(self.ready);
        self.outside += started.elapsed();
        done
    }

    fn believe(&self, answered: &Answered, org_id: &str) -> Result<Reply, Fault> {
        let settings = &self.ready.settings;
        let charset = if answered.is_utf8 {
            Charset::Utf8
        } else {
            Charset::Gb18030
        };
        let reply = match charset.decode(&answered.body) {
            Ok(text) => centre::open_reply(&text, &settings.app_id, &settings.secret),
            Err(_) => Err(BadReply::Unreadable),
        };
        let reply = reply.map_err(|bad| match bad {
            BadReply::Unreadable => unreadable(answered.status),
            BadReply::Unsigned { code: 0, .. } => {
                Fault::new(Code::Signature, "应答没有签名，不予采信")
            }
            BadReply::Unsigned { code, message } => Fault::new(
                Code::Centres(code),
                format!("{message}（应答未签名：中心可能不认识设置中的 app_id）"),
            ),
            BadReply::Forged => Fault::new(
                Code::Signature,
                "应答的签名不符：请核对设置中的 app_id 和 secret",
            ),
        })?;
        if reply.code == 0 {
            self.answers_this_call(&reply, org_id)?;
        }
        Ok(reply)
    }

    /// A reply that somebody kept and gives a second time tells of another patient.
    fn answers_this_call(&self, reply: &Reply, org_id: &str) -> Result<(), Fault> {
        if reply.org_id.as_deref().is_some_and(|said| said != org_id) {
            return Err(Fault::new(Code::Signature, "应答不是给本机构的，不予采信"));
        }
        let skew_ms = reply.timestamp_ms.abs_diff(self.clock.now_ms());
        if skew_ms > MOST_SKEW_MS.unsigned_abs() {
            let text = format!(
                "应答的时间与本机相差 {} 秒，不予采信：请校准本机时钟",
                skew_ms / 1000
            );
            return Err(Fault::new(Code::Signature, text));
        }
        Ok(())
    }
}

/// The person types while the centre waits for it. Whoever ends first with bad news ends the other:
/// nobody should look at an hourglass for what was cancelled, nor type what nobody waits for.
fn with_keypad(
    ready: &Ready,
    request: &Request,
    occasion: &Occasion,
    post: &Post<'_>,
) -> Result<Answered, Fault> {
    let settings = &ready.settings;
    let Some(pad) = settings.terminal.as_ref().filter(|pad| pad.has_keypad) else {
        return ready.centre.post(post);
    };
    let said = |name| message::of_data(&request.data, name);
    let person = terminal::Person {
        id_type: said("idType"),
        id_no: said("idNo"),
        user_name: said("userName"),
        ec_token: said("ecToken"),
    };
    // Lines of their own, because hanging up ends whatever else is on a line.
    let (to_centre, to_pad) = (
        line_to_centre(&settings.centre),
        line_to_terminal(&settings.centre),
    );
    let centre_is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        let typing = thread::Builder::new().spawn_scoped(scope, || {
            let typed = terminal::keypad(&to_pad, pad, occasion, &person);
            let ends_it = typed.is_err() && !centre_is_done.load(Ordering::SeqCst);
            if ends_it {
                to_centre.clone().hang_up();
            }
            typed.map_err(|fault| (fault, ends_it))
        });
        let Ok(typing) = typing else {
            return Err(Fault::new(Code::Unknown, "系统没有资源等待密码键盘"));
        };
        let answered = to_centre.post(post);
        centre_is_done.store(true, Ordering::SeqCst);
        if !typing.is_finished() {
            to_pad.clone().hang_up();
        }
        let typed = typing.join();
        match (answered, typed) {
            // The centre was hung up on because of the keypad, so the keypad's reason is the reason.
            (Err(_), Ok(Err((fault, true)))) => Err(fault),
            (answered, _) => answered,
        }
    })
}

fn address(url: &[u8]) -> Result<Uri, Fault> {
    let bad = |why: &str| Fault::new(Code::Address, format!("strUrl {why}"));
    let text = std::str::from_utf8(url).map_err(|_| bad("不是合法的地址"))?;
    settings::address(text.trim()).map_err(|why| bad(&why))
}

fn unreadable(status: u16) -> Fault {
    match status {
        404 | 405 => Fault::new(Code::Address, format!("地址不对：对方答 HTTP {status}")),
        300..=399 => Fault::new(
            Code::Address,
            format!("地址不对：对方要求转向（HTTP {status}），本库不跟随"),
        ),
        401 | 403 => Fault::new(Code::NotAllowed, format!("对方拒绝访问（HTTP {status}）")),
        429 => Fault::new(Code::RateLimited, "请求过于频繁（HTTP 429）"),
        408 | 504 => Fault::new(Code::Timeout, format!("网关等待超时（HTTP {status}）")),
        200 => Fault::new(Code::Centre, "应答不是电子凭证中心的报文"),
        _ => Fault::new(Code::Centre, format!("中心不可用（HTTP {status}）")),
    }
}
