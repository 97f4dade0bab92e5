//! What a message is called.

use banyan_protocol::catalogue::Interface;
use banyan_protocol::credential::terminal::TerminalMessage;

/// What a message is called in metrics, journal and log: the code of its interface, or of a
/// terminal's message, which no specification has and the catalogue therefore leaves out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Name(&'static str);

impl Name {
    /// Of a message that names nothing there is. What it says instead could be any text.
    pub const UNKNOWN: Self = Self("unknown");

    /// As it stands in metrics, journal and log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl From<Interface> for Name {
    fn from(interface: Interface) -> Self {
        Self(interface.code())
    }
}

impl From<TerminalMessage> for Name {
    fn from(message: TerminalMessage) -> Self {
        Self(message.trans_type())
    }
}
