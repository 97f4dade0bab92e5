//! 授权: the page behind a hospital's link (ORG_EHC_001). Who asks and what for; the citizen says
//! who he is, sees his card, and authorises or does not. What it comes to is the room's to decide
//! ([`crate::health_card::authorise`]).
//!
//! A link is opened as often as one likes, by whoever has it. What ties the steps of one person
//! together is his browser's cookie, which makes the forms' codes, and the proof that the second
//! form carries; its code covers the proof too, so no other's can be put in its place.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use banyan_protocol::dictionaries::IdType;
use banyan_protocol::wire::FieldFault;
use banyan_store::health_card::authorisations::{EXPIRED, State as Standing};
use banyan_store::overdue::links;

use super::card::{PHONE_FAULT, Stub};
use super::entry::{forget_if_held, is_secure, with_cookie};
use super::frame::{self, Frame, Signed, lead_to};
use super::guest::{self, Holder, Purpose, form_code};
use super::posted::{Fields, Posted};
use super::problem::Problem;
use super::session::{CARD_COOKIE, OVERDUE_COOKIE};
use super::visits::TooManyClaims;
use super::words::Moment;
use super::{CARD_PATH, size};
use crate::app::App;
use crate::health_card::AUTHORISATION_PATH;
use crate::health_card::authorise::{self, Asking, Claimed, Confirmed};
use crate::health_card::identity::Stated;
use crate::overdue::visitor::{Known, visitor};
use crate::token::Token;

/// How long somebody may see his card after he said who he is: long enough to show it at a window.
const CARD_SESSION_MS: i64 = 15 * 60_000;

#[derive(Template)]
#[template(path = "h5/authorise.html")]
struct FormPage {
    frame: Frame,
    link: Link,
    claim_code: String,
    cancel_code: String,
    form: Form,
    faults: Faults,
    tries_left: Option<u32>,
}

#[derive(Template)]
#[template(path = "h5/authorise_confirm.html")]
struct ConfirmPage {
    frame: Frame,
    link: Link,
    card: Stub,
    is_new: bool,
    proof: String,
    confirm_code: String,
    cancel_code: String,
}

#[derive(Template)]
#[template(path = "h5/authorise_ended.html")]
struct EndedPage {
    frame: Frame,
    link: Link,
    ended: Ended,
    has_card: bool,
}

/// How an authorisation ended, as its page tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    Given,
    /// Given by somebody else, before whoever sees this.
    GivenByAnother,
    Cancelled,
    Expired,
    Failed,
}

/// An authorisation's link that somebody opened.
struct Link {
    token: Token,
    asking: Asking,
}

/// The form as it was filled in.
#[derive(Default)]
struct Form {
    user_name: String,
    id_type: String,
    id_no: String,
    phone: String,
}

/// What is wrong with it, by field.
#[derive(Debug, Default, PartialEq, Eq)]
struct Faults {
    user_name: Option<String>,
    id_type: Option<String>,
    id_no: Option<String>,
    phone: Option<String>,
}

/// Shows who asks, with the form; or how it ended.
pub(super) async fn show(
    State(app): State<App>,
    Path(token): Path<String>,
    headers: HeaderMap,
    holder: Result<Holder, Problem>,
) -> Result<Response, Problem> {
    let link = Link::open(&app, &token).await?;
    if let Some(ended) = Ended::of(&link.asking.state) {
        return ended_page(&app, StatusCode::OK, link, ended, holder.ok(), &headers);
    }
    // A browser that has opened another link keeps its token: both pages' forms stay good.
    let key =
        guest::token(&headers, CARD_COOKIE).unwrap_or_else(|| Token::generate(&*app.world.random));
    let seconds = app.settings.health_card.authorisation_ttl_ms / 1000;
    let page = form_page(&app, &headers, &key, link, Form::default());
    let cookie = CARD_COOKIE.set(&key, seconds.max(1), is_secure(&app));
    with_cookie(frame::page(&page)?, &cookie)
}

/// The link as a QR code. It holds nothing but the link, so a hospital may show it on a page of
/// its own.
pub(super) async fn picture(
    State(app): State<App>,
    Path(token): Path<String>,
) -> Result<Response, Problem> {
    let link = Link::open(&app, &token).await?;
    let svg = authorise::authorisation_qr_svg(&app, &link.text()).ok_or(Problem::Broken)?;
    let elsewhere_too = (
        header::HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("cross-origin"),
    );
    Ok(([elsewhere_too, SVG], svg).into_response())
}

