//! The envelope as a whole: what one side seals the other opens, and nothing else.

use proptest::prelude::*;

use super::*;
use crate::crypto::base64;
use crate::result_code::ResultCode;

const SECRET: &str = "k3yk3yk3yk3yk3y!and-more";

fn secret() -> Secret {
    Secret::parse(SECRET).unwrap()
}

fn open(sealed: &str, environment: Environment) -> Result<Opened, EnvelopeFault> {
    Envelope::parse(sealed.as_bytes())?.open(&secret(), environment, Dialect::default())
}

fn every_manner() -> impl Iterator<Item = Manner> {
    let choices = [false, true];
    let protections = choices.into_iter().flat_map(move |encrypted| {
        choices
            .into_iter()
            .map(move |signed| Protection { encrypted, signed })
    });
    protections.flat_map(|protection| {
        Dialect::ALL.into_iter().flat_map(move |dialect| {
            [PlainMember::Data, PlainMember::Param]
                .into_iter()
                .map(move |plain_member| Manner {
                    protection,
                    dialect,
                    plain_member,
                })
        })
    })
}

#[test]
fn every_manner_opens_again() {
    let json = r#"{"orgId":"H1","note":"中文 \" & = 𠮷"}"#;
    for manner in every_manner() {
        let sealing = Sealing {
            manner,
            ..Sealing::call("app", 1_700_000_000_000, json)
        };
        let sealed = sealing.seal(&secret());
        let opened = open(&sealed, Environment::Test).unwrap();
        assert_eq!(opened.business.as_deref(), Some(json));
        // An editor puts a mark before it and a line end after it.
        let saved = format!("\u{feff}{sealed}\n");
        assert_eq!(signature_of(saved.as_bytes()), opened.signature);
        assert_eq!(opened.manner.protection, manner.protection);
        if manner.protection.signed {
            assert_eq!(
                opened.manner.dialect.signed_as, manner.dialect.signed_as,
                "a call has no empty member, so the other half of the dialect can't be told"
            );
        }
    }
}

#[test]
fn empty_members_are_read_both_ways() {
    for empties in [Empties::Signed, Empties::LeftOut] {
        let dialect = Dialect {
            signed_as: SignedAs::Data,
            empties,
        };
        let text = match empties {
            Empties::Signed => format!(
                "appId=app&data={{}}&encryptType=SM4&note=&signType=SM3&timestamp=1&version=1.0.0&key={SECRET}"
            ),
            Empties::LeftOut => format!(
                "appId=app&data={{}}&encryptType=SM4&signType=SM3&timestamp=1&version=1.0.0&key={SECRET}"
            ),
        };
        let message = serde_json::json!({
            "appId": "app", "encryptType": "sm4", "signType": "sm3", "timestamp": "1",
            "version": "1.0.0", "note": "", "extendParams": {"a": 1},
            "sign": base64::encode(&crate::crypto::sm3::digest(text.replace("SM4", "sm4").replace("SM3", "sm3").as_bytes())),
            "encryptData": base64::encode(&secret().cipher().encrypt_ecb(b"{}")),
        });
        let opened = open(&message.to_string(), Environment::Production).unwrap();
        assert_eq!(opened.manner.dialect, dialect);
    }
}

#[test]
fn production_takes_nothing_plain() {
    for manner in every_manner() {
        let sealing = Sealing {
            manner,
            ..Sealing::call("app", 1, "{}")
        };
        let opened = open(&sealing.seal(&secret()), Environment::Production);
        if manner.protection.encrypted && manner.protection.signed {
            assert!(opened.is_ok());
        } else {
            assert!(matches!(opened, Err(EnvelopeFault::Malformed(_))));
        }
    }
}

