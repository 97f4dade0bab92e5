//! What was captured, made readable: raw HTTP or the body alone, UTF-8 or GBK, as it went over the
//! line or as somebody pasted it from a log, with quotes and escapes around it.

use std::borrow::Cow;

use encoding_rs::GB18030;
use percent_encoding::percent_decode_str;
use serde_json::value::RawValue;

use crate::deviation::Deviation;
use crate::json::RawMembers;

/// More than the platform itself takes.
pub(crate) const MOST_BYTES: usize = 2 << 20;

/// A captured message.
#[derive(Debug)]
pub(crate) struct Captured {
    pub(crate) head: Option<Head>,
    /// In the order of the message.
    pub(crate) members: Vec<Member>,
    /// How the body itself deviates.
    pub(crate) deviations: Vec<Deviation>,
    /// What was mended to read it at all, in Chinese.
    pub(crate) mended: Vec<&'static str>,
}

/// What stands before the body of an HTTP message.
#[derive(Debug)]
pub(crate) struct Head {
    /// Method and path of a request; `None` for a reply.
    pub(crate) request: Option<(String, String)>,
    headers: Vec<(String, String)>,
}

/// A member of the outer object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) name: String,
    /// A string without its quotes, anything else as it was written.
    pub(crate) text: String,
    pub(crate) is_null: bool,
}

impl Head {
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let header = self
            .headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        Some(&header.1)
    }
}

impl Captured {
    /// Reads what was captured; `None` where no JSON object is in it.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.get(..MOST_BYTES.min(bytes.len()))?;
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => GB18030.decode_without_bom_handling(bytes).0,
        };
        let is_gbk = matches!(text, Cow::Owned(_));
        let (head, body) = split_head(&text);
        let mut deviations = Vec::new();
        let (members, how) = find_object(body)?;
        let mut mended = Vec::new();
        if is_gbk {
            // An editor may have saved it so; what was taken from the line was sent so.
            mended.push("内容是 GBK 编码，已转换；若发出的报文本身就是 GBK，须改为 UTF-8");
            deviations.extend(head.is_some().then_some(Deviation::BodyGbk));
        }
        match how {
            Found::AsItStands => {}
            // Over HTTP it was sent like this; otherwise it may well have been pasted so.
            Found::Mended(what, deviation) => {
                mended.push(what);
                deviations.extend(deviation.filter(|_| head.is_some()));
            }
        }
        let mut names: Vec<&str> = members.iter().map(|member| &*member.name).collect();
        names.sort_unstable();
        if names
            .windows(2)
            .any(|pair| matches!(pair, [a, b] if a == b))
        {
            deviations.push(Deviation::MemberTwice);
        }
        Some(Self {
            head,
            members,
            deviations,
            mended,
        })
    }

    /// The member's text; `None` where it is absent, null or empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let member = self.members.iter().find(|member| member.name == name)?;
        (!member.is_null && !member.text.is_empty()).then_some(&*member.text)
    }

    pub(crate) fn is_reply(&self) -> bool {
        let answers = self.get("respCode").is_some();
        match &self.head {
            Some(head) => head.request.is_none(),
            None => answers,
        }
    }
}

fn split_head(text: &str) -> (Option<Head>, &str) {
    let text = text.trim_start();
    let first = text.lines().next().unwrap_or_default();
    let words: Vec<&str> = first.split_whitespace().collect();
    let request = match words[..] {
        [method, path, version] if version.starts_with("HTTP/") => {
            Some((method.to_owned(), path.to_owned()))
        }
        [version, ..] if version.starts_with("HTTP/") => None,
        _ => return (None, text),
    };
    let ends = ["\r\n\r\n", "\n\n"];
    let end = ends
        .iter()
        .filter_map(|end| Some((text.find(end)?, end.len())))
        .min();
    let (head, body) = match end {
        Some((at, length)) => (text.get(..at), text.get(at + length..)),
        None => (Some(text), None),
    };
    let headers = head.unwrap_or_default().lines().skip(1);
    let headers = headers
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
        .collect();
    (Some(Head { request, headers }), body.unwrap_or_default())
}

