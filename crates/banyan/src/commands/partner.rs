//! `banyan partner`: who may call, and with which secrets.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, anyhow};
use banyan_platform::admin::{Edit, Issued, NewPartner};
use banyan_platform::settings::EnvironmentSetting;
use banyan_protocol::catalogue::Interface;
use banyan_protocol::dictionaries::{EncType, SignType};
use banyan_protocol::wire::{Scalar as _, WebAddress};
use banyan_store::partners::{Kind, Partner, Profile};
use banyan_store::supplement::channels::{Channel, Keys};
use serde_json::{Value, json};

use super::{block_on, desk};
use crate::config::ConfigOptions;
use crate::terminal;

/// 管理接入方
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    act: Act,
    #[command(flatten)]
    config: ConfigOptions,
}

#[derive(Debug, clap::Subcommand)]
enum Act {
    /// 登记接入方，生成 appId 与密钥（密钥仅显示这一次）
    Add(Add),
    /// 修改接入方的名称、地址、主机、授权或上限；未给出的保持不变
    Set(Set),
    /// 列出接入方
    List {
        /// 输出 JSON
        #[arg(long)]
        json: bool,
    },
    /// 轮换密钥：新密钥立即生效，旧密钥在重叠期内仍可用
    Rotate {
        /// 接入方 appId
        app_id: String,
        /// 旧密钥继续有效的小时数
        #[arg(long, default_value_t = 72, value_name = "小时", value_parser = clap::value_parser!(u32).range(0..=720))]
        overlap_hours: u32,
    },
    /// 修改保险渠道的安全等级、算法、服务 id 或密钥；未给出的保持不变
    Channel {
        /// 接入方 appId
        app_id: String,
        #[command(flatten)]
        channel: ChannelOptions,
    },
    /// 作废保险渠道的全部授权码与令牌，立即生效
    RevokeTokens {
        /// 接入方 appId
        app_id: String,
    },
    /// 停用接入方，一秒内生效；其回调保留，恢复后继续
    Revoke {
        /// 接入方 appId
        app_id: String,
        /// 恢复已停用的接入方
        #[arg(long)]
        restore: bool,
    },
}

#[derive(Debug, clap::Args)]
struct Add {
    /// 类型
    #[arg(long, value_enum, default_value = "hospital")]
    kind: KindOption,
    /// 机构的国家统一编码（医疗机构必填，最多 12 位）
    #[arg(long, value_name = "编码")]
    org_id: Option<String>,
    /// 机构或渠道名称
    #[arg(long, value_name = "名称")]
    name: String,
    /// 机构接口的基础地址，例如 https://his.example.cn；ORG_001、ORG_002 接在其后
    #[arg(long, value_name = "地址")]
    base_url: Option<String>,
    /// 允许回调的其他主机：域名、域名:端口、IP 或网段，可多次给出
    #[arg(long = "host", value_name = "主机")]
    hosts: Vec<String>,
    /// 授权的接口编码，可多次给出；缺省按类型授权
    #[arg(long = "grant", value_name = "接口")]
    grants: Vec<String>,
    /// 每秒调用上限
    #[arg(long, default_value_t = 200, value_name = "次数")]
    rate: u32,
    /// 接受明文或单层结构的应答（指南 4.4.1.4），仅用于联调
    #[arg(long)]
    plain_replies: bool,
    /// 更正回执：查询过的欠费记录后来被撤销时，是否通知该接入方
    #[arg(long, value_enum, default_value = "off", value_name = "on|off")]
    corrections: Switch,
    /// 医保定点机构代码，可多次给出：医疗机构为与机构编码不同的代码，终端为所在机构的代码
    #[arg(long = "institution", value_name = "代码")]
    institutions: Vec<String>,
    #[command(flatten)]
    channel: ChannelOptions,
}

