//! What can be said of a message without its secret: headers, members, the timestamp.

use banyan_protocol::envelope::SIGN_VERSION;

use crate::captured::{Captured, Head};
use crate::deviation::Deviation;

/// Members that every message has, and what it is called when one is missing.
const REQUIRED: [(&str, Deviation); 5] = [
    ("appId", Deviation::AppIdAbsent),
    ("version", Deviation::VersionAbsent),
    ("timestamp", Deviation::TimestampAbsent),
    ("encryptType", Deviation::EncryptTypeAbsent),
    ("signType", Deviation::SignTypeAbsent),
];

/// The timestamp of 2001 in milliseconds: what is less was counted in seconds.
const LEAST_MS: i64 = 1_000_000_000_000;
/// How far a clock may be off before a platform refuses what it stamped: what platforms have where
/// nobody set it otherwise.
const FRESHNESS_MS: i64 = 600_000;

/// How the envelope deviates.
pub(crate) fn look(captured: &Captured) -> Vec<Deviation> {
    let mut found = captured.deviations.clone();
    if let Some(head) = &captured.head {
        look_at_head(head, &mut found);
    }
    let known = REQUIRED.map(|(name, _)| name);
    let known = known
        .iter()
        .chain(&["sign", "encryptData", "respCode", "respMsg"]);
    let other_case = |wanted: &str| {
        captured
            .members
            .iter()
            .any(|member| member.name != wanted && member.name.eq_ignore_ascii_case(wanted))
    };
    if known
        .into_iter()
        .any(|name| captured.get(name).is_none() && other_case(name))
    {
        found.push(Deviation::MemberCase);
    }
    for (name, absent) in REQUIRED {
        if captured.get(name).is_none() && !other_case(name) {
            found.push(absent);
        }
    }
    look_at_types(captured, &mut found);
    if !captured.is_reply() && captured.head.is_some() && captured.get("respCode").is_some() {
        found.push(Deviation::AnswerInRequest);
    }
    match captured.get("timestamp").map(str::parse::<i64>) {
        Some(Ok(time)) if (1..LEAST_MS).contains(&time) => found.push(Deviation::TimestampSeconds),
        Some(Ok(time)) if time > 0 => {}
        Some(_) => found.push(Deviation::TimestampNotNumber),
        None => {}
    }
    found
}

fn look_at_head(head: &Head, found: &mut Vec<Deviation>) {
    if let Some((method, _)) = &head.request
        && method != "POST"
    {
        found.push(Deviation::MethodNotPost);
    }
    let kind = head
        .get("Content-Type")
        .unwrap_or_default()
        .to_ascii_lowercase();
    let other_charset =
        kind.contains("charset") && !kind.replace('"', "").contains("charset=utf-8");
    if !kind.starts_with("application/json") || other_charset {
        found.push(Deviation::ContentType);
    }
    if head
        .get("X-Api-Sign-Version")
        .is_some_and(|version| version != SIGN_VERSION)
    {
        found.push(Deviation::SignVersion);
    }
}

fn look_at_types(captured: &Captured, found: &mut Vec<Deviation>) {
    let is = |name: &str, real: &str| {
        captured.get(name).map(|said| {
            (
                said.eq_ignore_ascii_case(real),
                said.eq_ignore_ascii_case("PLAIN"),
            )
        })
    };
    let mut plain = false;
    for (name, real, content, absent, other) in [
        (
            "encryptType",
            "SM4",
            "encryptData",
            Deviation::EncryptDataAbsent,
            Deviation::EncryptTypeOther,
        ),
        (
            "signType",
            "SM3",
            "sign",
            Deviation::SignAbsent,
            Deviation::SignTypeOther,
        ),
    ] {
        match is(name, real) {
            Some((true, _)) if captured.get(content).is_none() => {
                // A refusal has no business data to encrypt.
                let refusal = name == "encryptType"
                    && captured
                        .get("respCode")
                        .is_some_and(|code| code != "000000");
                found.extend((!refusal).then_some(absent));
            }
            Some((false, true)) => plain = true,
            Some((false, false)) => found.push(other),
            Some((true, _)) | None => {}
        }
    }
    found.extend(plain.then_some(Deviation::Plain));
}

/// What is to be said of the clock: a message may have been captured long ago, so this is no
/// deviation.
pub(crate) fn clock(captured: &Captured, now_ms: i64) -> Option<String> {
    let time: i64 = captured.get("timestamp")?.parse().ok()?;
    let time_ms = if (1..LEAST_MS).contains(&time) {
        time.saturating_mul(1000)
    } else {
        time
    };
    let skew_ms = time_ms.saturating_sub(now_ms);
    if skew_ms.saturating_abs() <= FRESHNESS_MS {
        return None;
    }
    let side = if skew_ms > 0 { "快" } else { "慢" };
    let minutes = skew_ms.saturating_abs() / 60_000;
    Some(format!(
        "timestamp 比现在{side} {minutes} 分钟。若报文是刚截取的，请校准时钟（允许 ±10 分钟，否则 010010）；若是以前的，可不理会"
    ))
}
