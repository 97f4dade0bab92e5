//! Whoever holds a session.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use banyan_protocol::crypto::base64;
use banyan_store::overdue::links::{self, Visitor};

use super::frame::{Frame, OVERDUE_MENU, Signed};
use super::problem::Problem;
use super::session::{OVERDUE_COOKIE, Token};
use super::size;
use crate::app::App;

/// Whoever holds a session of the overdue list. A handler that asks for one is not reached by
/// anybody else.
pub(super) struct Guest {
    /// Who came in, and through whom.
    pub(super) visitor: Visitor,
    token: Token,
    large: bool,
    here: String,
}

/// What a form does. A code made for one form opens no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Size,
    Leave,
    Refresh,
    Appeal,
    Withdraw,
    /// Not a form: what a refresh came to, on its way back to the list.
    RefreshOutcome,
}

impl Purpose {
    const fn text(self) -> &'static str {
        match self {
            Self::Size => "size",
            Self::Leave => "leave",
            Self::Refresh => "refresh",
            Self::Appeal => "appeal",
            Self::Withdraw => "withdraw",
            Self::RefreshOutcome => "refresh outcome",
        }
    }
}

impl FromRequestParts<App> for Guest {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let token = token(&parts.headers).ok_or(Problem::NoSession)?;
        let visitor = links::visitor(&app.db, token.code(&app.vault), app.now_ms())
            .await?
            .ok_or(Problem::NoSession)?;
        Ok(Self {
            visitor,
            token,
            large: size::is_large(&parts.headers),
            here: size::way_back(parts.uri.path(), parts.uri.query()),
        })
    }
}

impl Guest {
    /// The code that a form of this session carries: for this purpose, on this thing.
    pub(super) fn code(&self, app: &App, purpose: Purpose, thing: &str) -> String {
        let purpose = format!("{}/{thing}", purpose.text());
        let code = self.token.form_code(&app.vault, &purpose);
        base64::encode(&code).trim_end_matches('=').to_owned()
    }

    /// The frame of a page for this visitor.
    pub(super) fn frame(&self, app: &App, title: &'static str) -> Frame {
        let signed = Signed {
            menu: OVERDUE_MENU,
            here: self.here.clone(),
            size_code: self.code(app, Purpose::Size, ""),
            leave_code: self.code(app, Purpose::Leave, ""),
        };
        Frame::new(title, self.large, Some(signed))
    }

    /// Ends the session.
    pub(super) async fn leave(&self, app: &App) -> Result<(), Problem> {
        let code = self.token.code(&app.vault);
        Ok(app.db.write(move |tx| links::leave(tx, code)).await?)
    }
}

fn token(headers: &HeaderMap) -> Option<Token> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|cookies| cookies.to_str().ok())
        .find_map(|cookies| OVERDUE_COOKIE.token(cookies))
}
