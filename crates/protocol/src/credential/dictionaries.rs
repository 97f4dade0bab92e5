//! 字典: chapter 6 of the standard.

use crate::dictionaries::IdType;
use crate::dictionary;

dictionary! {
    /// 用码业务类型
    /// 标准动态库交互规范 6.1：第一级编码与第二级编码相连，医院挂号为 01101。
    pub enum BusinessType {
        /// 医院挂号
        HospitalRegistration = "01101",
        /// 医院住院建档
        InpatientFile = "01102",
        /// 医院入院登记
        Admission = "01103",
        /// 医院缴纳预缴金
        Prepayment = "01104",
        /// 医院问诊
        Consultation = "01201",
        /// 医院预约检查
        ExaminationBooking = "01202",
        /// 医院检查
        Examination = "01203",
        /// 医院治疗
        Treatment = "01204",
        /// 医院结算
        Settlement = "01301",
        /// 医院取药
        Dispensing = "01302",
        /// 医院取报告
        Report = "01303",
        /// 医院打印票据和清单
        Printing = "01304",
        /// 医院病历材料复印
        RecordCopy = "01305",
        /// 医院诊间核验身份
        ConsultingRoomCheck = "01306",
        /// 药店购药
        PharmacyPurchase = "02121",
        /// 药店下载外购处方
        PrescriptionDownload = "02122",
        /// 药店特殊门诊
        SpecialOutpatient = "02123",
        /// 药店药师审核处方
        PrescriptionReview = "02124",
        /// 医疗类APP线上身份认证
        OnlineIdentity = "03131",
        /// 医疗类APP线上结算
        OnlineSettlement = "03132",
        /// 柜台线下修改密码
        CounterPassword = "05101",
        /// 柜台医保业务办理
        CounterService = "05151",
    }
}

dictionary! {
    /// 证件类型（医保电子凭证）
    /// 标准动态库交互规范 6.2；与接入指南的证件类型代码不同。
    pub enum CertType {
        /// 居民身份证（户口簿）
        ResidentIdentityCard = "01",
        /// 中国人民解放军军官证
        OfficerCard = "02",
        /// 中国人民武装警察警官证
        ArmedPoliceCard = "03",
        /// 香港特区护照/港澳居民来往内地通行证
        HongKongPermit = "04",
        /// 澳门特区护照/港澳居民来往内地通行证
        MacaoPermit = "05",
        /// 台湾居民来往大陆通行证
        TaiwanPermit = "06",
        /// 外国人永久居留证
        ForeignerResidencePermit = "07",
        /// 外国人护照
        ForeignPassport = "08",
        /// 外国人就业证
        ForeignerWorkPermit = "11",
        /// 外国专家证
        ForeignExpert = "12",
        /// 外国人常驻记者证
        ForeignJournalist = "13",
        /// 台港澳人员就业证
        HongKongMacaoTaiwanWorkPermit = "14",
        /// 回国（来华）定居专家证
        ReturnedExpert = "15",
        /// 中国护照
        ChinesePassport = "16",
        /// 港澳台居民居住证
        HongKongMacaoTaiwanResidence = "17",
        /// 其他身份证件
        Other = "99",
    }
}

dictionary! {
    /// 订单状态（医保电子凭证）
    /// 标准动态库交互规范 6.3。
    pub enum OrdStas {
        /// 已保存
        Saved = "0",
        /// 预结算完成
        PreSettled = "1",
        /// 结算中
        Settling = "2",
        /// 自费完成
        SelfPaid = "3",
        /// 医保支付完成
        InsurancePaid = "4",
        /// 院内结算完成
        HospitalSettled = "5",
        /// 结算完成
        Settled = "6",
        /// 已退款
        Refunded = "7",
        /// 已医保全部退款
        InsuranceRefunded = "8",
        /// 仅自费全部退款
        SelfPayRefunded = "9",
        /// 仅自费部分退款
        SelfPayPartlyRefunded = "10",
        /// 医保全部退自费部分退款
        InsuranceWhollySelfPartly = "11",
        /// 已撤销
        Revoked = "12",
        /// 医保已撤销
        InsuranceRevoked = "13",
        /// 异常
        Abnormal = "14",
        /// 结算失败
        Failed = "15",
        /// 医保结算失败自费冲正失败
        ReversalFailed = "16",
    }
}

