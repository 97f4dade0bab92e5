//! The envelope and the line, whatever is asked: dialects, forgeries, replays, bad bytes.

use banyan_client::Oddity;
use banyan_protocol::catalogue::Interface;
use futures_util::future::join_all;
use serde_json::{Map, Value, json};

use super::Play;
use crate::ground::{Tamper, path};
use crate::heard::{Checked, Fault, ensure};
use crate::run::{Run, case};

const ASK: &str = path(Interface::OrgMdl005);
const FORGED: &str = "任何人都能冒充医院";
const JSON: &str = "application/json; charset=utf-8";

pub(super) async fn play(run: &mut Run<'_>, play: &Play<'_>) {
    let target = play.target;
    let business = play.harmless().to_string();
    dialects(run, play, &business).await;
    let tampers: [(&'static str, &'static str, &'static [&'static str], Tamper); 6] = [
        ("P-SEC-01", "签名被改动", &["000102"], |m| {
            m.insert(
                "sign".to_owned(),
                json!("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
            );
        }),
        ("P-SEC-02", "没有签名", &["000102", "000105"], |m| {
            m.remove("sign");
        }),
        ("P-SEC-03", "签名之后改了版本", &["000102"], |m| {
            m.insert("version".to_owned(), json!("9.9.9"));
        }),
        ("P-SEC-04", "不认识的 appId", &["000001", "-8"], |m| {
            m.insert("appId".to_owned(), json!("nobody-knows-this-app"));
        }),
        (
            "P-SEC-05",
            "签名之后改了时间戳",
            &["000102", "010010"],
            |m| {
                m.insert("timestamp".to_owned(), json!("1630639075173"));
            },
        ),
        (
            "P-SEC-06",
            "把 signType 改成 NONE",
            &["000105", "000102"],
            |m| {
                m.insert("signType".to_owned(), json!("NONE"));
            },
        ),
    ];
    for (id, title, codes, tamper) in tampers {
        run.case(
            case(
                id,
                "4.1.4.2",
                title,
                FORGED,
                "先验签再处理，答复 4.2 所列的响应码",
            ),
            async {
                target
                    .post(ASK, target.tampered(&business, tamper))
                    .await?
                    .refused_with(codes)
            },
        )
        .await;
    }
    run.case(
        case(
            "P-SEC-07",
            "4.1.4.1",
            "用另一个密钥",
            FORGED,
            "解密失败答复 000101，签名不符答复 000102",
        ),
        async {
            target
                .post(ASK, target.forged(&business, false))
                .await?
                .refused_with(&["000101", "000102"])
        },
    )
    .await;
    run.case(
        case(
            "P-SEC-08",
            "4.1.4.1",
            "密钥前 16 位相同、其余不同",
            FORGED,
            "用整个密钥验签",
        ),
        async {
            target
                .post(ASK, target.forged(&business, true))
                .await?
                .refused_with(&["000102"])
        },
    )
    .await;
    run.case(
        case(
            "P-SEC-09",
            "4.2",
            "一天前的报文",
            "截获的报文可以被重放",
            "时间戳过旧答复 010010",
        ),
        async {
            let old_ms = target.clock.now_ms() - 86_400_000;
            target
                .post(ASK, target.seal_at(&business, old_ms))
                .await?
                .refused_with(&["010010"])
        },
    )
    .await;
    run.case(
        case(
            "P-SEC-10",
            "4.2",
            "同一报文重复十次，恰好一次通过",
            "截获的报文可以被重放",
            "记住近期的签名，重复的答复 010010",
        ),
        async {
            let message = target.seal(&business);
            let posting = (0..10).map(|_| target.post(ASK, message.clone()));
            let mut passed = 0;
            for heard in join_all(posting).await {
                passed += usize::from(heard?.code()? != "010010");
            }
            ensure(passed == 1, format!("应恰好一次通过，却有 {passed} 次"))
        },
    )
    .await;
    transport(run, play).await;
}

