//! 字典: the access guide's chapter 5.1, and the small ones that its field tables give inline.

use crate::dictionary;

dictionary! {
    /// 机构返回码
    /// Access guide 5.1.1.
    pub enum RetCode {
        /// 成功
        Success = "00",
        /// 请求失败（非业务状态）
        RequestFailed = "01",
        /// 校验失败（非业务状态）
        CheckFailed = "02",
        /// 服务限流（可重试调用）
        RateLimited = "03",
        /// 未知错误（状态未知）
        Unknown = "99",
    }
}

dictionary! {
    /// 证件类型
    /// Access guide 5.1.2.
    pub enum IdType {
        /// 居民身份证
        ResidentIdentityCard = "01",
        /// 居民户口簿
        HouseholdRegister = "02",
        /// 护照
        Passport = "03",
        /// 军官证
        OfficerCard = "04",
        /// 驾驶证
        DrivingLicence = "05",
        /// 港澳居民来往内地通行证
        HongKongMacaoTravelPermit = "06",
        /// 台湾居民来往内地通行证
        TaiwanTravelPermit = "07",
        /// 出生医学证明
        BirthCertificate = "08",
        /// 医保电子凭证
        InsuranceCredential = "10",
        /// 港澳居民居住证
        HongKongMacaoResidencePermit = "A1",
        /// 台湾居民居住证
        TaiwanResidencePermit = "A2",
        /// 外国人永久居留证
        ForeignerResidencePermit = "A3",
        /// 其他法定有效证件
        Other = "99",
    }
}

dictionary! {
    /// 医疗类型
    /// Access guide 5.1.3.
    pub enum MedType {
        /// 普通门诊
        GeneralOutpatient = "11",
        /// 门诊挂号
        OutpatientRegistration = "12",
        /// 急诊
        Emergency = "13",
        /// 门诊慢特病
        ChronicOutpatient = "14",
        /// 普通住院
        GeneralInpatient = "21",
        /// 外伤住院
        TraumaInpatient = "22",
        /// 转外诊治住院
        TransferredInpatient = "23",
        /// 急诊转住院
        EmergencyToInpatient = "24",
        /// 定点药店购药
        Pharmacy = "41",
        /// 生育门诊
        MaternityOutpatient = "51",
        /// 生育住院
        MaternityInpatient = "52",
        /// 计划生育手术费
        FamilyPlanningSurgery = "53",
        /// 其他门诊
        OtherOutpatient = "91",
        /// 其他住院
        OtherInpatient = "92",
        /// 其他购药
        OtherPharmacy = "93",
        /// 地方扩展医疗类别
        LocalExtension = "99",
    }
}

impl MedType {
    /// 急诊相关业务, which the scheme leaves out for now (access guide 1.2.3).
    #[must_use]
    pub const fn is_emergency(self) -> bool {
        matches!(self, Self::Emergency | Self::EmergencyToInpatient)
    }
}

dictionary! {
    /// 业务类型
    /// Access guide 5.1.4.
    pub enum BusinessType {
        /// 挂号
        Registration = "01101",
        /// 住院建档
        InpatientFile = "01102",
        /// 入院登记
        Admission = "01103",
        /// 缴纳预缴金
        Deposit = "01104",
        /// 问诊
        Consultation = "01201",
        /// 预约检查
        ExaminationBooking = "01202",
        /// 检查
        Examination = "01203",
        /// 治疗
        Treatment = "01204",
        /// 结算
        Settlement = "01301",
        /// 取药
        Dispensing = "01302",
        /// 取报告
        ReportCollection = "01303",
        /// 打印票据和清单
        Printing = "01304",
        /// 病历材料复印
        RecordCopy = "01305",
        /// 药店购药
        PharmacyPurchase = "02121",
        /// 下载外购处方
        ExternalPrescription = "02122",
        /// 医疗类 APP 线上身份认证
        AppIdentification = "03131",
        /// 医疗类 APP 线上结算
        AppSettlement = "03132",
    }
}

dictionary! {
    /// 用户类别
    /// Access guide 4.3.1.2.
    pub enum UserType {
        /// 自费
        SelfPaying = "01",
        /// 医保
        Insured = "02",
        /// 保健
        HealthCare = "03",
    }
}

