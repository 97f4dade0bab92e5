//! 医保电子凭证: its living code, taking one, its password, and those who wait for the password.
//!
//! Only whoever 闽政通 vouches for comes here ([`Vouched`]): a hospital can open a patient's list for
//! him, and could otherwise enter his password too.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use banyan_store::credential::holders::Holder;
use banyan_store::ids::{HealthCardPersonId, PasswordRequestId};

use super::authorisation::SVG;
use super::frame::{self, Frame, lead_to};
use super::guest::{Purpose, Vouched};
use super::posted::{Fields, Posted};
use super::problem::Problem;
use super::visits::Doing;
use super::words::{self, Moment};
use super::{CARD_PATH, CREDENTIAL_PATH, PASSWORD_PATH, REQUESTS_PATH};
use crate::app::App;
use crate::credential::code;
use crate::credential::own::{self, PLACES, Standing, Waiting};
use crate::credential::password::{self, Digits, Entered};
use crate::masking::{masked_name, masked_number};
use crate::overdue::visitor::{Known, known};

#[derive(Template)]
#[template(path = "h5/credential.html")]
struct CredentialPage {
    frame: Frame,
    masked_name: String,
    masked_id_no: String,
    place: &'static str,
    ttl_ms: i64,
    has_password: bool,
    waiting: bool,
}

#[derive(Template)]
#[template(path = "h5/credential_take.html")]
struct TakePage {
    frame: Frame,
    masked_name: String,
    masked_id_no: String,
    code: String,
    place: String,
    fault: Option<&'static str>,
}

#[derive(Template)]
#[template(path = "h5/credential_cannot.html")]
struct CannotPage {
    frame: Frame,
    differs: bool,
}

#[derive(Template)]
#[template(path = "h5/credential_password.html")]
struct PasswordPage {
    frame: Frame,
    code: String,
    has_password: bool,
    fault: Option<String>,
}

#[derive(Template)]
#[template(path = "h5/credential_requests.html")]
struct RequestsPage {
    frame: Frame,
    requests: Vec<Asked>,
}

#[derive(Template)]
#[template(path = "h5/credential_said.html")]
struct SaidPage {
    frame: Frame,
    lines: Vec<String>,
}

/// A request with the code of its form.
struct Asked {
    waiting: Waiting,
    code: String,
}

/// Shows the code; where there is no credential yet, how to take one.
pub(super) async fn show(
    State(app): State<App>,
    Vouched(guest): Vouched,
) -> Result<Response, Problem> {
    let known = known(&app, &guest.visitor)?;
    match standing(&app, &known).await? {
        Standing::Held(holder) => {
            let waiting = own::waiting(&app, holder.person.id).await?;
            frame::page(&CredentialPage {
                frame: guest.frame(&app, "医保电子凭证"),
                masked_name: masked_name(&known.user_name),
                masked_id_no: masked_number(&known.id_no),
                place: own::place_name(&holder.insu_org),
                ttl_ms: app.settings.credential.code_ttl_ms,
                has_password: holder.password.sealed.is_some(),
                waiting: !waiting.is_empty(),
            })
        }
        Standing::None(_) => frame::page(&take_page(&app, &guest, &known, "", None)),
        Standing::NotRegistered | Standing::NameDiffers => frame::page(&CannotPage {
            frame: guest.frame(&app, "暂时不能领取医保电子凭证"),
            differs: standing(&app, &known).await? == Standing::NameDiffers,
        }),
    }
}

/// Draws a new code.
pub(super) async fn picture(
    State(app): State<App>,
    Vouched(guest): Vouched,
) -> Result<Response, Problem> {
    let holder = holder(&app, &guest).await?;
    if !app
        .visits
        .allow(guest.visitor.person, Doing::CredentialCode, app.now_ms())
    {
        return Err(Problem::TooOften);
    }
    let living = code::issue(&app, holder.person.id).ok_or(Problem::Broken)?;
    Ok(([SVG], living.svg).into_response())
}

