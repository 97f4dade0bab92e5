//! `banyan edge`: the hospital's gateway.

use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};

use anyhow::Result;
use banyan_edge::{Edge, EdgeServer};

use super::listening::{Listening, ServerOptions, stopped};
use super::{block_on, real_world};
use crate::terminal;

/// 启动医院前置机
#[derive(Debug, clap::Args)]
#[command(after_help = "最少的配置（edge.toml）：

  platform_url = \"https://平台地址\"
  org_id   = \"机构 id\"
  org_name = \"机构名称\"
  app_id   = \"平台分配\"
  secret   = \"平台分配\"
  api_keys = [\"HIS 调用前置机所用的密钥，可用 openssl rand -hex 16 生成\"]
  listen     = \"0.0.0.0:8081\"
  public_url = \"http://平台可达的前置机地址:8081\"

每一项也可用环境变量给出，如 BANYAN_EDGE_SECRET。启动后打开 / 看状态，/docs 看接口。")]
pub(crate) struct Options {
    #[command(flatten)]
    server: ServerOptions,
}

pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    be_small();
    terminal::start_log(options.server.log_format, "info");
    let settings = options.server.config.read_edge()?;
    block_on(async {
        let listening = Listening::on(
            settings.listen,
            "BANYAN_EDGE_LISTEN",
            settings.tls.is_some(),
        )?;
        if settings.public_url.is_none() && settings.listen.ip().is_unspecified() {
            anyhow::bail!(
                "请设置 public_url：平台以它回调本院，{} 不是平台能到达的地址",
                settings.listen
            );
        }
        let edge = Edge::open(settings, real_world(), &listening.url()).await?;
        let Listening {
            listener,
            address,
            scheme,
        } = listening;
        let server = EdgeServer::start(edge, listener, true).await?;
        tracing::info!(
            %address,
            scheme,
            callback = %server.callback_url(),
            version = env!("CARGO_PKG_VERSION"),
            "ready"
        );
        stopped().await?;
        tracing::info!("stopping");
        server.stop().await;
        Ok(ExitCode::SUCCESS)
    })
}

/// Begins anew with an allocator that takes memory as it is used: a gateway shares its machine with
/// others, and what the allocator reserves ahead is half of what it would hold. The allocator reads
/// this when a program starts, before any of our code runs; where beginning anew fails, the edge
/// is larger and works all the same.
fn be_small() {
    const EAGERNESS: &str = "MIMALLOC_ARENA_EAGER_COMMIT";
    if std::env::var_os(EAGERNESS).is_some() {
        return;
    }
    if let Ok(program) = std::env::current_exe() {
        let failed = Command::new(program)
            .args(std::env::args_os().skip(1))
            .env(EAGERNESS, "0")
            .exec();
        tracing::debug!(error = %failed, "the edge could not begin anew");
    }
}
