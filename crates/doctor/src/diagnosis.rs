//! The diagnosis: from what was captured to what is to be changed.

use banyan_protocol::crypto::base64;
use banyan_protocol::result_code::ResultCode;
use serde::Serialize;

use crate::captured::Captured;
use crate::code::Language;
use crate::deviation::Deviation;
use crate::opening::{self, Opening};
use crate::recipe::{Cooked, Recipe};
use crate::search::{self, Match, Pantry, Subject};
use crate::{envelope, mask, stated, text};

/// What is asked.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    /// The captured message: raw HTTP, or the body alone, or text with the body in it.
    pub captured: &'a [u8],
    /// The secrets that it may have been made with; the one that makes most sense of it is taken.
    pub secrets: &'a [&'a str],
    /// The string to sign as the partner's program had it, where its maker has logged it; its
    /// secret may be left out or masked.
    pub signed: Option<&'a str>,
    /// The present moment in milliseconds since the epoch, against which the timestamp is held.
    pub now_ms: Option<i64>,
    /// Whether values about persons are shown.
    pub show_data: bool,
}

impl std::fmt::Debug for Question<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Question").finish_non_exhaustive()
    }
}

/// What came out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Diagnosis {
    /// In a word.
    pub verdict: Verdict,
    /// Whether it is an answer.
    pub is_reply: bool,
    /// What is not as the guide says, wrong ones first.
    pub differences: Vec<Difference>,
    /// Where the string that was signed first differs from the guide's.
    pub signed_string: Option<Place>,
    /// The guide's string to sign, secret and persons masked; where the signature was not found.
    pub guide_string: Option<String>,
    /// The business JSON, persons masked unless they were asked for.
    pub business: Option<String>,
    /// What else is worth knowing, in Chinese.
    pub notes: Vec<String>,
    /// What can't be the reason, in Chinese; where it could not be read.
    pub ruled_out: Vec<String>,
    /// What to do next, in Chinese; where it could not be read.
    pub next: Vec<String>,
    /// How many readings were tried.
    pub tried: usize,
}

/// The verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// No message was found in what was captured.
    NoMessage,
    /// Neither decryption nor signature make sense under this secret.
    Unreadable,
    /// One of the two does.
    Partly,
    /// Everything was made out, and something must be changed.
    Readable,
    /// The platform takes it.
    Correct,
}

/// Something that is not as the guide says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// Stable, for tools: such as `sign.over_ciphertext`.
    pub id: &'static str,
    /// Whether the platform accepts it.
    pub tolerated: bool,
    /// What was done, in Chinese.
    pub what: &'static str,
    /// What to do instead, in Chinese.
    pub change: &'static str,
    /// Section of the access guide.
    pub section: &'static str,
    /// The line as it should be, in each language.
    pub code: Vec<Line>,
    /// Where this one shows: in the string to sign, all else being as the partner has it, or in
    /// the text of the signature.
    pub place: Option<Place>,
}

/// A line of code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Line {
    /// The language's name.
    pub language: &'static str,
    /// The line.
    pub line: &'static str,
}

/// Where two texts first differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Place {
    /// The offset in bytes of the text in UTF-8, from 0.
    pub offset_bytes: usize,
    /// The partner's text around it, `▶` before the first character that differs.
    pub yours: String,
    /// The guide's.
    pub guides: String,
}

/// Examines a captured message. Takes some milliseconds, or about half a second where nothing
/// makes sense of it.
#[must_use]
pub fn examine(question: &Question<'_>) -> Diagnosis {
    let Some(captured) = Captured::read(question.captured) else {
        return Diagnosis::no_message();
    };
    if let Some(refusal) = unsigned_refusal(&captured) {
        return refusal;
    }
    let found = question
        .secrets
        .iter()
        .map(|secret| under(question, &captured, secret));
    // Of equals the first, which is the secret in use.
    found
        .reduce(|best, next| {
            if next.rank() > best.rank() {
                next
            } else {
                best
            }
        })
        .unwrap_or_else(Diagnosis::no_message)
}

/// What people paste first: the refusal that they got. There is nothing in it to examine, but it
/// says what to look for in the request.
fn unsigned_refusal(captured: &Captured) -> Option<Diagnosis> {
    let code = captured.get("respCode").filter(|code| *code != "000000")?;
    if captured.get("sign").is_some() || captured.get("encryptData").is_some() {
        return None;
    }
    let known = ResultCode::from_code(code);
    let label = known.map_or("不在响应码表中", ResultCode::label);
    let code: String = code.chars().take(20).collect();
    Some(Diagnosis {
        is_reply: true,
        notes: vec![format!(
            "这是对方的拒绝应答：{code}（{label}），本身没有可诊断的内容"
        )],
        next: vec!["请截取引起它的那个请求（贵方发出的报文），再诊断一次".to_owned()],
        ..Diagnosis::no_message()
    })
}