/// Takes a credential.
pub(super) async fn take(
    State(app): State<App>,
    Vouched(guest): Vouched,
    posted: Posted,
) -> Result<Response, Problem> {
    let fields = posted.confirm(&app, &guest, Purpose::TakeCredential, "")?;
    counted(&app, &guest)?;
    let known = known(&app, &guest.visitor)?;
    let Standing::None(person) = standing(&app, &known).await? else {
        // The page itself says how it stands.
        return Ok(lead_to(CREDENTIAL_PATH));
    };
    let said = fields.get("insuOrg");
    let place = PLACES.iter().find(|(code, _)| *code == said);
    let new = new_password(&fields, &known.id_no);
    match (place, new) {
        (Some((place, _)), Ok(digits)) => {
            own::take(&app, person, place, digits).await?;
            Ok(lead_to(CREDENTIAL_PATH))
        }
        (place, new) => {
            let fault = match place {
                None => Some("请选择参保地"),
                Some(_) => new.err(),
            };
            let page = take_page(&app, &guest, &known, said, fault);
            frame::page_with(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
    }
}

/// Shows the form of a new password.
pub(super) async fn password_form(
    State(app): State<App>,
    Vouched(guest): Vouched,
) -> Result<Response, Problem> {
    let holder = holder(&app, &guest).await?;
    frame::page(&password_page(&app, &guest, &holder, None))
}

/// Sets the password, or another.
pub(super) async fn set_password(
    State(app): State<App>,
    Vouched(guest): Vouched,
    posted: Posted,
) -> Result<Response, Problem> {
    let fields = posted.confirm(&app, &guest, Purpose::SetPassword, "")?;
    counted(&app, &guest)?;
    let holder = holder(&app, &guest).await?;
    let (person, id_no) = (holder.person.id, &holder.person.identity.id_no);
    let new = match new_password(&fields, id_no) {
        Ok(new) => new,
        Err(fault) => return refused(&app, &guest, &holder, fault.to_owned()),
    };
    if holder.password.sealed.is_none() {
        password::set_first(&app, person, new).await?;
        return Ok(lead_to(CREDENTIAL_PATH));
    }
    let Some(old) = Digits::parse(fields.get("old")) else {
        return refused(&app, &guest, &holder, "原密码应为 6 位数字".to_owned());
    };
    match password::change(&app, person, old, new).await? {
        Entered::Right => Ok(lead_to(CREDENTIAL_PATH)),
        Entered::Wrong { left } => {
            let said = format!("原密码不正确，还可输入 {left} 次");
            refused(&app, &guest, &holder, said)
        }
        Entered::Locked { until_ms } => refused(&app, &guest, &holder, locked(until_ms)),
        Entered::Over | Entered::NotSet => Ok(lead_to(PASSWORD_PATH)),
    }
}

/// Shows who waits for the password. Where nobody does, the page looks again by itself.
pub(super) async fn requests(
    State(app): State<App>,
    Vouched(guest): Vouched,
) -> Result<Response, Problem> {
    let holder = holder(&app, &guest).await?;
    let waiting = own::waiting(&app, holder.person.id).await?;
    let requests = waiting
        .into_iter()
        .map(|waiting| Asked {
            code: guest.code(&app, Purpose::EnterPassword, &waiting.id.to_string()),
            waiting,
        })
        .collect();
    frame::page(&RequestsPage {
        frame: guest.frame(&app, "输入密码"),
        requests,
    })
}

/// Whether anybody waits, for the script: 200 where somebody does, 204 where nobody.
pub(super) async fn is_waiting(
    State(app): State<App>,
    Vouched(guest): Vouched,
) -> Result<StatusCode, Problem> {
    let holder = holder(&app, &guest).await?;
    let waiting = own::waiting(&app, holder.person.id).await?;
    Ok(if waiting.is_empty() {
        StatusCode::NO_CONTENT
    } else {
        StatusCode::OK
    })
}

/// Enters the password for whoever waits, or declines.
pub(super) async fn enter(
    State(app): State<App>,
    Vouched(guest): Vouched,
    Path(id): Path<String>,
    posted: Posted,
) -> Result<Response, Problem> {
    let fields = posted.confirm(&app, &guest, Purpose::EnterPassword, &id)?;
    counted(&app, &guest)?;
    let holder = holder(&app, &guest).await?;
    let request = id.parse().map(PasswordRequestId);
    let request = request.map_err(|_| Problem::NotFound)?;
    let lines = outcome(&app, holder.person.id, request, &fields).await?;
    frame::page(&SaidPage {
        frame: guest.frame(&app, "输入密码"),
        lines,
    })
}

async fn outcome(
    app: &App,
    person: HealthCardPersonId,
    request: PasswordRequestId,
    fields: &Fields,
) -> Result<Vec<String>, Problem> {
    const OVER: &str = "这次核验已经结束，没有生效。如仍要办理，请窗口工作人员重新发起。";
    let one = |line: &str| Ok(vec![line.to_owned()]);
    if fields.get("answer") == "decline" {
        let declined = password::decline(app, person, request).await?;
        return one(if declined {
            "已告知医院：您选择不核验。"
        } else {
            OVER
        });
    }
    let Some(typed) = Digits::parse(fields.get("password")) else {
        return one("密码应为 6 位数字。这次没有提交，请返回重新输入。");
    };
    match password::enter(app, person, request, typed).await? {
        Entered::Right => one("密码正确，已告知医院。"),
        Entered::Wrong { left } => Ok(vec![
            format!("密码不正确，还可输入 {left} 次。"),
            "请窗口工作人员重新发起，再输入一次。".to_owned(),
        ]),
        Entered::Locked { until_ms } => Ok(vec![locked(until_ms)]),
        Entered::Over => one(OVER),
        Entered::NotSet => one("您还没有设置密码。请先设置，再请窗口工作人员重新发起。"),
    }
}

fn locked(until_ms: i64) -> String {
    let until = banyan_protocol::wire::LocalTime::from_epoch_ms(until_ms);
    let until = banyan_protocol::wire::Scalar::render(&until).into_owned();
    let minute = until.get(..16).unwrap_or_default();
    format!(
        "密码错误次数已达 5 次，已锁定，{minute} 自动解锁。忘记密码请带有效证件到经办柜台重置。"
    )
}

/// Whoever fills in forms without end is stopped; what he guesses is counted besides.
fn counted(app: &App, guest: &super::guest::Guest) -> Result<(), Problem> {
    let person = guest.visitor.person;
    if app.visits.allow(person, Doing::Password, app.now_ms()) {
        Ok(())
    } else {
        Err(Problem::TooOften)
    }
}

async fn standing(app: &App, known: &Known) -> Result<Standing, Problem> {
    Ok(own::standing(app, &known.id_type, &known.id_no, &known.user_name).await?)
}

async fn holder(app: &App, guest: &super::guest::Guest) -> Result<Holder, Problem> {
    let known = known(app, &guest.visitor)?;
    match standing(app, &known).await? {
        Standing::Held(holder) => Ok(*holder),
        _ => Err(Problem::NotFound),
    }
}

/// The new password, written twice the same.
fn new_password(fields: &Fields, id_no: &str) -> Result<Digits, &'static str> {
    let new = Digits::parse(fields.get("new")).ok_or("密码应为 6 位数字")?;
    if fields.get("new") != fields.get("again") {
        return Err("两次输入的密码不一致");
    }
    if new.is_weak(id_no) {
        return Err("密码过于简单：不可为相同或连续的数字，也不可为证件号的一部分");
    }
    Ok(new)
}

fn take_page(
    app: &App,
    guest: &super::guest::Guest,
    known: &Known,
    place: &str,
    fault: Option<&'static str>,
) -> TakePage {
    TakePage {
        frame: guest.frame(app, "领取医保电子凭证"),
        masked_name: masked_name(&known.user_name),
        masked_id_no: masked_number(&known.id_no),
        code: guest.code(app, Purpose::TakeCredential, ""),
        place: place.to_owned(),
        fault,
    }
}

fn password_page(
    app: &App,
    guest: &super::guest::Guest,
    holder: &Holder,
    fault: Option<String>,
) -> PasswordPage {
    let has_password = holder.password.sealed.is_some();
    let title = if has_password {
        "修改凭证密码"
    } else {
        "设置凭证密码"
    };
    PasswordPage {
        frame: guest.frame(app, title),
        code: guest.code(app, Purpose::SetPassword, ""),
        has_password,
        fault,
    }
}

fn refused(
    app: &App,
    guest: &super::guest::Guest,
    holder: &Holder,
    fault: String,
) -> Result<Response, Problem> {
    let page = password_page(app, guest, holder, Some(fault));
    frame::page_with(StatusCode::UNPROCESSABLE_ENTITY, &page)
}
