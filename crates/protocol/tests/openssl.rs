//! SM3, SM4-ECB and the sealed message, held against implementations that are not ours: the
//! `openssl` command line, and Node's `crypto` where there is one.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "these are tests and their scaffold: they fail by panicking, and say why"
)]

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use banyan_protocol::crypto::base64;
use banyan_protocol::crypto::sm3;
use banyan_protocol::crypto::sm4::{KEY_BYTES, Sm4};
use banyan_protocol::envelope::{Dialect, Envelope, Environment, Sealing, Secret};
use serde_json::{Value, json};

const KEY: &[u8; KEY_BYTES] = b"Kq7!\x00\xff\x80z\xe6\xa6\x950123A";

/// Around every block border of both algorithms (16 and 64 bytes), and some whole messages.
fn lengths() -> Vec<usize> {
    let borders = [0, 16, 32, 48, 56, 64, 80, 112, 120, 128, 192, 256];
    let around = borders
        .into_iter()
        .flat_map(|border| border.max(1) - 1..=border + 1);
    let mut lengths: Vec<usize> = around.chain([600, 4_095, 16_384, 60_000]).collect();
    lengths.dedup();
    lengths
}

/// Bytes of every value, in no simple order, another row for each length.
fn bytes(length: usize) -> Vec<u8> {
    let mut state = length as u64 + 1;
    let next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    };
    std::iter::repeat_with(next).take(length).collect()
}

#[test]
fn sm3_is_that_of_openssl() {
    if !is_there("openssl", "openssl") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let names: Vec<String> = lengths().iter().map(usize::to_string).collect();
    for (name, length) in names.iter().zip(lengths()) {
        fs::write(folder.path().join(name), bytes(length)).unwrap();
    }
    // One process for all of them: a line `digest *file` each.
    let arguments = ["dgst", "-sm3", "-r"]
        .into_iter()
        .chain(names.iter().map(String::as_str));
    let said = String::from_utf8(openssl(folder.path(), arguments, b"")).unwrap();
    assert_eq!(said.lines().count(), names.len());
    for (line, length) in said.lines().zip(lengths()) {
        let (digest, name) = line.split_once(" *").unwrap();
        assert_eq!(name, length.to_string());
        assert_eq!(
            digest,
            hex::encode(sm3::digest(&bytes(length))),
            "{length} bytes"
        );
    }
}

#[test]
fn sm4_ecb_is_that_of_openssl_both_ways() {
    if !is_there("openssl", "openssl") {
        return;
    }
    let cipher = Sm4::with_key(KEY);
    for length in lengths() {
        let plain = bytes(length);
        let ours = cipher.encrypt_ecb(&plain);
        assert_eq!(ours, sm4(KEY, &plain, "-e"), "{length} bytes");
        assert_eq!(sm4(KEY, &ours, "-d"), plain, "{length} bytes");
        assert_eq!(cipher.decrypt_ecb(ours).unwrap(), plain);
    }
}

#[test]
fn a_sealed_message_opens_with_openssl_alone() {
    if !is_there("openssl", "openssl") {
        return;
    }
    let (text, business) = (
        "0123456789abcdef-and-the-rest",
        "{ \"名\" : \"榕 & 树=1\" }",
    );
    let secret = Secret::parse(text).unwrap();
    let sealed = Sealing::call("the-app", 1_630_639_075_173, business).seal(&secret);
    let message: Value = serde_json::from_str(&sealed).unwrap();
    let part = |name: &str| message[name].as_str().unwrap();
    // What openssl reads and writes is standard base64; the message is in the URL-safe one.
    let cipher = openssl(
        Path::new("."),
        ["base64", "-d", "-A"],
        standard(part("encryptData")).as_bytes(),
    );
    assert_eq!(sm4(key(text), &cipher, "-d"), business.as_bytes());
    let to_sign = format!(
        "appId=the-app&encryptType=SM4&param={business}&signType=SM3&timestamp=1630639075173\
         &version={}&key={text}",
        part("version")
    );
    assert_eq!(standard(part("sign")), signed_by_openssl(&to_sign));
}

#[test]
fn a_message_that_openssl_sealed_opens() {
    if !is_there("openssl", "openssl") {
        return;
    }
    let text = "榕树秘钥-secret-of-a-hospital";
    let secret = Secret::parse(text).unwrap();
    for business in [
        "{}",
        "{ \"orgId\":\t\"H1\" }",
        "{\"名\":\"榕 & 树=1 + 𠮷\",\"n\":1.50}",
    ] {
        let to_sign = format!(
            "appId=a&encryptType=SM4&param={business}&signType=SM3&timestamp=1&version=1.0.0&key={text}"
        );
        let cipher = sm4(key(text), business.as_bytes(), "-e");
        let encoded = openssl(Path::new("."), ["base64", "-A"], &cipher);
        let mut message = json!({
            "appId": "a", "encryptType": "SM4", "signType": "SM3", "timestamp": "1",
            "version": "1.0.0", "sign": signed_by_openssl(&to_sign),
            "encryptData": String::from_utf8(encoded).unwrap(),
        });
        let open = |message: &Value| {
            let text = message.to_string();
            let envelope = Envelope::parse(text.as_bytes()).unwrap();
            envelope.open(&secret, Environment::Production, Dialect::default())
        };
        assert_eq!(open(&message).unwrap().business.as_deref(), Some(business));
        message["timestamp"] = json!("2");
        assert!(open(&message).is_err());
    }
}

