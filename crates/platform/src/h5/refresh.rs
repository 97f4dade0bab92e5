//! Refreshing a citizen's list: each hospital is asked how its unpaid records stand (ORG_001).

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use banyan_store::db::StoreError;
use banyan_store::overdue::items;
use banyan_store::overdue::links::Visitor;
use futures_util::StreamExt as _;
use futures_util::stream;

use super::page::{self, News};
use super::{LIST_PATH, failed, respond, visitor};
use crate::app::App;
use crate::overdue::settlement::Settled;
use crate::work::reconcile;

/// A record that was asked about within this is not asked about again: refreshing again and again
/// must not become a burden for hospitals.
const FRESH_MS: i64 = 60_000;
/// More than anybody has unpaid; it bounds what one click can cost.
const MOST_ITEMS: i64 = 20;
/// Hospitals asked at once.
const AT_ONCE: usize = 4;

/// Asks the hospitals and leads back to the list.
pub(super) async fn handle(State(app): State<App>, headers: HeaderMap) -> Response {
    if !same_origin(&app, &headers) {
        return respond(StatusCode::FORBIDDEN, page::no_session());
    }
    let refreshed = async {
        let Some(visitor) = visitor(&app, &headers).await? else {
            return Ok(respond(StatusCode::UNAUTHORIZED, page::no_session()));
        };
        let news = refresh(&app, &visitor).await?;
        let location = format!("{LIST_PATH}?{}", news.as_query());
        Ok::<_, StoreError>((StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response())
    };
    refreshed.await.unwrap_or_else(|error| failed(&app, &error))
}

async fn refresh(app: &App, visitor: &Visitor) -> Result<News, StoreError> {
    let before_ms = app.now_ms() - FRESH_MS;
    let unpaid =
        items::unchecked_of_person(&app.db, &visitor.person, before_ms, MOST_ITEMS).await?;
    let answers: Vec<Result<News, StoreError>> = stream::iter(unpaid)
        .map(|item| async move {
            let hospital = app.directory.by_id(item.partner);
            let Some(hospital) = hospital.filter(|hospital| hospital.active) else {
                return Ok(News::Unanswered);
            };
            Ok(match reconcile::ask(app, &hospital, &item).await? {
                Ok(Settled::Changed(_)) => News::Changed,
                Ok(Settled::Unchanged) => News::Unchanged,
                Err(fault) => {
                    tracing::info!(partner = &*hospital.app_id, %fault, "a refresh was not answered");
                    News::Unanswered
                }
            })
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let mut news = News::Unchanged;
    for answer in answers {
        news = match (news, answer?) {
            (News::Unanswered, _) | (_, News::Unanswered) => News::Unanswered,
            (News::Changed, _) | (_, News::Changed) => News::Changed,
            _ => News::Unchanged,
        };
    }
    Ok(news)
}

/// Another site's form may not press this button. The cookie is `SameSite=Lax`, so browsers that
/// know the attribute do not even send it; this is for those that send neither header rightly.
fn same_origin(app: &App, headers: &HeaderMap) -> bool {
    let text = |name| {
        headers
            .get(name)
            .map(|value| value.to_str().unwrap_or_default())
    };
    match (text("sec-fetch-site"), text("origin")) {
        (Some(site), _) => site == "same-origin",
        (None, Some(origin)) => app.public_url.starts_with(origin),
        (None, None) => true,
    }
}
