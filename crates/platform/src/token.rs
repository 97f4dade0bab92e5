//! Tokens of links and sessions: 32 bytes that only their holder knows. The database keeps their
//! keyed code.

use banyan_protocol::ambient::Randomness;
use banyan_protocol::crypto::base64;
use banyan_store::overdue::links::TokenCode;
use banyan_store::vault::Vault;

/// A token of a link or a session.
#[derive(Clone, PartialEq, Eq)]
pub struct Token([u8; 32]);

impl Token {
    /// A new one.
    #[must_use]
    pub fn generate(random: &dyn Randomness) -> Self {
        let mut bytes = [0; 32];
        random.fill(&mut bytes);
        Self(bytes)
    }

    /// The one of these bytes, where it is worked out and not drawn.
    #[must_use]
    pub const fn of(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Reads the text of one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = base64::decode(text).ok()?;
        bytes.try_into().ok().map(Self)
    }

    /// Its bytes, for a code that it is part of.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// As it stands in a link or a cookie.
    #[must_use]
    pub fn text(&self) -> String {
        base64::encode(&self.0).trim_end_matches('=').to_owned()
    }

    /// As it is kept.
    #[must_use]
    pub fn code(&self, vault: &Vault) -> TokenCode {
        TokenCode(vault.content_code(&self.0))
    }

    /// The code that a form of this session carries.
    #[must_use]
    pub fn form_code(&self, vault: &Vault, purpose: &str) -> [u8; 32] {
        vault.form_code(&self.0, purpose)
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(***)")
    }
}
