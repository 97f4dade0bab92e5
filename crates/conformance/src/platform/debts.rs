//! ORG_MDL_001 to 005: an anonymous debt is reported, seen, paid; what can't be is refused.

use std::time::Duration;

use banyan_protocol::catalogue::Interface;
use banyan_protocol::dictionaries::Receipt;
use banyan_protocol::overdue::org_mdl_001::ReportReply;
use banyan_protocol::overdue::org_mdl_002::QueryReply;
use banyan_protocol::overdue::org_mdl_003::UpdateReply;
use serde_json::{Value, json};

use super::{Play, of_person};
use crate::heard::{Checked, Fault, ensure, failed, skipped};
use crate::run::{Run, case};

const MDL1: Interface = Interface::OrgMdl001;
const MDL2: Interface = Interface::OrgMdl002;
const MDL3: Interface = Interface::OrgMdl003;
const MDL4: Interface = Interface::OrgMdl004;
const MDL5: Interface = Interface::OrgMdl005;
const PARAMETER: &[&str] = &["000105", "-2"];
const LOOSE: &str = "错误的数据进入平台后，患者会因此被拦下";
const CHECK: &str = "逐项校验必填、长度、字典与格式，答复 000105 并指出字段";

/// Id, title, and what makes the report wrong.
type Wrong = (&'static str, &'static str, fn(&mut Value));

pub(super) async fn play(run: &mut Run<'_>, play: &Play<'_>) {
    let number = play.target.number("C");
    let trace = play.target.number("T");
    let report = play
        .options
        .notify_url
        .as_ref()
        .map(|url| a_report(play, url, &number, &trace));
    let with = |change: fn(&mut Value)| {
        let mut report = report.clone()?;
        change(&mut report);
        Some(report)
    };
    run.case(
        case(
            "P-MDL001-01",
            "4.3.1",
            "上报一笔非实名欠费",
            "医院无法上报",
            "答复 state=success，异步处理并回调",
        ),
        async {
            play.notify_url()?;
            accepted(play, report.as_ref()).await
        },
    )
    .await;
    run.case(
        case(
            "P-MDL001-02",
            "4.3.1.2",
            "同一批次同样内容再次上报",
            "线路中断后医院会重发，重复入账会造成两笔",
            "按 orgRequestId 识别，答复与首次相同，不重复入账",
        ),
        async {
            play.notify_url()?;
            accepted(play, report.as_ref()).await
        },
    )
    .await;
    let wrong: [Wrong; 6] = [
        ("P-MDL001-03", "同一批次号、不同内容", |r| {
            r["unsettleList"][0]["itemList"][0]["amount"] = json!("2.00")
        }),
        ("P-MDL001-04", "超过 100 条", |r| {
            let item = r["unsettleList"][0]["itemList"][0].clone();
            r["orgRequestId"] = json!(format!(
                "{}x",
                r["orgRequestId"].as_str().unwrap_or_default()
            ));
            r["unsettleList"][0]["itemList"] = json!(vec![item; 101]);
        }),
        ("P-MDL001-05", "缺少 orgRequestId", |r| {
            r["orgRequestId"] = Value::Null
        }),
        ("P-MDL001-06", "金额不是金额", |r| {
            r["unsettleList"][0]["itemList"][0]["amount"] = json!("1,2")
        }),
        ("P-MDL001-07", "字典外的 medType", |r| {
            r["unsettleList"][0]["itemList"][0]["medType"] = json!("ZZ")
        }),
        ("P-MDL001-08", "别家机构的 orgId", |r| {
            r["orgId"] = json!("H00000000000")
        }),
    ];
    for (id, title, change) in wrong {
        run.case(case(id, "4.3.1.2", title, LOOSE, CHECK), async {
            play.notify_url()?;
            let Some(report) = with(change) else {
                return skipped("没有批次");
            };
            play.ask(MDL1, &report)
                .await?
                .refused_with(&["000105", "-2", "-4"])
        })
        .await;
    }
    let mut trace_id = None;
    run.case(
        case(
            "P-MDL005-01",
            "4.3.5",
            "查询上报结果，直到有 traceId",
            "没有收到回调的医院靠它得知结果",
            "处理完后列出每条的 traceId 与 state",
        ),
        async {
            play.notify_url()?;
            let (found, state) = item_of(play, &number, &trace).await?;
            ensure(state == "0", format!("状态应为 0，却是 {state}"))?;
            trace_id = Some(found);
            Ok(())
        },
    )
    .await;
    run.case(
        case(
            "P-MDL005-02",
            "4.3.5.2",
            "查询没有的批次",
            "会被误认为已上报",
            "答复 000105 或空列表，不要答复别人的结果",
        ),
        async {
            let heard = play.ask(MDL5, &play.harmless()).await?;
            match heard.done(&play.target.secret) {
                Ok(done) => ensure(done["reportResultList"] == json!([]), "没有的批次却有结果"),
                Err(_) => heard.refused(),
            }
        },
    )
    .await;
    run.case(case("P-MDL003-01", "4.3.3", "把上报的欠费更新为已缴清，并查到结果",
        "患者缴清后仍被拦下", "答复 state=success，处理后状态变为 1"), async {
        let url = play.notify_url()?;
        let Some(trace_id) = &trace_id else { return skipped("上报没有得到 traceId") };
        let number = play.target.number("U");
        let update = json!({
            "orgId": play.target.org_id, "idNo": "", "idType": "", "userName": "", "ehealthCardId": "",
            "notifyUrl": url, "orgRequestId": number,
            "itemList": [{"orgTraceId": trace, "traceId": trace_id, "state": "1"}],
        });
        let reply: UpdateReply = play.done(MDL3, &update).await?;
        ensure(reply.state == Receipt::Success, "应答复 state=success")?;
        let (_, state) = item_of(play, &number, &trace).await?;
        ensure(state == "1", format!("状态应为 1，却是 {state}"))
    }).await;
    run.case(case("P-MDL003-02", "4.3.3.2", "字典外的 state", LOOSE, CHECK), async {
        let url = play.notify_url()?;
        let update = json!({
            "orgId": play.target.org_id, "notifyUrl": url, "orgRequestId": play.target.number("U"),
            "itemList": [{"orgTraceId": trace, "traceId": "1", "state": "9"}],
        });
        play.ask(MDL3, &update).await?.refused_with(PARAMETER)
    }).await;
    queries(run, play).await;
}

