//! Tokens of links and sessions: 32 random bytes that only their holder knows. The database keeps
//! their keyed code.

use banyan_protocol::ambient::Randomness;
use banyan_protocol::crypto::base64;
use banyan_store::overdue::links::TokenCode;
use banyan_store::vault::Vault;

/// The cookie of one kind of session. Another kind has another name, so that neither opens the
/// other's pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionCookie {
    name: &'static str,
    path: &'static str,
    /// What its tokens are kept as begins with this, so that a token which somebody puts into the
    /// other's cookie opens nothing.
    kind: &'static [u8],
}

/// The session that a link of ORG_MDL_004 opens.
pub const OVERDUE_COOKIE: SessionCookie = SessionCookie {
    name: "banyan_session",
    path: "/h5",
    kind: b"",
};

/// What the pages of a health card are opened with. Whoever opens an authorisation's link gets
/// one for its forms' sake; it becomes a session when he has said rightly who he is.
pub const CARD_COOKIE: SessionCookie = SessionCookie {
    name: "banyan_card",
    path: "/h5",
    kind: b"card session",
};

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

impl SessionCookie {
    /// The session's token among the cookies of a request.
    #[must_use]
    pub fn token(self, cookies: &str) -> Option<Token> {
        cookies
            .split(';')
            .filter_map(|cookie| cookie.trim().split_once('='))
            .find(|(name, _)| *name == self.name)
            .and_then(|(_, value)| Token::parse(value))
    }

    /// As a session of this kind is kept.
    #[must_use]
    pub fn code(self, token: &Token, vault: &Vault) -> TokenCode {
        TokenCode(vault.content_code(&[self.kind, &token.0].concat()))
    }

    /// The header that gives the session to the browser.
    #[must_use]
    pub fn set(self, token: &Token, seconds: i64, secure: bool) -> String {
        self.header(&token.text(), seconds, secure)
    }

    /// The header that takes it away again.
    #[must_use]
    pub fn forget(self, secure: bool) -> String {
        self.header("", 0, secure)
    }

    fn header(self, value: &str, seconds: i64, secure: bool) -> String {
        let Self { name, path, .. } = self;
        let secure = if secure { "; Secure" } else { "" };
        format!("{name}={value}; Path={path}; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}")
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(***)")
    }
}

#[cfg(test)]
mod tests {
    use banyan_protocol::ambient::SeededRandomness;

    use super::*;

    #[test]
    fn a_token_comes_back_out_of_its_cookie() {
        let token = Token::generate(&SeededRandomness::new(1));
        let header = OVERDUE_COOKIE.set(&token, 60, true);
        assert!(header.contains("HttpOnly") && header.contains("Secure"));
        let cookie = header.split(';').next().unwrap();
        assert_eq!(OVERDUE_COOKIE.token(&format!("a=b; {cookie}")), Some(token));
        assert_eq!(OVERDUE_COOKIE.token("banyan_session=short"), None);
        assert_eq!(OVERDUE_COOKIE.token(""), None);
        assert_eq!(CARD_COOKIE.token(cookie), None);
    }
}
