//! The platform's part, played towards a hospital's ORG_001 and ORG_002.

use std::time::Duration;

use banyan_client::Oddity;
use banyan_protocol::catalogue::Interface;
use banyan_protocol::dictionaries::{ItemState, Receipt};
use banyan_protocol::overdue::org_001::SettlementReply;
use banyan_protocol::overdue::org_002::NotifyReply;
use banyan_protocol::wire::{self, Message};
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::ground::{Tamper, path};
use crate::heard::{Checked, Fault, Heard, ensure, failed, skipped};
use crate::report::{CaseResult, Report, Side};
use crate::run::{Run, case};
use crate::{BadTarget, Target};

const ASK: Interface = Interface::Org001;
const TELL: Interface = Interface::Org002;
/// A synthetic person: no district has this number.
const PERSON: (&str, &str) = ("359999199001010017", "测试甲");

/// Tests a hospital. `known` is the 机构跟踪号 of an item that the hospital's own test environment
/// has, without which nobody can tell whether it answers for its items.
///
/// # Errors
/// Where nobody is there.
pub async fn hospital(
    target: &Target,
    known: Option<&str>,
    mut tell: impl FnMut(&CaseResult) + Send,
) -> Result<Report, BadTarget> {
    let mut run = Run::begin(Side::Hospital, target, &mut tell).await?;
    let play = Play { target, known };
    settlement(&mut run, &play).await;
    notices(&mut run, &play).await;
    security(&mut run, &play).await;
    transport(&mut run, &play).await;
    Ok(run.end())
}

async fn settlement(run: &mut Run<'_>, play: &Play<'_>) {
    run.case(
        case(
            "H-ORG001-01",
            "4.4.1",
            "查询院内已有的一条记录",
            "平台每晚据此核对欠费状态，答错会让已缴清的患者仍被拦下",
            "按 orgTraceId 查院内账，答复 {\"state\":\"0|1|2\"}，SM4 加密、SM3 签名",
        ),
        async { play.state_of_known(false).await.map(|_| ()) },
    )
    .await;
    run.case(
        case(
            "H-ORG001-02",
            "4.1.4.1",
            "业务数据以 data= 签名的同样报文",
            "指南正文写 param，示例写 data，平台两种都可能使用",
            "验签时先按 param= 再按 data= 计算，任一相符即通过",
        ),
        async { play.state_of_known(true).await.map(|_| ()) },
    )
    .await;
    run.case(
        case(
            "H-ORG001-03",
            "4.4.1.3",
            "查询院内没有的记录",
            "对不存在的记录答复状态，平台会据此改动别人的欠费",
            "查不到时答复 respCode 不为 000000 的应答，不要给出 state",
        ),
        async {
            let heard = play
                .target
                .ask(ASK, &play.question(&play.target.number("none")))
                .await?;
            heard.no_crash()?;
            let code = heard.code()?;
            ensure(code != "000000", "院内没有这条记录，却答复成功")
        },
    )
    .await;
    run.case(case("H-ORG001-04", "4.1.3.1", "应答的报文结构：appId、version、时间戳、加密与签名",
        "缺少任何一项，平台都无法验签，查询等于没有答复",
        "应答须含 appId、version、timestamp（毫秒）、encryptType、signType、sign、encryptData、respCode、respMsg"), async {
        let (heard, _) = play.any_success().await?;
        play.envelope_is_whole(&heard)
    }).await;
    run.case(
        case(
            "H-ORG001-05",
            "4.4.1.2",
            "可选字段与不认识的字段",
            "平台升级后会多送字段，因此拒绝会造成中断",
            "忽略不认识的字段；traceId、extData 可有可无",
        ),
        async {
            let Some(known) = play.known else {
                return skipped(NO_KNOWN);
            };
            let mut question = play.question(known);
            question["traceId"] = json!("900000000000001");
            question["extData"] = json!({"conformance": "1"});
            question["someday"] = json!("1");
            let heard = play.target.ask(ASK, &question).await?;
            play.settlement(&heard).map(|_| ())
        },
    )
    .await;
    run.case(
        case(
            "H-ORG001-06",
            "4.4.1.2",
            "别家机构的 orgId",
            "替别家机构作答会混淆两院的账",
            "核对 orgId 为本机构，否则拒绝",
        ),
        async {
            let mut question = play.question(play.known.unwrap_or("T1"));
            question["orgId"] = json!("H00000000000");
            play.target.ask(ASK, &question).await?.refused()
        },
    )
    .await;
    run.case(
        case(
            "H-ORG001-07",
            "4.4.1.2",
            "缺少必填字段 orgTraceId",
            "按空值查询可能命中任意一条记录",
            "缺少必填字段时拒绝（例如 000105）",
        ),
        async {
            play.target
                .ask(ASK, &json!({"orgId": play.target.org_id}))
                .await?
                .refused()
        },
    )
    .await;
    run.case(
        case(
            "H-ORG001-08",
            "4.4.1",
            "二十个查询同时到达",
            "平台核对时并发查询，排队过久会被当作没有答复",
            "接口不要加全局锁；数据库查询走索引",
        ),
        async {
            let asking = (0..20).map(|_| play.any_success());
            for answered in join_all(asking).await {
                answered?;
            }
            Ok(())
        },
    )
    .await;
}

