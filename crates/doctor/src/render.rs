//! A diagnosis on one screen, in Chinese.

use std::fmt::Write as _;

use crate::{Diagnosis, Language, Verdict};

/// How many lines of code are shown where no language was chosen.
const LANGUAGES_SHOWN: usize = 3;

/// The diagnosis for a person at a terminal. With `language`, the lines of code are in that
/// language alone.
#[must_use]
pub fn render(diagnosis: &Diagnosis, language: Option<Language>) -> String {
    let mut out = String::new();
    // Writing to a string has no way to fail.
    let _written = write(&mut out, diagnosis, language);
    out
}

fn write(out: &mut String, diagnosis: &Diagnosis, language: Option<Language>) -> std::fmt::Result {
    writeln!(out, "结论：{}", headline(diagnosis))?;
    for (place, difference) in diagnosis.differences.iter().enumerate() {
        let mark = if difference.tolerated {
            "（可接受）"
        } else {
            ""
        };
        writeln!(out, "\n{}. {}{mark}", place + 1, difference.what)?;
        if let Some(place) = &difference.place {
            writeln!(
                out,
                "   第 {} 字节起不同（从 0 数，▶ 处）",
                place.offset_bytes
            )?;
            writeln!(out, "   贵方：{}", place.yours)?;
            writeln!(out, "   应为：{}", place.guides)?;
        }
        writeln!(out, "   改法：{}", difference.change)?;
        if !difference.tolerated {
            let lines = difference
                .code
                .iter()
                .filter(|line| language.is_none_or(|language| language.name() == line.language));
            for line in lines.take(LANGUAGES_SHOWN) {
                writeln!(out, "   {:<6} {}", line.language, line.line)?;
            }
        }
        writeln!(
            out,
            "   依据：接入指南 {}  [{}]",
            difference.section, difference.id
        )?;
    }
    let told = |difference: &crate::Difference| difference.place.is_some();
    if let Some(place) = &diagnosis.signed_string
        && !diagnosis.differences.iter().any(told)
    {
        writeln!(
            out,
            "\n待签名串从第 {} 字节起不同（▶ 处，从 0 数；密钥与个人信息以 * 遮盖）",
            place.offset_bytes
        )?;
        writeln!(out, "   贵方：{}", place.yours)?;
        writeln!(out, "   指南：{}", place.guides)?;
    }
    if let Some(text) = &diagnosis.guide_string {
        writeln!(out, "\n指南的待签名串（遮盖后）：\n   {}", shortened(text))?;
    }
    for (title, lines) in [
        ("已排除", &diagnosis.ruled_out),
        ("下一步", &diagnosis.next),
        ("提示", &diagnosis.notes),
    ] {
        if !lines.is_empty() {
            writeln!(out, "\n{title}：")?;
        }
        for line in lines {
            writeln!(out, "   - {line}")?;
        }
    }
    if let Some(business) = &diagnosis.business {
        writeln!(out, "\n业务数据：{}", shortened(business))?;
    }
    Ok(())
}

/// The verdict in a sentence.
#[must_use]
pub fn headline(diagnosis: &Diagnosis) -> String {
    let kind = if diagnosis.is_reply {
        "应答"
    } else {
        "请求"
    };
    let wrong = diagnosis.wrong().count();
    let tolerated = diagnosis.differences.len() - wrong;
    match diagnosis.verdict {
        Verdict::NoMessage if diagnosis.is_reply => "这是一个拒绝应答".to_owned(),
        Verdict::NoMessage => "没有找到报文".to_owned(),
        Verdict::Correct if tolerated == 0 => format!("正确。{kind}可以解密，签名相符"),
        Verdict::Correct => format!("正确。平台接受此{kind}，有 {tolerated} 处与指南的写法不同"),
        Verdict::Readable => format!("可读，但有 {wrong} 处不符，平台会拒绝"),
        Verdict::Partly if diagnosis.business.is_some() => "能解密，但签名对不上".to_owned(),
        Verdict::Partly => "签名相符，但密文解不开".to_owned(),
        Verdict::Unreadable => format!("用此密钥读不懂这个{kind}"),
    }
}

/// One screen has room for so much of a text.
fn shortened(text: &str) -> String {
    const MOST: usize = 400;
    let mut chars = text.chars();
    let head: String = chars.by_ref().take(MOST).collect();
    match chars.count() {
        0 => head,
        more => format!("{head}…（还有 {more} 字）"),
    }
}