/// Takes in who somebody says that he is.
pub(super) async fn claim(
    State(app): State<App>,
    Path(token): Path<String>,
    headers: HeaderMap,
    posted: Posted,
) -> Result<Response, Problem> {
    let link = Link::open(&app, &token).await?;
    let key = guest::token(&headers, CARD_COOKIE).ok_or(Problem::Forged)?;
    let fields = posted.confirm_by(&app, [&key], Purpose::Claim, &link.text())?;
    if Ended::of(&link.asking.state).is_some() {
        return Ok(lead_to(&link.path()));
    }
    let form = Form::of(&fields);
    let mut page = FormPage {
        faults: form.missing(),
        ..form_page(&app, &headers, &key, link, form)
    };
    if page.has_faults() {
        return frame::page_with(StatusCode::UNPROCESSABLE_ENTITY, &page);
    }
    let text = page.link.text();
    let of_link = page.link.token.code(&app.vault).0;
    app.visits
        .allow_claim(of_link, app.now_ms())
        .map_err(|too_many| match too_many {
            TooManyClaims::OfLink => Problem::TooOften,
            TooManyClaims::OfAll => Problem::Crowded,
        })?;
    let claimed = authorise::claim(&app, &text, &page.form.stated())
        .await?
        .ok_or(Problem::NoAuthorisation)?;
    match claimed {
        Claimed::Right {
            proof,
            card,
            is_new,
        } => {
            let FormPage { link, form, .. } = page;
            let right = (Stub::of(card), proof, is_new);
            return claimed_rightly(&app, &headers, link, form, right).await;
        }
        Claimed::Over(_) | Claimed::Wrong { tries_left: 0 } => {
            return Ok(lead_to(&page.link.path()));
        }
        Claimed::Malformed(fault) => page.faults = Faults::of(fault),
        Claimed::Wrong { tries_left } => page.tries_left = Some(tries_left),
    }
    frame::page_with(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

/// Opens the session of his card and asks whether he authorises.
async fn claimed_rightly(
    app: &App,
    headers: &HeaderMap,
    link: Link,
    form: Form,
    (card, proof, is_new): (Stub, String, bool),
) -> Result<Response, Problem> {
    let known = Known {
        id_type: form.id_type.trim().to_owned(),
        id_no: form.id_no.trim().to_ascii_uppercase(),
        user_name: form.user_name.trim().to_owned(),
    };
    let visitor = visitor(app, link.asking.partner, known);
    let was_another = match guest::token(headers, OVERDUE_COOKIE) {
        Some(token) => guest::visitor(app, OVERDUE_COOKIE, &token)
            .await?
            .is_some_and(|before| before.person != visitor.person),
        None => false,
    };
    // Not the token that the browser had: it knew that one before it was anybody's.
    let key = Token::generate(&*app.world.random);
    let code = CARD_COOKIE.code(&key, &app.vault);
    let now_ms = app.now_ms();
    app.db
        .write(move |tx| links::open(tx, code, &visitor, now_ms, now_ms + CARD_SESSION_MS))
        .await?;
    let text = link.text();
    let page = ConfirmPage {
        frame: Frame::new(
            "确认授权",
            size::is_large(headers),
            // No other type size from here: it would lead back to an empty form.
            Some(Signed {
                menu: &[],
                here: link.path(),
                size_code: None,
                leave_code: Some(form_code(app, &key, Purpose::Leave, "")),
            }),
        ),
        confirm_code: form_code(app, &key, Purpose::Authorise, &covered(&text, &proof)),
        cancel_code: form_code(app, &key, Purpose::Cancel, &text),
        link,
        card,
        is_new,
        proof,
    };
    let cookie = CARD_COOKIE.set(&key, CARD_SESSION_MS / 1000, is_secure(app));
    let response = with_cookie(frame::page(&page)?, &cookie)?;
    if was_another {
        // Whoever came in last holds the browser.
        return forget_if_held(app, headers, OVERDUE_COOKIE, response);
    }
    Ok(response)
}

/// Authorises the hospital.
pub(super) async fn confirm(
    State(app): State<App>,
    Path(token): Path<String>,
    headers: HeaderMap,
    holder: Result<Holder, Problem>,
    posted: Posted,
) -> Result<Response, Problem> {
    let link = Link::open(&app, &token).await?;
    let key = guest::token(&headers, CARD_COOKIE).ok_or(Problem::Forged)?;
    let (text, proof) = (link.text(), posted.covered("proof"));
    posted.confirm_by(&app, [&key], Purpose::Authorise, &covered(&text, &proof))?;
    let confirmed = authorise::confirm(&app, &text, &proof)
        .await?
        .ok_or(Problem::NoAuthorisation)?;
    match confirmed {
        Confirmed::NotProved => Err(Problem::Forged),
        Confirmed::Over(Standing::Succ(_)) => {
            let ended = Ended::GivenByAnother;
            ended_page(
                &app,
                StatusCode::CONFLICT,
                link,
                ended,
                holder.ok(),
                &headers,
            )
        }
        Confirmed::Done | Confirmed::Over(_) => Ok(lead_to(&link.path())),
    }
}

/// Does not authorise it. Whoever has the link may say so; it needs no proof.
pub(super) async fn cancel(
    State(app): State<App>,
    Path(token): Path<String>,
    headers: HeaderMap,
    posted: Posted,
) -> Result<Response, Problem> {
    let link = Link::open(&app, &token).await?;
    let key = guest::token(&headers, CARD_COOKIE).ok_or(Problem::Forged)?;
    let text = link.text();
    posted.confirm_by(&app, [&key], Purpose::Cancel, &text)?;
    authorise::cancel(&app, &text)
        .await?
        .ok_or(Problem::NoAuthorisation)?;
    // Whoever does not authorise leaves no card open behind him.
    let code = CARD_COOKIE.code(&key, &app.vault);
    app.db.write(move |tx| links::leave(tx, code)).await?;
    Ok(lead_to(&link.path()))
}

pub(super) const SVG: (header::HeaderName, HeaderValue) = (
    header::CONTENT_TYPE,
    HeaderValue::from_static("image/svg+xml"),
);

impl Link {
    async fn open(app: &App, token: &str) -> Result<Self, Problem> {
        let token = Token::parse(token).ok_or(Problem::NoAuthorisation)?;
        let asking = authorise::of_token(app, &token.text())
            .await?
            .ok_or(Problem::NoAuthorisation)?;
        Ok(Self { token, asking })
    }

    /// The token in its one spelling.
    fn text(&self) -> String {
        self.token.text()
    }

    fn path(&self) -> String {
        format!("{AUTHORISATION_PATH}/{}", self.text())
    }
}

fn form_page(app: &App, headers: &HeaderMap, key: &Token, link: Link, form: Form) -> FormPage {
    let text = link.text();
    let signed = Signed {
        menu: &[],
        here: link.path(),
        size_code: Some(form_code(app, key, Purpose::Size, "")),
        leave_code: None,
    };
    FormPage {
        frame: Frame::new("电子健康卡授权", size::is_large(headers), Some(signed)),
        claim_code: form_code(app, key, Purpose::Claim, &text),
        cancel_code: form_code(app, key, Purpose::Cancel, &text),
        link,
        form,
        faults: Faults::default(),
        tries_left: None,
    }
}

fn ended_page(
    app: &App,
    status: StatusCode,
    link: Link,
    ended: Ended,
    holder: Option<Holder>,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let title = match ended {
        Ended::Given => "授权已完成",
        Ended::GivenByAnother => "这次操作没有生效",
        Ended::Cancelled => "没有授权",
        Ended::Expired => "授权链接已过期",
        Ended::Failed => "授权没有完成",
    };
    let has_card = holder.is_some();
    let mut frame = match holder {
        Some(Holder(guest)) => guest.frame(app, title),
        None => Frame::new(title, size::is_large(headers), None),
    };
    if let Some(signed) = &mut frame.visitor {
        // Not where the form was sent to.
        signed.here = link.path();
    }
    let page = EndedPage {
        frame,
        has_card,
        link,
        ended,
    };
    frame::page_with(status, &page)
}

/// What the code of the second form covers.
fn covered(link: &str, proof: &str) -> String {
    format!("{link}/{proof}")
}

impl FormPage {
    fn has_faults(&self) -> bool {
        self.faults != Faults::default()
    }
}

impl Ended {
    fn of(state: &Standing) -> Option<Self> {
        Some(match state {
            Standing::Ing => return None,
            Standing::Succ(_) => Self::Given,
            Standing::Cancel => Self::Cancelled,
            Standing::Fail(reason) if reason == EXPIRED => Self::Expired,
            Standing::Fail(_) => Self::Failed,
        })
    }
}

impl Form {
    fn of(fields: &Fields) -> Self {
        let field = |name| fields.get(name).to_owned();
        Self {
            user_name: field("userName"),
            id_type: field("idType"),
            id_no: field("idNo"),
            phone: field("mobilePhone"),
        }
    }

    /// Everything that was left out is named at once.
    fn missing(&self) -> Faults {
        let missing = |text: &str, fault: &str| text.trim().is_empty().then(|| fault.to_owned());
        Faults {
            user_name: missing(&self.user_name, "请填写姓名"),
            id_type: missing(&self.id_type, "请选择证件类型"),
            id_no: missing(&self.id_no, "请填写证件号码"),
            phone: missing(&self.phone, "请填写手机号"),
        }
    }

    fn stated(&self) -> Stated<'_> {
        Stated {
            id_type: self.id_type.trim(),
            id_no: &self.id_no,
            user_name: &self.user_name,
            mobile_phone: &self.phone,
            ..Stated::default()
        }
    }

    /// Most people have a resident's card.
    fn is_chosen(&self, id_type: &str) -> bool {
        self.id_type == id_type || self.id_type.is_empty() && id_type == "01"
    }
}

impl Faults {
    fn of(fault: FieldFault) -> Self {
        let mut faults = Self::default();
        match fault.path.as_str() {
            "mobilePhone" => faults.phone = Some(PHONE_FAULT.to_owned()),
            "userName" => faults.user_name = Some(fault.expected),
            // The codes that the room names say nothing to a citizen.
            "idType" => faults.id_type = Some("请从列表中选择证件类型".to_owned()),
            _ => faults.id_no = Some(fault.expected),
        }
        faults
    }
}