/// What is known of the signature.
enum Signature<'a> {
    /// None is needed: the message says PLAIN.
    NotNeeded,
    Absent,
    /// It is no digest in any spelling.
    NoDigest,
    /// No recipe gives it.
    NotFound,
    Found(Match<'a>, Vec<Deviation>),
}

fn under(question: &Question<'_>, captured: &Captured, secret: &str) -> Diagnosis {
    let mut tried = 0;
    let mut deviations = envelope::look(captured);
    let ciphertext = captured.get("encryptData");
    let opening = ciphertext.and_then(|text| opening::open(text, secret, &mut tried));
    let plain = || captured.get("data").or_else(|| captured.get("param"));
    let business = match (&opening, ciphertext) {
        (Some(Opening { business, .. }), _) => Some(&**business),
        (None, Some(_)) => None,
        (None, None) => plain(),
    };
    if let Some(opening) = &opening {
        deviations.extend(&opening.deviations);
        deviations.extend(wrapped(&opening.business));
    }
    let pantry = Pantry::new(business, secret);
    let subject = Subject {
        captured,
        business,
        secret,
        pantry: &pantry,
    };
    let signature = look_for(&subject, &mut tried);
    let opened = ciphertext.is_none() || opening.is_some();
    let guide = Recipe::of_the_guide(business, secret);
    let cooked =
        |recipe: &Recipe<'_>| -> Cooked { recipe.cook(&captured.members, question.show_data) };
    let mut signed_string = None;
    let mut places: Vec<(Deviation, Place)> = Vec::new();
    let signed = match &signature {
        Signature::NotNeeded => true,
        Signature::Found(found, spelling) => {
            let yours = cooked(&found.recipe);
            for (about, without) in &found.changes {
                let place = place(&yours, &cooked(without));
                places.extend(about.iter().copied().zip(place));
                deviations.extend(about);
            }
            let written = of_sign(captured, &found.recipe.digest(&captured.members));
            places.extend(spelling.iter().copied().zip(written));
            deviations.extend(spelling);
            signed_string = place(&yours, &cooked(&guide));
            true
        }
        Signature::Absent | Signature::NoDigest | Signature::NotFound => false,
    };
    let mut differences: Vec<Difference> = Vec::new();
    for deviation in deviations {
        let place = places.iter().find(|(about, _)| *about == deviation);
        let difference = Difference {
            place: place.map(|(_, place)| place.clone()),
            ..Difference::of(deviation)
        };
        if differences.iter().all(|known| known.id != difference.id) {
            differences.push(difference);
        }
    }
    differences.sort_by_key(|difference| difference.tolerated);
    let wrong = differences.iter().any(|difference| !difference.tolerated);
    let some = captured
        .members
        .iter()
        .any(|member| ["sign", "encryptData", "data", "param"].contains(&&*member.name));
    let verdict = match (opened, signed) {
        (true, true) if !wrong => Verdict::Correct,
        (true, true) => Verdict::Readable,
        (true, false) if ciphertext.is_some() || business.is_some() => Verdict::Partly,
        (false, true) if matches!(signature, Signature::Found(..)) => Verdict::Partly,
        _ if !some => Verdict::NoMessage,
        _ => Verdict::Unreadable,
    };
    let mut notes: Vec<String> = captured
        .mended
        .iter()
        .map(|what| (*what).to_owned())
        .collect();
    notes.extend(
        question
            .now_ms
            .and_then(|now_ms| envelope::clock(captured, now_ms)),
    );
    if matches!(signature, Signature::NoDigest) {
        notes.push("sign 不是任何摘要的 base64 或十六进制（SM3 为 32 字节）".to_owned());
    }
    if ciphertext.and_then(opening::is_whole) == Some(false) {
        notes.push("密文长度不是 16 字节的整数倍：多半被截断，或多了字符".to_owned());
    }
    let show = |text: &str| {
        if question.show_data {
            text.to_owned()
        } else {
            mask::mask(text)
        }
    };
    if let (Some(text), false) = (question.signed, matches!(signature, Signature::Found(..))) {
        let told = Cooked {
            text: text.trim_end().to_owned(),
            shown: show(&text.replace(secret, "***")),
        };
        signed_string = place_before_key(&told, &cooked(&guide));
        notes.push(if signed_string.is_some() {
            "贵方待签名串与指南的待签名串不同，见下".to_owned()
        } else {
            "贵方待签名串在 &key= 之前与指南一致：请检查密钥本身、SM3 与 base64".to_owned()
        });
    }
    let mut diagnosis = Diagnosis {
        verdict,
        is_reply: captured.is_reply(),
        differences,
        signed_string,
        guide_string: (!signed).then(|| cooked(&guide).shown),
        business: business.map(show),
        notes,
        ruled_out: Vec::new(),
        next: Vec::new(),
        tried,
    };
    diagnosis.explain(opened, signed, secret);
    diagnosis
}