/// 保险渠道（--kind insurer）
#[derive(Debug, clap::Args)]
struct ChannelOptions {
    /// 安全等级：1 明文（仅测试环境）、2 加令牌、3 加签名、4 加加密
    #[arg(long, value_name = "1-4", value_parser = clap::value_parser!(u8).range(1..=4))]
    level: Option<u8>,
    /// 加解密方式
    #[arg(long, value_name = "SM4|AES|RSA|PKCS7")]
    enc_type: Option<String>,
    /// 签名方式
    #[arg(long, value_name = "SM3|MD5|RSA")]
    sign_type: Option<String>,
    /// 开通的服务 id，可多次给出，例如 100005
    #[arg(long = "service", value_name = "服务 id")]
    services: Vec<String>,
    /// 校验：strict 严格按文档，warn 记录问题并接收；登记时缺省，正式环境为 strict，测试环境为 warn
    #[arg(long, value_enum, value_name = "strict|warn")]
    validation: Option<Validation>,
    /// 渠道的公钥或证书（PEM）；RSA、PKCS7 需要，PKCS7 须为证书
    #[arg(long, value_name = "文件")]
    key_file: Option<PathBuf>,
    /// 平台用于该渠道的 RSA 私钥（PEM，未加密）；RSA、PKCS7 需要
    #[arg(long, value_name = "文件")]
    own_key_file: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Validation {
    /// 严格按文档
    Strict,
    /// 记录问题并接收
    Warn,
}

#[derive(Debug, clap::Args)]
struct Set {
    /// 接入方 appId
    app_id: String,
    /// 机构或渠道名称
    #[arg(long, value_name = "名称")]
    name: Option<String>,
    /// 机构接口的基础地址
    #[arg(long, value_name = "地址")]
    base_url: Option<String>,
    /// 取消基础地址
    #[arg(long, conflicts_with = "base_url")]
    no_base_url: bool,
    /// 允许回调的其他主机，可多次给出；替换原有的全部
    #[arg(long = "host", value_name = "主机")]
    hosts: Vec<String>,
    /// 取消全部其他主机
    #[arg(long, conflicts_with = "hosts")]
    no_hosts: bool,
    /// 授权的接口编码，可多次给出；替换原有的全部
    #[arg(long = "grant", value_name = "接口")]
    grants: Vec<String>,
    /// 取消全部授权
    #[arg(long, conflicts_with = "grants")]
    no_grants: bool,
    /// 每秒调用上限
    #[arg(long, value_name = "次数")]
    rate: Option<u32>,
    /// 是否接受明文或单层结构的应答
    #[arg(long, value_name = "true|false")]
    plain_replies: Option<bool>,
    /// 更正回执：查询过的欠费记录后来被撤销时，是否通知该接入方
    #[arg(long, value_enum, value_name = "on|off")]
    corrections: Option<Switch>,
    /// 医保定点机构代码，可多次给出：医疗机构为与机构编码不同的代码，终端为所在机构的代码；替换原有的全部
    #[arg(long = "institution", value_name = "代码")]
    institutions: Vec<String>,
    /// 取消全部医保定点机构代码
    #[arg(long, conflicts_with = "institutions")]
    no_institutions: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Switch {
    /// 开通
    On,
    /// 不开通
    Off,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum KindOption {
    /// 定点医疗机构
    Hospital,
    /// 闽政通
    Mzt,
    /// 商业补充医疗保险的渠道（统一对外接口）
    Insurer,
    /// 医保业务综合服务终端
    Terminal,
}

pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let settings = options.config.read()?;
    block_on(async {
        let desk = desk(&settings).await?;
        match &options.act {
            Act::Add(add) => {
                let mut new = add.read()?;
                // Whoever writes his side for the first time answers as the guide's example of
                // 4.4.1.4 does, in one layer; so in a test environment that is taken.
                new.plain_replies |= settings.environment == EnvironmentSetting::Test;
                let issued = match add.kind {
                    KindOption::Insurer => {
                        let strict = settings.environment == EnvironmentSetting::Production;
                        desk.add_insurer(new, add.channel.first(strict)?).await?
                    }
                    KindOption::Hospital | KindOption::Mzt | KindOption::Terminal => {
                        desk.add_partner(new).await?
                    }
                };
                show_issued(&issued);
            }
            Act::Set(set) => {
                desk.edit(&set.app_id, set.read()?).await?;
                terminal::say("已修改，一秒内生效。");
            }
            Act::List { json } => {
                let mut channels: HashMap<_, _> = desk.channels().await?.into_iter().collect();
                let partners = desk.partners().await?.into_iter();
                let listed: Vec<_> = partners
                    .map(|partner| {
                        let channel = channels.remove(&partner.id);
                        (partner, channel)
                    })
                    .collect();
                show_list(&listed, *json);
            }
            Act::Rotate {
                app_id,
                overlap_hours,
            } => {
                let overlap_ms = i64::from(*overlap_hours) * 3_600_000;
                show_issued(&desk.rotate(app_id, overlap_ms).await?);
                terminal::note(format!("旧密钥将在 {overlap_hours} 小时后失效。"));
            }
            Act::Channel { app_id, channel } => {
                let now = desk.channel(app_id).await?;
                desk.set_channel(app_id, channel.over(now)?).await?;
                terminal::say("已修改，一秒内生效。");
            }
            Act::RevokeTokens { app_id } => {
                let revoked = desk.revoke_tokens(app_id).await?;
                terminal::say(format!("已作废 {revoked} 个令牌，未使用的授权码也已失效。"));
            }
            Act::Revoke { app_id, restore } => {
                desk.set_active(app_id, *restore).await?;
                terminal::say(if *restore {
                    "已恢复。"
                } else {
                    "已停用。"
                });
            }
        }
        desk.db.close().await;
        Ok(ExitCode::SUCCESS)
    })
}

impl Add {
    fn read(&self) -> Result<NewPartner> {
        Ok(NewPartner {
            kind: match self.kind {
                KindOption::Hospital => Kind::Hospital,
                KindOption::Mzt => Kind::Mzt,
                KindOption::Insurer => Kind::Insurer,
                KindOption::Terminal => Kind::Terminal,
            },
            org_id: self.org_id.clone(),
            name: self.name.clone(),
            base_url: base_url(self.base_url.as_deref())?,
            hosts: self.hosts.clone(),
            grants: grants(&self.grants)?,
            rate_per_second: self.rate,
            plain_replies: self.plain_replies,
            corrections: self.corrections == Switch::On,
            institutions: self.institutions.clone(),
        })
    }
}

impl ChannelOptions {
    /// A channel about to be added.
    fn first(&self, strict: bool) -> Result<Channel> {
        if self.level.is_none() || self.services.is_empty() {
            return Err(anyhow!(
                "保险渠道须给出安全等级与服务 id（--level、--service）"
            ));
        }
        self.over(Channel {
            level: 4,
            enc_type: EncType::Sm4.code().to_owned(),
            sign_type: SignType::Sm3.code().to_owned(),
            service_ids: Vec::new(),
            strict,
            keys: Keys::default(),
        })
    }

