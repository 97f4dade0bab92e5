//! `InData` as a request: what the caller left out is filled in, what he said stays as he wrote it.

use banyan_protocol::envelope::Envelope;
use banyan_protocol::envelope::centre::{self, Data, Extra, Request};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::fault::{Code, Fault};
use crate::settings::Defaults;
use banyan_protocol::envelope::centre::escaped;

/// 电子凭证二维码解码接口 (5.3)
pub(crate) const QUERY: &str = "ec.query";
/// 终端医保电子凭证码解码接口 (5.4)
pub(crate) const QR_CODE: &str = "cn.nhsa.qrcode.get";
/// 刷脸授权获取医保身份接口 (5.5)
pub(crate) const FACE: &str = "cn.nhsa.auth.check";
/// 医保电子凭证密码核验接口 (5.6)
pub(crate) const PASSWORD: &str = "cn.nhsa.ec.pwd";

/// Reads it. What is missing at the top is taken from `data`, then from the settings: the C++ example
/// of annex A gives neither transType nor orgId there. Members that the standard does not know are
/// left behind, since nothing signs them.
pub(crate) fn read(text: &str, defaults: &Defaults) -> Result<Request, Fault> {
    let bad = |what: String| Fault::new(Code::Parameter, format!("InData 有误：{what}"));
    let envelope = Envelope::parse(text.as_bytes()).map_err(|fault| bad(fault.to_string()))?;
    let text = envelope
        .get("data")
        .filter(|data| !data.is_empty())
        .ok_or_else(|| bad("缺少 data".to_owned()))?;
    let members =
        Envelope::parse(text.as_bytes()).map_err(|_| bad("data 不是 JSON 对象".to_owned()))?;
    let data = if envelope.is_string("data") {
        Data::Text(text.to_owned())
    } else {
        Data::Object(raw(&escaped(text)).ok_or_else(|| bad("data 不是 JSON 对象".to_owned()))?)
    };
    let said = |at: &Envelope<'_>, name| at.get(name).filter(|v| !v.is_empty()).map(str::to_owned);
    let extra: Extra = match envelope.get("extra") {
        None | Some("") => Extra::new(),
        Some(extra) => {
            serde_json::from_str(extra).map_err(|_| bad("extra 不是 JSON 对象".to_owned()))?
        }
    };
    Ok(Request {
        org_id: said(&envelope, "orgId")
            .or_else(|| said(&members, "orgId"))
            .or_else(|| defaults.org_id.clone())
            .ok_or_else(|| bad("缺少 orgId".to_owned()))?,
        trans_type: said(&envelope, "transType").unwrap_or_else(|| defaults.trans_type.clone()),
        data,
        extra,
    })
}

/// A member of `data` as text; empty where it is absent.
pub(crate) fn of_data(data: &Data, name: &str) -> String {
    Envelope::parse(data.as_signed().as_bytes())
        .ok()
        .and_then(|members| members.get(name).map(str::to_owned))
        .unwrap_or_default()
}

/// `data` with these members, in place of those of the same names.
pub(crate) fn with_members(data: &Data, new: &[(&str, &str)]) -> Data {
    let mut members: Extra = serde_json::from_str(data.as_signed()).unwrap_or_default();
    for (name, text) in new {
        if let Some(value) = raw(&Value::from(*text).to_string()) {
            members.insert((*name).to_owned(), value);
        }
    }
    let whole = centre::object(&members);
    raw(&escaped(&whole)).map_or(Data::Text(whole), Data::Object)
}

/// A JSON value as a member of `extra`.
pub(crate) fn raw(json: &str) -> Option<Box<RawValue>> {
    RawValue::from_string(json.to_owned()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn defaults() -> Defaults {
        Defaults {
            trans_type: QUERY.to_owned(),
            org_id: None,
        }
    }

    #[test]
    fn the_example_of_annex_a_without_its_head_is_filled_in() {
        let text =
            r#"{"data":{"orgId":"35020311234","businessType":"01101","officeName":"消化内科"}}"#;
        let request = read(text, &defaults()).unwrap();
        assert_eq!(
            (&*request.org_id, &*request.trans_type),
            ("35020311234", "ec.query")
        );
        assert_eq!(
            request.data.as_signed(),
            &text[8..text.len() - 1],
            "byte for byte"
        );
    }

    #[test]
    fn what_the_caller_says_wins_in_either_form() {
        for data in [
            r#"{"orgId":"2","authNo":""}"#,
            r#""{\"orgId\":\"2\",\"authNo\":\"\"}""#,
        ] {
            let extra = r#""{\"qrCode\":\"Q\",\"own\":[1, 2]}""#;
            let text = format!(
                r#"{{"transType":"cn.nhsa.auth.check","orgId":"1","data":{data},"extra":{extra},"more":1}}"#
            );
            let request = read(&text, &defaults()).unwrap();
            assert_eq!((&*request.org_id, &*request.trans_type), ("1", FACE));
            assert_eq!(request.extra["own"].get(), "[1, 2]");
            let filled = with_members(&request.data, &[("authNo", "A1"), ("photoData", "p")]);
            assert_eq!(of_data(&filled, "authNo"), "A1");
            assert_eq!(of_data(&filled, "orgId"), "2");
        }
    }

    #[test]
    fn what_can_not_be_sent_is_told() {
        for (text, what) in [
            (r"{}", "缺少 data"),
            (r#"{"data":[1],"orgId":"1"}"#, "data 不是"),
            (r#"{"data":"x","orgId":"1"}"#, "data 不是"),
            (r#"{"data":{}}"#, "缺少 orgId"),
            (r#"{"data":{},"orgId":"1","extra":"x"}"#, "extra 不是"),
            (r#"{"data":{},"orgId":"1","orgId":"2"}"#, "重复"),
            (r#"{"data":{},}"#, "JSON"),
        ] {
            let said = read(text, &defaults()).unwrap_err().to_string();
            assert!(
                said.starts_with("-2 ") && said.contains(what),
                "{text}: {said}"
            );
        }
    }
}
