//! The algorithms that the dictionaries of the 统一对外接口 name, held against the `openssl` command line both
//! ways: AES-128-ECB, RSA (PKCS#1 v1.5, SHA256withRSA), MD5 and CMS EnvelopedData.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "these are tests and their scaffold: they fail by panicking, and say why"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use banyan_protocol::ambient::SystemRandomness;
use banyan_protocol::crypto::{aes, cms, md5, rsa};

fn key_file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fixtures/keys")
        .join(name)
}

fn pem(name: &str) -> String {
    fs::read_to_string(key_file(name)).unwrap()
}

/// Around block borders of every algorithm: 16 bytes, and the 245 that fit into a block of RSA-2048.
const LENGTHS: [usize; 14] = [
    0, 1, 15, 16, 17, 63, 64, 244, 245, 246, 490, 491, 1_000, 4_096,
];

fn bytes(length: usize) -> Vec<u8> {
    (0..length)
        .map(|place| u8::try_from((place * 31 + length) % 256).unwrap())
        .collect()
}

#[test]
fn aes_ecb_is_that_of_openssl_both_ways() {
    let Some(openssl) = Openssl::find() else {
        return;
    };
    let key = *b"Kq7!\x00\xff\x80z\xe6\xa6\x950123A";
    let hex_key = hex::encode(key);
    for length in LENGTHS {
        let plain = bytes(length);
        let ours = aes::encrypt_ecb(&key, &plain);
        let theirs = openssl.run(&["enc", "-aes-128-ecb", "-e", "-K", &hex_key], &plain);
        assert_eq!(ours, theirs, "{length} bytes");
        assert_eq!(aes::decrypt_ecb(&key, theirs).unwrap(), plain);
    }
    assert!(aes::decrypt_ecb(&key, vec![0; 17]).is_err());
}

#[test]
fn md5_is_that_of_openssl() {
    let Some(openssl) = Openssl::find() else {
        return;
    };
    for length in LENGTHS {
        let plain = bytes(length);
        let theirs = openssl.run(&["dgst", "-md5", "-binary"], &plain);
        assert_eq!(md5::digest(&plain)[..], theirs);
    }
}

#[test]
fn rsa_decrypts_what_openssl_encrypted_and_the_other_way_round() {
    let Some(openssl) = Openssl::find() else {
        return;
    };
    let own = rsa::PrivateKey::from_pem(&pem("platform.key.pem")).unwrap();
    let public = rsa::PublicKey::from_pem(&pem("platform.pub.pem")).unwrap();
    let (key, public_file) = (key_file("platform.key.pem"), key_file("platform.pub.pem"));
    let (key, public_file) = (key.to_str().unwrap(), public_file.to_str().unwrap());
    for length in [0, 1, 244, 245] {
        let plain = bytes(length);
        let theirs = openssl.run(
            &["pkeyutl", "-encrypt", "-pubin", "-inkey", public_file],
            &plain,
        );
        assert_eq!(own.decrypt(&theirs, &SystemRandomness).unwrap(), plain);
        let ours = public.encrypt(&plain, &SystemRandomness).unwrap();
        assert_eq!(
            openssl.run(&["pkeyutl", "-decrypt", "-inkey", key], &ours),
            plain
        );
    }
    // Blocks one after the other, each as openssl makes one.
    let plain = bytes(600);
    let blocks: Vec<u8> = plain
        .chunks(245)
        .flat_map(|block| {
            openssl.run(
                &["pkeyutl", "-encrypt", "-pubin", "-inkey", public_file],
                block,
            )
        })
        .collect();
    assert_eq!(own.decrypt(&blocks, &SystemRandomness).unwrap(), plain);
    let ours = public.encrypt(&plain, &SystemRandomness).unwrap();
    let opened: Vec<u8> = ours
        .chunks(256)
        .flat_map(|block| openssl.run(&["pkeyutl", "-decrypt", "-inkey", key], block))
        .collect();
    assert_eq!(opened, plain);
    assert!(own.decrypt(&ours[..300], &SystemRandomness).is_err());
    assert!(own.decrypt(&[], &SystemRandomness).is_err());
}

