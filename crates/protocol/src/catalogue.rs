//! The catalogue: every interface of the three specifications, in one table.
//!
//! Dispatch, grants, metrics, documents and the command line all read it. An interface that is
//! added here without a handler does not compile on the platform, and without fixtures does not
//! pass the tests.

use crate::credential::cn_nhsa_auth_check::{FaceReply, FaceRequest};
use crate::credential::cn_nhsa_ec_pwd::{PasswordReply, PasswordRequest};
use crate::credential::cn_nhsa_qrcode_get::TerminalDecodeRequest;
use crate::credential::ec_query::{DecodeRequest, PersonReply};
use crate::health_card;
use crate::overdue;
use crate::supplement::ci00_02_00_07::CashPaymentRequest;
use crate::supplement::ci00_03_00_01::{PastIllnessReply, PastIllnessRequest};
use crate::supplement::ci00_03_00_03::ClaimsRequest;
use crate::supplement::xy00_00_00_03::MigrationRequest;
use crate::wire::{Field, Message};

/// One interface, named after its code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Interface {
    /// 上报医疗欠费数据
    OrgMdl001,
    /// 查询医疗欠费状况
    OrgMdl002,
    /// 更新医疗欠费数据
    OrgMdl003,
    /// 获取医疗欠费名单应用入口链接
    OrgMdl004,
    /// 查询上报/更新结果
    OrgMdl005,
    /// 院内医疗欠费结算结果查询
    Org001,
    /// 结果回调通知
    Org002,
    /// 生成电子健康卡授权链接
    OrgEhc001,
    /// 查询电子健康卡授权结果
    OrgEhc002,
    /// 电子健康卡验码
    OrgEhc003,
    /// 查询医保患者主索引
    OrgEhc004,
    /// 接收既往症结果
    Ci00030001,
    /// 理赔信息接收
    Ci00030003,
    /// 现金支付人员信息接受
    Ci00020007,
    /// 历史案件迁移与小药箱数据同步
    Xy00000003,
    /// 电子凭证二维码解码接口
    EcQuery,
    /// 终端医保电子凭证码解码接口
    QrcodeGet,
    /// 刷脸授权获取医保身份接口
    AuthCheck,
    /// 医保电子凭证密码核验接口
    EcPwd,
}

/// What is known of an interface.
#[derive(Debug, Clone, Copy)]
pub struct Spec {
    /// The code, as the specification writes it.
    pub code: &'static str,
    /// 接口名称.
    pub name: &'static str,
    /// Which room of the platform it belongs to.
    pub room: Room,
    /// Who calls whom.
    pub direction: Direction,
    /// How a request finds it.
    pub route: Route,
    /// Where it is specified.
    pub source: Source,
    /// Whether this version of Banyan has it.
    pub availability: Availability,
    /// The members of the request; empty while not yet available.
    pub request: &'static [Field],
    /// The members of the reply; empty while not yet available, and where the specification lists
    /// none.
    pub reply: &'static [Field],
}

/// A room of the platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Room {
    /// 诊疗失信
    Overdue,
    /// 电子健康卡
    HealthCard,
    /// 商业补充医疗保险
    Supplement,
    /// 医保电子凭证
    Credential,
}

impl Room {
    /// The name of its folders.
    #[must_use]
    pub const fn folder(self) -> &'static str {
        match self {
            Self::Overdue => "overdue",
            Self::HealthCard => "health_card",
            Self::Supplement => "supplement",
            Self::Credential => "credential",
        }
    }

    /// Its name in Chinese.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Overdue => "诊疗失信",
            Self::HealthCard => "电子健康卡",
            Self::Supplement => "商业补充医疗保险",
            Self::Credential => "医保电子凭证",
        }
    }
}

/// Who calls whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// A partner calls the platform.
    ToPlatform,
    /// The platform calls a hospital.
    ToHospital,
}

/// How a request finds its interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Route {
    /// By its own path (接口后缀).
    Path(&'static str),
    /// By `chs_fjs_funid` at `/fjs/api`.
    Funid,
    /// By `transType` at the credential centre.
    TransType,
}

/// Where an interface is specified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Source {
    /// The specification.
    pub document: Document,
    /// Its section.
    pub section: &'static str,
}

