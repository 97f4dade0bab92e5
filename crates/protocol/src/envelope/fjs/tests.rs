//! Every algorithm at every level, both ways; and what must not open.

use super::answer::{self, DONE};
use super::call;
use super::*;
use crate::ambient::SystemRandomness;
use crate::dictionaries::{EncType, SignType};
use crate::envelope::{Dialect, Envelope, EnvelopeFault, signature_of};

const PLATFORM_KEY: &str = include_str!("../../../../../fixtures/keys/platform.key.pem");
const PLATFORM_CERTIFICATE: &str = include_str!("../../../../../fixtures/keys/platform.crt.pem");
const INSURER_KEY: &str = include_str!("../../../../../fixtures/keys/insurer.key.pem");
const INSURER_CERTIFICATE: &str = include_str!("../../../../../fixtures/keys/insurer.crt.pem");

const NOW_MS: i64 = 1_700_000_000_000;
const BUSINESS: &str = "{ \"data\": { \"idcard\" : \"1\", \"name\":\"榕 & 树=1\" } }";
const INNER: &str = "{ \"idcard\" : \"1\", \"name\":\"榕 & 树=1\" }";

fn secret() -> Secret {
    Secret::parse("0123456789abcdef-and-the-rest").unwrap()
}

fn keys(own: &str, peer: &str) -> Keys {
    Keys {
        own: Some(PrivateKey::from_pem(own).unwrap()),
        peer: Some(Peer::from_pem(peer).unwrap()),
    }
}

/// The insurer's side and the platform's.
fn both(level: Level, enc: EncType, sign: SignType) -> (Channel, Channel) {
    let side = |keys: &Keys| Channel {
        level,
        cipher: Cipher::new(enc, keys).unwrap(),
        signer: Signer::new(sign, keys).unwrap(),
    };
    (
        side(&keys(INSURER_KEY, PLATFORM_CERTIFICATE)),
        side(&keys(PLATFORM_KEY, INSURER_CERTIFICATE)),
    )
}

const LEVELS: [Level; 4] = [Level::Secret, Level::Token, Level::Signed, Level::Encrypted];
const ENC_TYPES: [EncType; 4] = [EncType::Sm4, EncType::Aes, EncType::Rsa, EncType::Pkcs7];
const SIGN_TYPES: [SignType; 3] = [SignType::Sm3, SignType::Md5, SignType::Rsa];

fn calling(manner: Manner) -> Calling<'static> {
    Calling {
        app_id: "APP",
        token: Some("the-token"),
        funid: Some("CI00.03.00.01"),
        timestamp_ms: NOW_MS,
        business: Some(BUSINESS),
        manner,
    }
}

#[test]
fn every_algorithm_at_every_level_both_ways() {
    for level in LEVELS {
        for (enc, sign) in ENC_TYPES
            .into_iter()
            .flat_map(|enc| SIGN_TYPES.map(|sign| (enc, sign)))
        {
            let (insurer, platform) = both(level, enc, sign);
            let sealed = calling(Manner::FIRST)
                .seal(&insurer, &secret(), &SystemRandomness)
                .unwrap();
            assert_eq!(sealed.contains("榕"), level < Level::Encrypted);
            assert_eq!(sealed.contains("and-the-rest"), level < Level::Signed);
            let envelope = Envelope::parse(sealed.as_bytes()).unwrap();
            let opened = call::open(
                &envelope,
                &platform,
                &secret(),
                Dialect::default(),
                &SystemRandomness,
            )
            .unwrap();
            assert_eq!(opened.business, Ok(Some(INNER.to_owned())));
            assert_eq!(opened.signature.is_some(), level >= Level::Signed);
            assert_eq!(signature_of(sealed.as_bytes()), opened.signature);
            let told = Told {
                code: DONE,
                message: "请求成功",
                data: Some("{\"a\":\"名\"}"),
                timestamp_ms: NOW_MS,
            };
            let reply = told
                .seal(&platform, &secret(), opened.manner, &SystemRandomness)
                .unwrap();
            let answered =
                answer::open(reply.as_bytes(), &insurer, &secret(), &SystemRandomness).unwrap();
            assert_eq!((&*answered.code, &*answered.kind), (DONE, "success"));
            assert_eq!(answered.data["a"], "名");
            if level >= Level::Signed {
                let other = Secret::parse("0123456789abcdef-and-another").unwrap();
                assert!(
                    answer::open(reply.as_bytes(), &insurer, &other, &SystemRandomness).is_err(),
                    "{level:?} {enc:?} {sign:?}"
                );
            }
        }
    }
}

#[test]
fn a_change_of_any_signed_member_is_noticed() {
    for sign in SIGN_TYPES {
        let (insurer, platform) = both(Level::Encrypted, EncType::Sm4, sign);
        let sealed = calling(Manner::FIRST)
            .seal(&insurer, &secret(), &SystemRandomness)
            .unwrap();
        let good: serde_json::Value = serde_json::from_str(&sealed).unwrap();
        for (name, value) in [
            (member::APPID, "OTHER"),
            (member::TOKEN, "another"),
            (member::FUNID, "CI00.03.00.03"),
            (member::TIMESTAMP, "1700000000001"),
            ("chs_fjs_note", "new"),
        ] {
            let mut tampered = good.clone();
            tampered[name] = value.into();
            let text = tampered.to_string();
            let envelope = Envelope::parse(text.as_bytes()).unwrap();
            let opened = call::open(
                &envelope,
                &platform,
                &secret(),
                Dialect::default(),
                &SystemRandomness,
            );
            assert_eq!(opened, Err(EnvelopeFault::BadSignature), "{name}");
        }
    }
}

