//! Where a server listens: what `serve` and `edge` have in common.

use std::net::{SocketAddr, TcpListener};

use anyhow::{Context as _, Result};

use crate::config::ConfigOptions;
use crate::terminal::LogFormat;

/// What any server is told at its start.
#[derive(Debug, clap::Args)]
pub(crate) struct ServerOptions {
    #[command(flatten)]
    pub(crate) config: ConfigOptions,
    /// 日志格式
    #[arg(long, value_enum, default_value = "json", env = "BANYAN_LOG_FORMAT")]
    pub(crate) log_format: LogFormat,
}

/// An open port.
pub(crate) struct Listening {
    pub(crate) listener: TcpListener,
    pub(crate) address: SocketAddr,
    /// `https` where the server has a certificate.
    pub(crate) scheme: &'static str,
}

impl Listening {
    /// Opens the port; `variable` is the environment's name of the setting, for whoever finds it taken.
    pub(crate) fn on(wanted: SocketAddr, variable: &str, has_tls: bool) -> Result<Self> {
        let listener = TcpListener::bind(wanted).with_context(|| {
            format!("监听 {wanted}（端口若被占用，请以配置项 listen 或环境变量 {variable} 换一个）")
        })?;
        Ok(Self {
            address: listener.local_addr()?,
            listener,
            scheme: if has_tls { "https" } else { "http" },
        })
    }

    /// How it is called from this machine.
    pub(crate) fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }
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
