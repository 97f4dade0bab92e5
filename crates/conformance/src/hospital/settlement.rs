//! ORG_001: how an item stands at the hospital.

use futures_util::future::join_all;
use serde_json::json;

use super::{ASK, NO_KNOWN, Play};
use crate::heard::{ensure, skipped};
use crate::run::{Run, case};

pub(super) async fn play(run: &mut Run<'_>, play: &Play<'_>) {
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
