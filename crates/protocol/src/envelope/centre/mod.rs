//! The envelope of the credential centre (标准动态库交互规范 4.2.4).
//!
//! Request: `orgId`, `transType`, `data`, `extra`; answer: `orgId`, `code`, `message`, `data`,
//! `extra`. The standard asks for signatures both ways and gives no field for them, so `extra`, a
//! string that holds JSON, carries `appId`, `timestamp` and `sign`, and the scanned `qrCode`. The
//! string to sign is built like that of the access guide, over `orgId`, `transType`, `data` (its
//! exact text), `timestamp` and `appId`; an answer's over `code` and `message` too.

mod calling;
mod charset;
mod received;
#[cfg(test)]
mod tests;
mod told;

pub use calling::{BadReply, Data, Extra, NotJson, Reply, Request, object, open_reply};
pub use charset::{Charset, NotInCharset, escaped};
pub use received::{Received, SignedBy};
pub use told::Told;

use super::signing::{Dialect, Empties, SignedAs};

/// The path of the centre (the standard's annex A).
pub const PATH: &str = "/localcfc/api/hsecfc/localQrCodeQuery";

/// How we build a string to sign: under the member's own name, empty values included.
const OURS: Dialect = Dialect {
    signed_as: SignedAs::Data,
    empties: Empties::Signed,
};

/// How others may: whoever signs for the access guide already may call it `param` here too.
const TAKEN: [Dialect; 4] = [
    OURS,
    Dialect {
        signed_as: SignedAs::Param,
        empties: Empties::Signed,
    },
    Dialect {
        signed_as: SignedAs::Data,
        empties: Empties::LeftOut,
    },
    Dialect {
        signed_as: SignedAs::Param,
        empties: Empties::LeftOut,
    },
];
