//! `banyan`: the one binary.
//!
//! Each command is a file in `commands/`; this file only chooses. People read Chinese at the
//! terminal; the log is for operators and machines.

mod bench;
mod commands;
mod config;
mod terminal;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use commands::{
    appeal, audit, batch, call, callback, conformance, credential, doctor, edge, export, illness,
    insurer, interface, ledger, migrate, partner, person, sandbox, serve,
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// 榕：省级医疗信用与医保报文平台
#[derive(Parser)]
#[command(name = "banyan", version, about, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// 启动省级平台
    Serve(serve::Options),
    /// 启动医院前置机：HIS 以明文 JSON 或文件交接，其余由它完成
    Edge(edge::Options),
    /// 在本机启动全省沙箱：平台、前置机与模拟医院、闽政通，开箱即用
    Sandbox(sandbox::Options),
    /// 以某个接入方的身份调用接口，显示解密后的应答
    Call(call::Options),
    /// 沙箱中的保险渠道：迁移历史案件
    Insurer(insurer::Options),
    /// 诊断签名与加解密：报文为何打不开，该改哪一行
    Doctor(doctor::Options),
    /// 一致性测试：检验医院或平台的接口是否合乎接入指南
    Conformance(conformance::Options),
    /// 管理接入方：登记、列出、轮换密钥、停用
    Partner(partner::Options),
    /// 管理人员：导入名册、核实相互矛盾的登记、查看
    Person(person::Options),
    /// 管理医保电子凭证：查看、解除锁定、清除忘记的密码
    Credential(credential::Options),
    /// 管理既往症登记：导入、更正、查看分类
    Illness(illness::Options),
    /// 导出理赔、历史案件、现金支付或小药箱台账（CSV 或 Parquet），供精算使用
    Export(export::Options),
    /// 查看商业补充医疗保险台账：合计、一条记录的历史、剩余免赔额
    Ledger(ledger::Options),
    /// 管理回调：重发若干条，或一段时间内未送达的
    Callback(callback::Options),
    /// 管理批次：重新处理因故障搁置的批次
    Batch(batch::Options),
    /// 处理患者申诉：列出、查看、答复
    Appeal(appeal::Options),
    /// 升级数据库结构（serve 启动时也会自动升级）
    Migrate(migrate::Options),
    /// 校验报文日志与操作审计的哈希链
    Audit(audit::Options),
    /// 列出接口目录，或显示某个接口的字段
    Interface(interface::Options),
    /// 测量性能，输出对照表
    Bench(bench::Options),
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Serve(options) => serve::run(&options),
        Command::Edge(options) => edge::run(&options),
        Command::Sandbox(options) => sandbox::run(&options),
        Command::Call(options) => call::run(&options),
        Command::Insurer(options) => insurer::run(&options),
        Command::Doctor(options) => doctor::run(&options),
        Command::Conformance(options) => conformance::run(&options),
        Command::Partner(options) => partner::run(&options),
        Command::Person(options) => person::run(&options),
        Command::Credential(options) => credential::run(&options),
        Command::Illness(options) => illness::run(&options),
        Command::Export(options) => export::run(&options),
        Command::Ledger(options) => ledger::run(&options),
        Command::Callback(options) => callback::run(&options),
        Command::Batch(options) => batch::run(&options),
        Command::Appeal(options) => appeal::run(&options),
        Command::Migrate(options) => migrate::run(&options),
        Command::Audit(options) => audit::run(&options),
        Command::Interface(options) => interface::run(&options),
        Command::Bench(options) => bench::run(&options),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            terminal::complain(&error);
            ExitCode::FAILURE
        }
    }
}
