//! The cookies that sessions live in.

use banyan_store::overdue::links::TokenCode;
use banyan_store::vault::Vault;

use crate::token::Token;

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
        TokenCode(vault.content_code(&[self.kind, token.bytes()].concat()))
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