dictionary! {
    /// 费用类别
    /// Access guide 4.3.1.2.
    pub enum FeeType {
        /// 门诊
        Outpatient = "01",
        /// 住院
        Inpatient = "02",
    }
}

dictionary! {
    /// 欠费状态
    /// Access guide 4.3.3.2 and 4.4.1.3.
    pub enum ItemState {
        /// 欠费
        Unpaid = "0",
        /// 已缴清
        Paid = "1",
        /// 撤销
        Revoked = "2",
    }
}

dictionary! {
    /// 是否享受先诊后付
    /// Access guide 4.3.2.3.
    pub enum Next {
        /// 否
        No = "0",
        /// 是
        Yes = "1",
    }
}

dictionary! {
    /// 接收状态
    /// Access guide 4.3.1.3 and 4.4.2.3.
    pub enum Receipt {
        /// 成功
        Success = "success",
        /// 失败
        Fail = "fail",
    }
}

dictionary! {
    /// 通知类型
    /// Access guide 4.4.2.2.
    pub enum NotifyType {
        /// 上报回调
        Report = "REPORT",
        /// 更新回调
        Update = "UPDATE",
        /// 欠费提醒（本平台约定，仅发往闽政通）
        Remind = "REMIND",
        /// 更正回执（本平台约定，仅发往已开通的接入方）
        Correct = "CORRECT",
    }
}

dictionary! {
    /// 授权状态
    /// Access guide 4.5.2.3.
    pub enum AuthStatus {
        /// 正在授权
        Ing = "ing",
        /// 授权成功
        Succ = "succ",
        /// 授权失败
        Fail = "fail",
        /// 用户取消授权
        Cancel = "cancel",
    }
}

dictionary! {
    /// 性别
    /// Access guide 4.5.2.3.
    pub enum Sex {
        /// 未知
        Unknown = "0",
        /// 男
        Male = "1",
        /// 女
        Female = "2",
    }
}

dictionary! {
    /// 卡类型
    /// The guide names the member (4.5.2.3) and lists no codes; this is the one we give.
    pub enum CardType {
        /// 电子健康卡
        EhealthCard = "01",
    }
}

dictionary! {
    /// 医保凭证类型
    /// Access guide 4.5.4.2: one character long by the table, two in its own list of codes.
    pub enum MediumType {
        /// 医保电子凭证
        Credential = "01" | "1",
        /// 医保卡
        Card = "02" | "2",
    }
}

dictionary! {
    /// 既往症结果
    /// 统一对外接口 3.3.
    pub enum PastIllnessCheck {
        /// 无
        None = "0",
        /// 有
        Some = "1",
    }
}

dictionary! {
    /// 结算方式
    /// 统一对外接口 3.5: a fixed value.
    pub enum PayKind {
        /// 现金支付
        Cash = "3",
    }
}

dictionary! {
    /// 业务类型（统一对外接口）
    /// 统一对外接口 3.6 and 3.7.
    pub enum Topic {
        /// 历史案件迁移
        HmbExtInfo = "hmbExtInfo",
        /// 小药箱数据同步
        HmbYyxInfo = "hmbYyxInfo",
    }
}

dictionary! {
    /// 订单状态
    /// 统一对外接口 3.7.
    pub enum OrderStatus {
        /// 有效
        Valid = "1",
        /// 退款
        Refunded = "2",
    }
}

dictionary! {
    /// 加解密方式
    /// 统一对外接口 3.2.2.1 (encType).
    pub enum EncType {
        /// 国密 SM4 算法
        Sm4 = "SM4",
        /// RSA 算法
        Rsa = "RSA",
        /// PKCS7 算法
        Pkcs7 = "PKCS7",
        /// AES 算法
        Aes = "AES",
    }
}

dictionary! {
    /// 签名方式
    /// 统一对外接口 3.2.2.2 (signType).
    pub enum SignType {
        /// 国密 SM3 算法
        Sm3 = "SM3",
        /// MD5 算法
        Md5 = "MD5",
        /// RSA 算法
        Rsa = "RSA",
    }
}