enum Found {
    AsItStands,
    /// With what was done to it, and how it deviates where it went over the line like that.
    Mended(&'static str, Option<Deviation>),
}

/// Finds the outer object, mending what stands in the way.
fn find_object(body: &str) -> Option<(Vec<Member>, Found)> {
    let body = body.trim();
    if let Some(members) = members(body) {
        return Some((members, Found::AsItStands));
    }
    let quoted = || serde_json::from_str::<String>(body).ok();
    let between = || {
        let (from, to) = (body.find('{')?, body.rfind('}')?);
        body.get(from..=to).map(str::to_owned)
    };
    let unescaped = || Some(between()?.replace("\\\"", "\"").replace("\\\\", "\\"));
    let decoded = || {
        let plain = percent_decode_str(body).decode_utf8().ok()?;
        let (from, to) = (plain.find('{')?, plain.rfind('}')?);
        plain.get(from..=to).map(str::to_owned)
    };
    let straight = || Some(between()?.replace(['“', '”', '„', '＂'], "\""));
    let single = || Some(between()?.replace('\'', "\""));
    let twice = Some(Deviation::BodyQuoted);
    type Mend<'a> = (
        &'static str,
        Option<Deviation>,
        &'a dyn Fn() -> Option<String>,
    );
    let mends: [Mend<'_>; 6] = [
        (
            "内容是一个 JSON 字符串，已去掉外层引号与转义",
            twice,
            &quoted,
        ),
        ("已去掉 JSON 前后多余的文字", None, &between),
        ("已去掉引号前多余的反斜杠", twice, &unescaped),
        ("已做 URL 解码", Some(Deviation::BodyEncoded), &decoded),
        ("已把弯引号换成直引号", None, &straight),
        ("已把单引号换成双引号", None, &single),
    ];
    mends.into_iter().find_map(|(what, deviation, mend)| {
        let members = members(&mend()?)?;
        Some((members, Found::Mended(what, deviation)))
    })
}

fn members(text: &str) -> Option<Vec<Member>> {
    if !text.starts_with('{') {
        return None;
    }
    let raw = serde_json::from_str::<RawMembers<'_>>(text).ok()?.0;
    // No envelope has as many; the search would drown in them.
    (raw.len() <= 64).then(|| raw.into_iter().map(member).collect())
}

fn member((name, raw): (String, &RawValue)) -> Member {
    let json = raw.get();
    let text = match serde_json::from_str::<String>(json) {
        Ok(text) => text,
        Err(_) => json.to_owned(),
    };
    Member {
        name,
        text,
        is_null: json == "null",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = r#"{"appId":"A","n":1,"x":null,"e":""}"#;

    #[test]
    fn the_body_is_found_however_it_was_pasted() {
        let quoted = serde_json::to_string(BODY).unwrap();
        let encoded = "%7B%22appId%22%3A%22A%22%7D";
        for text in [
            BODY.to_owned(),
            format!("\u{feff}{BODY}\n"),
            format!("2026-03-01 10:00:00 INFO request: {BODY} (12 ms)"),
            quoted.clone(),
            quoted.trim_matches('"').to_owned(),
            encoded.to_owned(),
            BODY.replace('"', "'"),
            BODY.replacen('"', "“", 1).replacen('"', "”", 1),
        ] {
            let captured = Captured::read(text.as_bytes()).unwrap();
            assert_eq!(captured.get("appId"), Some("A"), "{text}");
            assert_eq!(captured.get("x"), None);
            assert!(captured.head.is_none() && captured.deviations.is_empty());
        }
        assert!(Captured::read(b"nothing").is_none());
        assert!(Captured::read(b"").is_none());
    }

    #[test]
    fn raw_http_tells_more() {
        let raw = format!(
            "POST /a HTTP/1.1\r\ncontent-type: text/plain\r\n\r\n{}",
            serde_json::to_string(BODY).unwrap()
        );
        let captured = Captured::read(raw.as_bytes()).unwrap();
        let head = captured.head.as_ref().unwrap();
        assert_eq!(head.get("Content-Type"), Some("text/plain"));
        assert_eq!(head.request.as_ref().unwrap().1, "/a");
        assert_eq!(captured.deviations, [Deviation::BodyQuoted]);
        assert!(!captured.is_reply());
        let reply = Captured::read(format!("HTTP/1.1 200 OK\n\n{BODY}").as_bytes()).unwrap();
        assert!(reply.is_reply());
        let (gbk, _, _) = GB18030.encode(r#"{"respMsg":"成功"}"#);
        let captured = Captured::read(&gbk).unwrap();
        assert!(captured.deviations.is_empty() && captured.mended.len() == 1);
        assert_eq!(captured.get("respMsg"), Some("成功"));
        let sent = [b"HTTP/1.1 200 OK\n\n", &gbk[..]].concat();
        let captured = Captured::read(&sent).unwrap();
        assert_eq!(captured.deviations, [Deviation::BodyGbk]);
    }
}
