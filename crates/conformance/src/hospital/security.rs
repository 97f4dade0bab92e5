//! Forged, changed and old messages, none of which a hospital may take.

use serde_json::{Value, json};

use super::Play;
use crate::ground::Tamper;
use crate::run::{Run, case};

const FORGED: &str = "任何能连到该端口的人都能改动院内记录或套取数据";

pub(super) async fn play(run: &mut Run<'_>, play: &Play<'_>) {
    let target = play.target;
    let tampers: [(&'static str, &'static str, &'static str, Tamper); 5] = [
        (
            "H-SEC-01",
            "签名被改动",
            "先验签再处理；不符时答复 000102",
            |m| {
                m.insert(
                    "sign".to_owned(),
                    json!("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
                );
            },
        ),
        (
            "H-SEC-02",
            "没有签名",
            "signType 为 SM3 时 sign 必填",
            |m| {
                m.remove("sign");
            },
        ),
        (
            "H-SEC-03",
            "签名之后改了时间戳",
            "签名须覆盖 timestamp 等全部顶层字段",
            |m| {
                let later = m
                    .get("timestamp")
                    .and_then(Value::as_str)
                    .and_then(|text| text.parse::<i64>().ok());
                m.insert(
                    "timestamp".to_owned(),
                    json!((later.unwrap_or(0) + 1).to_string()),
                );
            },
        ),
        (
            "H-SEC-04",
            "不认识的 appId",
            "核对 appId 为平台分配的那一个",
            |m| {
                m.insert("appId".to_owned(), json!("nobody-knows-this-app"));
            },
        ),
        (
            "H-SEC-05",
            "把 signType 改成 NONE 以绕过验签",
            "signType 只接受 SM3（测试环境可另有 PLAIN）",
            |m| {
                m.insert("signType".to_owned(), json!("NONE"));
                m.remove("sign");
            },
        ),
    ];
    for (id, title, mend, tamper) in tampers {
        run.case(case(id, "4.1.4.2", title, FORGED, mend), async {
            play.both_refuse(|business| target.tampered(business, tamper))
                .await
        })
        .await;
    }
    run.case(
        case(
            "H-SEC-06",
            "4.1.4.1",
            "用另一个密钥加密并签名",
            FORGED,
            "解密失败时答复 000101",
        ),
        async {
            play.both_refuse(|business| target.forged(business, false))
                .await
        },
    )
    .await;
    run.case(
        case(
            "H-SEC-07",
            "4.1.4.1",
            "密钥前 16 位相同、其余不同（能解密，签名不符）",
            FORGED,
            "不能只靠解密成功，必须用整个密钥验签",
        ),
        async {
            play.both_refuse(|business| target.forged(business, true))
                .await
        },
    )
    .await;
    run.case(
        case(
            "H-SEC-08",
            "4.2",
            "一天前的报文（时间戳过旧）",
            "截获的旧报文可以被重放",
            "timestamp 与本机时间相差过大（建议 10 分钟至 1 小时）时拒绝，答复 010010",
        ),
        async {
            let old_ms = target.clock.now_ms() - 86_400_000;
            play.both_refuse(|business| target.seal_at(business, old_ms))
                .await
        },
    )
    .await;
}
