//! `banyan ledger history`: everything that was said of one record.

use anyhow::Result;
use banyan_platform::admin::Desk;
use banyan_platform::supplement::inspection::{Identities, RecordKey, Said};
use banyan_protocol::wire::{LocalTime, Scalar as _};

use super::number_from_input;
use crate::terminal;

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    #[command(subcommand)]
    record: Record,
    /// 只看这个渠道（appId）；缺省为所有渠道
    #[arg(long, global = true, value_name = "appId")]
    channel: Option<String>,
    /// 显示完整的姓名与证件号码；须同时以 --reason 说明事由
    #[arg(long, global = true)]
    identities: bool,
    /// 查看身份信息的事由，写入操作审计
    #[arg(long, global = true, value_name = "事由")]
    reason: Option<String>,
}

#[derive(Debug, Clone, clap::Subcommand)]
enum Record {
    /// 理赔信息（CI00.03.00.03）
    Claims {
        /// 服务 id；修订版 1.2 之前的报文没有服务 id，则不给出
        #[arg(
            long,
            value_name = "服务 id",
            default_value = "",
            hide_default_value = true
        )]
        service: String,
        /// 案件号
        #[arg(long, value_name = "案件号")]
        case_no: String,
    },
    /// 历史案件的一张发票（XY00.00.00.03，hmbExtInfo）
    Cases {
        /// 服务 id
        #[arg(long, value_name = "服务 id")]
        service: String,
        /// 案件号
        #[arg(long, value_name = "案件号")]
        case_no: String,
        /// 发票号
        #[arg(long, value_name = "发票号")]
        invoice: String,
    },
    /// 现金支付（CI00.02.00.07）
    Payments {
        /// 第三方平台支付流水号
        #[arg(long, value_name = "流水号")]
        pay_no: String,
    },
    /// 小药箱（XY00.00.00.03，hmbYyxInfo）；证件号码从标准输入读取
    MedicineBox {
        /// 服务 id
        #[arg(long, value_name = "服务 id")]
        service: String,
    },
}

impl Options {
    /// Which record; may ask for a number.
    pub(super) fn key(&self) -> Result<RecordKey> {
        Ok(match self.record.clone() {
            Record::Claims { service, case_no } => RecordKey::Claim {
                service_id: service,
                case_no,
            },
            Record::Cases {
                service,
                case_no,
                invoice,
            } => RecordKey::Case {
                service_id: service,
                case_no,
                invoice_num: invoice,
            },
            Record::Payments { pay_no } => RecordKey::Payment { hi_pay_no: pay_no },
            Record::MedicineBox { service } => RecordKey::Order {
                service_id: service,
                cert_no: number_from_input()?,
            },
        })
    }

    fn identities(&self) -> Result<Identities> {
        match (self.identities, &self.reason) {
            (false, None) => Ok(Identities::Masked),
            (false, Some(_)) => anyhow::bail!("--reason 须与 --identities 同时给出"),
            (true, reason) => Ok(Identities::Shown {
                reason: reason.clone().unwrap_or_default(),
            }),
        }
    }
}

pub(super) async fn show(desk: &Desk, key: &RecordKey, options: &Options) -> Result<()> {
    let identities = options.identities()?;
    let channel = options.channel.as_deref();
    let said = desk.ledger_history(key, channel, &identities).await?;
    if said.is_empty() {
        terminal::say("没有这条记录。");
    }
    for said in &said {
        terminal::say(text_of(said));
    }
    Ok(())
}

/// Each time with the fields that it changed, one a line.
fn text_of(said: &Said) -> String {
    let mut lines = vec![format!("渠道 {}（{}）", said.name, said.app_id)];
    for time in &said.times {
        let at = LocalTime::from_epoch_ms(time.at_ms);
        lines.push(format!("  第 {} 版  {}", time.version, at.render()));
        lines.extend(time.fields.iter().map(|(field, text)| {
            let text = text.as_deref().map_or("（不再提供）", |text| match text {
                "" => "（空）",
                text => text,
            });
            format!("    {field}：{text}")
        }));
    }
    terminal::harmless(&lines.join("\n"))
}