fn look_for<'a>(subject: &Subject<'a>, tried: &mut usize) -> Signature<'a> {
    let captured = subject.captured;
    let Some(sign) = captured.get("sign") else {
        let plain = captured
            .get("signType")
            .is_some_and(|said| said.eq_ignore_ascii_case("PLAIN"));
        return if plain {
            Signature::NotNeeded
        } else {
            Signature::Absent
        };
    };
    let candidates = stated::read(sign);
    if candidates.is_empty() {
        return Signature::NoDigest;
    }
    for (digest, spelling) in candidates {
        if let Some(found) = search::find(subject, &digest, tried) {
            return Signature::Found(found, spelling);
        }
    }
    Signature::NotFound
}

/// Business data in a wrapper that the guide does not have: its single member is `data` or `param`.
fn wrapped(business: &str) -> Option<Deviation> {
    let json = crate::json::Json::parse(business)?;
    match json.members()? {
        [(name, inner)] if ["data", "param"].contains(&&**name) => {
            inner.members().map(|_| Deviation::PlaintextWrapped)
        }
        _ => None,
    }
}

fn place(yours: &Cooked, guides: &Cooked) -> Option<Place> {
    let at = text::first_difference(&yours.text, &guides.text)?;
    Some(Place {
        offset_bytes: at.bytes,
        yours: text::around(&yours.shown, at.chars),
        guides: text::around(&guides.shown, at.chars),
    })
}

/// Where the text of the signature differs from what the guide would have written.
fn of_sign(captured: &Captured, digest: &[u8]) -> Option<Place> {
    let yours = captured.get("sign")?;
    let guides = base64::encode(digest);
    let at = text::first_difference(yours, &guides)?;
    Some(Place {
        offset_bytes: at.bytes,
        yours: text::around(yours, at.chars),
        guides: text::around(&guides, at.chars),
    })
}

/// The same for a text whose maker has hidden or cut the secret.
fn place_before_key(yours: &Cooked, guides: &Cooked) -> Option<Place> {
    let before_key = |cooked: &Cooked| {
        let end = cooked.text.rfind("&key=").unwrap_or(cooked.text.len());
        let text = cooked.text.get(..end).unwrap_or_default().to_owned();
        let shown = cooked.shown.chars().take(text.chars().count()).collect();
        Cooked { text, shown }
    };
    place(&before_key(yours), &before_key(guides))
}

impl Difference {
    fn of(deviation: Deviation) -> Self {
        let spec = deviation.spec();
        let code = Language::ALL.map(|language| Line {
            language: language.name(),
            line: spec.topic.line(language),
        });
        Self {
            id: spec.id,
            tolerated: spec.tolerated,
            what: spec.what,
            change: spec.change,
            section: spec.section,
            code: code.to_vec(),
            place: None,
        }
    }
}

impl Diagnosis {
    fn no_message() -> Self {
        Self {
            verdict: Verdict::NoMessage,
            is_reply: false,
            differences: Vec::new(),
            signed_string: None,
            guide_string: None,
            business: None,
            notes: Vec::new(),
            ruled_out: Vec::new(),
            next: vec![
                "请给出完整的报文：原始 HTTP（带请求头），或整个 JSON 报文（含 appId、sign、encryptData 等字段）".to_owned(),
            ],
            tried: 0,
        }
    }

    fn rank(&self) -> (Verdict, std::cmp::Reverse<usize>) {
        (self.verdict, std::cmp::Reverse(self.wrong().count()))
    }

    /// What must be changed.
    pub fn wrong(&self) -> impl Iterator<Item = &Difference> {
        self.differences
            .iter()
            .filter(|difference| !difference.tolerated)
    }

    /// What was ruled out and what to do next, where something did not make sense.
    fn explain(&mut self, opened: bool, signed: bool, secret: &str) {
        if opened && signed {
            return;
        }
        if opened {
            self.ruled_out
                .push("SM4 解密没有问题：密钥前 16 位是对的".to_owned());
            self.ruled_out.push(format!(
                "已试 {} 种签名读法（param/data、排序、空值、转义、密钥写法、编码、摘要）都不符",
                self.tried
            ));
            if secret.chars().count() > 16 {
                self.next.push(
                    "核对密钥第 17 位以后的部分（解密只用到前 16 位，签名用整个密钥）".to_owned(),
                );
            }
            self.next.push(
                "确认签名之后没有再改动报文（timestamp、业务参数是否在签名后又变了）".to_owned(),
            );
            self.next.push(
                "在程序中打印待签名串（把密钥换成 ***），存成文件，用 --signed 文件 再诊断一次"
                    .to_owned(),
            );
        } else {
            self.ruled_out.push(format!(
                "已试 {} 种读法：十六进制与各种 base64、密钥前后 16 位及其解码与摘要、ECB/CBC、各种填充、UTF-8/GBK",
                self.tried
            ));
            if signed {
                self.ruled_out
                    .push("签名与此密钥相符，只有密文无法解开".to_owned());
            }
            self.next.push(
                "核对密钥：是否属于报文中的 appId，是否测试与正式环境混用，是否刚轮换过".to_owned(),
            );
            self.next
                .push("确认报文完整（没有被日志截断），再连同请求头一起截取".to_owned());
        }
    }
}
