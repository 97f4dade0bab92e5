//! `banyan serve`: the platform of a province.

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use banyan_platform::app::{App, Setup};
use banyan_platform::web::Server;

use super::{block_on, real_world};
use crate::config::{self, ConfigOptions};
use crate::terminal::{self, LogFormat};

/// 启动省级平台
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    config: ConfigOptions,
    /// 日志格式
    #[arg(long, value_enum, default_value = "json", env = "BANYAN_LOG_FORMAT")]
    log_format: LogFormat,
}

pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    terminal::start_log(options.log_format, "info");
    let settings = options.config.read()?;
    let master = config::master_key(&settings)?;
    if settings.public_url.is_none() && settings.listen.ip().is_unspecified() {
        bail!(
            "请设置 public_url：市民经由它打开入口链接，{} 不是他们能到达的地址",
            settings.listen
        );
    }
    block_on(async {
        let listener = std::net::TcpListener::bind(settings.listen).with_context(|| {
            format!(
                "监听 {}（端口若被占用，请以配置项 listen 或环境变量 BANYAN_LISTEN 换一个）",
                settings.listen
            )
        })?;
        let address = listener.local_addr()?;
        let scheme = if settings.tls.is_some() {
            "https"
        } else {
            "http"
        };
        let setup = Setup {
            public_url: format!("{scheme}://{address}"),
            loopback_hosts: false,
        };
        let database = settings.database_url.to_string();
        let app = App::open(settings, &master, real_world(), setup)
            .await
            .with_context(|| format!("打开平台（数据库 {database}）"))?;
        let server = Server::start(app, listener).await?;
        tracing::info!(%address, scheme, database, version = env!("CARGO_PKG_VERSION"), "ready");
        stopped().await?;
        tracing::info!("stopping");
        server.stop().await;
        Ok(ExitCode::SUCCESS)
    })
}

/// Waits for Ctrl-C or SIGTERM.
pub(crate) async fn stopped() -> Result<()> {
    let mut terminated = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        _ = terminated.recv() => {}
    }
    Ok(())
}
