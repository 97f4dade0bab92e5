//! ORG_002: what became of a batch, once and again.

use futures_util::future::join_all;
use serde_json::json;

use super::{Play, TELL};
use crate::ground::path;
use crate::heard::{Fault, ensure};
use crate::run::{Run, case};

pub(super) async fn play(run: &mut Run<'_>, play: &Play<'_>) {
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
