//! `banyan serve`: the platform of a province.

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use banyan_platform::app::{App, Setup};
use banyan_platform::web::Server;

use super::listening::{Listening, ServerOptions, stopped};
use super::{block_on, real_world};
use crate::{config, terminal};

/// 启动省级平台
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    server: ServerOptions,
}

pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    terminal::start_log(options.server.log_format, "info");
    let settings = options.server.config.read()?;
    let master = config::master_key(&settings)?;
    if settings.public_url.is_none() && settings.listen.ip().is_unspecified() {
        bail!(
            "请设置 public_url：市民经由它打开入口链接，{} 不是他们能到达的地址",
            settings.listen
        );
    }
    block_on(async {
        let listening = Listening::on(settings.listen, "BANYAN_LISTEN", settings.tls.is_some())?;
        let setup = Setup {
            public_url: listening.url(),
            loopback_hosts: false,
        };
        let database = settings.database_url.to_string();
        let app = App::open(settings, &master, real_world(), setup)
            .await
            .with_context(|| format!("打开平台（数据库 {database}）"))?;
        let Listening {
            listener,
            address,
            scheme,
        } = listening;
        let server = Server::start(app, listener).await?;
        tracing::info!(%address, scheme, database, version = env!("CARGO_PKG_VERSION"), "ready");
        stopped().await?;
        tracing::info!("stopping");
        server.stop().await;
        Ok(ExitCode::SUCCESS)
    })
}