/// The three specifications.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Document {
    /// 福建省诊疗失信人员信息管理系统 接入指南
    AccessGuide,
    /// 福建医疗保障平台 统一对外接口
    UnifiedInterface,
    /// 国家医保电子凭证业务 标准动态库交互规范
    DynamicLibrary,
}

impl Document {
    /// Its title.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::AccessGuide => "福建省诊疗失信人员信息管理系统 接入指南",
            Self::UnifiedInterface => "福建医疗保障平台 统一对外接口（修订版 1.4）",
            Self::DynamicLibrary => "国家医保电子凭证业务 标准动态库交互规范",
        }
    }
}

/// Whether this version of Banyan has the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Availability {
    /// It answers.
    Available,
    /// It is known but answers 404404 (该功能未开放).
    NotYet,
}

impl Interface {
    /// Every interface, in the order of the specifications.
    pub const ALL: [Self; 19] = [
        Self::OrgMdl001,
        Self::OrgMdl002,
        Self::OrgMdl003,
        Self::OrgMdl004,
        Self::OrgMdl005,
        Self::Org001,
        Self::Org002,
        Self::OrgEhc001,
        Self::OrgEhc002,
        Self::OrgEhc003,
        Self::OrgEhc004,
        Self::Ci00030001,
        Self::Ci00030003,
        Self::Ci00020007,
        Self::Xy00000003,
        Self::EcQuery,
        Self::QrcodeGet,
        Self::AuthCheck,
        Self::EcPwd,
    ];