#[test]
fn where_a_private_key_opens_both_faults_look_alike() {
    for enc in [EncType::Rsa, EncType::Pkcs7] {
        let (insurer, platform) = both(Level::Encrypted, enc, SignType::Sm3);
        let sealed = calling(Manner::FIRST)
            .seal(&insurer, &secret(), &SystemRandomness)
            .unwrap();
        let good: serde_json::Value = serde_json::from_str(&sealed).unwrap();
        let fault = |name: &str, value: &str| {
            let mut tampered = good.clone();
            tampered[name] = value.into();
            let text = tampered.to_string();
            let envelope = Envelope::parse(text.as_bytes()).unwrap();
            call::open(
                &envelope,
                &platform,
                &secret(),
                Dialect::default(),
                &SystemRandomness,
            )
            .unwrap_err()
        };
        let garbage = "AAAA".repeat(86);
        let wrong_padding = fault(member::ENCDATA, &garbage[..344]);
        let wrong_signature = fault(member::TIMESTAMP, "1700000000001");
        assert_eq!(wrong_padding, wrong_signature);
        // Nor does it help to leave the signature out, or to spoil it.
        for sign in ["", "AAAA"] {
            let mut unsigned = good.clone();
            unsigned[member::SIGN] = sign.into();
            let refused = |message: &serde_json::Value| {
                let text = message.to_string();
                let envelope = Envelope::parse(text.as_bytes()).unwrap();
                let first = Dialect::default();
                call::open(&envelope, &platform, &secret(), first, &SystemRandomness).unwrap_err()
            };
            let sound = refused(&unsigned);
            unsigned[member::ENCDATA] = garbage[..344].into();
            assert_eq!(refused(&unsigned), sound);
        }
    }
}

#[test]
fn every_spelling_is_read_and_answered_in_kind() {
    let (insurer, platform) = both(Level::Signed, EncType::Sm4, SignType::Md5);
    for carrier in [Carrier::Text, Carrier::Object, Carrier::Beside] {
        for sign_text in [SignText::Base64, SignText::LowerHex, SignText::UpperHex] {
            for dialect in Dialect::ALL {
                let manner = Manner {
                    dialect,
                    carrier,
                    sign_text,
                    standard_base64: true,
                };
                let sealed = calling(manner)
                    .seal(&insurer, &secret(), &SystemRandomness)
                    .unwrap();
                let envelope = Envelope::parse(sealed.as_bytes()).unwrap();
                let opened = call::open(
                    &envelope,
                    &platform,
                    &secret(),
                    Dialect::default(),
                    &SystemRandomness,
                )
                .unwrap();
                assert_eq!(opened.business, Ok(Some(INNER.to_owned())));
                assert_eq!(opened.manner.carrier, carrier);
                let told = Told {
                    code: "000105",
                    message: "idcard：不可缺少",
                    data: None,
                    timestamp_ms: NOW_MS,
                };
                let reply = told
                    .seal(&platform, &secret(), opened.manner, &SystemRandomness)
                    .unwrap();
                let reply_members: serde_json::Value = serde_json::from_str(&reply).unwrap();
                assert_eq!(
                    reply_members[member::ENCDATA].is_object(),
                    carrier == Carrier::Object
                );
                let answered =
                    answer::open(reply.as_bytes(), &insurer, &secret(), &SystemRandomness).unwrap();
                assert_eq!((&*answered.code, &*answered.kind), ("000105", "error"));
            }
        }
    }
}

#[test]
fn short_keys_and_missing_keys_are_none() {
    assert!(matches!(
        Cipher::new(EncType::Rsa, &Keys::default()),
        Err(MissingKey::Peer)
    ));
    let bare = Keys {
        own: Some(PrivateKey::from_pem(PLATFORM_KEY).unwrap()),
        peer: Some(Peer::Key(
            PrivateKey::from_pem(INSURER_KEY).unwrap().public(),
        )),
    };
    assert!(matches!(
        Cipher::new(EncType::Pkcs7, &bare),
        Err(MissingKey::Certificate)
    ));
    assert!(Signer::new(SignType::Rsa, &bare).is_ok());
    assert!(!format!("{bare:?}").contains("PRIVATE"));
}

#[test]
fn an_unsigned_success_is_not_believed_where_answers_are_signed() {
    let (insurer, _) = both(Level::Encrypted, EncType::Sm4, SignType::Sm3);
    let told = Told {
        code: DONE,
        message: "请求成功",
        data: None,
        timestamp_ms: NOW_MS,
    };
    assert!(
        answer::open(
            told.bare().as_bytes(),
            &insurer,
            &secret(),
            &SystemRandomness
        )
        .is_err()
    );
}
