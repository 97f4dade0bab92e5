//! The key of every setting, with its default and what it means to whoever sets it. The
//! environment's variables and `docs/settings.zh-CN.md` are made of this table; a test holds it
//! against the settings themselves.
//!
//! The documentation is made by a program that is not built with the platform and reads this file
//! alone, so nothing of the workspace is used here.

/// A setting that can be given in the file or the environment.
#[derive(Debug)]
pub struct Key {
    /// Its place in the file, groups before it.
    pub name: &'static str,
    /// What holds where it is not given, as one would write it in the environment; empty where
    /// nothing does.
    pub default: &'static str,
    /// What it means, in Chinese.
    pub about: &'static str,
}

const fn key(name: &'static str, default: &'static str, about: &'static str) -> Key {
    Key {
        name,
        default,
        about,
    }
}

/// Every key, grouped as in the file.
pub const KEYS: &[Key] = &[
    key("listen", "127.0.0.1:8080", "监听的地址与端口"),
    key(
        "public_url",
        "",
        "市民从外网访问本平台的地址，入口链接以它开头",
    ),
    key(
        "environment",
        "production",
        "`production` 只收 SM4 密文与 SM3 签名；`test` 另收明文，供联调",
    ),
    key(
        "database_url",
        "sqlite:banyan.db",
        "`sqlite:文件` 或 `postgres://…`；可含密码，不会出现在日志中",
    ),
    key("database_write_connections", "8", "PostgreSQL 的写连接数"),
    key("database_read_connections", "3", "PostgreSQL 的读连接数"),
    key(
        "master_key_file",
        "",
        "主密钥文件，内容为 64 位十六进制数字；也可用环境变量 `BANYAN_MASTER_KEY` 直接给出",
    ),
    key(
        "metrics_token",
        "",
        "读取 `/metrics` 须带的 `Authorization: Bearer` 令牌；不设则任何人可读",
    ),
    key(
        "maintenance",
        "false",
        "为 `true` 时对所有报文答复 000003（系统维护中）",
    ),
    key(
        "switched_off",
        "[]",
        "暂不开放的接口编码，答复 404404（该功能未开放），例如 `[\"ORG_MDL_004\"]`",
    ),
    key(
        "tls.certificate_file",
        "",
        "HTTPS 证书（PEM），与 `tls.key_file` 同时给出",
    ),
    key("tls.key_file", "", "HTTPS 私钥（PEM）"),
    key(
        "inbound.max_body_bytes",
        "1048576",
        "报文的最大字节数；一批 100 项约 60 kB",
    ),
    key(
        "inbound.max_insurer_body_bytes",
        "8388608",
        "`/fjs/api` 报文的最大字节数；加密的 500 个案件约 2 MB",
    ),
    key("inbound.timeout_ms", "15000", "处理时限，超过则答复 -3"),
    key(
        "inbound.freshness_ms",
        "600000",
        "时间戳与平台时间的最大偏差，前后各算",
    ),
    key(
        "inbound.replay_capacity",
        "250000",
        "为每个接入方记住的签名数（每个约 24 字节）；超出后其最旧的时间戳不再接受，重放始终不会通过",
    ),
    key(
        "inbound.max_concurrent",
        "4096",
        "同时处理的调用数，超出答复 -6",
    ),
    key(
        "overdue.emergency_excluded",
        "true",
        "急诊（medType 13、24）不纳入失信管理（指南 1.2.3）",
    ),
    key("overdue.link_ttl_ms", "600000", "入口链接多久之内可以打开"),
    key(
        "overdue.session_ttl_ms",
        "1800000",
        "打开入口链接后会话的有效期",
    ),
    key(
        "overdue.reconcile_at",
        "06:30",
        "每天何时向医院核对未缴项（ORG_001）",
    ),
    key(
        "overdue.reconcile_sample",
        "50",
        "每天向每家医院核对约多少项",
    ),
    key(
        "overdue.next.max_items",
        "0",
        "未缴项数不超过此数时仍可先诊疗后付费；`overdue.next` 各项须同时满足",
    ),
    key(
        "overdue.next.max_amount_fen",
        "0",
        "未缴总额（分）的上限；0 表示只按项数判断",
    ),
    key("overdue.next.grace_days", "0", "不足此天数的欠费暂不计入"),
    key(
        "overdue.next.fee_types",
        "[]",
        "只计入这些费用类型（`01` 门诊、`02` 住院）；空则全部计入",
    ),
    key(
        "overdue.next.appealed",
        "count",
        "申诉中的欠费：`count` 照常计入，`set_aside` 处理完之前不计入",
    ),
    key("overdue.reminders.enabled", "true", "是否经闽政通提醒欠费"),
    key("overdue.reminders.at", "10:00", "每天何时查找应提醒的人"),
    key(
        "overdue.reminders.look_every_minutes",
        "0",
        "不为 0 时改为每隔这么多分钟查找一次，供试用",
    ),
    key(
        "overdue.reminders.first_after_days",
        "3",
        "欠费登记满此天数后才提醒",
    ),
    key(
        "overdue.reminders.every_days",
        "7",
        "同一人在这么多天内最多提醒一次",
    ),
    key(
        "overdue.reminders.max_times",
        "10",
        "同样的欠费最多提醒几次；欠费有变化则重新计数",
    ),
    key("overdue.reminders.quiet_from", "21:00", "从此时起不打扰"),
    key(
        "overdue.reminders.quiet_until",
        "09:00",
        "到此时为止不打扰；与 `quiet_from` 相同表示没有免打扰时段",
    ),
    key(
        "health_card.authorisation_ttl_ms",
        "1800000",
        "患者多久之内可以授权",
    ),
    key(
        "health_card.authorisation_tries",
        "5",
        "身份填错这么多次后授权失败",
    ),
    key("health_card.code_ttl_ms", "60000", "电子健康码的有效期"),
    key(
        "health_card.wx_mini_app_id",
        "",
        "ORG_EHC_001 答复中的小程序 appId",
    ),
    key(
        "health_card.wx_mini_path",
        "",
        "ORG_EHC_001 答复中的小程序路径，`{token}` 处填入链接的令牌",
    ),
    key("supplement.code_ttl_ms", "60000", "保险渠道授权码的有效期"),
    key("supplement.token_ttl_ms", "7200000", "保险渠道令牌的有效期"),
    key(
        "supplement.illness_map_file",
        "",
        "诊断与既往症类别的对照表（TOML），替换内置的表",
    ),
    key("credential.code_ttl_ms", "60000", "医保码的有效期"),
    key("credential.token_ttl_ms", "7200000", "ecToken 的有效期"),
    key(
        "credential.face_ttl_ms",
        "300000",
        "刷脸授权码（authNo）的有效期",
    ),
    key(
        "credential.password_wait_ms",
        "60000",
        "机构的调用等待参保人输入密码的时间",
    ),
    key(
        "credential.max_waiting",
        "1024",
        "同时等待密码的调用数，超出答复 -6",
    ),
    key(
        "credential.password_free",
        "[]",
        "免密的用码业务类型，请求核验时答复 500320",
    ),
    key(
        "credential.biz_no_days",
        "1095",
        "机构流水号（outBizNo）记住的天数，其间不可重复使用",
    ),
    key(
        "outbound.connect_timeout_ms",
        "3000",
        "呼叫医院时建立连接的时限",
    ),
    key(
        "outbound.call_timeout_ms",
        "10000",
        "呼叫医院时收到完整答复的时限",
    ),
    key("outbound.per_hospital", "8", "对一家医院同时进行的呼叫数"),
    key("outbound.healthy_hospitals", "256", "同时呼叫的正常医院数"),
    key(
        "outbound.failing_hospitals",
        "64",
        "同时重试的异常医院数，不占用正常医院的名额",
    ),
    key(
        "outbound.extra_ca_file",
        "",
        "除公共 CA 外另外信任的证书（PEM）",
    ),
    key(
        "retention.batch_days",
        "180",
        "批次及其结果保留的天数，ORG_MDL_005 可查同样久",
    ),
    key("retention.callback_days", "90", "已结束的回调保留的天数"),
    key(
        "retention.journal_days",
        "1095",
        "报文日志保留的天数，至少 90；散列链的各环永久保留",
    ),
    key(
        "retention.authorisation_days",
        "180",
        "已结束的健康卡授权与已处理的身份矛盾保留的天数，ORG_EHC_002 可查同样久",
    ),
    key(
        "retention.appeal_days",
        "1095",
        "已结束的申诉及其内容保留的天数",
    ),
    key(
        "retention.ledger_months",
        "",
        "保险台账自最后一次变动起保留的月数（每月按 31 天计）；不设则永久保留",
    ),
];
