//! `banyan interface`: the catalogue.

use std::process::ExitCode;

use anyhow::{Result, anyhow};
use banyan_protocol::catalogue::{Availability, Direction, Interface, Route, Spec};
use banyan_protocol::wire::{Field, Kind};

use crate::terminal;

/// 列出接口目录，或显示某个接口的字段
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// 接口编码，例如 ORG_MDL_001；缺省列出全部
    code: Option<String>,
}

pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    match &options.code {
        None => {
            for interface in Interface::ALL {
                terminal::say(line(interface.spec()));
            }
        }
        Some(code) => {
            let interface = Interface::from_code(code).ok_or_else(|| {
                anyhow!("没有接口 {code}：不带参数运行 banyan interface 可列出全部")
            })?;
            show(interface.spec());
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn line(spec: &Spec) -> String {
    let state = match spec.availability {
        Availability::Available => "可用",
        Availability::NotYet => "未开放",
    };
    format!(
        "{:<20} {state}  {}  {}（{}）",
        spec.code,
        spec.room.label(),
        spec.name,
        route(spec)
    )
}

fn route(spec: &Spec) -> String {
    let (side, place) = match spec.route {
        Route::Path(path) => (
            match spec.direction {
                Direction::ToPlatform => "POST ",
                Direction::ToHospital => "医院提供 POST ",
            },
            path,
        ),
        Route::Funid => ("POST /fjs/api，chs_fjs_funid=", spec.code),
        Route::TransType => (
            "POST /localcfc/api/hsecfc/localQrCodeQuery，transType=",
            spec.code,
        ),
    };
    format!("{side}{place}")
}

fn show(spec: &Spec) {
    terminal::say(format!("{}  {}", spec.code, spec.name));
    terminal::say(route(spec));
    terminal::say(format!(
        "出处：《{}》{}",
        spec.source.document.title(),
        spec.source.section
    ));
    if spec.availability == Availability::NotYet {
        terminal::say("此版本尚未开放，调用将得到 404404。");
        return;
    }
    for (title, fields) in [("请求", spec.request), ("应答", spec.reply)] {
        terminal::say(format!("\n{title}"));
        show_fields(fields, 1);
    }
}

fn show_fields(fields: &[Field], depth: usize) {
    let indent = "  ".repeat(depth);
    for field in fields {
        let need = if field.required { "必填" } else { "选填" };
        let (kind, inner) = kind(&field.kind);
        terminal::say(format!(
            "{indent}{}  {}  {kind}  {need}",
            field.code, field.name
        ));
        for note in field.notes {
            terminal::say(format!("{indent}    {note}"));
        }
        if let Kind::Dictionary { entries, .. } = field.kind {
            let codes: Vec<String> = entries
                .iter()
                .map(|entry| format!("{} {}", entry.code, entry.name))
                .collect();
            terminal::say(format!("{indent}    {}", codes.join("；")));
        }
        if let Some(inner) = inner {
            show_fields(inner, depth + 1);
        }
    }
}

fn kind(kind: &Kind) -> (String, Option<&'static [Field]>) {
    match kind {
        Kind::Text { max } => (format!("字符串，最多 {max} 字符"), None),
        Kind::Amount { max } => (format!("金额（元，最多两位小数），最多 {max} 字符"), None),
        Kind::LocalTime => ("时间 yyyy-MM-dd HH:mm:ss".to_owned(), None),
        Kind::WebAddress { max } => (format!("网址，最多 {max} 字符"), None),
        Kind::Dictionary { name, .. } => (format!("字典：{name}"), None),
        Kind::Object => ("JSON 对象".to_owned(), None),
        Kind::List { fields } => ("列表".to_owned(), Some(fields)),
    }
}
