//! What `OutData` gets: never more than fits, never half a letter, always valid JSON.

use banyan_protocol::envelope::centre::{self, Reply};
use serde_json::Value;

use banyan_protocol::envelope::centre::escaped;

use crate::charset::Charset;
use crate::fault::{Code, Fault};

/// What fits even where the settings can't be read and nobody knows how large the buffer is; no
/// smaller size can be set.
pub const SMALLEST: usize = 512;

/// A caller's buffer, told by its size in bytes with the final NUL.
#[derive(Debug, Clone, Copy)]
pub struct Room {
    /// In this charset.
    pub charset: Charset,
    /// Bytes with the NUL.
    pub size: usize,
}

impl Room {
    /// A verified reply of the centre. A refusal that is too long loses the end of its message, and
    /// with it nothing that a program reads.
    ///
    /// # Errors
    /// Where a reply with code 0 does not fit.
    pub fn reply(self, reply: &Reply) -> Result<Vec<u8>, Fault> {
        let whole = self.charset.encode(&reply_json(reply));
        if self.fits(&whole) {
            return Ok(whole);
        }
        if reply.code != 0 {
            return Ok(self.refusal(reply.org_id.as_deref(), reply.code, &reply.message));
        }
        Err(Fault::new(
            Code::Unknown,
            format!(
                "中心的应答有 {} 字节，OutData 只有 {} 字节：请加大缓冲区并修改设置 output_size",
                whole.len() + 1,
                self.size
            ),
        ))
    }

    /// A fault of this side.
    #[must_use]
    pub fn fault(self, org_id: Option<&str>, fault: &Fault) -> Vec<u8> {
        self.refusal(org_id, fault.code().number(), fault.text())
    }

    /// A code and as much of the message as there is room for; empty where not even the code fits.
    #[must_use]
    pub fn refusal(self, org_id: Option<&str>, code: i64, message: &str) -> Vec<u8> {
        // 机构代码 of 40 characters (4.2.4.2); what is longer is none.
        let org_id = org_id.filter(|id| id.chars().count() <= 40);
        let letters: Vec<char> = message.chars().take(self.size).collect();
        for org_id in [org_id, None] {
            let write = |count: usize| {
                let text: String = letters.iter().take(count).collect();
                self.charset
                    .encode(&escaped(&refusal_json(org_id, code, &text)))
            };
            // The longest beginning that fits, found by halves: more letters never need less room.
            let (mut short, mut long) = (0, letters.len());
            if !self.fits(&write(short)) {
                continue;
            }
            while short < long {
                let middle = (short + long).div_ceil(2);
                if self.fits(&write(middle)) {
                    short = middle;
                } else {
                    long = middle - 1;
                }
            }
            return write(short);
        }
        let bare = format!(r#"{{"code":{code}}}"#).into_bytes();
        if self.fits(&bare) { bare } else { Vec::new() }
    }

    const fn fits(self, bytes: &[u8]) -> bool {
        bytes.len() < self.size
    }
}

/// The members of 4.2.4.2. `cause` repeats the message, because the C++ example of annex A reads it
/// there; the signature's members are left out, since nobody behind us can verify them.
fn reply_json(reply: &Reply) -> String {
    let mut members = Vec::new();
    if let Some(org_id) = &reply.org_id {
        members.push(member("orgId", org_id));
    }
    members.push(format!(r#""code":{}"#, reply.code));
    members.push(member("message", &reply.message));
    if reply.code != 0 {
        members.push(member("cause", &reply.message));
    }
    match &reply.data {
        Some(text) if reply.data_is_text => members.push(member("data", text)),
        Some(raw) => members.push(format!(r#""data":{raw}"#)),
        None => {}
    }
    if !reply.extra.is_empty() {
        members.push(member("extra", &centre::object(&reply.extra)));
    }
    escaped(&format!("{{{}}}", members.join(","))).into_owned()
}

fn refusal_json(org_id: Option<&str>, code: i64, message: &str) -> String {
    let org_id = org_id.map_or_else(String::new, |id| member("orgId", id) + ",");
    let (message, cause) = (member("message", message), member("cause", message));
    format!(r#"{{{org_id}"code":{code},{message},{cause}}}"#)
}

fn member(name: &str, text: &str) -> String {
    format!("\"{name}\":{}", Value::from(text))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use banyan_protocol::envelope::centre::Extra;

    use super::*;

    fn reply(code: i64, message: &str, data: &str) -> Reply {
        Reply {
            org_id: Some("1234567".to_owned()),
            code,
            message: message.to_owned(),
            data: Some(data.to_owned()),
            data_is_text: false,
            extra: Extra::new(),
            timestamp_ms: 0,
        }
    }

    const GB18030: Charset = Charset::Gb18030;

    fn room(size: usize) -> Room {
        Room {
            charset: GB18030,
            size,
        }
    }

    #[test]
    fn data_stands_as_the_centre_wrote_it() {
        let bytes = room(200)
            .reply(&reply(0, "处理成功", r#"{"userName": "张三"}"#))
            .unwrap();
        assert_eq!(
            GB18030.decode(&bytes).unwrap(),
            r#"{"orgId":"1234567","code":0,"message":"处理成功","data":{"userName": "张三"}}"#
        );
    }

    #[test]
    fn a_success_that_does_not_fit_is_a_fault_and_a_refusal_keeps_its_code() {
        let fault = room(600)
            .reply(&reply(0, "", &format!("\"{}\"", "内".repeat(400))))
            .unwrap_err();
        assert!(fault.text().contains("output_size") && fault.code() == Code::Unknown);
        let bytes = room(600)
            .reply(&reply(500_049, &"码".repeat(400), "{}"))
            .unwrap();
        assert!(bytes.len() > 590, "{}", bytes.len());
        let read: Value = serde_json::from_str(&GB18030.decode(&bytes).unwrap()).unwrap();
        assert_eq!(read["code"], 500_049);
        assert!(read["cause"].as_str().unwrap().starts_with("码码"));
    }

    proptest! {
        #[test]
        fn whatever_is_said_fits_and_is_json(
            size in 0_usize..700, code in any::<i64>(), message in any::<String>(),
            org_id in prop::option::of(any::<String>()), utf8 in any::<bool>(),
        ) {
            let charset = if utf8 { Charset::Utf8 } else { GB18030 };
            let bytes = Room { charset, size }.refusal(org_id.as_deref(), code, &message);
            prop_assert!(bytes.is_empty() || bytes.len() < size);
            if size > 30 {
                prop_assert!(!bytes.is_empty());
            }
            if !bytes.is_empty() {
                let text = charset.decode(&bytes).unwrap();
                let read: Value = serde_json::from_str(&text).unwrap();
                prop_assert_eq!(read["code"].as_i64(), Some(code));
                let said = read["message"].as_str().unwrap_or_default();
                prop_assert!(message.starts_with(said));
            }
        }
    }
}
