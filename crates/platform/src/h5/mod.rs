//! The pages of citizens (H5): 医疗欠费名单用户应用, and those of the 电子健康卡.
//!
//! What enters: a link of ORG_MDL_004, opened once ([`entry`]); it gives a session of half an hour
//! ([`session`]), bound to one person. Forms come in through [`posted`], which lets only those pass
//! that a page of ours made for this very session.
//!
//! What is shown: the person's own list ([`list`]), each record with its history ([`record`]),
//! appeals and their progress ([`appeal`]), who looked ([`looks`]); a refresh asks the hospitals
//! ([`refresh`]). Behind a hospital's link (ORG_EHC_001) a citizen authorises it
//! ([`authorisation`]); his card shows a code that lives a minute ([`card`]). His 医保电子凭证 shows one too, and takes the
//! password that an institution waits for ([`credential`]). Nothing here
//! reads the store past the rooms but the sessions, and a refresh the list of what it asks about.
//!
//! How it is made: a handler gives a page (a struct beside its template in `templates/h5`, dressed
//! in a [`frame`]) or a [`problem::Problem`]; [`dress`] turns the latter into a page in plain words
//! and puts the headers on all of them. Server-rendered; the one script only makes forms nicer,
//! and nothing is asked of any other host.

mod appeal;
mod assets;
mod authorisation;
mod card;
mod credential;
mod entry;
mod frame;
mod guest;
mod list;
mod looks;
mod posted;
mod problem;
mod record;
mod refresh;
pub mod session;
mod size;
pub mod visits;
mod words;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{any, get, post};

use crate::app::App;
use problem::{Place, Problem};

const LIST_PATH: &str = "/h5/overdue";
const ITEM_PATH: &str = "/h5/overdue/item";
const APPEALS_PATH: &str = "/h5/overdue/appeals";
const LOOKS_PATH: &str = "/h5/overdue/looks";
/// 电子健康卡; behind it `/code` draws a new code.
const CARD_PATH: &str = "/h5/ehc/card";
/// 医保电子凭证; behind it `/code` draws a new code, `/waiting` says whether anybody waits for the
/// password.
const CREDENTIAL_PATH: &str = "/h5/ec";
const PASSWORD_PATH: &str = "/h5/ec/password";
const REQUESTS_PATH: &str = "/h5/ec/requests";
const REFRESH_PATH: &str = "/h5/refresh";
const LEAVE_PATH: &str = "/h5/leave";
const SIZE_PATH: &str = "/h5/size";

/// The routes of the pages.
pub fn routes(app: &App) -> Router<App> {
    Router::new()
        .route("/h5/in/{token}", get(entry::enter))
        .route(LIST_PATH, get(list::show))
        .route("/h5/overdue/item/{id}", get(record::show))
        .route(
            "/h5/overdue/item/{id}/appeal",
            get(appeal::write).post(appeal::file),
        )
        .route(APPEALS_PATH, get(appeal::list))
        .route("/h5/overdue/appeals/{id}", get(appeal::show))
        .route("/h5/overdue/appeals/{id}/withdraw", post(appeal::withdraw))
        .route(LOOKS_PATH, get(looks::show))
        .route(
            "/h5/ehc/auth/{token}",
            get(authorisation::show).post(authorisation::claim),
        )
        .route("/h5/ehc/auth/{token}/qr.svg", get(authorisation::picture))
        .route("/h5/ehc/auth/{token}/confirm", post(authorisation::confirm))
        .route("/h5/ehc/auth/{token}/cancel", post(authorisation::cancel))
        .route(CARD_PATH, get(card::show).post(card::take))
        .route("/h5/ehc/card/code", get(card::code))
        .route(
            CREDENTIAL_PATH,
            get(credential::show).post(credential::take),
        )
        .route("/h5/ec/code", get(credential::picture))
        .route("/h5/ec/waiting", get(credential::is_waiting))
        .route(
            PASSWORD_PATH,
            get(credential::password_form).post(credential::set_password),
        )
        .route(REQUESTS_PATH, get(credential::requests))
        .route("/h5/ec/requests/{id}", post(credential::enter))
        .route(REFRESH_PATH, post(refresh::handle))
        .route(LEAVE_PATH, post(entry::leave))
        .route(SIZE_PATH, post(size::switch))
        .route("/h5/assets/{name}", get(assets::serve))
        .route("/h5", any(async || Problem::NotFound))
        .route("/h5/", any(async || Problem::NotFound))
        .route("/h5/{*rest}", any(async || Problem::NotFound))
        .method_not_allowed_fallback(async || Problem::WrongMethod)
        .route_layer(middleware::from_fn_with_state(app.clone(), dress))
}

/// Turns a problem into a page, and puts on every answer the headers that keep it safe.
async fn dress(State(app): State<App>, request: Request, next: Next) -> Response {
    let large = size::is_large(request.headers());
    let place = Place::of(request.uri().path());
    let mut response = next.run(request).await;
    let mut problem = response.extensions_mut().remove::<Problem>();
    if problem.is_none() && response.status() == StatusCode::BAD_REQUEST {
        // A path that is no text; our own pages have problems of their own.
        problem = Some(Problem::NotFound);
    }
    if let Some(problem) = problem {
        response = problem.page(&app, large, place);
    }
    banyan_web::protect(&mut response, CONTENT_SECURITY_POLICY);
    response
}

const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
     connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
