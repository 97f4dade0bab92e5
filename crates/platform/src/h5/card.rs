//! 电子健康卡: one's own card with a code that lives for a short while, and taking a card.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::CARD_PATH;
use super::authorisation::SVG;
use super::frame::{self, Frame, lead_to};
use super::guest::{Guest, Holder, Purpose};
use super::posted::Posted;
use super::problem::Problem;
use super::visits::Doing;
use super::words;
use crate::app::App;
use crate::health_card::card::{self, Card};
use crate::health_card::identity::Stated;
use crate::health_card::own::{self, Holding, Taken};
use crate::masking::{masked_name, masked_number};
use crate::overdue::visitor::{Known, known};

/// A card as it is drawn.
pub(super) struct Stub {
    /// 卡号, in groups of four.
    pub(super) card_no: String,
    pub(super) masked_name: String,
    pub(super) masked_id_no: String,
}

#[derive(Template)]
#[template(path = "h5/card.html")]
struct CardPage {
    frame: Frame,
    card: Stub,
    ttl_ms: i64,
}

#[derive(Template)]
#[template(path = "h5/card_take.html")]
struct TakePage {
    frame: Frame,
    masked_name: String,
    masked_id_no: String,
    code: String,
    phone: String,
    phone_fault: Option<&'static str>,
    is_refused: bool,
}

#[derive(Template)]
#[template(path = "h5/card_differs.html")]
struct DiffersPage {
    frame: Frame,
}

/// Said where a phone number can't be one.
pub(super) const PHONE_FAULT: &str = "应为 11 位手机号，以 1 开头";

/// Shows the card; where there is none yet, how to take one.
pub(super) async fn show(
    State(app): State<App>,
    Holder(guest): Holder,
) -> Result<Response, Problem> {
    let known = known(&app, &guest.visitor)?;
    match own::holding(&app, &stated(&known, "")).await? {
        Holding::Card(card) => frame::page(&CardPage {
            frame: guest.frame(&app, "电子健康卡"),
            card: Stub::of(card),
            ttl_ms: app.settings.health_card.code_ttl_ms,
        }),
        Holding::NotRegistered => frame::page(&take_page(&app, &guest, &known)),
        Holding::NameDiffers => frame::page(&DiffersPage {
            frame: guest.frame(&app, "电子健康卡暂时不能使用"),
        }),
    }
}

/// Draws a new code of the card.
pub(super) async fn code(
    State(app): State<App>,
    Holder(guest): Holder,
) -> Result<Response, Problem> {
    let known = known(&app, &guest.visitor)?;
    let Holding::Card(card) = own::holding(&app, &stated(&known, "")).await? else {
        return Err(Problem::NotFound);
    };
    let person = guest.visitor.person;
    if !app.visits.allow(person, Doing::Code, app.now_ms()) {
        return Err(Problem::TooOften);
    }
    let living = card::issue_code(&app, card.person).ok_or(Problem::Broken)?;
    Ok(([SVG], living.svg).into_response())
}

/// Takes a card for whom the session names.
pub(super) async fn take(
    State(app): State<App>,
    Holder(guest): Holder,
    posted: Posted,
) -> Result<Response, Problem> {
    let fields = posted.confirm(&app, &guest, Purpose::TakeCard, "")?;
    let person = guest.visitor.person;
    if !app.visits.allow(person, Doing::TakeCard, app.now_ms()) {
        return Err(Problem::TooOften);
    }
    let known = known(&app, &guest.visitor)?;
    let phone = fields.get("mobilePhone");
    match own::take(&app, &stated(&known, phone)).await? {
        // The page itself says how it stands now.
        Taken::Done | Taken::NameDiffers => Ok(lead_to(CARD_PATH)),
        Taken::Malformed(fault) => {
            let of_phone = fault.path == "mobilePhone";
            let page = TakePage {
                phone: phone.to_owned(),
                phone_fault: of_phone.then_some(PHONE_FAULT),
                is_refused: !of_phone,
                ..take_page(&app, &guest, &known)
            };
            frame::page_with(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
    }
}

fn take_page(app: &App, guest: &Guest, known: &Known) -> TakePage {
    TakePage {
        code: guest.code(app, Purpose::TakeCard, ""),
        frame: guest.frame(app, "领取电子健康卡"),
        masked_name: masked_name(&known.user_name),
        masked_id_no: masked_number(&known.id_no),
        phone: String::new(),
        phone_fault: None,
        is_refused: false,
    }
}

fn stated<'a>(known: &'a Known, mobile_phone: &'a str) -> Stated<'a> {
    Stated {
        id_type: &known.id_type,
        id_no: &known.id_no,
        user_name: &known.user_name,
        mobile_phone,
        ..Stated::default()
    }
}

impl Stub {
    pub(super) fn of(card: Card) -> Self {
        let digits: Vec<char> = card.card_no.chars().collect();
        let groups: Vec<String> = digits.chunks(4).map(String::from_iter).collect();
        Self {
            card_no: groups.join(" "),
            masked_name: card.masked_name,
            masked_id_no: card.masked_id_no,
        }
    }
}
