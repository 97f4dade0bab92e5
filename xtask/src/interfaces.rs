//! `docs/interfaces.md`: every interface of the catalogue with its fields and dictionaries.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use banyan_protocol::catalogue::{Availability, Direction, Interface, Route, Spec};
use banyan_protocol::credential::dictionaries::OrdStas;
use banyan_protocol::dictionaries::RetCode;
use banyan_protocol::result_code::ResultCode;
use banyan_protocol::wire::{Entry, Field, Kind, Scalar as _};

/// The whole page, in Chinese: it is read by the people who connect.
pub(crate) fn page() -> String {
    let mut page = String::from(
        "# 接口目录\n\n本页由 `cargo xtask gen` 从接口目录生成，请勿手工修改。\
         报文的加密与签名见 [decisions.md](decisions.md) 与接入指南第 4 章。\n\n\
         | 编码 | 名称 | 业务 | 方向 | 入口 | 出处 | 状态 |\n|---|---|---|---|---|---|---|\n",
    );
    for interface in Interface::ALL {
        row(&mut page, interface.spec());
    }
    let mut dictionaries = BTreeMap::new();
    for interface in Interface::ALL {
        details(&mut page, interface.spec(), &mut dictionaries);
    }
    // No field has these, but whoever reads the specifications' chapters looks for them here.
    for kind in [RetCode::KIND, OrdStas::KIND] {
        if let Kind::Dictionary { name, entries } = kind {
            dictionaries.insert(name, entries);
        }
    }
    page.push_str("\n## 字典\n");
    for (name, entries) in dictionaries {
        let _infallible = write!(page, "\n### {name}\n\n| 代码 | 名称 |\n|---|---|\n");
        for entry in entries {
            let _infallible = writeln!(page, "| `{}` | {} |", entry.code, entry.name);
        }
    }
    page.push_str("\n## 响应码\n\n| 编码 | 说明 |\n|---|---|\n");
    for code in ResultCode::ALL {
        let _infallible = writeln!(page, "| `{}` | {} |", code.code(), code.label());
    }
    page
}

fn row(page: &mut String, spec: &Spec) {
    let direction = match spec.direction {
        Direction::ToPlatform => "接入方 → 平台",
        Direction::ToHospital => "平台 → 医院",
    };
    let entry = match spec.route {
        Route::Path(path) => format!("`{path}`"),
        Route::Funid => "`/fjs/api`（chs_fjs_funid）".to_owned(),
        Route::TransType => "`/localcfc/api/hsecfc/localQrCodeQuery`（transType）".to_owned(),
    };
    let state = match spec.availability {
        Availability::Available => "可用",
        Availability::NotYet => "未开放",
    };
    let _infallible = writeln!(
        page,
        "| {} | {} | {} | {direction} | {entry} | 《{}》{} | {state} |",
        spec.code,
        spec.name,
        spec.room.label(),
        spec.source.document.title(),
        spec.source.section
    );
}

fn details(
    page: &mut String,
    spec: &Spec,
    dictionaries: &mut BTreeMap<&'static str, &'static [Entry]>,
) {
    if spec.availability == Availability::NotYet {
        return;
    }
    let _infallible = write!(page, "\n## {}（{}）\n", spec.name, spec.code);
    for (title, fields) in [("请求", spec.request), ("应答", spec.reply)] {
        let _infallible = write!(
            page,
            "\n### {} {title}\n\n| 参数 | 名称 | 类型 | 必填 | 说明 |\n|---|---|---|---|---|\n",
            spec.code
        );
        table(page, fields, "", dictionaries);
    }
}

fn table(
    page: &mut String,
    fields: &[Field],
    prefix: &str,
    dictionaries: &mut BTreeMap<&'static str, &'static [Entry]>,
) {
    for field in fields {
        let path = format!("{prefix}{}", field.code);
        let kind = match field.kind {
            Kind::Text { max } => format!("字符串，≤{max}"),
            Kind::Amount { max } => format!("金额（元），≤{max}"),
            Kind::LocalTime => "时间 `yyyy-MM-dd HH:mm:ss`".to_owned(),
            Kind::WebAddress { max } => format!("网址，≤{max}"),
            Kind::Dictionary { name, entries } => {
                dictionaries.insert(name, entries);
                format!("字典：{name}")
            }
            Kind::Object => "JSON 对象".to_owned(),
            Kind::List { .. } => "列表".to_owned(),
        };
        let need = if field.required { "Y" } else { "N" };
        let _infallible = writeln!(
            page,
            "| `{path}` | {} | {kind} | {need} | {} |",
            field.name,
            field.notes.join(" ")
        );
        if let Kind::List { fields } = field.kind {
            table(page, fields, &format!("{path}[]."), dictionaries);
        }
    }
}
