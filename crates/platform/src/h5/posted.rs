//! A form that was sent in. Its fields come out only where a page of ours made it for this very
//! session and purpose.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use subtle::ConstantTimeEq as _;
use url::{Url, form_urlencoded};

use super::guest::{Purpose, Sitting, form_code};
use super::problem::Problem;
use crate::app::App;
use crate::token::Token;

/// The largest form: 500 four-byte letters, each byte written as three, and room for the rest.
const MOST_BYTES: usize = 12 << 10;
/// A form that takes longer is not coming.
const PATIENCE: Duration = Duration::from_secs(15);
/// The field that carries the code.
const CODE_FIELD: &str = "code";

/// A form as it came in, not believed yet.
pub(super) struct Posted(Vec<(String, String)>);

/// The fields of a form that is ours.
pub(super) struct Fields(Vec<(String, String)>);

impl FromRequest<App> for Posted {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        if comes_from_elsewhere(app, request.headers()) {
            return Err(Problem::Forged);
        }
        let bytes = read(request.into_body()).await?;
        let fields = form_urlencoded::parse(&bytes).into_owned().collect();
        Ok(Self(fields))
    }
}

impl Posted {
    /// The fields, where the form carries this session's code for this purpose on this thing.
    pub(super) fn confirm(
        self,
        app: &App,
        sitting: &Sitting,
        purpose: Purpose,
        thing: &str,
    ) -> Result<Fields, Problem> {
        self.confirm_by(app, [sitting.token()], purpose, thing)
    }

    /// The same for a browser that carries these tokens, one of which made the form.
    pub(super) fn confirm_by<'a>(
        self,
        app: &App,
        tokens: impl IntoIterator<Item = &'a Token>,
        purpose: Purpose,
        thing: &str,
    ) -> Result<Fields, Problem> {
        let fields = Fields(self.0);
        let given = fields.get(CODE_FIELD).as_bytes();
        let is_ours = |token| {
            let wanted = form_code(app, token, purpose, thing);
            bool::from(given.ct_eq(wanted.as_bytes()))
        };
        if tokens.into_iter().any(is_ours) {
            Ok(fields)
        } else {
            Err(Problem::Forged)
        }
    }

    /// A field that the form's code covers, and that must be read to check it.
    pub(super) fn covered(&self, name: &str) -> String {
        field(&self.0, name).to_owned()
    }
}

impl Fields {
    /// A field's text; empty where it is missing.
    pub(super) fn get(&self, name: &str) -> &str {
        field(&self.0, name)
    }
}

fn field<'a>(fields: &'a [(String, String)], name: &str) -> &'a str {
    fields
        .iter()
        .find(|(its_name, _)| its_name == name)
        .map_or("", |(_, value)| value)
}

async fn read(body: Body) -> Result<Vec<u8>, Problem> {
    let collected = tokio::time::timeout(PATIENCE, Limited::new(body, MOST_BYTES).collect()).await;
    match collected {
        Ok(Ok(whole)) => Ok(whole.to_bytes().into()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Problem::TooLarge),
        Ok(Err(_)) | Err(_) => Err(Problem::BadForm),
    }
}

/// Whether the browser itself says that another site sent this. One that says nothing (an old
/// one, or `null` under our own referrer policy) is left to the form's code.
fn comes_from_elsewhere(app: &App, headers: &HeaderMap) -> bool {
    let text = |name: &str| {
        headers
            .get(name)
            .map(|value| value.to_str().unwrap_or_default())
    };
    match (text("sec-fetch-site"), text(header::ORIGIN.as_str())) {
        (Some(site), _) => !["same-origin", "none"].contains(&site),
        (None, None | Some("null")) => false,
        (None, Some(origin)) => {
            Url::parse(&app.public_url).map(|url| url.origin().ascii_serialization())
                != Ok(origin.to_owned())
        }
    }
}
