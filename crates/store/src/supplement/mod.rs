//! 商业补充医疗保险: what insurers' channels send and ask.
//!
//! Four ledgers keep what is sent: [`claims`], [`payments`], historical [`cases`] and
//! [`medicine_box`]. A record is known by its channel and its own key, so two channels that use the
//! same case number have a record each. The same content again changes nothing; other content
//! becomes the next version, and the one before is kept. Everything that was sent stands sealed in
//! the record ([`content`]); beside it stand in the clear only the key, amounts, and a code by which
//! the person is found.
//!
//! The registry of [`past_illness`]es is fed by operators and by the cases ([`learning`]), each entry
//! with its source, and answers the one question that insurers wait for. [`channels`] says how each insurer
//! speaks, [`tokens`] whom the 授权码 mode let in.

pub mod cases;
pub mod channels;
pub mod claims;
pub mod content;
pub mod learning;
mod ledger;
pub mod medicine_box;
pub mod past_illness;
pub mod payments;
mod pruning;
#[cfg(test)]
mod tests;
pub mod tokens;
pub mod walks;

pub use ledger::{Kept, Page, Record, Version, What};
pub use pruning::Pruned;

use crate::health_card::names::folded;
use crate::vault::{PersonCode, Vault};

/// Whom a message names: by number and, where it gives one, by name.
///
/// The exchange gives 证件号码 and in one interface alone its type, in words of each insurer's own.
/// So every number is looked up as a resident identity number, which nearly all are: a person is
/// then the same in every interface, and the same as in the other rooms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Named {
    /// The code of the number.
    pub person: PersonCode,
    /// The code of the name.
    pub name: NameCode,
}

/// A name as it is compared: eight bytes of its keyed code, 0 where none was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NameCode(pub i64);

impl Named {
    /// Whom this number and name mean.
    #[must_use]
    pub fn new(vault: &Vault, cert_no: &str, name: &str) -> Self {
        Self {
            person: vault.person_code(RESIDENT_IDENTITY, cert_no),
            name: NameCode::new(vault, name),
        }
    }

    /// The person as it stands in this room's tables. Half a code: of ten million persons no two
    /// share 128 bits, and the index over them is a third smaller.
    pub(crate) fn key(&self) -> [u8; 16] {
        half(&self.person)
    }
}

impl NameCode {
    /// The code of a name; of an empty one, that there is none.
    #[must_use]
    pub fn new(vault: &Vault, name: &str) -> Self {
        let folded = folded(name);
        if folded.is_empty() {
            return Self(0);
        }
        let code = vault.content_code(format!("name\n{folded}").as_bytes());
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&code[..8]);
        // 0 means that there is none.
        Self(i64::from_be_bytes(bytes) | 1)
    }
}

/// 居民身份证, as in every other room.
const RESIDENT_IDENTITY: &str = "01";

fn half(person: &PersonCode) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&person.0[..16]);
    half
}