    /// The interface with this code; letter case does not matter.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|interface| interface.code().eq_ignore_ascii_case(code))
    }

    /// The interface that partners call at this path of the platform.
    #[must_use]
    pub fn at_platform_path(path: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|interface| {
            let spec = interface.spec();
            spec.direction == Direction::ToPlatform
                && matches!(spec.route, Route::Path(known) if known == path)
        })
    }

    /// The interface that `chs_fjs_funid` names at `/fjs/api`.
    #[must_use]
    pub fn at_funid(funid: &str) -> Option<Self> {
        Self::from_code(funid).filter(|interface| interface.spec().route == Route::Funid)
    }

    /// The interface that `transType` names at the credential centre.
    #[must_use]
    pub fn at_trans_type(trans_type: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|interface| {
            interface.spec().route == Route::TransType && interface.code() == trans_type
        })
    }

    /// The path that it is called at, where it has one of its own.
    #[must_use]
    pub const fn path(self) -> Option<&'static str> {
        match self.spec().route {
            Route::Path(path) => Some(path),
            Route::Funid | Route::TransType => None,
        }
    }

    /// The code, as the specification writes it.
    #[must_use]
    pub const fn code(self) -> &'static str {
        self.spec().code
    }

    /// What is known of it.
    #[must_use]
    pub const fn spec(self) -> &'static Spec {
        match self {
            Self::OrgMdl001 => {
                &const {
                    guide(
                        "ORG_MDL_001",
                        "上报医疗欠费数据",
                        "/umdl/reportOverdueData",
                        "4.3.1",
                    )
                    .with::<overdue::org_mdl_001::ReportRequest, overdue::org_mdl_001::ReportReply>(
                    )
                }
            }
            Self::OrgMdl002 => {
                &const {
                    guide(
                        "ORG_MDL_002",
                        "查询医疗欠费状况",
                        "/qmdl/queryOverdueData",
                        "4.3.2",
                    )
                    .with::<overdue::org_mdl_002::QueryRequest, overdue::org_mdl_002::QueryReply>()
                }
            }
            Self::OrgMdl003 => {
                &const {
                    guide(
                        "ORG_MDL_003",
                        "更新医疗欠费数据",
                        "/umdl/updateOverdueData",
                        "4.3.3",
                    )
                    .with::<overdue::org_mdl_003::UpdateRequest, overdue::org_mdl_003::UpdateReply>(
                    )
                }
            }
            Self::OrgMdl004 => {
                &const {
                    guide("ORG_MDL_004", "获取医疗欠费名单应用入口链接", "/qmdl/getIntoMdlUrl", "4.3.4")
                    .with::<overdue::org_mdl_004::EntryLinkRequest, overdue::org_mdl_004::EntryLinkReply>()
                }
            }
            Self::OrgMdl005 => {
                &const {
                    guide(
                        "ORG_MDL_005",
                        "查询上报/更新结果",
                        "/qmdl/queryReportResult",
                        "4.3.5",
                    )
                    .with::<overdue::org_mdl_005::ResultRequest, overdue::org_mdl_005::ResultReply>(
                    )
                }
            }
            Self::Org001 => {
                &const {
                    guide(
                        "ORG_001",
                        "院内医疗欠费结算结果查询",
                        "/qmdl/getOverdueResult",
                        "4.4.1",
                    )
                    .to_hospital()
                    .with::<overdue::org_001::SettlementRequest, overdue::org_001::SettlementReply>(
                    )
                }
            }
            Self::Org002 => {
                &const {
                    guide("ORG_002", "结果回调通知", "/umdl/callback", "4.4.2")
                        .to_hospital()
                        .with::<overdue::org_002::NotifyRequest, overdue::org_002::NotifyReply>()
                }
            }
            Self::OrgEhc001 => {
                &const {
                    guide(
                        "ORG_EHC_001",
                        "生成电子健康卡授权链接",
                        "/ehc/genAuthUrl",
                        "4.5.1",
                    )
                    .in_room(Room::HealthCard)
.with::<health_card::org_ehc_001::AuthUrlRequest, health_card::org_ehc_001::AuthUrlReply>()
                }
            }
            Self::OrgEhc002 => {
                &const {
                    guide(
                        "ORG_EHC_002",
                        "查询电子健康卡授权结果",
                        "/ehc/queryAuthResult",
                        "4.5.2",
                    )
                    .in_room(Room::HealthCard)
.with::<health_card::org_ehc_002::AuthResultRequest, health_card::org_ehc_002::AuthResultReply>()
                }
            }
            Self::OrgEhc003 => {
                &const {
                    guide(
                        "ORG_EHC_003",
                        "电子健康卡验码",
                        "/ehc/verifyQrCode",
                        "4.5.3",
                    )
                    .in_room(Room::HealthCard)
.with::<health_card::org_ehc_003::VerifyRequest, health_card::org_ehc_003::VerifyReply>()
                }
            }
            Self::OrgEhc004 => {
                &const {
                    guide(
                        "ORG_EHC_004",
                        "查询医保患者主索引",
                        "/ehc/queryEcAuthResult",
                        "4.5.4",
                    )
                    .in_room(Room::HealthCard)
.with::<health_card::org_ehc_004::InsuredRequest, health_card::org_ehc_004::InsuredReply>()
                }
            }
            Self::Ci00030001 => {
                &const {
                    unified("CI00.03.00.01", "接收既往症结果", "3.3")
                        .with::<PastIllnessRequest, PastIllnessReply>()
                }
            }
            Self::Ci00030003 => {
                &const {
                    unified("CI00.03.00.03", "理赔信息接收", "3.4").taking(ClaimsRequest::FIELDS)
                }
            }
            Self::Ci00020007 => {
                &const {
                    unified("CI00.02.00.07", "现金支付人员信息接受", "3.5")
                        .taking(CashPaymentRequest::FIELDS)
                }
            }
            Self::Xy00000003 => {
                &const {
                    unified("XY00.00.00.03", "历史案件迁移与小药箱数据同步", "3.6、3.7")
                        .taking(MigrationRequest::FIELDS)
                }
            }
            Self::EcQuery => {
                &const {
                    library("ec.query", "电子凭证二维码解码接口", "5.3")
                        .with::<DecodeRequest, PersonReply>()
                }
            }
            Self::QrcodeGet => {
                &const {
                    library("cn.nhsa.qrcode.get", "终端医保电子凭证码解码接口", "5.4")
                        .with::<TerminalDecodeRequest, PersonReply>()
                }
            }
            Self::AuthCheck => {
                &const {
                    library("cn.nhsa.auth.check", "刷脸授权获取医保身份接口", "5.5")
                        .with::<FaceRequest, FaceReply>()
                }
            }
            Self::EcPwd => {
                &const {
                    library("cn.nhsa.ec.pwd", "医保电子凭证密码核验接口", "5.6")
                        .with::<PasswordRequest, PasswordReply>()
                }
            }
        }
    }
}

