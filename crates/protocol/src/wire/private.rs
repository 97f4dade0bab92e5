//! Values that must not show themselves.

use std::borrow::Cow;
use std::fmt;

use super::message::Kind;
use super::scalar::{Invalid, Scalar};

/// A value about a person (number, name, phone): `Debug` prints `***`, and it has no `Display`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Private<T>(T);

impl<T> Private<T> {
    /// Hides the value from `Debug`.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value, said aloud: every use of this word is a place that handles personal data.
    pub const fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Scalar> Scalar for Private<T> {
    const KIND: Kind = T::KIND;

    fn parse(text: &str) -> Result<Self, Invalid> {
        T::parse(text).map(Self)
    }

    fn render(&self) -> Cow<'_, str> {
        self.0.render()
    }
}

impl<T> fmt::Debug for Private<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
