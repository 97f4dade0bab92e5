//! The table of everything that a HIS can call, from which the page and the OpenAPI document are
//! made. A test holds it against the router.

use banyan_protocol::catalogue::{Interface, Spec};
use banyan_protocol::dictionaries::ItemState;
use banyan_protocol::health_card::org_ehc_001::AuthUrlReply;
use banyan_protocol::health_card::org_ehc_002::AuthResultReply;
use banyan_protocol::health_card::org_ehc_003::VerifyReply;
use banyan_protocol::health_card::org_ehc_004::InsuredReply;
use banyan_protocol::overdue::org_mdl_002::QueryReply;
use banyan_protocol::overdue::org_mdl_004::EntryLinkReply;
use banyan_protocol::wire::{Field, Message as _};

use super::member::{Member, Shape, members};
use crate::api::call::is_callable;
use crate::api::shapes;

/// A path and what it does.
#[derive(Debug, Clone)]
pub(super) struct Route {
    pub(super) verb: Verb,
    pub(super) path: String,
    /// Its own name among all, for programs.
    pub(super) id: String,
    pub(super) group: &'static str,
    pub(super) title: String,
    pub(super) about: String,
    /// Parts of the path in braces.
    pub(super) places: Vec<Member>,
    /// Behind the question mark.
    pub(super) query: Vec<Member>,
    /// The request's body.
    pub(super) body: Option<Vec<Member>>,
    /// `data` of the answer.
    pub(super) data: Vec<Member>,
    /// Whether it answers with an envelope and wants a key. What does not, answers `ok`.
    pub(super) has_key: bool,
}

/// A method of HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Get,
    Post,
}

const OVERDUE: &str = "诊疗失信";
const HEALTH_CARD: &str = "电子健康卡";
const SELF: &str = "前置机";
const CALL: &str = "按接口编码调用";

/// The groups in the order in which they are shown.
pub(super) const GROUPS: [&str; 4] = [OVERDUE, HEALTH_CARD, SELF, CALL];

/// Everything that can be called.
pub(super) fn routes() -> Vec<Route> {
    let mut routes = overdue();
    routes.extend(health_card());
    routes.extend(own());
    routes.extend(
        Interface::ALL
            .iter()
            .filter_map(|interface| call(interface.spec())),
    );
    routes
}