#[test]
fn a_secret_that_differs_late_signs_wrong_and_early_decrypts_wrong() {
    let sealed = Sealing::call("app", 1, r#"{"a":"some business data"}"#).seal(&secret());
    let opened_with = |text: &str| {
        Envelope::parse(sealed.as_bytes()).unwrap().open(
            &Secret::parse(text).unwrap(),
            Environment::Production,
            Dialect::default(),
        )
    };
    assert_eq!(
        opened_with("k3yk3yk3yk3yk3y!and-mOre"),
        Err(EnvelopeFault::BadSignature)
    );
    assert!(matches!(
        opened_with("K3yk3yk3yk3yk3y!and-more"),
        Err(EnvelopeFault::Undecryptable(_) | EnvelopeFault::BadSignature)
    ));
}

#[test]
fn an_answer_signs_its_code_and_message() {
    let answer = Sealing {
        outcome: Some(Outcome {
            code: ResultCode::Success,
            message: "成功",
        }),
        ..Sealing::call("app", 1, r#"{"state":"success"}"#)
    };
    let text = answer.string_to_sign(&secret());
    assert_eq!(
        text,
        format!(
            "appId=app&encryptType=SM4&param={{\"state\":\"success\"}}&respCode=000000&respMsg=成功&signType=SM3&timestamp=1&version=1.0.0&key={SECRET}"
        )
    );
    let accepted = AcceptedReplies {
        plain_and_bare: false,
    };
    let sealed = answer.seal(&secret());
    assert_eq!(
        open_reply(sealed.as_bytes(), &secret(), accepted),
        Ok(Answer::Done(r#"{"state":"success"}"#.to_owned()))
    );
    let forged = sealed.replace("成功", "失败");
    assert_eq!(
        open_reply(forged.as_bytes(), &secret(), accepted),
        Err(ReplyFault::NotOpened(EnvelopeFault::BadSignature))
    );
}

#[test]
fn a_refusal_is_signed_without_business_data() {
    let refusal = Sealing {
        outcome: Some(Outcome {
            code: ResultCode::BadParameter,
            message: "orgId：不可缺少",
        }),
        business: None,
        ..Sealing::call("app", 1, "")
    };
    assert!(!refusal.string_to_sign(&secret()).contains("param"));
    let sealed = refusal.seal(&secret());
    assert!(
        open(&sealed, Environment::Production)
            .unwrap()
            .business
            .is_none()
    );
    let accepted = AcceptedReplies {
        plain_and_bare: false,
    };
    assert_eq!(
        open_reply(sealed.as_bytes(), &secret(), accepted),
        Ok(Answer::Refused {
            code: "000105".to_owned(),
            message: "orgId：不可缺少".to_owned()
        })
    );
}

#[test]
fn plain_and_bare_answers_are_taken_only_where_allowed() {
    // Access guide 4.4.1.4, both forms as printed.
    let plain = r#"{"param":{"state":"1"},"respMsg":"成功","signType":"plain","version":"1.0.0","encryptType":"plain","respCode":"000000"}"#;
    let bare = r#"{"state":"1"}"#;
    for answer in [plain, bare] {
        for plain_and_bare in [true, false] {
            let opened = open_reply(
                answer.as_bytes(),
                &secret(),
                AcceptedReplies { plain_and_bare },
            );
            if plain_and_bare {
                assert_eq!(opened, Ok(Answer::Done(bare.to_owned())));
            } else {
                assert!(opened.is_err());
            }
        }
    }
    let html = open_reply(
        b"<html>",
        &secret(),
        AcceptedReplies {
            plain_and_bare: true,
        },
    );
    assert!(matches!(html, Err(ReplyFault::NoEnvelope(_))));
}

fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        "\\PC*".prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            prop::collection::hash_map("\\PC{0,8}", inner, 0..6)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_business_json_round_trips(value in any_json(), timestamp_ms in 0..i64::MAX) {
        let json = value.to_string();
        let sealed = Sealing::call("app", timestamp_ms, &json).seal(&secret());
        let opened = open(&sealed, Environment::Production).unwrap();
        prop_assert_eq!(opened.business, Some(json));
    }

    /// Whatever bit of whatever character of the message flips, it does not open as it was: a
    /// flip either breaks it, or falls on something that carries no meaning, such as the letter
    /// case of `SM4`, and leaves the business data untouched.
    #[test]
    fn any_flipped_bit_is_refused(place in any::<prop::sample::Index>(), bit in 0..8_u8) {
        let json = r#"{"orgId":"H35000000001","amount":"12.50"}"#;
        let sealed = Sealing::call("app", 1_700_000_000_000, json).seal(&secret());
        let mut bytes = sealed.clone().into_bytes();
        let at = place.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let opened = Envelope::parse(&bytes)
            .map_err(EnvelopeFault::from)
            .and_then(|envelope| envelope.open(&secret(), Environment::Production, Dialect::default()));
        prop_assert!(opened.is_err(), "{}", String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn whatever_arrives_nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        if let Ok(envelope) = Envelope::parse(&bytes) {
            let _ = envelope.open(&secret(), Environment::Test, Dialect::default());
        }
        let _ = open_reply(&bytes, &secret(), AcceptedReplies { plain_and_bare: true });
    }
}