dictionary! {
    /// 就诊凭证类型
    /// 标准动态库交互规范 6.5。
    pub enum MdtrtCertType {
        /// 医保电子凭证
        Credential = "01A",
        /// 居民身份证
        IdentityCard = "02A",
        /// 社会保障卡
        SocialSecurityCard = "03A",
        /// 医保刷脸
        Face = "04A",
    }
}

dictionary! {
    /// 密码核验结果
    /// 标准动态库交互规范 5.6.4。
    pub enum PwdFlag {
        /// 无效
        Invalid = "0",
        /// 有效
        Valid = "1",
    }
}

impl CertType {
    /// What a certificate of the health card's register (access guide 5.1.2) is called here.
    #[must_use]
    pub const fn of(id_type: IdType) -> Self {
        match id_type {
            IdType::ResidentIdentityCard | IdType::HouseholdRegister => Self::ResidentIdentityCard,
            IdType::Passport => Self::ChinesePassport,
            IdType::OfficerCard => Self::OfficerCard,
            IdType::HongKongMacaoTravelPermit => Self::HongKongPermit,
            IdType::TaiwanTravelPermit => Self::TaiwanPermit,
            IdType::HongKongMacaoResidencePermit | IdType::TaiwanResidencePermit => {
                Self::HongKongMacaoTaiwanResidence
            }
            IdType::ForeignerResidencePermit => Self::ForeignerResidencePermit,
            IdType::DrivingLicence
            | IdType::BirthCertificate
            | IdType::InsuranceCredential
            | IdType::Other => Self::Other,
        }
    }

    /// Under which types of the health card's register whoever shows this certificate may stand,
    /// the likeliest first.
    #[must_use]
    pub const fn id_types(self) -> &'static [IdType] {
        match self {
            Self::ResidentIdentityCard => {
                &[IdType::ResidentIdentityCard, IdType::HouseholdRegister]
            }
            Self::OfficerCard | Self::ArmedPoliceCard => &[IdType::OfficerCard],
            Self::HongKongPermit | Self::MacaoPermit => &[IdType::HongKongMacaoTravelPermit],
            Self::TaiwanPermit => &[IdType::TaiwanTravelPermit],
            Self::ForeignerResidencePermit => &[IdType::ForeignerResidencePermit],
            Self::ForeignPassport | Self::ChinesePassport => &[IdType::Passport],
            Self::HongKongMacaoTaiwanResidence => &[
                IdType::HongKongMacaoResidencePermit,
                IdType::TaiwanResidencePermit,
            ],
            Self::ForeignerWorkPermit
            | Self::ForeignExpert
            | Self::ForeignJournalist
            | Self::HongKongMacaoTaiwanWorkPermit
            | Self::ReturnedExpert
            | Self::Other => &[IdType::Other],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Scalar as _;

    #[test]
    fn a_certificate_leads_back_to_where_it_is_kept() {
        for entry in IdType::ENTRIES {
            let id_type = IdType::from_code(entry.code).unwrap();
            let kept_under = CertType::of(id_type).id_types();
            // Licences and birth certificates have no name of their own here.
            let has_none = [
                IdType::DrivingLicence,
                IdType::BirthCertificate,
                IdType::InsuranceCredential,
            ];
            assert_eq!(kept_under.contains(&id_type), !has_none.contains(&id_type));
        }
    }

    #[test]
    fn the_example_of_6_1_is_a_hospital_s_registration() {
        assert_eq!(
            BusinessType::parse("01101"),
            Ok(BusinessType::HospitalRegistration)
        );
        assert!(BusinessType::parse("1101").is_err());
    }
}