async fn notices(run: &mut Run<'_>, play: &Play<'_>) {
    let first = play.notice("REPORT", &play.target.number("N"));
    run.case(
        case(
            "H-ORG002-01",
            "4.4.2",
            "上报结果的通知",
            "没有 success，平台会重发八天",
            "收下后答复 {\"state\":\"success\"}，SM4 加密、SM3 签名",
        ),
        async { play.receipt(&play.target.ask(TELL, &first).await?) },
    )
    .await;
    run.case(
        case(
            "H-ORG002-02",
            "4.4.2",
            "同一条通知再次送达",
            "线路中断时平台会重发同一条（extData.notifyId 不变），重复入账会造成两笔",
            "按 notifyId（或 traceId 与状态）去重，仍答复 success",
        ),
        async {
            let before = play.state_of_known(false).await.ok();
            for _ in 0..3 {
                play.receipt(&play.target.ask(TELL, &first).await?)?;
            }
            let after = play.state_of_known(false).await.ok();
            ensure(before == after, "重复的通知改变了院内记录的状态")
        },
    )
    .await;
    run.case(
        case(
            "H-ORG002-03",
            "4.1.4.1",
            "业务数据以 data= 签名的通知",
            "指南正文写 param，示例写 data，平台两种都可能使用",
            "验签时先按 param= 再按 data= 计算，任一相符即通过",
        ),
        async {
            let notice = play.notice("REPORT", &play.target.number("N")).to_string();
            play.receipt(
                &play
                    .target
                    .post(path(TELL), play.target.seal_as_data(&notice))
                    .await?,
            )
        },
    )
    .await;
    run.case(
        case(
            "H-ORG002-04",
            "4.4.2.2",
            "更新结果的通知（UPDATE，reportResultList 为空列表）",
            "更新的结果不被接收，院内不知道平台已改状态",
            "按 notifyType 分别读 reportResultList 与 updateResultList，另一个可为空列表",
        ),
        async {
            let notice = play.notice("UPDATE", &play.target.number("N"));
            play.receipt(&play.target.ask(TELL, &notice).await?)
        },
    )
    .await;
    run.case(
        case(
            "H-ORG002-05",
            "4.4.2.2",
            "通知中带有未通过的条目与不认识的扩展字段",
            "未通过的条目只在 extData.errors 中出现，因此报错会造成反复重发",
            "extData 中不认识的内容忽略；列表可为空",
        ),
        async {
            let mut notice = play.notice("REPORT", &play.target.number("N"));
            notice["reportResultList"] = json!([]);
            notice["extData"]["errors"] = json!([{"orgTraceId": "none", "reason": "测试"}]);
            notice["extData"]["someday"] = json!({"a": [1]});
            play.receipt(&play.target.ask(TELL, &notice).await?)
        },
    )
    .await;
    run.case(
        case(
            "H-ORG002-06",
            "4.4.2.2",
            "缺少必填字段 notifyType",
            "来历不明的内容不应入账",
            "缺少必填字段时拒绝，或答复 state=fail",
        ),
        async {
            let mut notice = play.notice("REPORT", &play.target.number("N"));
            if let Some(members) = notice.as_object_mut() {
                members.remove("notifyType");
            }
            play.not_taken(&play.target.ask(TELL, &notice).await?)
        },
    )
    .await;
    run.case(
        case(
            "H-ORG002-07",
            "4.4.2",
            "二十条通知同时到达",
            "夜间批量回调会同时到达",
            "每条独立处理，不要加全局锁",
        ),
        async {
            let tellings = (0..20).map(|_| async {
                let notice = play.notice("REPORT", &play.target.number("N"));
                play.receipt(&play.target.ask(TELL, &notice).await?)
            });
            join_all(tellings)
                .await
                .into_iter()
                .collect::<Result<Vec<()>, Fault>>()
                .map(|_| ())
        },
    )
    .await;
    run.case(
        case(
            "H-ORG002-08",
            "4.4.2.2",
            "别家机构的通知",
            "把别家的结果记到本院账上",
            "核对 orgId 为本机构，否则拒绝或答复 state=fail",
        ),
        async {
            let mut notice = play.notice("REPORT", &play.target.number("N"));
            notice["orgId"] = json!("H00000000000");
            play.not_taken(&play.target.ask(TELL, &notice).await?)
        },
    )
    .await;
}

