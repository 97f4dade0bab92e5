//! 接收既往症结果 (CI00.03.00.01), 统一对外接口 3.3.

use super::{CertNo, PersonName, ServiceId};
use crate::dictionaries::PastIllnessCheck;
use crate::message;
use crate::wire::Text;

message! {
    /// 请求: whose past illnesses, for which service. Section 3.3.
    pub struct PastIllnessRequest {
        /// 证件号码
        idcard: CertNo,
        /// 姓名
        name: PersonName,
        /// 服务 id
        /// 修订版 1.2 起增加；不传时按渠道开通的全部服务回答。
        serviceId: Option<ServiceId>,
    }
}

message! {
    /// 响应: the categories that the service may know of. Section 3.3.
    pub struct PastIllnessReply {
        /// 既往症结果
        past_illness_check: PastIllnessCheck,
        /// 既往症分类名称集合
        /// 没有时为空数组。
        past_illness: Vec<PastIllness>,
    }
}

message! {
    /// 既往症分类名称集合的一行: one category.
    pub struct PastIllness {
        /// 既往症分类名称
        illness_name: Text<100>,
        /// 既往症分类名称
        /// 与 illness_name 相同：参数表写作 illness_name，示例写作 illness_type_name，两者都给。
        illness_type_name: Text<100>,
    }
}