fn overdue() -> Vec<Route> {
    vec![
        post(OVERDUE, "report", "/v1/overdue/report", "上报医疗欠费")
            .about(
                "任意多项一次交来。前置机先存盘再答复，夜间时段分批上报平台；urgent 为 true 时立即上报。\
                 断网、重启都不会丢；没有收到答复就原样再交一次，不会重复计入。",
            )
            .body(shapes::REPORT)
            .data(reported()),
        post(OVERDUE, "settle", "/v1/overdue/settle", "结清")
            .about("已上报的欠费缴清后告知，立即上报平台；尚未上报的不再上报。")
            .body(shapes::CHANGE)
            .data(taken()),
        post(OVERDUE, "revoke", "/v1/overdue/revoke", "撤销")
            .about("误报的欠费予以撤销，立即上报平台；尚未上报的不再上报。")
            .body(shapes::CHANGE)
            .data(taken()),
        post(OVERDUE, "realname", "/v1/overdue/realname", "非实名转实名")
            .about("非实名上报的欠费，患者办理实名卡后补上身份（接入指南 3.1.10）。")
            .body(shapes::NAME)
            .data(taken()),
        post(OVERDUE, "query", "/v1/overdue/query", "查询是否可先诊后付")
            .about(
                "窗口每次就诊前查询。平台不可达时按本院设定的规则答复，data.source 为 rule。",
            )
            .body(shapes::QUERY)
            .data(with(
                QueryReply::FIELDS,
                [
                    Member::text("source", "答复来源").note("platform 平台；rule 本院规则"),
                    Member::text("reason", "按规则答复的原因").optional(),
                ],
            )),
        post(OVERDUE, "entryLink", "/v1/overdue/entry-link", "医疗欠费名单入口链接")
            .about("供患者查看本人名单；链接一次有效。")
            .body(shapes::ENTRY_LINK)
            .data(members(EntryLinkReply::FIELDS)),
        get(OVERDUE, "batch", "/v1/overdue/batches/{id}", "一批的进展")
            .about("提交时答复的 batchId，或发往平台的请求批次号 orgRequestId。")
            .place(Member::text("id", "批次号"))
            .query([
                whole("offset", "跳过多少项").optional(),
                whole("limit", "至多多少项").optional().note("缺省 1000"),
            ])
            .data(vec![
                Member::text("batchId", "批次号"),
                time("createdAt", "提交时间"),
                whole("itemCount", "项数"),
                Member::new("stages", "各阶段项数", Shape::Object).note(
                    "waiting 待上报；reporting 上报中；kept 平台已登记；refused 平台未通过；\
                     withdrawn 未上报即已结清或撤销；updating 更新中",
                ),
                Member::new("orgRequestIds", "请求批次号", Shape::Texts),
                Member::new("items", "各项", Shape::List(item())),
            ]),
        get(OVERDUE, "item", "/v1/overdue/items/{org_trace_id}", "一项的进展")
            .place(Member::text("org_trace_id", "机构跟踪号"))
            .data(item()),
        get(OVERDUE, "outcomes", "/v1/overdue/outcomes", "新得知的结果")
            .about("按先后取回平台对各项的结果；下次以 data.next 作为 after。")
            .query(page())
            .data(listed(
                [vec![whole("seq", "序号")], item()].concat(),
            )),
        get(OVERDUE, "refused", "/v1/overdue/refused", "平台未通过的项")
            .about("平台没有登记的各项与原因，新近的在前。更正后以原跟踪号重新提交。")
            .query([whole("limit", "至多多少项").optional().note("缺省 100，最多 1000")])
            .data(vec![Member::new("items", "列表", Shape::List(item()))]),
        get(OVERDUE, "notices", "/v1/notices", "平台的通知（ORG_002）")
            .about("平台发来的结果回调通知原文，按先后；下次以 data.next 作为 after。")
            .query(page())
            .data(listed(vec![
                whole("seq", "序号"),
                Member::text("notifyType", "通知类型"),
                time("receivedAt", "收到时间"),
                Member::new("content", "通知的业务报文", Shape::Object),
            ])),
    ]
}

fn health_card() -> Vec<Route> {
    vec![
        post(
            HEALTH_CARD,
            "authorize",
            "/v1/health-card/authorize",
            "生成授权链接",
        )
        .about("自费患者扫码授权；qrSvg 可直接显示。（ORG_EHC_001）")
        .body(shapes::AUTHORIZE)
        .data(with(
            AuthUrlReply::FIELDS,
            [
                Member::text("outAuthNo", "外部授权流水号"),
                Member::text("qrSvg", "授权链接的二维码").note("SVG 图片"),
            ],
        )),
        get(
            HEALTH_CARD,
            "authorization",
            "/v1/health-card/authorizations/{out_auth_no}",
            "查询授权结果",
        )
        .about("患者授权期间每隔几秒查询；成功后前置机留存其主索引。（ORG_EHC_002）")
        .place(Member::text("out_auth_no", "外部授权流水号"))
        .data(members(AuthResultReply::FIELDS)),
        post(
            HEALTH_CARD,
            "verify",
            "/v1/health-card/verify",
            "电子健康卡验码",
        )
        .about("患者出示的码只能核验一次；成功后前置机留存其主索引。（ORG_EHC_003）")
        .body(shapes::VERIFY)
        .data(members(VerifyReply::FIELDS)),
        post(
            HEALTH_CARD,
            "lookup",
            "/v1/health-card/lookup",
            "查询医保患者主索引",
        )
        .about("院内已留存的直接答复，否则向平台查询并留存。（ORG_EHC_004）")
        .body(shapes::LOOKUP)
        .data(looked_up()),
        get(
            HEALTH_CARD,
            "index",
            "/v1/health-card/index",
            "院内留存的主索引",
        )
        .about("没有留存时 data 为 null。证件号会出现在地址中，经代理访问时请改用 index/query。")
        .query(members(shapes::PERSON))
        .data(retained()),
        post(
            HEALTH_CARD,
            "indexQuery",
            "/v1/health-card/index/query",
            "院内留存的主索引（POST）",
        )
        .about("没有留存时 data 为 null。")
        .body(shapes::PERSON)
        .data(retained()),
        post(HEALTH_CARD, "retain", "/v1/health-card/index", "留存主索引")
            .about("院内以其他方式取得的主索引，留存备用（接入指南 3.2.5.2）。")
            .body(shapes::RETAIN)
            .data(retained()),
    ]
}

