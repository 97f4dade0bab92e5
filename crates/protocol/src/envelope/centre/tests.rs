use super::super::{EnvelopeFault, Secret, signature_of};
use super::*;
use crate::credential::CentreCode;
use crate::crypto::{base64, sm3};

fn secret() -> Secret {
    Secret::parse("a-secret-of-the-centre").unwrap()
}

const DATA: &str = r#"{"officeName":"内科"}"#;

#[test]
fn a_call_is_signed_over_what_the_design_lists() {
    let request = Request::new("35020311234", "ec.query", DATA, Some("EC1abc")).unwrap();
    let text = request.seal("H1", &secret(), 1_700_000_000_000);
    let received = Received::parse(&text).unwrap();
    assert_eq!(received.org_id(), "35020311234");
    assert_eq!(received.data(), Some(DATA));
    assert_eq!(received.extra.qr_code.as_deref(), Some("EC1abc"));
    let written = concat!(
        r#"appId=H1&data={"officeName":"内科"}&orgId=35020311234"#,
        "&timestamp=1700000000000&transType=ec.query&key=a-secret-of-the-centre"
    );
    let (signature, dialect) = received.verify(&secret()).unwrap();
    assert_eq!(signature, sm3::digest(written.as_bytes()));
    assert_eq!(dialect, OURS);
    for charset in [Charset::Gb18030, Charset::Utf8] {
        assert_eq!(signature_of(&charset.encode(&text)), Some(signature));
    }
    let other = Secret::parse("a-secret-of-the-other").unwrap();
    assert_eq!(received.verify(&other), Err(EnvelopeFault::BadSignature));
}

#[test]
fn data_may_be_a_string_and_extra_an_object() {
    let data = r#"{"a":"内科"}"#;
    let signed = format!("appId=H1&orgId=1&param={data}&timestamp=5&transType=t&key=");
    let signed = format!("{signed}{}", secret().expose());
    let sign = base64::encode(&sm3::digest(signed.as_bytes()));
    let text = serde_json::json!({
        "orgId": "1", "transType": "t", "data": data,
        "extra": {"appId": "H1", "timestamp": 5, "sign": sign},
    })
    .to_string();
    let received = Received::parse(&text).unwrap();
    assert_eq!(received.data(), Some(data));
    assert!(received.verify(&secret()).is_ok(), "signed as param");
}

#[test]
fn what_is_missing_in_extra_is_named() {
    for (extra, path) in [
        ("{}", "extra.sign"),
        (r#"{"sign":"AA=="}"#, "extra.sign"),
        ("[1]", "extra"),
    ] {
        let text = serde_json::json!({"orgId": "1", "extra": extra}).to_string();
        let fault = match Received::parse(&text) {
            Err(fault) => fault,
            Ok(received) => match received.verify(&secret()) {
                Err(EnvelopeFault::Malformed(fault)) => fault,
                other => panic!("{other:?}"),
            },
        };
        assert_eq!(fault.path, path, "{extra}");
    }
}

#[test]
fn what_the_centre_tells_its_callers_believe() {
    let told = Told {
        org_id: "1",
        code: CentreCode::Success,
        message: "处理成功",
        data: Some(r#"{"userName":"张三"}"#),
    };
    let text = told.seal("H1", 7, None, &secret()).unwrap();
    assert!(text.contains(r#""code":0,"message":"处理成功""#), "{text}");
    let opened = open_reply(&text, "H1", &secret()).unwrap();
    assert_eq!((opened.code, opened.data.as_deref()), (0, told.data));
    let refused = Told {
        code: CentreCode::Locked,
        message: CentreCode::Locked.label(),
        data: None,
        ..told
    };
    let text = refused.seal("H1", 7, None, &secret()).unwrap();
    assert_eq!(open_reply(&text, "H1", &secret()).unwrap().code, 500_079);
    let bare = open_reply(&refused.bare().unwrap(), "H1", &secret());
    assert!(matches!(
        bare,
        Err(BadReply::Unsigned { code: 500_079, .. })
    ));
}

#[test]
fn a_long_message_is_cut_to_what_the_standard_allows() {
    let long = "长".repeat(300);
    let told = Told {
        org_id: "1",
        code: CentreCode::Unknown,
        message: &long,
        data: None,
    };
    let text = told.seal("H1", 7, None, &secret()).unwrap();
    assert_eq!(text.matches('长').count(), 200);
    assert!(open_reply(&text, "H1", &secret()).is_ok());
}

#[test]
fn both_character_sets_are_read_and_known_by_their_names() {
    for (content_type, charset) in [
        ("application/json; charset=GB18030", Some(Charset::Gb18030)),
        ("application/json;charset=\"gbk\"", Some(Charset::Gb18030)),
        ("application/json; Charset=utf8", Some(Charset::Utf8)),
        ("application/json", None),
        ("text/plain; charset=latin1", None),
    ] {
        assert_eq!(Charset::named(content_type), charset, "{content_type}");
    }
    let text = "消化内科𠮷";
    for charset in [Charset::Gb18030, Charset::Utf8] {
        assert_eq!(charset.decode(&charset.encode(text)).unwrap(), text);
    }
    assert_eq!(
        Charset::Gb18030.decode(b"\xff\xff"),
        Err(NotInCharset(Charset::Gb18030))
    );
    assert!(
        Charset::Utf8
            .decode(&Charset::Gb18030.encode("内科"))
            .is_err()
    );
}