const fn guide(
    code: &'static str,
    name: &'static str,
    path: &'static str,
    section: &'static str,
) -> Spec {
    not_yet(
        code,
        name,
        Room::Overdue,
        Route::Path(path),
        Document::AccessGuide,
        section,
    )
}

const fn unified(code: &'static str, name: &'static str, section: &'static str) -> Spec {
    not_yet(
        code,
        name,
        Room::Supplement,
        Route::Funid,
        Document::UnifiedInterface,
        section,
    )
}

const fn library(code: &'static str, name: &'static str, section: &'static str) -> Spec {
    not_yet(
        code,
        name,
        Room::Credential,
        Route::TransType,
        Document::DynamicLibrary,
        section,
    )
}

const fn not_yet(
    code: &'static str,
    name: &'static str,
    room: Room,
    route: Route,
    document: Document,
    section: &'static str,
) -> Spec {
    Spec {
        code,
        name,
        room,
        direction: Direction::ToPlatform,
        route,
        source: Source { document, section },
        availability: Availability::NotYet,
        request: &[],
        reply: &[],
    }
}

impl Spec {
    const fn to_hospital(mut self) -> Self {
        self.direction = Direction::ToHospital;
        self
    }

    const fn in_room(mut self, room: Room) -> Self {
        self.room = room;
        self
    }

    const fn with<Request: Message, Reply: Message>(mut self) -> Self {
        self.availability = Availability::Available;
        self.request = Request::FIELDS;
        self.reply = Reply::FIELDS;
        self
    }

    /// The reply says nothing but that it was done: its table is empty (统一对外接口 3.4 to 3.7).
    const fn taking(mut self, request: &'static [Field]) -> Self {
        self.availability = Availability::Available;
        self.request = request;
        self
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::credential::dictionaries::OrdStas;
    use crate::dictionaries::RetCode;
    use crate::wire::{Kind, Scalar as _};

    #[test]
    fn codes_and_paths_are_each_their_own() {
        for interface in Interface::ALL {
            assert_eq!(Interface::from_code(interface.code()), Some(interface));
            let spec = interface.spec();
            if let (Direction::ToPlatform, Route::Path(path)) = (spec.direction, spec.route) {
                assert_eq!(Interface::at_platform_path(path), Some(interface));
            }
        }
        assert_eq!(
            Interface::from_code("org_mdl_001"),
            Some(Interface::OrgMdl001)
        );
        assert_eq!(Interface::at_platform_path("/umdl/callback"), None);
    }

    /// Documents list dictionaries by their names: two of one name would hide each other's codes.
    #[test]
    fn dictionaries_of_one_name_are_one() {
        fn walk(fields: &[Field], seen: &mut BTreeMap<&'static str, Vec<&'static str>>) {
            for field in fields {
                match field.kind {
                    Kind::Dictionary { name, entries } => {
                        let codes: Vec<_> = entries.iter().map(|entry| entry.code).collect();
                        let known = seen.entry(name).or_insert_with(|| codes.clone());
                        assert_eq!(*known, codes, "{name}");
                    }
                    Kind::List { fields } => walk(fields, seen),
                    _ => {}
                }
            }
        }
        let mut seen = BTreeMap::new();
        for interface in Interface::ALL {
            walk(interface.spec().request, &mut seen);
            walk(interface.spec().reply, &mut seen);
        }
        for kind in [RetCode::KIND, OrdStas::KIND] {
            assert!(matches!(kind, Kind::Dictionary { name, .. } if !seen.contains_key(name)));
        }
    }

    #[test]
    fn what_is_available_has_its_fields() {
        for interface in Interface::ALL {
            let spec = interface.spec();
            let available = spec.availability == Availability::Available;
            assert_eq!(available, !spec.request.is_empty(), "{}", spec.code);
            let silent = spec.room == Room::Supplement && interface != Interface::Ci00030001;
            assert_eq!(
                available && !silent,
                !spec.reply.is_empty(),
                "{}",
                spec.code
            );
        }
    }
}
