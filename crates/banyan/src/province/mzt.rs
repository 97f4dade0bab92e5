//! The sandbox's 闽政通: a channel that asks, and an inbox where it is told whom to remind.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use banyan_client::HttpClient;
use banyan_platform::admin::{Desk, Edit};
use banyan_protocol::wire::{Scalar as _, WebAddress};
use banyan_sandbox::{Account, MztAccess, MztChannel, MztInbox, MztSetup};
use banyan_store::partners::Kind;
use url::Url;

use super::Plan;
use super::partners::{live_secret, origin, partner};

const NAME: &str = "闽政通（沙箱）";

/// 闽政通, registered and listening.
pub(super) struct Mzt {
    pub(super) channel: Arc<MztChannel>,
    pub(super) inbox: MztInbox,
    pub(super) access: MztAccess,
}

impl Mzt {
    pub(super) async fn start(
        plan: &Plan,
        desk: &Desk,
        platform: &Url,
        http: HttpClient,
    ) -> Result<Self> {
        let registered = partner(desk, Kind::Mzt, None, NAME).await?;
        let setup = MztSetup {
            app_id: registered.profile.app_id.clone(),
            secret: live_secret(&registered)?,
            platform_url: platform.clone(),
        };
        let channel = Arc::new(MztChannel::new(&setup, plan.world.clock.clone(), http)?);
        let account = Account::new(&setup.app_id, &setup.secret)?;
        let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let inbox = MztInbox::start(free, account, plan.world.clock.clone())
            .await
            .context("启动模拟闽政通")?;
        let base = WebAddress::parse(&origin(inbox.url()))
            .map_err(|invalid| anyhow::anyhow!("{}", invalid.0))?;
        let edit = Edit {
            base_url: Some(Some(base)),
            ..Edit::default()
        };
        desk.edit(&setup.app_id, edit).await?;
        Ok(Self {
            channel,
            inbox,
            access: MztAccess {
                app_id: setup.app_id,
                secret: setup.secret,
            },
        })
    }
}