async fn queries(run: &mut Run<'_>, play: &Play<'_>) {
    let nobody = json!({
        "businessType": "01101", "idType": "01", "idNo": "359999199001010017", "userName": "测试甲",
        "ehealthCardId": "0".repeat(64),
    });
    run.case(
        case(
            "P-MDL002-01",
            "4.3.2",
            "查询医疗欠费状况",
            "窗口无法判断能否先诊后付",
            "答复 next（0 或 1）与 itemList（可为空列表）",
        ),
        async {
            let mut query = of_person(play.person()?);
            query["businessType"] = json!("01101");
            let reply: QueryReply = play.done(MDL2, &query).await?;
            ensure(
                reply.itemList.iter().all(|item| item.state.code() == "0"),
                "列表中只应有欠费（state=0）",
            )
        },
    )
    .await;
    run.case(
        case(
            "P-MDL002-02",
            "4.3.2.2",
            "主索引与证件不符",
            "拿到证件号的人都能查别人的欠费",
            "校验 ehealthCardId 与证件为同一人",
        ),
        async { play.ask(MDL2, &nobody).await?.refused_with(PARAMETER) },
    )
    .await;
    run.case(
        case(
            "P-MDL002-03",
            "4.3.2.2",
            "字典外的 businessType",
            LOOSE,
            CHECK,
        ),
        async {
            let mut query = nobody.clone();
            query["businessType"] = json!("ZZ");
            play.ask(MDL2, &query).await?.refused_with(PARAMETER)
        },
    )
    .await;
    run.case(
        case(
            "P-MDL004-01",
            "4.3.4",
            "获取名单应用入口链接",
            "患者看不到自己的欠费记录",
            "答复 mdrUrl（不超过 200 个字符的网址）",
        ),
        async {
            let mut ask = of_person(play.person()?);
            ask["orgId"] = json!(play.target.org_id);
            let done = play.ask(MDL4, &ask).await?.done(&play.target.secret)?;
            let url = done["mdrUrl"].as_str().unwrap_or_default();
            ensure(
                url.starts_with("http") && url.chars().count() <= 200,
                "mdrUrl 应为不超过 200 个字符的网址",
            )
        },
    )
    .await;
    run.case(
        case(
            "P-MDL004-02",
            "4.3.4.2",
            "主索引与证件不符",
            "拿到证件号的人都能打开别人的页面",
            "校验 ehealthCardId 与证件为同一人",
        ),
        async {
            let mut ask = nobody.clone();
            ask["orgId"] = json!(play.target.org_id);
            play.ask(MDL4, &ask).await?.refused_with(PARAMETER)
        },
    )
    .await;
}

fn a_report(play: &Play<'_>, url: &str, number: &str, trace: &str) -> Value {
    json!({
        "orgId": play.target.org_id, "orgName": "一致性测试", "notifyUrl": url, "orgRequestId": number,
        "unsettleList": [{
            "idNo": "", "idType": "", "userName": "", "ehealthCardId": "", "userType": "01",
            "itemList": [{
                "orgTraceId": trace, "medType": "11", "feeType": "01", "itemName": "一致性测试",
                "amount": "1.00", "actualTime": "2025-01-01 08:00:00",
            }],
        }],
    })
}

async fn accepted(play: &Play<'_>, report: Option<&Value>) -> Checked {
    let Some(report) = report else {
        return skipped("没有批次");
    };
    let reply: ReportReply = play.done(MDL1, report).await?;
    ensure(reply.state == Receipt::Success, "应答复 state=success")
}

/// traceId and state of the item in the batch's outcome, as soon as there is one.
async fn item_of(play: &Play<'_>, number: &str, trace: &str) -> Result<(String, String), Fault> {
    let ask = json!({"orgId": play.target.org_id, "orgRequestId": number});
    for _ in 0..60 {
        let done = play.ask(MDL5, &ask).await?.done(&play.target.secret)?;
        let persons = done["reportResultList"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let items = persons
            .iter()
            .filter_map(|person| person["itemList"].as_array())
            .flatten();
        for item in items {
            if item["orgTraceId"] == json!(trace) {
                let text = |name: &str| item[name].as_str().unwrap_or_default().to_owned();
                return Ok((text("traceId"), text("state")));
            }
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    failed("15 秒内没有处理结果")
}
