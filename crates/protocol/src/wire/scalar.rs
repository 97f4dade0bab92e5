//! A member that stands as one JSON string on the wire.

use std::borrow::Cow;

use super::message::Kind;

/// A value that the specifications carry as a JSON string.
pub trait Scalar: Sized {
    /// What the interface documents say of it.
    const KIND: Kind;

    /// Reads the string.
    ///
    /// # Errors
    /// Where it is no value of this type; the message says in Chinese what was expected.
    fn parse(text: &str) -> Result<Self, Invalid>;

    /// Writes the string.
    fn render(&self) -> Cow<'_, str>;
}

/// Why a string is no value of its type: Chinese, for the caller, without the value itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid(pub String);

impl Invalid {
    /// With this explanation.
    pub fn new(expected: impl Into<String>) -> Self {
        Self(expected.into())
    }
}
