//! ORG_EHC_001 to 004: an authorisation is begun and looked up; what is nobody's is refused.

use banyan_protocol::catalogue::Interface;
use serde_json::json;

use super::{Play, of_person};
use crate::heard::{ensure, skipped};
use crate::run::{Run, case};

const PARAMETER: &[&str] = &["000105", "-2"];

pub(super) async fn play(run: &mut Run<'_>, play: &Play<'_>) {
    let (target, org_id) = (play.target, &play.target.org_id);
    let begin = json!({"orgId": org_id, "outAuthNo": target.number("A")});
    run.case(
        case(
            "P-EHC001-01",
            "4.5.1",
            "生成授权链接",
            "自费患者无法授权电子健康卡",
            "答复 authUrl（不超过 200 个字符的网址）",
        ),
        async {
            let done = play
                .ask(Interface::OrgEhc001, &begin)
                .await?
                .done(&target.secret)?;
            let url = done["authUrl"].as_str().unwrap_or_default();
            ensure(
                url.starts_with("http") && url.chars().count() <= 200,
                "authUrl 应为不超过 200 个字符的网址",
            )
        },
    )
    .await;
    run.case(
        case(
            "P-EHC001-02",
            "4.5.1.2",
            "缺少 outAuthNo",
            "无法再查询结果",
            "缺少必填字段时答复 000105",
        ),
        async {
            play.ask(Interface::OrgEhc001, &json!({"orgId": org_id}))
                .await?
                .refused_with(PARAMETER)
        },
    )
    .await;
    run.case(
        case(
            "P-EHC002-01",
            "4.5.2",
            "查询刚生成的授权",
            "医院不知道患者是否已授权",
            "答复 authStatus=ing",
        ),
        async {
            let done = play
                .ask(Interface::OrgEhc002, &begin)
                .await?
                .done(&target.secret)?;
            ensure(
                done["authStatus"] == json!("ing"),
                "患者尚未授权，authStatus 应为 ing",
            )
        },
    )
    .await;
    run.case(
        case(
            "P-EHC002-02",
            "4.5.2.2",
            "查询没有的授权",
            "会泄露别家医院的授权",
            "答复 000105",
        ),
        async {
            let none = json!({"orgId": org_id, "outAuthNo": target.number("none")});
            play.ask(Interface::OrgEhc002, &none).await?.refused()
        },
    )
    .await;
    run.case(
        case(
            "P-EHC003-01",
            "4.5.3",
            "伪造的电子健康码",
            "能冒用他人身份就诊",
            "验证码值真伪与时效，不符时拒绝",
        ),
        async {
            let forged = json!({"orgId": org_id, "ehealthCode": "Zm9yZ2Vk".repeat(8)});
            play.ask(Interface::OrgEhc003, &forged).await?.refused()
        },
    )
    .await;
    run.case(
        case(
            "P-EHC004-01",
            "4.5.4",
            "查询医保患者主索引",
            "医保患者无法实名上报与查询",
            "答复 ehealthCardId（64 位）",
        ),
        async {
            let person = play.person()?;
            let Some(psn_no) = &person.psn_no else {
                return skipped("该人员没有医保人员编号");
            };
            let mut ask = of_person(person);
            ask["orgId"] = json!(org_id);
            ask["type"] = json!("1");
            ask["psnNo"] = json!(psn_no);
            let done = play
                .ask(Interface::OrgEhc004, &ask)
                .await?
                .done(&target.secret)?;
            ensure(
                done["ehealthCardId"]
                    .as_str()
                    .is_some_and(|index| index.eq_ignore_ascii_case(&person.ehealth_card_id)),
                "主索引与该人员的不同",
            )
        },
    )
    .await;
    run.case(case("P-EHC004-02", "4.5.4.2", "缺少证件号",
        "无法确认是谁", "缺少必填字段时答复 000105"), async {
        let ask = json!({"orgId": org_id, "type": "1", "psnNo": "1", "idType": "01", "userName": "测试甲"});
        play.ask(Interface::OrgEhc004, &ask).await?.refused_with(PARAMETER)
    }).await;
}
