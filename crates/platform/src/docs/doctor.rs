//! 签名医生 as a page: a form, and what came of it.

use askama::Template;
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse as _, Response};
use banyan_doctor::{Diagnosis, Language, Question, examine, headline};
use serde::Deserialize;
use tokio::sync::Semaphore;
use zeroize::Zeroize as _;

use super::{DOCTOR_PATH, STYLE_PATH};
use crate::app::App;

/// An examination may take half a second of a processor; the platform has others to serve.
static PLACES: Semaphore = Semaphore::const_new(2);

/// What the form carries. It has no `Debug`: there is a secret in it.
#[derive(Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    captured: String,
    #[serde(default)]
    secret: String,
    #[serde(default)]
    signed: String,
    #[serde(default)]
    language: String,
    show_data: Option<String>,
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.secret.zeroize();
    }
}

#[derive(Template)]
#[template(path = "docs/doctor.html")]
struct Page<'a> {
    style: &'static str,
    path: &'static str,
    problem: Option<&'static str>,
    captured: &'a str,
    signed: &'a str,
    language: Option<Language>,
    found: Option<Found<'a>>,
}

/// A diagnosis as the page shows it.
struct Found<'a> {
    headline: String,
    diagnosis: &'a Diagnosis,
    language: Option<Language>,
}

impl Found<'_> {
    /// The lines of code that are shown of a difference.
    fn is_shown(&self, line: &banyan_doctor::Line) -> bool {
        self.language
            .is_none_or(|language| language.name() == line.language)
    }
}

impl Page<'_> {
    const fn empty() -> Self {
        Self {
            style: STYLE_PATH,
            path: DOCTOR_PATH,
            problem: None,
            captured: "",
            signed: "",
            language: None,
            found: None,
        }
    }

    fn answer(&self, status: StatusCode) -> Response {
        match self.render() {
            Ok(html) => (status, Html(html)).into_response(),
            Err(error) => {
                tracing::error!(%error, "a page could not be rendered");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    }
}

/// The empty form.
pub(super) async fn form() -> Response {
    Page::empty().answer(StatusCode::OK)
}

/// Examines what was sent in.
pub(super) async fn examined(
    State(app): State<App>,
    asked: Result<Form<Asked>, FormRejection>,
) -> Response {
    let asked = match asked {
        Ok(Form(asked)) => asked,
        Err(rejection) => {
            let page = Page {
                problem: Some("表单没有读懂：内容可能过大（至多 4 MiB）"),
                ..Page::empty()
            };
            return page.answer(rejection.status());
        }
    };
    let with_problem = |problem, status| {
        let page = Page {
            problem: Some(problem),
            captured: &asked.captured,
            signed: &asked.signed,
            language: Language::from_name(&asked.language),
            ..Page::empty()
        };
        page.answer(status)
    };
    if asked.secret.trim().len() < 16 {
        return with_problem("密钥至少 16 位", StatusCode::UNPROCESSABLE_ENTITY);
    }
    let Ok(_place) = PLACES.try_acquire() else {
        return with_problem("诊断的人较多，请稍后再试", StatusCode::SERVICE_UNAVAILABLE);
    };
    let now_ms = app.now_ms();
    let done = tokio::task::spawn_blocking(move || {
        let signed = asked.signed.trim();
        let diagnosis = examine(&Question {
            captured: asked.captured.as_bytes(),
            secrets: &[asked.secret.trim()],
            signed: (!signed.is_empty()).then_some(signed),
            now_ms: Some(now_ms),
            show_data: asked.show_data.is_some(),
        });
        (diagnosis, asked)
    });
    let Ok((diagnosis, asked)) = done.await else {
        let page = Page {
            problem: Some("诊断没有完成"),
            ..Page::empty()
        };
        return page.answer(StatusCode::INTERNAL_SERVER_ERROR);
    };
    let language = Language::from_name(&asked.language);
    let page = Page {
        captured: &asked.captured,
        signed: &asked.signed,
        language,
        found: Some(Found {
            headline: headline(&diagnosis),
            diagnosis: &diagnosis,
            language,
        }),
        ..Page::empty()
    };
    page.answer(StatusCode::OK)
}
