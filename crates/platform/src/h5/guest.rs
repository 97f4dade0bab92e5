//! Whoever holds a session, and by what his forms are known.

use std::ops::Deref;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use banyan_protocol::crypto::base64;
use banyan_store::overdue::links::{self, Visitor};
use banyan_store::partners;

use super::frame::{Entry, Frame, OVERDUE_MENU, Signed};
use super::problem::Problem;
use super::session::{CARD_COOKIE, OVERDUE_COOKIE, SessionCookie};
use super::size;
use crate::app::App;
use crate::token::Token;

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

/// A kind of session: its cookie and its pages.
pub(super) struct Kind {
    cookie: SessionCookie,
    menu: &'static [Entry],
}

/// The session of whoever came in by a link of ORG_MDL_004.
const OVERDUE: Kind = Kind {
    cookie: OVERDUE_COOKIE,
    menu: OVERDUE_MENU,
};

/// The session of whoever said rightly on the page of an authorisation who he is: his own card,
/// which leads nowhere else.
const CARD: Kind = Kind {
    cookie: CARD_COOKIE,
    menu: &[],
};

/// Whoever may see his own health card: a [`Guest`], or who said rightly on the page of an
/// authorisation who he is.
pub(super) struct Holder(pub(super) Guest);

/// A [`Guest`] whom 闽政通 vouches for, not a hospital: he alone sees his credential.
pub(super) struct Vouched(pub(super) Guest);

/// The tokens that a browser carries, whether or not a session stands behind them: enough to know
/// one's own forms again where nobody's data is touched.
pub(super) struct Keys(Vec<(SessionCookie, Token)>);

/// What a form does. A code made for one form opens no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Size,
    Leave,
    Refresh,
    Appeal,
    Withdraw,
    Claim,
    Authorise,
    Cancel,
    TakeCard,
    TakeCredential,
    SetPassword,
    EnterPassword,
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
            Self::Claim => "claim",
            Self::Authorise => "authorise",
            Self::Cancel => "cancel",
            Self::TakeCard => "take card",
            Self::TakeCredential => "take credential",
            Self::SetPassword => "set password",
            Self::EnterPassword => "enter password",
            Self::RefreshOutcome => "refresh outcome",
        }
    }
}

impl FromRequestParts<App> for Guest {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        Self::by(&OVERDUE, app, parts)
            .await?
            .ok_or(Problem::NoSession)
    }
}

impl FromRequestParts<App> for Holder {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        if let Some(guest) = Guest::by(&OVERDUE, app, parts).await? {
            return Ok(Self(guest));
        }
        let guest = Guest::by(&CARD, app, parts).await?;
        guest.map(Self).ok_or(Problem::NoSession)
    }
}

impl FromRequestParts<App> for Vouched {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let guest = Guest::from_request_parts(parts, app).await?;
        let through = app.directory.by_id(guest.visitor.partner);
        if through.is_some_and(|partner| partner.kind == partners::Kind::Mzt) {
            Ok(Self(guest))
        } else {
            Err(Problem::NotVouched)
        }
    }
}

impl FromRequestParts<App> for Keys {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Problem> {
        let keys: Vec<_> = [OVERDUE_COOKIE, CARD_COOKIE]
            .into_iter()
            .filter_map(|cookie| Some((cookie, token(&parts.headers, cookie)?)))
            .collect();
        if keys.is_empty() {
            return Err(Problem::NoSession);
        }
        Ok(Self(keys))
    }
}

impl Guest {
    async fn by(kind: &'static Kind, app: &App, parts: &Parts) -> Result<Option<Self>, Problem> {
        let Some(sitting) = Sitting::of(kind, parts) else {
            return Ok(None);
        };
        let visitor = visitor(app, kind.cookie, &sitting.token).await?;
        Ok(visitor.map(|visitor| Self { visitor, sitting }))
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
        Some(Self {
            token: token(&parts.headers, kind.cookie)?,
            kind,
            large: size::is_large(&parts.headers),
            here: size::way_back(parts.uri.path(), parts.uri.query()),
        })
    }

    /// The code that a form of this session carries: for this purpose, on this thing.
    pub(super) fn code(&self, app: &App, purpose: Purpose, thing: &str) -> String {
        form_code(app, &self.token, purpose, thing)
    }

    /// The token by which its forms are known.
    pub(super) const fn token(&self) -> &Token {
        &self.token
    }

    /// The frame of a page for this visitor.
    pub(super) fn frame(&self, app: &App, title: &'static str) -> Frame {
        let signed = Signed {
            menu: self.kind.menu,
            here: self.here.clone(),
            size_code: Some(self.code(app, Purpose::Size, "")),
            leave_code: Some(self.code(app, Purpose::Leave, "")),
        };
        Frame::new(title, self.large, Some(signed))
    }
}

impl Keys {
    /// The tokens themselves.
    pub(super) fn tokens(&self) -> impl Iterator<Item = &Token> {
        self.0.iter().map(|(_, token)| token)
    }

    /// Ends every session that they open.
    pub(super) async fn leave(&self, app: &App) -> Result<(), Problem> {
        let codes: Vec<_> = self
            .0
            .iter()
            .map(|(cookie, token)| cookie.code(token, &app.vault))
            .collect();
        let leave = app
            .db
            .write(move |tx| codes.iter().try_for_each(|code| links::leave(tx, *code)));
        Ok(leave.await?)
    }
}

/// Who holds the session of this token, if it is one of this kind.
pub(super) async fn visitor(
    app: &App,
    cookie: SessionCookie,
    token: &Token,
) -> Result<Option<Visitor>, Problem> {
    let code = cookie.code(token, &app.vault);
    Ok(links::visitor(&app.db, code, app.now_ms()).await?)
}

/// The code that a form carries where the browser holds this token.
pub(super) fn form_code(app: &App, token: &Token, purpose: Purpose, thing: &str) -> String {
    let purpose = format!("{}/{thing}", purpose.text());
    let code = token.form_code(&app.vault, &purpose);
    base64::encode(&code).trim_end_matches('=').to_owned()
}

/// The token in a browser's cookie.
pub(super) fn token(headers: &HeaderMap, cookie: SessionCookie) -> Option<Token> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|cookies| cookies.to_str().ok())
        .find_map(|cookies| cookie.token(cookies))
}
