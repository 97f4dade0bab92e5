//! Bad bytes, odd requests, slow senders: the service must outlive them.

use banyan_client::Oddity;
use serde_json::Value;

use super::{ASK, JSON, Play, TELL};
use crate::ground::path;
use crate::heard::Fault;
use crate::run::{Run, case};

pub(super) async fn play(run: &mut Run<'_>, play: &Play<'_>) {
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
