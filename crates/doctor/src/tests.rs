//! Messages made wrongly in one way or several, by a maker that knows nothing of the search.

use banyan_protocol::crypto::sm3;
use banyan_protocol::crypto::sm4::Sm4;
use banyan_protocol::envelope::{Dialect, Envelope, Environment, Sealing, Secret};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use cipher::{Array, BlockCipherEncrypt as _};
use encoding_rs::GB18030;
use md5::{Digest as _, Md5};
use serde_json::json;

use crate::{Diagnosis, Language, Question, Verdict, examine, render};

const SECRET: &str = "0a1B2c3D4e5F6a7B8c9D0e1F2a3B4c5D";
const NOW_MS: i64 = 1_772_330_400_000;
const BUSINESS: &str = r#"{"orgId":"H35019900001","idNo":"359999198503120019","userName":"陈建国","notifyUrl":"http://a.cn/b","note":"","old":null}"#;

/// How the message is made; the guide's own way until changed.
struct Maker {
    signed: String,
    encrypted: Vec<u8>,
    name: &'static str,
    members: Vec<(&'static str, &'static str)>,
    unsigned: Vec<&'static str>,
    tail: String,
    sort: bool,
    gbk: bool,
    digest: fn(&[u8]) -> Vec<u8>,
    write_sign: fn(&[u8]) -> String,
    key: [u8; 16],
    cbc: Option<[u8; 16]>,
    pad: fn(&mut Vec<u8>),
    write_cipher: fn(&[u8]) -> String,
}

fn pkcs7(text: &mut Vec<u8>) {
    let count = 16 - text.len() % 16;
    text.extend(vec![u8::try_from(count).unwrap(); count]);
}

fn zeros(text: &mut Vec<u8>) {
    text.resize(text.len().next_multiple_of(16), 0);
}

impl Maker {
    fn new() -> Self {
        Self {
            signed: BUSINESS.to_owned(),
            encrypted: BUSINESS.as_bytes().to_vec(),
            name: "param",
            members: vec![
                ("appId", "A1"),
                ("version", "1.0.0"),
                ("timestamp", "1772330400000"),
                ("encryptType", "SM4"),
                ("signType", "SM3"),
            ],
            unsigned: Vec::new(),
            tail: format!("&key={SECRET}"),
            sort: true,
            gbk: false,
            digest: |bytes| sm3::digest(bytes).to_vec(),
            write_sign: |bytes| URL_SAFE.encode(bytes),
            key: *SECRET.as_bytes().first_chunk().unwrap(),
            cbc: None,
            pad: pkcs7,
            write_cipher: |bytes| URL_SAFE.encode(bytes),
        }
    }

    fn with(change: impl FnOnce(&mut Self)) -> String {
        let mut maker = Self::new();
        change(&mut maker);
        maker.make()
    }

    fn make(&self) -> String {
        let mut plain = self.encrypted.clone();
        (self.pad)(&mut plain);
        let cipher = Sm4::with_key(&self.key);
        let mut before = self.cbc;
        for chunk in plain.chunks_mut(16) {
            if let Some(before) = &before {
                chunk
                    .iter_mut()
                    .zip(before)
                    .for_each(|(byte, other)| *byte ^= other);
            }
            let mut block = Array::try_from(&*chunk).unwrap();
            cipher.encrypt_block(&mut block);
            chunk.copy_from_slice(&block);
            before = before.map(|_| block.into());
        }
        let encrypt_data = (self.write_cipher)(&plain);
        let mut pairs: Vec<(&str, &str)> = self
            .members
            .iter()
            .copied()
            .filter(|(name, _)| !self.unsigned.contains(name))
            .collect();
        let signed = self.signed.replace("CIPHERTEXT", &encrypt_data);
        pairs.push((self.name, &signed));
        if self.sort {
            pairs.sort_unstable();
        }
        let text: Vec<String> = pairs
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let text = text.join("&") + &self.tail;
        let bytes = if self.gbk {
            GB18030.encode(&text).0.into_owned()
        } else {
            text.into_bytes()
        };
        let sign = (self.write_sign)(&(self.digest)(&bytes));
        // In the maker's own order, which a map would lose.
        let mut members = self.members.clone();
        members.push(("sign", &sign));
        members.push(("encryptData", &encrypt_data));
        let members: Vec<String> = members
            .iter()
            .map(|(name, value)| format!("{}:{}", json!(name), json!(value)))
            .collect();
        format!("{{{}}}", members.join(","))
    }
}

