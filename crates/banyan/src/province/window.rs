//! The window of the first hospital: citizens with a 医保电子凭证, a simulated terminal, and the settings
//! of the library NationECCode that asks it.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use banyan_client::HttpClient;
use banyan_platform::app::App;
use banyan_platform::credential::password::{self, Digits};
use banyan_platform::credential::{code, own};
use banyan_protocol::ambient::World;
use banyan_protocol::envelope::centre;
use banyan_sandbox::{
    Account, Citizen, HospitalAccess, NextCode, SimulatedTerminal, TerminalSetup, write_whole,
};
use banyan_store::credential::holders;
use banyan_store::ids::HealthCardPersonId;
use url::Url;

/// The password of every citizen's 医保电子凭证.
pub const PASSWORD: &str = "602914";
/// 医保定点机构代码 of the first hospital besides its 机构 id: those of the standard's own examples
/// (annex A and 5.3.5.1), so that they run as they are printed.
pub(super) const PRINTED_INSTITUTIONS: [&str; 3] = ["35020311234", "35020319001", "1234567"];
/// The terminal's name among the partners.
pub(super) const TERMINAL_NAME: &str = "窗口终端（沙箱）";
/// The library's settings, beside the other files of the folder.
const LIBRARY_SETTINGS: &str = "NationECCode.toml";

/// Where a terminal is to stand.
pub(super) struct Window<'a> {
    pub(super) app: &'a App,
    pub(super) terminal: Account,
    pub(super) platform_url: &'a str,
    pub(super) world: World,
}

impl Window<'_> {
    /// Starts the terminal; this citizen stands at it.
    pub(super) async fn start(
        self,
        (citizen, person): (&Citizen, &HealthCardPersonId),
        http: HttpClient,
    ) -> Result<SimulatedTerminal> {
        let centre_url: Url = format!("{}{}", self.platform_url, centre::PATH).parse()?;
        let (app, person) = (self.app.clone(), *person);
        // Each look at his telephone finds a code that lives.
        let next_code: NextCode = Arc::new(move || {
            let code = code::new_text(&app, person);
            Box::pin(async move { Some(code) })
        });
        let setup = TerminalSetup {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            centre_url,
            account: self.terminal,
            person: citizen.clone(),
            password: PASSWORD.to_owned(),
            next_code: Some(next_code),
        };
        SimulatedTerminal::start(setup, self.world, http)
            .await
            .context("启动模拟终端")
    }
}

/// Writes the settings of the library for this hospital.
pub(super) fn write_library_settings(
    folder: &Path,
    hospital: &HospitalAccess,
    terminal: &Url,
) -> Result<()> {
    let text = format!(
        "# 动态库 NationECCode 的设置：放在动态库旁边，或以环境变量 NATIONECCODE_CONFIG 指向本文件。\n\
         app_id = \"{}\"\nsecret = \"{}\"\n\n[code]\nsource = \"terminal\"\n\n\
         [terminal]\nurl = \"{}\"\nkeypad = true\n",
        hospital.app_id,
        hospital.secret,
        terminal.as_str().trim_end_matches('/'),
    );
    let path = folder.join(LIBRARY_SETTINGS);
    write_whole(&path, text.as_bytes()).with_context(|| path.display().to_string())
}

/// Gives every citizen his 医保电子凭证, all with the same password, and a code that never ends.
pub(super) async fn give_credentials(
    app: &App,
    citizens: &mut [Citizen],
    persons: &[HealthCardPersonId],
) -> Result<()> {
    let mut without = Vec::new();
    for (number, (citizen, person)) in citizens.iter_mut().zip(persons).enumerate() {
        citizen.ec_qr_code = code::for_tests(app, *person);
        if holders::password(&app.db, *person).await?.is_none() {
            let (place, _) = own::PLACES[number % own::PLACES.len()];
            without.push((*person, place));
        }
    }
    if without.is_empty() {
        return Ok(());
    }
    let digits = Digits::parse(PASSWORD).context("六位数字")?;
    let (digest, now_ms) = (password::digest(app, digits).await?, app.now_ms());
    app.db
        .write(move |tx| {
            without.iter().try_for_each(|(person, place)| {
                holders::open(tx, *person, place, Some(&digest), now_ms).map(|_| ())
            })
        })
        .await?;
    Ok(())
}