const FORGED: &str = "任何能连到该端口的人都能改动院内记录或套取数据";

async fn security(run: &mut Run<'_>, play: &Play<'_>) {
    let target = play.target;
    let business = play.notice("REPORT", &target.number("N")).to_string();
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
            target
                .post(path(TELL), target.tampered(&business, tamper))
                .await?
                .refused()
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
            target
                .post(path(TELL), target.forged(&business, false))
                .await?
                .refused()
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
            target
                .post(path(TELL), target.forged(&business, true))
                .await?
                .refused()
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
            target
                .post(path(TELL), target.seal_at(&business, old_ms))
                .await?
                .refused()
        },
    )
    .await;
}

async fn transport(run: &mut Run<'_>, play: &Play<'_>) {
    let target = play.target;
    const ROBUST: &str = "一个坏请求不应影响其他请求，也不应暴露内部信息";
    for (id, title, body) in [
        (
            "H-HTTP-01",
            "不是 JSON 的内容",
            b"<html>not json</html>".to_vec(),
        ),
        ("H-HTTP-02", "空请求体", Vec::new()),
        (
            "H-HTTP-03",
            "不是 UTF-8 的字节",
            vec![0xff, 0xfe, 0x00, 0x80],
        ),
        ("H-HTTP-04", "深度嵌套的 JSON", b"[".repeat(20_000)),
        ("H-HTTP-05", "2 MiB 的请求体", vec![b'a'; 2 << 20]),
    ] {
        run.case(
            case(
                id,
                "4.1.1",
                title,
                ROBUST,
                "答复 4xx 或带 respCode 的拒绝，不要抛出 500 或堆栈",
            ),
            async {
                let heard = target
                    .send(Oddity::ContentType(JSON), path(TELL), body)
                    .await;
                match heard {
                    Ok(heard) => heard.refused(),
                    // To close on a sender of too much is an answer too.
                    Err(Fault::Failed(_)) if id == "H-HTTP-05" => play.still_answers().await,
                    Err(fault) => Err(fault),
                }
            },
        )
        .await;
    }
    run.case(
        case(
            "H-HTTP-06",
            "4.1.1",
            "GET 请求",
            "业务接口不应被浏览器或扫描器触发",
            "只接受 POST，其余答复 405",
        ),
        async {
            target
                .send(Oddity::Get, path(ASK), Vec::new())
                .await?
                .refused()
        },
    )
    .await;
    run.case(
        case(
            "H-HTTP-07",
            "4.1.4.1",
            "Content-Type 为 text/plain",
            ROBUST,
            "可以接受，也可以拒绝，但不要答复 5xx",
        ),
        async {
            let body = target.seal(&play.question("T1").to_string());
            target
                .send(
                    Oddity::ContentType("text/plain"),
                    path(ASK),
                    body.into_bytes(),
                )
                .await?
                .no_crash()
        },
    )
    .await;
    run.case(
        case(
            "H-HTTP-08",
            "4.1.2.1",
            "报文换行缩进、字段顺序不同",
            "JSON 的空白与顺序没有意义，按固定顺序解析会在平台升级时中断",
            "用 JSON 库解析，不要按位置截取",
        ),
        async {
            let notice = play.notice("REPORT", &target.number("N")).to_string();
            let members: std::collections::BTreeMap<String, Value> =
                serde_json::from_str(&target.seal(&notice)).unwrap_or_default();
            let pretty = serde_json::to_string_pretty(&members).unwrap_or_default();
            play.receipt(&target.post(path(TELL), pretty).await?)
        },
    )
    .await;
    run.case(
        case(
            "H-HTTP-09",
            "4.1.1",
            "有人只发一半就停住时，其他请求仍有答复",
            "一条卡住的连接不应占住整个服务",
            "给读取请求设时限，并用多个线程或异步处理",
        ),
        async { play.stalled().await },
    )
    .await;
    run.case(
        case(
            "H-HTTP-10",
            "4.1.1",
            "经过以上种种之后，正常请求仍有答复",
            "被坏请求拖垮的服务要等人来重启",
            "捕获每个请求的异常，不让它终止进程",
        ),
        async { play.still_answers().await },
    )
    .await;
}

const JSON: &str = "application/json; charset=utf-8";
const NO_KNOWN: &str = "没有给出院内已有的记录：请用 --known 机构跟踪号";

struct Play<'a> {
    target: &'a Target,
    known: Option<&'a str>,
}