fn ask(captured: &str) -> Diagnosis {
    ask_with(captured, &[SECRET])
}

fn ask_with(captured: &str, secrets: &[&str]) -> Diagnosis {
    let diagnosis = examine(&Question {
        captured: captured.as_bytes(),
        secrets,
        signed: None,
        now_ms: Some(NOW_MS),
        show_data: false,
    });
    // Whatever comes out: no secret, and nobody's number or name.
    let shown = render(&diagnosis, None) + &serde_json::to_string(&diagnosis).unwrap();
    for hidden in [&SECRET[..16], &SECRET[16..], "359999198503120019", "陈建国"] {
        assert!(!shown.contains(hidden), "{shown}");
    }
    diagnosis
}

fn ids(diagnosis: &Diagnosis) -> Vec<&str> {
    let mut ids: Vec<&str> = diagnosis
        .differences
        .iter()
        .map(|difference| difference.id)
        .collect();
    ids.sort_unstable();
    ids
}

#[track_caller]
fn finds(message: &str, expected: &[&str]) -> Diagnosis {
    let diagnosis = ask(message);
    let mut expected = expected.to_vec();
    expected.sort_unstable();
    assert_eq!(ids(&diagnosis), expected, "{}", render(&diagnosis, None));
    // What is called correct is what the platform takes.
    let secret = Secret::parse(SECRET).unwrap();
    let taken = Envelope::parse(message.as_bytes()).is_ok_and(|envelope| {
        envelope
            .open(&secret, Environment::Test, Dialect::default())
            .is_ok()
    });
    assert_eq!(
        diagnosis.verdict == Verdict::Correct,
        taken,
        "{}",
        render(&diagnosis, None)
    );
    diagnosis
}

#[test]
fn what_the_guide_says_is_correct() {
    let diagnosis = finds(&Maker::new().make(), &[]);
    assert!(render(&diagnosis, None).starts_with("结论：正确"));
    let secret = Secret::parse(SECRET).unwrap();
    finds(&Sealing::call("A1", NOW_MS, BUSINESS).seal(&secret), &[]);
}

#[test]
fn what_the_platform_takes_besides_is_named_and_taken() {
    finds(&Maker::with(|m| m.name = "data"), &["sign.as_data"]);
    finds(
        &Maker::with(|m| {
            m.write_cipher = |bytes| STANDARD.encode(bytes);
            m.write_sign = |bytes| URL_SAFE_NO_PAD.encode(bytes);
        }),
        &["cipher.base64_standard", "sign.base64_unpadded"],
    );
    let mut empties = Maker::new();
    empties.members.push(("remark", ""));
    empties.unsigned.push("remark");
    finds(&empties.make(), &["sign.no_empties"]);
}