fn own() -> Vec<Route> {
    vec![
        get(SELF, "status", "/v1/status", "前置机状态")
            .about("与状态页相同的内容，供监控程序读取；不含患者信息。")
            .data(vec![
                Member::text("orgId", "机构 id"),
                Member::text("level", "总体")
                    .note("good 正常；notice 注意；bad 异常；unknown 未知"),
                Member::new(
                    "lights",
                    "各项",
                    Shape::List(vec![
                        Member::text("code", "代码"),
                        Member::text("name", "名称"),
                        Member::text("level", "状态"),
                        Member::text("text", "情况"),
                        Member::text("advice", "建议"),
                    ]),
                ),
                whole("skewMs", "本机比平台慢的毫秒数"),
                whole("waitingItems", "待上报项数"),
                whole("unsentMessages", "待送报文数"),
                whole("awaitedMessages", "待结果报文数"),
                whole("refusedItems", "平台未通过项数"),
                time("lastAcceptedAt", "平台最近一次收下").optional(),
                time("nextDueAt", "下次上报").optional(),
                time("now", "前置机时间"),
            ]),
        Route {
            has_key: false,
            ..get(SELF, "healthz", "/healthz", "存活检查").about("不需要密钥，答复纯文本 ok。")
        },
    ]
}

/// An interface by its code, where it is one that hospitals call.
fn call(spec: &'static Spec) -> Option<Route> {
    let path = format!("/v1/call/{}", spec.code);
    let mut body = members(spec.request);
    for member in &mut body {
        if member.is_required && shapes::fills_in(spec.code, member.code) {
            member.is_required = false;
            member.note = format!("可省略，由前置机填写。{}", member.note);
        }
    }
    if matches!(spec.code, "ec.query" | "cn.nhsa.qrcode.get") {
        body.push(Member::text("qrCode", "码值").note("扫码得到的医保电子凭证码值"));
    }
    is_callable(spec).then(|| Route {
        body: Some(body),
        ..post(CALL, spec.code, &path, spec.name)
            .about(&format!(
                "《{}》{}：以明文业务参数调用，加密、签名由前置机完成，答复平台的业务数据。",
                spec.source.document.title(),
                spec.source.section
            ))
            .data(members(spec.reply))
    })
}

impl Route {
    fn about(self, about: &str) -> Self {
        Self {
            about: about.to_owned(),
            ..self
        }
    }

    fn place(self, place: Member) -> Self {
        Self {
            places: vec![place],
            ..self
        }
    }

    fn query(self, query: impl IntoIterator<Item = Member>) -> Self {
        Self {
            query: query.into_iter().collect(),
            ..self
        }
    }

    fn body(self, fields: &[Field]) -> Self {
        Self {
            body: Some(members(fields)),
            ..self
        }
    }

    fn data(self, data: Vec<Member>) -> Self {
        Self { data, ..self }
    }
}

impl Verb {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }
}

