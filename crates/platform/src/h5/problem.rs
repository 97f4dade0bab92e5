//! What a visitor is told when a page can't be shown: what happened, and what he can do.

use askama::Template;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use banyan_store::db::StoreError;

use super::frame::{self, Frame};
use super::{CARD_PATH, CREDENTIAL_PATH, LIST_PATH};
use crate::app::App;
use crate::health_card::AUTHORISATION_PATH;
use crate::token::Token;

/// Why a page is not shown.
#[derive(Debug, Clone)]
pub(super) enum Problem {
    /// The form can't be read.
    BadForm,
    /// No session, or one that is over.
    NoSession,
    /// The session was opened by a hospital, and this page asks for the person himself.
    NotVouched,
    /// No hospital asked for this authorisation.
    NoAuthorisation,
    /// The form was not made by a page of ours for this session.
    Forged,
    /// There is no such page, or it is not this visitor's.
    NotFound,
    /// The page exists, but not for this method.
    WrongMethod,
    /// The link was opened before, or is too old.
    LinkOver,
    /// The form is larger than any of ours.
    TooLarge,
    /// Too often in a short time.
    TooOften,
    /// Too often in a short time, by everybody together.
    Crowded,
    /// Something of ours that may pass.
    Failed(StoreError),
    /// A page that can't be written.
    Broken,
}

#[derive(Template)]
#[template(path = "h5/problem.html")]
struct Page {
    frame: Frame,
    lines: &'static [&'static str],
    back: Option<Back>,
}

/// Where a page of a problem leads back to.
struct Back {
    path: String,
    label: &'static str,
}

/// Where somebody met a problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// On the pages of the overdue list, or nowhere.
    List,
    /// On those of his health card.
    Card,
    /// On those of his credential.
    Credential,
    /// On those of the authorisation with this token.
    Authorisation(Token),
}

impl Place {
    /// The place of this path.
    pub(super) fn of(path: &str) -> Self {
        if path.starts_with(CARD_PATH) {
            return Self::Card;
        }
        if path.starts_with(CREDENTIAL_PATH) {
            return Self::Credential;
        }
        path.strip_prefix(AUTHORISATION_PATH)
            .and_then(|rest| rest.strip_prefix('/')?.split('/').next())
            .and_then(Token::parse)
            .map_or(Self::List, Self::Authorisation)
    }

    fn back(&self) -> Back {
        let (path, label) = match self {
            Self::List => (LIST_PATH.to_owned(), "返回名单"),
            Self::Card => (CARD_PATH.to_owned(), "返回电子健康卡"),
            Self::Credential => (CREDENTIAL_PATH.to_owned(), "返回医保电子凭证"),
            Self::Authorisation(token) => (
                format!("{AUTHORISATION_PATH}/{}", token.text()),
                "返回授权页面",
            ),
        };
        Back { path, label }
    }
}

impl Problem {
    /// Its page; notes what is the operator's concern.
    pub(super) fn page(self, app: &App, large: bool, place: Place) -> Response {
        if let Self::Failed(error) = &self {
            app.meters.failure("page");
            tracing::error!(%error, "a page failed");
        }
        let (status, title, mut lines) = self.said();
        if matches!(self, Self::NoSession) && place != Place::List {
            lines = &NO_CARD_SESSION;
        }
        // Whoever is not vouched for goes back to where he may be.
        let place = match self {
            Self::NotVouched => Place::List,
            _ => place,
        };
        let back = matches!(
            self,
            Self::BadForm
                | Self::Forged
                | Self::NotFound
                | Self::WrongMethod
                | Self::TooLarge
                | Self::TooOften
                | Self::NotVouched
                | Self::Crowded
        )
        .then(|| place.back());
        let page = Page {
            frame: Frame::new(title, large, None),
            lines,
            back,
        };
        // A page that can't be written has nothing better to offer than its status.
        frame::page_with(status, &page).unwrap_or_else(|_| status.into_response())
    }

    const fn said(&self) -> (StatusCode, &'static str, &'static [&'static str]) {
        match self {
            Self::BadForm => (
                StatusCode::BAD_REQUEST,
                "提交的内容无法识别",
                &["这次提交没有生效。", "请返回，重新打开页面后再提交。"],
            ),
            Self::NoSession => (
                StatusCode::UNAUTHORIZED,
                "请重新进入",
                &[
                    "为保护您的信息，页面停留一段时间后会自动退出。",
                    "请返回闽政通或医院应用，重新打开“医疗欠费名单”。",
                ],
            ),
            Self::NotVouched => (
                StatusCode::FORBIDDEN,
                "请从闽政通进入",
                &[
                    "医保电子凭证只有您本人能用，从医院打开的页面里不能使用。",
                    "请打开闽政通，进入“医疗欠费名单”，再点“医保码”。",
                ],
            ),
            Self::NoAuthorisation => (
                StatusCode::NOT_FOUND,
                "没有找到这个授权链接",
                &[
                    "地址可能不完整。",
                    "请回到医院，重新扫描窗口或自助机上的二维码。",
                ],
            ),
            Self::Forged => (
                StatusCode::FORBIDDEN,
                "这次操作没有生效",
                &[
                    "页面可能已经过期，或者这次操作不是从本页面发起的。",
                    "请返回，重新操作一次。",
                ],
            ),
            Self::NotFound => (
                StatusCode::NOT_FOUND,
                "没有找到这个页面",
                &["地址可能有误，或者这条记录不在您的名下。"],
            ),
            Self::WrongMethod => (
                StatusCode::METHOD_NOT_ALLOWED,
                "不能这样打开",
                &["请返回，从页面上的按钮进入。"],
            ),
            Self::LinkOver => (
                StatusCode::GONE,
                "链接已失效",
                &[
                    "该链接已使用或已过期。为保护您的信息，每个链接只能打开一次。",
                    "请返回闽政通或医院应用，重新打开“医疗欠费名单”。",
                ],
            ),
            Self::TooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "内容太长",
                &["这次提交没有生效。", "请缩短内容后再提交。"],
            ),
            Self::TooOften => (
                StatusCode::TOO_MANY_REQUESTS,
                "操作太频繁",
                &["这次操作没有生效。", "请过十分钟再试。"],
            ),
            Self::Crowded => (
                StatusCode::TOO_MANY_REQUESTS,
                "现在办理的人较多",
                &["这次提交没有生效。", "请过一分钟再试。"],
            ),
            Self::Failed(_) | Self::Broken => (
                StatusCode::SERVICE_UNAVAILABLE,
                "系统繁忙",
                &["暂时无法显示，请过几分钟再试。您的信息不会因此丢失。"],
            ),
        }
    }
}

const NO_CARD_SESSION: [&str; 2] = [
    "为保护您的信息，页面停留一段时间后会自动退出。",
    "请从闽政通重新进入，或重新打开医院给您的授权链接。",
];

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

/// The page itself is made further out, where the visitor's type size is known.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.said().0.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_place_leads_back_to_itself() {
        let token = "A".repeat(42) + "E";
        let page = format!("/h5/ehc/auth/{token}");
        for (path, back) in [
            ("/h5/overdue/item/1", LIST_PATH),
            ("/h5/ehc/card", CARD_PATH),
            ("/h5/ehc/card/code", CARD_PATH),
            ("/h5/ec/requests/1", CREDENTIAL_PATH),
            (&format!("{page}/confirm"), &page),
            (&page, &page),
            ("/h5/ehc/auth/x", LIST_PATH),
            ("/h5/ehc/authority", LIST_PATH),
        ] {
            assert_eq!(Place::of(path).back().path, back, "{path}");
        }
    }
}