impl Play<'_> {
    fn question(&self, org_trace_id: &str) -> Value {
        json!({"orgId": self.target.org_id, "orgTraceId": org_trace_id})
    }

    fn notice(&self, kind: &str, notify_id: &str) -> Value {
        let item = json!({
            "orgTraceId": self.target.number("none"), "traceId": "900000000000001", "state": "0",
        });
        let list = json!([{"idNo": PERSON.0, "userName": PERSON.1, "itemList": [item]}]);
        let (report, update) = if kind == "UPDATE" {
            (json!([]), list)
        } else {
            (list, json!([]))
        };
        json!({
            "orgId": self.target.org_id, "orgName": "一致性测试", "notifyType": kind,
            "reportResultList": report, "updateResultList": update,
            "extData": {"notifyId": notify_id, "orgRequestId": "conformance"},
        })
    }

    fn read<Reply: Message>(&self, heard: &Heard) -> Result<Reply, Fault> {
        let business = heard.done(&self.target.secret)?;
        match wire::read(&business.to_string()) {
            Ok(reply) => Ok(reply),
            Err(fault) => failed(format!("应答的业务数据有误：{fault}")),
        }
    }

    fn settlement(&self, heard: &Heard) -> Result<ItemState, Fault> {
        Ok(self.read::<SettlementReply>(heard)?.state)
    }

    fn receipt(&self, heard: &Heard) -> Checked {
        let reply: NotifyReply = self.read(heard)?;
        ensure(reply.state == Receipt::Success, "应答复 state=success")
    }

    /// A refusal, or a receipt that says `fail`.
    fn not_taken(&self, heard: &Heard) -> Checked {
        match self.read::<NotifyReply>(heard) {
            Ok(reply) => ensure(
                reply.state != Receipt::Success,
                "应拒绝，却答复 state=success",
            ),
            Err(_) => heard.refused(),
        }
    }

    async fn state_of_known(&self, as_data: bool) -> Result<ItemState, Fault> {
        let Some(known) = self.known else {
            return skipped(NO_KNOWN);
        };
        let question = self.question(known).to_string();
        let message = if as_data {
            self.target.seal_as_data(&question)
        } else {
            self.target.seal(&question)
        };
        self.settlement(&self.target.post(path(ASK), message).await?)
    }

    /// An answer that must be a success: to the question about a known item, or else to a notice.
    async fn any_success(&self) -> Result<(Heard, Value), Fault> {
        let heard = match self.known {
            Some(known) => self.target.ask(ASK, &self.question(known)).await?,
            None => {
                let notice = self.notice("REPORT", &self.target.number("N"));
                self.target.ask(TELL, &notice).await?
            }
        };
        let business = heard.done(&self.target.secret)?;
        Ok((heard, business))
    }

    async fn still_answers(&self) -> Checked {
        self.any_success().await.map(|_| ())
    }

    fn envelope_is_whole(&self, heard: &Heard) -> Checked {
        let envelope = heard.envelope()?;
        for name in [
            "appId",
            "version",
            "timestamp",
            "encryptType",
            "signType",
            "sign",
            "encryptData",
            "respMsg",
        ] {
            ensure(
                envelope.get(name).is_some_and(Value::is_string),
                format!("应答缺少 {name}，或不是字符串"),
            )?;
        }
        ensure(
            envelope["appId"] == json!(self.target.app_id),
            "应答的 appId 与请求不同",
        )?;
        let time = envelope["timestamp"]
            .as_str()
            .and_then(|text| text.parse::<i64>().ok());
        let Some(time_ms) = time else {
            return failed("应答的 timestamp 不是毫秒时间戳");
        };
        let skew_ms = time_ms.abs_diff(self.target.clock.now_ms());
        ensure(
            skew_ms <= 600_000,
            format!(
                "应答的 timestamp 与本机相差 {} 秒：请校准时钟，并确认单位是毫秒",
                skew_ms / 1000
            ),
        )
    }

    /// Sends half a request and waits; meanwhile another must be answered.
    async fn stalled(&self) -> Checked {
        let url = &self.target.url;
        let (Some(host), Some(port), "http") =
            (url.host_str(), url.port_or_known_default(), url.scheme())
        else {
            return skipped("只在 http 地址上测试");
        };
        let connecting = tokio::net::TcpStream::connect((host.trim_matches(['[', ']']), port));
        let Ok(mut stream) = connecting.await else {
            return failed("连接不上");
        };
        let at = self.target.at(path(TELL));
        let head = format!(
            "POST {} HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Type: {JSON}\r\nContent-Length: 500\r\n\r\n{{",
            at.path()
        );
        if stream.write_all(head.as_bytes()).await.is_err() {
            return failed("连接中断");
        }
        let answered = self.still_answers().await;
        // Whatever it says to the half, it must not be a success.
        let mut said = [0; 16];
        let waiting = tokio::time::timeout(Duration::from_millis(50), stream.read(&mut said));
        let early = matches!(waiting.await, Ok(Ok(length)) if said.get(..length).is_some_and(|said| said.ends_with(b" 200")));
        answered?;
        ensure(!early, "请求还没有收完就答复了成功")
    }
}