async fn dialects(run: &mut Run<'_>, play: &Play<'_>, business: &str) {
    let target = play.target;
    const DIALECT: &str = "各家医院的写法不同，拒绝会让它们无法接入";
    run.case(
        case(
            "P-ENV-01",
            "4.1.4.1",
            "以 data= 签名，并以同样方式答复",
            DIALECT,
            "先按 param= 再按 data= 验签，答复时用对方的方式",
        ),
        async {
            let heard = target.post(ASK, target.seal_as_data(business)).await?;
            understood(&heard)
        },
    )
    .await;
    let rewrites: [(&'static str, &'static str, Tamper); 3] = [
        ("P-ENV-02", "标准 base64（+、/）", |m| {
            rewrite(m, |text| text.replace('-', "+").replace('_', "/"))
        }),
        ("P-ENV-03", "没有末尾 = 的 base64", |m| {
            rewrite(m, |text| text.trim_end_matches('=').to_owned())
        }),
        ("P-ENV-04", "extendParams 不参与签名", |m| {
            m.insert("extendParams".to_owned(), json!({"any": "thing"}));
        }),
    ];
    for (id, title, tamper) in rewrites {
        run.case(
            case(
                id,
                "4.1.4.1",
                title,
                DIALECT,
                "解码时各种 base64 都接受；剔除 sign、encryptData、extendParams 后再验签",
            ),
            async { understood(&target.post(ASK, target.tampered(business, tamper)).await?) },
        )
        .await;
    }
    run.case(
        case(
            "P-ENV-05",
            "4.1.3.1",
            "拒绝也有签名、时间戳与说明",
            "医院无法分辨拒绝来自平台还是中间人",
            "认识调用方时，拒绝同样签名",
        ),
        async {
            let heard = target
                .post(path(Interface::OrgMdl002), target.seal("{}"))
                .await?;
            heard.refused_with(&["000105", "-2"])?;
            let envelope = heard.envelope()?;
            for name in ["sign", "timestamp", "respMsg", "appId"] {
                ensure(
                    envelope.get(name).is_some_and(Value::is_string),
                    format!("拒绝缺少 {name}"),
                )?;
            }
            let parsed = banyan_protocol::envelope::Envelope::parse(heard.text.as_bytes());
            let holds = parsed.is_ok_and(|envelope| {
                use banyan_protocol::envelope::{Dialect, Environment};
                envelope
                    .open(&target.secret, Environment::Production, Dialect::default())
                    .is_ok()
            });
            ensure(holds, "拒绝的签名不符")
        },
    )
    .await;
}

async fn transport(run: &mut Run<'_>, play: &Play<'_>) {
    let target = play.target;
    const ROBUST: &str = "一个坏请求不应影响其他医院";
    const MEND: &str = "答复带 respCode 的拒绝，不要抛出 500 或堆栈";
    for (id, title, body) in [
        ("P-HTTP-01", "不是 JSON 的内容", b"<html>".to_vec()),
        ("P-HTTP-02", "空请求体", Vec::new()),
        ("P-HTTP-03", "不是 UTF-8 的字节", vec![0xff, 0xfe]),
        ("P-HTTP-04", "深度嵌套的 JSON", b"[".repeat(20_000)),
        ("P-HTTP-05", "3 MiB 的请求体", vec![b'a'; 3 << 20]),
    ] {
        run.case(case(id, "4.1.1", title, ROBUST, MEND), async {
            target
                .send(Oddity::ContentType(JSON), ASK, body)
                .await?
                .refused()
        })
        .await;
    }
    run.case(
        case(
            "P-HTTP-06",
            "4.1.1",
            "GET 请求",
            ROBUST,
            "只接受 POST，其余答复 405",
        ),
        async { target.send(Oddity::Get, ASK, Vec::new()).await?.refused() },
    )
    .await;
    run.case(
        case(
            "P-HTTP-07",
            "4.2",
            "不存在的地址",
            "医院分不清地址写错还是服务中断",
            "答复 -5 与 HTTP 404",
        ),
        async {
            let heard = target
                .post("/umdl/noSuchInterface", target.seal("{}"))
                .await?;
            heard.refused()?;
            ensure(heard.code()? == "-5", "应答复 respCode=-5")
        },
    )
    .await;
    run.case(
        case(
            "P-HTTP-08",
            "4.1.1",
            "二十个请求同时到达",
            ROBUST,
            "各自独立处理",
        ),
        async {
            let asking = (0..20).map(|at| {
                let business =
                    json!({"orgId": target.org_id, "orgRequestId": format!("conformance-{at}")});
                let message = target.seal(&business.to_string());
                async move { understood(&target.post(ASK, message).await?) }
            });
            join_all(asking)
                .await
                .into_iter()
                .collect::<Result<Vec<()>, Fault>>()
                .map(|_| ())
        },
    )
    .await;
}

/// The message was opened and its signature held: whatever is answered is about its content.
fn understood(heard: &crate::heard::Heard) -> Checked {
    let code = heard.code()?;
    let not = ["000001", "000101", "000102", "010010", "000002", "-6"];
    ensure(
        !not.contains(&code.as_str()),
        format!("报文没有被读懂：respCode={}", crate::heard::short(&code)),
    )
}

fn rewrite(members: &mut Map<String, Value>, change: fn(&str) -> String) {
    for name in ["sign", "encryptData"] {
        if let Some(text) = members.get(name).and_then(Value::as_str) {
            let changed = change(text);
            members.insert(name.to_owned(), json!(changed));
        }
    }
}
