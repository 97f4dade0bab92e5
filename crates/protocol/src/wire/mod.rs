//! How a business message is read and written.
//!
//! A message is a plain struct made by [`message!`](crate::message): its members are types that
//! can't hold a wrong value ([`Text`], [`Amount`], dictionaries), so that reading one is checking
//! it. The same declaration says what the interface documents show of it ([`Message::FIELDS`]).

mod amount;
mod dictionary;
mod ext_data;
mod fault;
mod local_time;
mod member;
mod message;
mod object;
mod private;
mod scalar;
#[cfg(test)]
mod tests;
mod text;
mod web_address;

pub use amount::{Amount, yuan};
pub use dictionary::Entry;
pub use ext_data::ExtData;
pub use fault::FieldFault;
pub use local_time::LocalTime;
pub use member::OrEmpty;
pub use message::{Field, Kind, Member, Message, member_fault, read, write};
pub use private::Private;
pub use scalar::{Invalid, Scalar};
pub use text::Text;
pub use web_address::WebAddress;

/// What the code made by [`message!`](crate::message) calls.
#[doc(hidden)]
pub mod macro_support {
    pub use super::message::member_name;
    pub use super::object::{Key, ReadMembers, Seed, deserialize, doubled, finish};
}