    /// What is given in the place of what was.
    fn over(&self, was: Channel) -> Result<Channel> {
        let upper = |given: &Option<String>, was: String| {
            given.as_ref().map_or(was, |code| code.to_uppercase())
        };
        let pem = |file: &Option<PathBuf>, was: Option<String>| match file {
            None => Ok(was),
            Some(file) => std::fs::read_to_string(file)
                .map(Some)
                .map_err(|error| anyhow!("{}：{error}", file.display())),
        };
        Ok(Channel {
            level: self.level.unwrap_or(was.level),
            enc_type: upper(&self.enc_type, was.enc_type),
            sign_type: upper(&self.sign_type, was.sign_type),
            service_ids: if self.services.is_empty() {
                was.service_ids
            } else {
                self.services.clone()
            },
            strict: self
                .validation
                .map_or(was.strict, |validation| validation == Validation::Strict),
            keys: Keys {
                theirs: pem(&self.key_file, was.keys.theirs)?,
                ours: pem(&self.own_key_file, was.keys.ours)?,
                our_certificate: was.keys.our_certificate,
            },
        })
    }
}

impl Set {
    fn read(&self) -> Result<Edit> {
        let base_url = base_url(self.base_url.as_deref())?;
        Ok(Edit {
            name: self.name.clone(),
            base_url: given(base_url.is_some(), self.no_base_url, base_url),
            hosts: given(!self.hosts.is_empty(), self.no_hosts, self.hosts.clone()),
            grants: match grants(&self.grants)? {
                None => self.no_grants.then(Vec::new),
                some => some,
            },
            rate_per_second: self.rate,
            plain_replies: self.plain_replies,
            corrections: self.corrections.map(|switch| switch == Switch::On),
            institutions: given(
                !self.institutions.is_empty(),
                self.no_institutions,
                self.institutions.clone(),
            ),
        })
    }
}

/// What a part is changed to: to what was named, or, taken away, to nothing.
fn given<T>(named: bool, taken_away: bool, value: T) -> Option<T> {
    (named || taken_away).then_some(value)
}

fn base_url(text: Option<&str>) -> Result<Option<WebAddress>> {
    text.map(|url| WebAddress::parse(url).map_err(|invalid| anyhow!("--base-url {}", invalid.0)))
        .transpose()
}

/// The interfaces with these codes; `None` where none is given.
fn grants(codes: &[String]) -> Result<Option<Vec<Interface>>> {
    let grants = codes
        .iter()
        .map(|code| {
            Interface::from_code(code)
                .ok_or_else(|| anyhow!("没有接口 {code}：请用 banyan interface 查看接口目录"))
        })
        .collect::<Result<Vec<_>>>()?;
    Ok((!grants.is_empty()).then_some(grants))
}

fn show_issued(issued: &Issued) {
    terminal::say(format!("appId：{}\n密钥：{}", issued.app_id, issued.secret));
    terminal::note("请立即妥善保存密钥：它不会再次显示。");
}

/// The partners, each beside its channel where it is an insurer.
fn show_list(partners: &[(Partner, Option<Channel>)], as_json: bool) {
    if as_json {
        let rows: Vec<_> = partners
            .iter()
            .map(|(partner, channel)| as_row(partner, channel.as_ref()))
            .collect();
        terminal::say(json!(rows));
        return;
    }
    if partners.is_empty() {
        terminal::say("尚未登记接入方：请用 banyan partner add 登记。");
    }
    for (partner, channel) in partners {
        let profile = &partner.profile;
        terminal::say(format!(
            "{}  {}  {}  {}  密钥 {} 个  {}{}  {}",
            profile.app_id,
            kind(profile.kind),
            profile.org_id.as_deref().unwrap_or("-"),
            if profile.active { "启用" } else { "停用" },
            partner.secrets.len(),
            if profile.corrections {
                "更正回执  "
            } else {
                ""
            },
            profile.name,
            profile.base_url.as_deref().unwrap_or("-"),
        ));
        let more = more_about(profile, channel.as_ref());
        terminal::say(format!("    {}", more.join("  ")));
    }
}

fn as_row(partner: &Partner, channel: Option<&Channel>) -> Value {
    let profile = &partner.profile;
    json!({
        "appId": profile.app_id,
        "kind": kind(profile.kind),
        "orgId": profile.org_id,
        "name": profile.name,
        "baseUrl": profile.base_url,
        "hosts": profile.hosts,
        "grants": profile.grants,
        "ratePerSecond": profile.rate_per_second,
        "plainReplies": profile.plain_replies,
        "active": profile.active,
        "corrections": profile.corrections,
        "institutions": profile.institutions,
        "secrets": partner.secrets.len(),
        "channel": channel.map(|channel| json!({
            "level": channel.level,
            "encType": channel.enc_type,
            "signType": channel.sign_type,
            "serviceIds": channel.service_ids,
            "strict": channel.strict,
            // Whether, never which: one of them is secret.
            "theirKey": channel.keys.theirs.is_some(),
            "ownKey": channel.keys.ours.is_some(),
        })),
    })
}

/// What else is set, as far as anything is.
fn more_about(profile: &Profile, channel: Option<&Channel>) -> Vec<String> {
    let mut more = vec![format!("每秒 {} 次", profile.rate_per_second)];
    let lists = [
        ("授权", &profile.grants),
        ("其他主机", &profile.hosts),
        ("机构代码", &profile.institutions),
    ];
    for (name, list) in lists {
        if !list.is_empty() {
            more.push(format!("{name} {}", list.join("、")));
        }
    }
    if profile.plain_replies {
        more.push("接受明文应答".to_owned());
    }
    if let Some(channel) = channel {
        let held_to = if channel.strict { "strict" } else { "warn" };
        more.push(format!(
            "等级 {}  {}/{}  服务 {}  校验 {held_to}",
            channel.level,
            channel.enc_type,
            channel.sign_type,
            channel.service_ids.join("、"),
        ));
    }
    more
}

const fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Hospital => "医疗机构",
        Kind::Mzt => "闽政通",
        Kind::Insurer => "保险渠道",
        Kind::Terminal => "服务终端",
    }
}