#[test]
fn rsa_signatures_are_those_of_openssl() {
    let Some(openssl) = Openssl::find() else {
        return;
    };
    let own = rsa::PrivateKey::from_pem(&pem("platform.key.pem")).unwrap();
    let key = key_file("platform.key.pem");
    for length in LENGTHS {
        let plain = bytes(length);
        let theirs = openssl.run(&["dgst", "-sha256", "-sign", key.to_str().unwrap()], &plain);
        assert_eq!(own.sign(&plain, &SystemRandomness).unwrap(), theirs);
        assert!(own.public().verifies(&plain, &theirs));
        assert!(!own.public().verifies(b"another", &theirs));
    }
}

#[test]
fn cms_is_that_of_openssl_both_ways() {
    let Some(openssl) = Openssl::find() else {
        return;
    };
    let own = rsa::PrivateKey::from_pem(&pem("platform.key.pem")).unwrap();
    let certificate = cms::Certificate::from_pem(&pem("platform.crt.pem")).unwrap();
    let (key, crt) = (key_file("platform.key.pem"), key_file("platform.crt.pem"));
    let (key, crt) = (key.to_str().unwrap(), crt.to_str().unwrap());
    let other = key_file("insurer.crt.pem");
    for length in LENGTHS {
        let plain = bytes(length);
        for cipher in ["-aes-128-cbc", "-aes-192-cbc", "-aes-256-cbc", "-sm4-cbc"] {
            let theirs = openssl.run(
                &["cms", "-encrypt", "-binary", "-outform", "DER", cipher, crt],
                &plain,
            );
            assert_eq!(
                cms::decrypt(&own, &theirs, &SystemRandomness).unwrap(),
                plain
            );
        }
        let ours = certificate.encrypt(&plain, &SystemRandomness).unwrap();
        let opened = openssl.run(
            &[
                "cms", "-decrypt", "-binary", "-inform", "DER", "-inkey", key, "-recip", crt,
            ],
            &ours,
        );
        assert_eq!(opened, plain, "{length} bytes");
    }
    // For several recipients, of whom we are the second.
    let plain = bytes(100);
    let several = openssl.run(
        &[
            "cms",
            "-encrypt",
            "-binary",
            "-outform",
            "DER",
            "-aes-128-cbc",
            other.to_str().unwrap(),
            crt,
        ],
        &plain,
    );
    assert_eq!(
        cms::decrypt(&own, &several, &SystemRandomness).unwrap(),
        plain
    );
    let stranger = rsa::PrivateKey::from_pem(&pem("insurer.key.pem")).unwrap();
    let ours = certificate.encrypt(&plain, &SystemRandomness).unwrap();
    assert!(cms::decrypt(&stranger, &ours, &SystemRandomness).is_err());
    for cut in [0, 1, ours.len() / 2, ours.len() - 1] {
        assert!(cms::decrypt(&own, &ours[..cut], &SystemRandomness).is_err());
    }
}

struct Openssl;

impl Openssl {
    /// A build server has it (it sets `CI`), elsewhere the test is left out with a word about it.
    fn find() -> Option<Self> {
        if Command::new("openssl").arg("version").output().is_ok() {
            return Some(Self);
        }
        let why = "openssl is not installed: apt-get install openssl";
        assert!(
            std::env::var_os("CI").is_none(),
            "a build server must have it: {why}"
        );
        eprintln!("skipped: {why}");
        None
    }

    /// What the program makes of this input, which goes by a file so that no pipe fills.
    fn run(&self, arguments: &[&str], input: &[u8]) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("input");
        fs::write(&file, input).unwrap();
        let ran = Command::new("openssl")
            .args(arguments)
            .stdin(Stdio::from(fs::File::open(&file).unwrap()))
            .output()
            .unwrap();
        if !ran.status.success() {
            panic!("{arguments:?}: {}", String::from_utf8_lossy(&ran.stderr));
        }
        ran.stdout
    }
}
