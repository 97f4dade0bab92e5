//! 生成电子健康卡授权链接 (ORG_EHC_001), access guide 4.5.1.

use super::{OrgId, OutAuthNo};
use crate::message;
use crate::wire::{ExtData, OrEmpty, Private, Text};

message! {
    /// 请求: under which number the hospital will ask for the outcome. Access guide 4.5.1.2.
    pub struct AuthUrlRequest {
        /// 外部授权流水号
        /// 机构内唯一，用于后续查询授权结果。
        outAuthNo: OutAuthNo,
        /// 机构 id, 国家编码
        orgId: OrgId,
        /// 扩展参数
        extData: Option<ExtData>,
    }
}

message! {
    /// 响应: where the patient registers, takes his card and authorises. Access guide 4.5.1.3.
    pub struct AuthUrlReply {
        /// 授权链接
        /// 以链接跳转，或以二维码展示供患者扫描；短时有效。
        authUrl: Private<Text<200>>,
        /// 小程序 appId
        /// 平台未配置小程序时为空字符串。
        wxMiniAppId: OrEmpty<Text<40>>,
        /// 小程序路径
        /// 平台未配置小程序时为空字符串。
        wxMiniPath: OrEmpty<Private<Text<300>>>,
        /// 备注说明
        remark: Option<Text<200>>,
        /// 扩展参数
        /// authQrUrl：授权链接的二维码图片（SVG）地址。
        extData: Option<ExtData>,
    }
}