/// Reads one JSON array of lengths, and writes what Node's `crypto` makes of the same bytes.
const IN_NODE: &str = "
const { createCipheriv, createHash } = require('node:crypto');
const { key, texts } = JSON.parse(require('node:fs').readFileSync(0, 'utf8'));
console.log(JSON.stringify(texts.map((hex) => {
  const text = Buffer.from(hex, 'hex');
  const cipher = createCipheriv('sm4-ecb', Buffer.from(key, 'hex'), null);
  return [createHash('sm3').update(text).digest('hex'),
    Buffer.concat([cipher.update(text), cipher.final()]).toString('hex')];
})));";

#[test]
fn sm3_and_sm4_are_those_of_node() {
    if !is_there("node", "nodejs") {
        return;
    }
    let lengths: Vec<usize> = (0..=257).chain([1_000, 4_096, 9_999]).collect();
    let texts: Vec<String> = lengths
        .iter()
        .map(|length| hex::encode(bytes(*length)))
        .collect();
    let input = json!({ "key": hex::encode(KEY), "texts": texts }).to_string();
    let said = run(Command::new("node").args(["-e", IN_NODE]), input.as_bytes());
    let said: Vec<(String, String)> = serde_json::from_slice(&said).unwrap();
    assert_eq!(said.len(), lengths.len());
    let cipher = Sm4::with_key(KEY);
    for (length, (digest, encrypted)) in lengths.into_iter().zip(said) {
        let text = bytes(length);
        assert_eq!(digest, hex::encode(sm3::digest(&text)), "{length} bytes");
        assert_eq!(
            encrypted,
            hex::encode(cipher.encrypt_ecb(&text)),
            "{length} bytes"
        );
    }
}

#[test]
fn our_base64_is_that_of_openssl_but_for_two_letters() {
    if !is_there("openssl", "openssl") {
        return;
    }
    for length in [0, 1, 2, 3, 32, 257] {
        let theirs = openssl(Path::new("."), ["base64", "-A"], &bytes(length));
        let theirs = String::from_utf8(theirs).unwrap();
        assert_eq!(standard(&base64::encode(&bytes(length))), theirs);
        assert_eq!(base64::decode(&theirs).unwrap(), bytes(length));
    }
}

fn key(secret: &str) -> &[u8; KEY_BYTES] {
    secret.as_bytes().first_chunk().unwrap()
}

fn standard(url_safe: &str) -> String {
    url_safe.replace('-', "+").replace('_', "/")
}

fn sm4(key: &[u8; KEY_BYTES], input: &[u8], way: &str) -> Vec<u8> {
    let key = hex::encode(key);
    openssl(Path::new("."), ["enc", "-sm4-ecb", way, "-K", &key], input)
}

fn signed_by_openssl(to_sign: &str) -> String {
    let digest = openssl(
        Path::new("."),
        ["dgst", "-sm3", "-binary"],
        to_sign.as_bytes(),
    );
    String::from_utf8(openssl(Path::new("."), ["base64", "-A"], &digest)).unwrap()
}

fn openssl<'a>(
    folder: &Path,
    arguments: impl IntoIterator<Item = &'a str>,
    input: &[u8],
) -> Vec<u8> {
    run(
        Command::new("openssl").current_dir(folder).args(arguments),
        input,
    )
}

/// What the program makes of this input.
fn run(command: &mut Command, input: &[u8]) -> Vec<u8> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // Beside reading, so that neither side waits for the other with a full pipe.
    let writer = thread::spawn(move || {
        // One that reads nothing, as `dgst` of files does, may have ended already.
        let _written = stdin.write_all(&input);
    });
    let ran = child.wait_with_output().unwrap();
    writer.join().unwrap();
    if !ran.status.success() {
        panic!("{command:?}: {}", String::from_utf8_lossy(&ran.stderr));
    }
    ran.stdout
}

/// Whether a program is installed. A build server has them all (it sets `CI`), elsewhere the test
/// is left out with a word about it.
fn is_there(program: &str, package: &str) -> bool {
    // Whatever it thinks of the argument, it started.
    if Command::new(program).arg("--version").output().is_ok() {
        return true;
    }
    let why = format!("{program} is not installed: apt-get install {package}");
    assert!(
        std::env::var_os("CI").is_none(),
        "a build server must have it: {why}"
    );
    eprintln!("skipped: {why}");
    false
}
