//! Whoever holds a session.

use std::ops::Deref;

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use banyan_protocol::crypto::base64;
use banyan_store::overdue::links::{self, Visitor};

use super::frame::{Entry, Frame, OVERDUE_MENU, Signed};
use super::problem::Problem;
use super::session::{OVERDUE_COOKIE, SessionCookie, Token};
use super::{LEAVE_PATH, SIZE_PATH, size};
use crate::app::App;

/// Whoever holds a session of the overdue list. A handler that asks for one is not reached by
/// anybody else.
pub(super) struct Guest {
    /// Who came in, and through whom.
    pub(super) visitor: Visitor,
    sitting: Sitting,
}

/// A session as pages and forms need it, whoever holds it.
pub(super) struct Sitting {
    kind: &'static Kind,
    token: Token,
    large: bool,
    here: String,
}

/// A kind of session: its cookie, its pages, and where its forms in the frame go. Another kind
/// has a guest of its own and shares everything else.
pub(super) struct Kind {
    cookie: SessionCookie,
    menu: &'static [Entry],
    size_path: &'static str,
    leave_path: &'static str,
}

/// The session of whoever came in by a link of ORG_MDL_004.
const OVERDUE: Kind = Kind {
    cookie: OVERDUE_COOKIE,
    menu: OVERDUE_MENU,
    size_path: SIZE_PATH,
    leave_path: LEAVE_PATH,
};

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
        let sitting = Sitting::of(&OVERDUE, parts).ok_or(Problem::NoSession)?;
        let visitor = links::visitor(&app.db, sitting.token.code(&app.vault), app.now_ms())
            .await?
            .ok_or(Problem::NoSession)?;
        Ok(Self { visitor, sitting })
    }
}

impl Guest {
    /// Ends the session.
    pub(super) async fn leave(&self, app: &App) -> Result<(), Problem> {
        let code = self.token.code(&app.vault);
        Ok(app.db.write(move |tx| links::leave(tx, code)).await?)
    }
}

impl Deref for Guest {
    type Target = Sitting;

    fn deref(&self) -> &Sitting {
        &self.sitting
    }
}

impl Sitting {
    /// The session of this kind that a request claims to hold; whether it does is for the
    /// database to say.
    fn of(kind: &'static Kind, parts: &Parts) -> Option<Self> {
        let token = parts
            .headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|cookies| cookies.to_str().ok())
            .find_map(|cookies| kind.cookie.token(cookies))?;
        Some(Self {
            kind,
            token,
            large: size::is_large(&parts.headers),
            here: size::way_back(parts.uri.path(), parts.uri.query()),
        })
    }

    /// The code that a form of this session carries: for this purpose, on this thing.
    pub(super) fn code(&self, app: &App, purpose: Purpose, thing: &str) -> String {
        let purpose = format!("{}/{thing}", purpose.text());
        let code = self.token.form_code(&app.vault, &purpose);
        base64::encode(&code).trim_end_matches('=').to_owned()
    }

    /// The frame of a page for this visitor.
    pub(super) fn frame(&self, app: &App, title: &'static str) -> Frame {
        let signed = Signed {
            menu: self.kind.menu,
            here: self.here.clone(),
            size_path: self.kind.size_path,
            size_code: self.code(app, Purpose::Size, ""),
            leave_path: self.kind.leave_path,
            leave_code: self.code(app, Purpose::Leave, ""),
        };
        Frame::new(title, self.large, Some(signed))
    }
}
