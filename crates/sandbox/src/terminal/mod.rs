//! 医保业务综合服务终端, simulated: scanner, camera and keypad for the NationECCode library, without any
//! of the three.
//!
//! What enters: `POST /scan`, `/face`, `/keypad` of the library (the protocol stands in
//! `docs/nation-ec-code.zh-CN.md`), and `POST /simulate`, by which a person or a test says who stands
//! there, which code he shows, what he types, and what goes wrong. What leaves: a code; an
//! authorisation number, which the terminal fetches from the centre (`terminal.face`); a password,
//! which goes to the centre alone (`terminal.pwd`), sealed, and never to the library.

mod centre;
mod play;
#[cfg(test)]
mod tests;

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use banyan_client::HttpClient;
use banyan_protocol::ambient::World;
use url::Url;

use self::centre::Door;
use self::play::Play;
use crate::http_server::HttpServer;
use crate::{Account, Citizen};

/// A code as a citizen's telephone shows it; none where nobody shows one.
pub type NextCode =
    Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Option<String>> + Send>> + Send + Sync>;

/// What a terminal is set up with. `Debug` shows neither secret nor person.
#[derive(Clone)]
pub struct TerminalSetup {
    /// Where it listens: loopback only, since whoever reaches it can play any citizen.
    pub listen: SocketAddr,
    /// The centre's address with the path of the standard (`…/localQrCodeQuery`).
    pub centre_url: Url,
    /// The terminal's own credentials at the centre.
    pub account: Account,
    /// Who stands at it until `/simulate` says otherwise.
    pub person: Citizen,
    /// What he types until `/simulate` says otherwise.
    pub password: String,
    /// Where codes come from when `/simulate` has given none.
    pub next_code: Option<NextCode>,
}

/// A terminal that runs until it is stopped or dropped.
#[derive(Debug)]
pub struct SimulatedTerminal {
    server: HttpServer,
    url: Url,
}

impl SimulatedTerminal {
    /// Listens; port 0 takes a free one.
    ///
    /// # Errors
    /// Where it can't listen there, or should not: beyond loopback.
    pub async fn start(setup: TerminalSetup, world: World, http: HttpClient) -> io::Result<Self> {
        if !setup.listen.ip().is_loopback() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "a simulated terminal listens on loopback only",
            ));
        }
        let door = Door::new(setup.centre_url, setup.account, world, http);
        let play = Play::new(door, &setup.person, setup.password, setup.next_code);
        let server = HttpServer::start(setup.listen, Arc::new(play)).await?;
        let url = server.url("/").map_err(io::Error::other)?;
        Ok(Self { server, url })
    }

    /// What stands in the library's `terminal.url`.
    #[must_use]
    pub const fn url(&self) -> &Url {
        &self.url
    }

    /// Lets the answers under way end, then closes.
    pub async fn stop(&self) {
        self.server.stop().await;
    }
}

impl fmt::Debug for TerminalSetup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TerminalSetup")
            .field("listen", &self.listen)
            .field("centre_url", &self.centre_url.as_str())
            .finish_non_exhaustive()
    }
}