fn get(group: &'static str, id: &str, path: &str, title: &str) -> Route {
    Route {
        verb: Verb::Get,
        path: path.to_owned(),
        id: id.to_owned(),
        group,
        title: title.to_owned(),
        about: String::new(),
        places: Vec::new(),
        query: Vec::new(),
        body: None,
        data: Vec::new(),
        has_key: true,
    }
}

fn post(group: &'static str, id: &str, path: &str, title: &str) -> Route {
    Route {
        verb: Verb::Post,
        ..get(group, id, path, title)
    }
}

/// What is answered to reports.
fn reported() -> Vec<Member> {
    let mut members = vec![Member::text("batchId", "批次号").note("以此查询这一批的进展")];
    members.extend(taken());
    members
}

/// What is answered to rows.
fn taken() -> Vec<Member> {
    let refused = vec![
        Member::text("orgTraceId", "机构跟踪号"),
        Member::text("path", "有误的字段"),
        Member::text("reason", "原因"),
    ];
    vec![
        whole("accepted", "新受理项数"),
        whole("repeated", "此前已受理项数").note("未重复计入"),
        whole("withoutIndex", "没有主索引的项数")
            .note("平台按非实名登记，仅本院可见；取得主索引后请以转实名补上"),
        Member::new("refused", "未受理的项", Shape::List(refused))
            .note("有未受理的项时 respCode 为 000105，其余各项仍已受理；字段有误的则整次不受理，respMsg 指明是第几项的哪个字段"),
        time("sendAfter", "此后送往平台"),
    ]
}

/// How a debt stands.
fn item() -> Vec<Member> {
    let state = |code, name| {
        let (shape, entries) = ("欠费状态", ItemState::ENTRIES);
        Member::new(
            code,
            name,
            Shape::Dictionary {
                name: shape,
                entries,
            },
        )
    };
    vec![
        Member::text("orgTraceId", "机构跟踪号"),
        Member::text("traceId", "平台跟踪号").optional(),
        Member::text("stage", "阶段"),
        Member::text("stageName", "阶段名称"),
        state("state", "院内状态"),
        state("platformState", "平台状态").optional(),
        Member::text("reason", "未通过的原因").optional(),
        time("changedAt", "变动时间"),
    ]
}

/// The edge answers from what it retains with fewer members than the platform.
fn looked_up() -> Vec<Member> {
    let ours = ["ehealthCardId", "idNo", "idType", "userName"];
    let mut all = members(InsuredReply::FIELDS);
    for member in &mut all {
        member.is_required &= ours.contains(&member.code);
    }
    all.push(Member::text("source", "答复来源").note("retained 院内留存；ORG_EHC_004 平台"));
    all.push(Member::text("retainedFrom", "当初的来源").optional());
    all.push(time("retainedAt", "留存时间").optional());
    all
}

fn retained() -> Vec<Member> {
    vec![
        Member::text("ehealthCardId", "电子健康卡主索引 id"),
        Member::text("source", "答复来源"),
        Member::text("retainedFrom", "当初的来源").note("接口编码，或 his"),
        time("retainedAt", "留存时间"),
    ]
}

/// Which part of a sequence.
fn page() -> [Member; 2] {
    [
        whole("after", "此序号之后").optional().note("缺省从头"),
        whole("limit", "至多多少条").optional(),
    ]
}

fn listed(members: Vec<Member>) -> Vec<Member> {
    vec![
        Member::new("items", "列表", Shape::List(members)),
        whole("next", "下次的 after"),
    ]
}

fn with<const N: usize>(fields: &[Field], more: [Member; N]) -> Vec<Member> {
    let mut all = members(fields);
    all.extend(more);
    all
}

const fn whole(code: &'static str, name: &'static str) -> Member {
    Member::new(code, name, Shape::Whole)
}

const fn time(code: &'static str, name: &'static str) -> Member {
    Member::new(code, name, Shape::LocalTime)
}