#[test]
fn every_fault_of_the_signed_string_is_found() {
    let md5_upper = hex::encode_upper(Md5::digest(SECRET));
    type Case = (&'static str, Box<dyn Fn(&mut Maker)>);
    let cases: [Case; 22] = [
        (
            "sign.over_ciphertext",
            Box::new(|m| m.signed = "CIPHERTEXT".to_owned()),
        ),
        (
            "sign.sorted",
            Box::new(|m| {
                m.signed = r#"{"idNo":"359999198503120019","note":"","notifyUrl":"http://a.cn/b","old":null,"orgId":"H35019900001","userName":"陈建国"}"#.to_owned();
            }),
        ),
        (
            "sign.spaced",
            Box::new(|m| m.signed = BUSINESS.replace(",\"", ", \"").replace("\":", "\": ")),
        ),
        (
            "sign.slashes",
            Box::new(|m| m.signed = BUSINESS.replace('/', "\\/")),
        ),
        (
            "sign.unicode",
            Box::new(|m| m.signed = BUSINESS.replace("陈建国", "\\u9648\\u5efa\\u56fd")),
        ),
        (
            "sign.unicode",
            Box::new(|m| m.signed = BUSINESS.replace("陈建国", "\\u9648\\u5EFA\\u56FD")),
        ),
        (
            "sign.business_no_nulls",
            Box::new(|m| m.signed = BUSINESS.replace(",\"old\":null", "")),
        ),
        (
            "sign.business_no_empties",
            Box::new(|m| m.signed = BUSINESS.replace("\"note\":\"\",", "")),
        ),
        (
            "sign.no_types",
            Box::new(|m| m.unsigned = vec!["encryptType", "signType"]),
        ),
        (
            "sign.no_version",
            Box::new(|m| m.unsigned = vec!["version"]),
        ),
        (
            "sign.no_timestamp",
            Box::new(|m| m.unsigned = vec!["timestamp"]),
        ),
        ("sign.key_bare", Box::new(|m| m.tail = SECRET.to_owned())),
        (
            "sign.key_no_name",
            Box::new(|m| m.tail = format!("&{SECRET}")),
        ),
        (
            "sign.key_name",
            Box::new(|m| m.tail = format!("&KEY={SECRET}")),
        ),
        ("sign.key_absent", Box::new(|m| m.tail = String::new())),
        (
            "sign.secret_first16",
            Box::new(|m| m.tail = format!("&key={}", &SECRET[..16])),
        ),
        (
            "sign.secret_case",
            Box::new(|m| m.tail = format!("&key={}", SECRET.to_uppercase())),
        ),
        (
            "sign.secret_newline",
            Box::new(|m| m.tail = format!("&key={SECRET}\n")),
        ),
        (
            "sign.secret_md5",
            Box::new(move |m| m.tail = format!("&key={md5_upper}")),
        ),
        ("sign.gbk", Box::new(|m| m.gbk = true)),
        (
            "digest.md5",
            Box::new(|m| m.digest = |bytes| Md5::digest(bytes).to_vec()),
        ),
        (
            "digest.sha256",
            Box::new(|m| m.digest = |bytes| sha2::Sha256::digest(bytes).to_vec()),
        ),
    ];
    for (expected, change) in cases {
        let diagnosis = finds(&Maker::with(change), &[expected]);
        assert_eq!(diagnosis.verdict, Verdict::Readable);
        let shown = render(&diagnosis, Some(Language::CSharp));
        assert!(shown.starts_with("结论：可读，但有 1 处不符"), "{shown}");
        assert!(shown.contains("C#") && !shown.contains("Java "), "{shown}");
        let told = diagnosis.signed_string.is_some();
        assert_eq!(
            told,
            !["sign.gbk", "digest.md5", "digest.sha256"].contains(&expected),
            "{shown}"
        );
    }
    finds(
        &Maker::with(|m| {
            m.sort = false;
            m.members.reverse();
        }),
        &["sign.unsorted"],
    );
}

#[test]
fn every_spelling_of_the_signature_is_found() {
    finds(
        &Maker::with(|m| m.write_sign = |bytes| hex::encode(bytes)),
        &["sign.hex"],
    );
    finds(
        &Maker::with(|m| m.write_sign = |bytes| hex::encode_upper(bytes)),
        &["sign.hex"],
    );
    finds(
        &Maker::with(|m| m.write_sign = |bytes| URL_SAFE.encode(hex::encode(bytes))),
        &["sign.base64_of_hex"],
    );
    finds(
        &Maker::with(|m| m.write_sign = |bytes| URL_SAFE.encode(bytes).replace('=', "%3D")),
        &["sign.percent"],
    );
}

#[test]
fn every_fault_of_the_ciphertext_is_found() {
    type Case = (&'static str, fn(&mut Maker));
    let cases: [Case; 12] = [
        ("cipher.hex", |m| {
            m.write_cipher = |bytes| hex::encode(bytes)
        }),
        ("cipher.percent", |m| {
            m.write_cipher = |bytes| URL_SAFE.encode(bytes) + "%0A"
        }),
        ("key.last16", |m| {
            m.key = *SECRET.as_bytes().last_chunk().unwrap()
        }),
        ("key.hex", |m| {
            m.key = hex::decode(SECRET).unwrap().try_into().unwrap()
        }),
        ("key.base64", |m| {
            m.key = *STANDARD.decode(SECRET).unwrap().first_chunk().unwrap()
        }),
        ("key.md5", |m| m.key = Md5::digest(SECRET).into()),
        ("mode.cbc_zero_iv", |m| m.cbc = Some([0; 16])),
        ("mode.cbc_key_iv", |m| m.cbc = Some(m.key)),
        ("padding.zero", |m| m.pad = zeros),
        ("plaintext.gbk", |m| {
            m.encrypted = GB18030.encode(BUSINESS).0.into_owned()
        }),
        ("plaintext.base64", |m| {
            m.encrypted = STANDARD.encode(BUSINESS).into_bytes();
            m.signed = STANDARD.encode(BUSINESS);
        }),
        ("plaintext.quoted", |m| {
            m.signed = serde_json::to_string(BUSINESS).unwrap();
            m.encrypted = m.signed.clone().into_bytes();
        }),
    ];
    for (expected, change) in cases {
        let message = Maker::with(change);
        let diagnosis = ask(&message);
        assert_eq!(ids(&diagnosis), [expected], "{}", render(&diagnosis, None));
    }
}

#[test]
fn several_faults_at_once_are_found_together() {
    let diagnosis = ask(&Maker::with(|m| {
        m.signed = BUSINESS.replace('/', "\\/");
        m.name = "data";
        m.tail = format!("&{SECRET}");
        m.cbc = Some([0; 16]);
        m.write_sign = |bytes| hex::encode(bytes);
    }));
    assert_eq!(
        ids(&diagnosis),
        [
            "mode.cbc_zero_iv",
            "sign.as_data",
            "sign.hex",
            "sign.key_no_name",
            "sign.slashes"
        ]
    );
    // Each shows where it alone shows, whatever comes before it.
    let place = |id: &str| {
        let difference = diagnosis
            .differences
            .iter()
            .find(|one| one.id == id)
            .unwrap();
        difference.place.clone().unwrap()
    };
    assert!(place("sign.slashes").yours.contains("http:▶\\/"));
    assert!(place("sign.slashes").guides.contains("http:▶//a"));
    assert!(place("sign.key_no_name").guides.contains("&▶key=*"));
    assert!(place("sign.as_data").yours.contains("▶data="));
    assert_eq!(place("sign.hex").offset_bytes, 0);
    // The work is bounded, whatever the machine makes of it.
    assert!(diagnosis.tried < 100_000, "{}", diagnosis.tried);
}

#[test]
fn the_first_byte_that_differs_is_shown() {
    let diagnosis = ask(&Maker::with(|m| m.name = "data"));
    let place = diagnosis.signed_string.unwrap();
    // appId=A1& is nine bytes long; then the guide goes on with encryptType, the partner with data.
    assert_eq!(place.offset_bytes, 9);
    assert!(place.yours.contains("appId=A1&▶data={"), "{}", place.yours);
    assert!(
        place.guides.contains("appId=A1&▶encryptType=SM4"),
        "{}",
        place.guides
    );
}

#[test]
fn what_is_not_made_out_says_what_was_ruled_out() {
    // Another secret with the same beginning: decryption works, the signature can't.
    let other = format!("{}{}", &SECRET[..16], "zzzzzzzzzzzzzzzz");
    let message = Maker::new().make();
    let began = std::time::Instant::now();
    let diagnosis = ask_with(&message, &[&other]);
    eprintln!(
        "nothing fits: {} readings in {:?}",
        diagnosis.tried,
        began.elapsed()
    );
    assert_eq!(diagnosis.verdict, Verdict::Partly);
    assert!(render(&diagnosis, None).contains("第 17 位以后"));
    assert!(diagnosis.guide_string.unwrap().contains("&key=****"));
    // An altogether wrong one.
    let diagnosis = ask_with(&message, &["another-secret-of-32-characters!"]);
    assert_eq!(diagnosis.verdict, Verdict::Unreadable);
    assert!(render(&diagnosis, None).contains("appId"));
    // Of two the right one is taken.
    let diagnosis = ask_with(&message, &["another-secret-of-32-characters!", SECRET]);
    assert_eq!(diagnosis.verdict, Verdict::Correct);
    // Nothing at all.
    for nothing in ["", "hello", "{}", "[1]", "{\"a\":1}"] {
        assert!(ask(nothing).verdict <= Verdict::Unreadable, "{nothing}");
    }
}

#[test]
fn a_logged_string_to_sign_is_held_against_the_guides() {
    let message = Maker::with(|m| m.signed = BUSINESS.replace("陈建国", "陈建囯"));
    let ask = |signed: &str| {
        examine(&Question {
            captured: message.as_bytes(),
            secrets: &[SECRET],
            signed: Some(signed),
            now_ms: None,
            show_data: false,
        })
    };
    let text = format!(
        "appId=A1&encryptType=SM4&param={}&signType=SM3&timestamp=1772330400000&version=1.0.0&key=***",
        BUSINESS.replace("陈建国", "陈建囯")
    );
    let diagnosis = ask(&text);
    let place = diagnosis.signed_string.unwrap();
    assert!(place.yours.contains('▶'), "{place:?}");
    let before = "appId=A1&encryptType=SM4&param=".len() + BUSINESS.find("国").unwrap();
    assert_eq!(place.offset_bytes, before);
    let same = ask(&text.replace('囯', "国"));
    assert_eq!(same.signed_string, None);
}

#[test]
fn members_and_headers_are_looked_at() {
    let secret = Secret::parse(SECRET).unwrap();
    let sealed = Sealing::call("A1", NOW_MS, BUSINESS).seal(&secret);
    let http = |head: &str| format!("{head}\r\n\r\n{sealed}");
    assert_eq!(
        ids(&ask(&http(
            "GET /x HTTP/1.1\r\nContent-Type: text/plain; charset=gbk\r\nX-Api-Sign-Version: 1.0"
        ))),
        ["http.content_type", "http.method", "http.sign_version"]
    );
    assert_eq!(
        ids(&ask(&Maker::with(|m| m.members[2].1 = "1772330400"))),
        ["timestamp.seconds"]
    );
}

#[test]
fn plain_messages_and_refusals_are_understood() {
    let plain = r#"{"encryptType":"plain","param":{"state":"1"},"signType":"plain","version":"1.0.0","appId":"A","timestamp":"1772330400000"}"#;
    let diagnosis = ask(plain);
    assert_eq!(
        (diagnosis.verdict, ids(&diagnosis)),
        (Verdict::Correct, vec!["envelope.plain"])
    );
    let refusal = ask(
        r#"{"respCode":"000102","respMsg":"签名与报文不符","timestamp":"1772330400000","version":"1.0.0"}"#,
    );
    let shown = render(&refusal, None);
    assert_eq!(refusal.verdict, Verdict::NoMessage);
    assert!(
        shown.contains("核验签名参数失败") && shown.contains("截取引起它的那个请求"),
        "{shown}"
    );
    let guides =
        r#"{"encryptType":"plain","param":{"state":"1"},"signType":"plain","version":"1.0.0"}"#;
    let diagnosis = ask(guides);
    assert_eq!(diagnosis.verdict, Verdict::Readable);
    assert!(ids(&diagnosis).contains(&"envelope.appId"));
}

#[test]
fn persons_are_shown_only_where_that_was_asked_for() {
    let message = Maker::new().make();
    let mut question = Question {
        captured: message.as_bytes(),
        secrets: &[SECRET],
        signed: None,
        now_ms: None,
        show_data: true,
    };
    assert!(render(&examine(&question), None).contains("陈建国"));
    question.show_data = false;
    let shown = render(&examine(&question), None);
    assert!(
        shown.contains("H35019900001") && !shown.contains("陈"),
        "{shown}"
    );
}

#[test]
fn a_large_message_takes_no_longer_than_a_small_one_that_is_hopeless() {
    let items: Vec<_> = (0..6_000)
        .map(|n| json!({"orgTraceId": format!("T{n}"), "itemName": "住院费/药费", "amount": "1.00", "note": ""}))
        .collect();
    let business = json!({"orgId": "H1", "unsettleList": items}).to_string();
    assert!(business.len() > 400_000);
    let message = Maker::with(|m| {
        m.signed = "nothing that anybody would sign".to_owned();
        m.encrypted = business.clone().into_bytes();
    });
    let diagnosis = ask(&message);
    assert_eq!(diagnosis.verdict, Verdict::Partly);
    assert!(diagnosis.tried < 1_000, "{}", diagnosis.tried);
    let over_cipher = Maker::with(|m| {
        m.signed = "CIPHERTEXT".to_owned();
        m.encrypted = business.into_bytes();
    });
    assert_eq!(ids(&ask(&over_cipher)), ["sign.over_ciphertext"]);
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(60))]

    #[test]
    fn nothing_that_was_captured_upsets_it(
        bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300),
        at in 0_usize..400,
        put in "[\\PC\"{}\\[\\]\\\\:,]{0,12}",
        secret in "\\PC{0,40}",
    ) {
        let mut message = Maker::new().make();
        let at = (0..=at.min(message.len())).rev().find(|at| message.is_char_boundary(*at)).unwrap();
        message.insert_str(at, &put);
        for captured in [&bytes[..], message.as_bytes()] {
            let diagnosis = examine(&Question {
                captured,
                secrets: &[&secret, SECRET],
                signed: Some(&put),
                now_ms: Some(0),
                show_data: false,
            });
            let shown = render(&diagnosis, None);
            proptest::prop_assert!(!shown.contains("359999198503120019") && !shown.contains(SECRET));
        }
    }
}
