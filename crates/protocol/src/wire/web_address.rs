//! Addresses that we are asked to call.

use std::borrow::Cow;

use url::Url;

use super::message::Kind;
use super::scalar::{Invalid, Scalar};

/// An `http` or `https` address with a host, without user info, of at most 100 characters.
///
/// It is kept and written as it was given: parsing escapes and completes, and what was once within
/// the length must stay so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebAddress {
    text: String,
    url: Url,
}

const MAX_CHARACTERS: usize = 100;

impl WebAddress {
    /// The parsed address.
    #[must_use]
    pub const fn url(&self) -> &Url {
        &self.url
    }

    /// The host as it stands in the address; IPv6 addresses in brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// The port, the scheme's own where none is given.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.url.port_or_known_default().unwrap_or(0)
    }

    /// Another path on the same origin, without query.
    #[must_use]
    pub fn with_path(&self, path: &str) -> Self {
        let mut url = self.url.clone();
        url.set_path(path);
        url.set_query(None);
        Self {
            text: url.to_string(),
            url,
        }
    }
}

impl Scalar for WebAddress {
    const KIND: Kind = Kind::WebAddress {
        max: MAX_CHARACTERS,
    };

    fn parse(text: &str) -> Result<Self, Invalid> {
        let expected = || {
            Invalid::new(
                "应为 http 或 https 地址，最多 100 个字符，不含用户名密码，例如 https://his.example.cn/umdl/callback",
            )
        };
        if text.chars().count() > MAX_CHARACTERS {
            return Err(expected());
        }
        let url = Url::parse(text).map_err(|_| expected())?;
        let plain = matches!(url.scheme(), "http" | "https")
            && url.host_str().is_some_and(|host| !host.is_empty())
            && url.username().is_empty()
            && url.password().is_none()
            && url.port_or_known_default().is_some_and(|port| port != 0);
        if plain {
            Ok(Self {
                text: text.to_owned(),
                url,
            })
        } else {
            Err(expected())
        }
    }

    fn render(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn web_addresses_and_others() {
        let address = WebAddress::parse("http://127.0.0.1:8081/umdl/callback?a=1").unwrap();
        assert_eq!((address.host(), address.port()), ("127.0.0.1", 8081));
        assert_eq!(
            address.with_path("/qmdl/getOverdueResult").render(),
            "http://127.0.0.1:8081/qmdl/getOverdueResult"
        );
        // What is escaped or completed when parsed is still written as it was given.
        for text in [
            "http://host?a",
            "http://10.1.2.3:8080/回调?院区=东",
            "HTTP://Host",
        ] {
            let address = WebAddress::parse(text).unwrap();
            assert_eq!(WebAddress::parse(&address.render()).as_ref(), Ok(&address));
            assert_eq!(address.render(), text);
        }
        for text in [
            "",
            "127.0.0.1:8081/umdl/callback",
            "ftp://host/",
            "file:///etc/passwd",
            "http://user:word@host/",
            "http://host:0/",
            "javascript:alert(1)",
        ] {
            assert!(WebAddress::parse(text).is_err(), "{text}");
        }
        assert!(WebAddress::parse(&format!("http://host/{}", "a".repeat(100))).is_err());
    }
}
