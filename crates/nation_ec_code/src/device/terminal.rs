//! A terminal that is asked over HTTP: scanner, camera and keypad in one (医保业务综合服务终端).
//!
//! The protocol is Banyan's own and stands in `docs/nation-ec-code.zh-CN.md`: POST of JSON in UTF-8 to
//! `/scan`, `/face`, `/keypad`; `code` 0 where it went well.

use serde_json::{Value, json};
use ureq::http::Uri;

use super::Occasion;
use crate::fault::{Code, Fault};
use crate::http::{Line, Post};
use crate::settings::Terminal;

/// What a camera gives.
pub(crate) struct Face {
    pub(crate) auth_no: String,
    pub(crate) photo: Option<String>,
}

/// Whose password is typed. Never shown.
pub(crate) struct Person {
    pub(crate) id_type: String,
    pub(crate) id_no: String,
    pub(crate) user_name: String,
    pub(crate) ec_token: String,
}

pub(super) fn scan(line: &Line, terminal: &Terminal, what: &Occasion) -> Result<String, Fault> {
    let body = json!({ "orgId": what.org_id, "businessType": what.business_type });
    let said = ask(line, terminal, &terminal.scan, &body)?;
    Ok(text(&said, "qrCode").unwrap_or_default())
}

pub(crate) fn face(line: &Line, terminal: &Terminal, what: &Occasion) -> Result<Face, Fault> {
    let body = json!({ "orgId": what.org_id, "businessType": what.business_type });
    let said = ask(line, terminal, &terminal.face, &body)?;
    let auth_no = text(&said, "authNo")
        .filter(|auth_no| auth_no.len() <= 64)
        .ok_or_else(|| Fault::new(Code::Unknown, "终端没有给出刷脸授权码"))?;
    Ok(Face {
        auth_no,
        photo: text(&said, "photoData"),
    })
}

/// Ends when the person has typed: the terminal itself tells the centre what.
pub(crate) fn keypad(
    line: &Line,
    terminal: &Terminal,
    what: &Occasion,
    who: &Person,
) -> Result<(), Fault> {
    let body = json!({
        "orgId": what.org_id, "businessType": what.business_type, "idType": who.id_type,
        "idNo": who.id_no, "userName": who.user_name, "ecToken": who.ec_token,
    });
    ask(line, terminal, &terminal.keypad, &body).map(|_| ())
}

fn ask(line: &Line, terminal: &Terminal, address: &Uri, body: &Value) -> Result<Value, Fault> {
    let answered = line.post(&Post {
        address,
        content_type: "application/json; charset=utf-8",
        body: body.to_string().as_bytes(),
        within: terminal.patience,
    })?;
    let said: Option<Value> = serde_json::from_slice(&answered.body).ok();
    let code = said.as_ref().and_then(|said| said.get("code")?.as_i64());
    match (code, said) {
        (Some(0), Some(said)) if answered.status == 200 => Ok(said),
        (Some(code), _) if code != 0 => Err(refused(code)),
        _ => Err(Fault::new(
            Code::Unknown,
            format!("终端应答不合约定（HTTP {}）", answered.status),
        )),
    }
}

/// The terminal's codes. Its own message is not passed on: nobody knows whom it names.
fn refused(code: i64) -> Fault {
    let (code, text) = match code {
        1 => (Code::Unknown, "终端没有这个设备，或设备未连接".to_owned()),
        2 => (Code::Unknown, "终端上的操作已取消".to_owned()),
        3 => (Code::Timeout, "终端上的操作超时".to_owned()),
        4 => (
            Code::TornCode,
            "终端扫到的二维码不完整，请重新扫码".to_owned(),
        ),
        other => (Code::Unknown, format!("终端返回错误 {other}")),
    };
    Fault::new(code, text)
}

fn text(said: &Value, name: &str) -> Option<String> {
    let text = said.get(name)?.as_str()?;
    (!text.is_empty()).then(|| text.to_owned())
}
