//! 医疗欠费名单: what a citizen sees of himself. Nothing is read here but what is the visitor's own.

use banyan_protocol::ambient::DAY_MS;
use banyan_protocol::catalogue::Interface;
use banyan_protocol::credential::dictionaries as credential;
use banyan_protocol::credential::terminal::TerminalMessage;
use banyan_protocol::dictionaries::BusinessType;
use banyan_store::db::StoreError;
use banyan_store::ids::{ItemId, PartnerId};
use banyan_store::journal::{self, Look};
use banyan_store::overdue::appeals::{self, Appeal};
use banyan_store::overdue::items::State;
use banyan_store::overdue::links::Visitor;
use banyan_store::overdue::own::{self, Happened, OwnItem, Total};

use crate::app::App;
use crate::masking;
use crate::settings::JOURNAL_READ_BACK_DAYS;

/// Records on one page: with the longest names it stays well below 30 kB.
pub const PAGE_ITEMS: i64 = 25;
/// Looks on one page.
pub const PAGE_LOOKS: i64 = 30;
/// Looks are shown as far back as the journal is certain to reach.
const LOOKS_MS: i64 = JOURNAL_READ_BACK_DAYS as i64 * DAY_MS;
/// What happened to one record, as far as a page can hold it.
const MOST_HISTORY: i64 = 30;
/// Earlier appeals that a record's page names.
const MOST_APPEALS: i64 = 5;

/// A page of a citizen's own list.
pub struct OwnList {
    /// The name as shown: all but the last character are hidden.
    pub masked_name: String,
    /// How much is unpaid in all, in fen.
    pub owed_fen: i64,
    /// How many records are unpaid in all.
    pub owed_items: i64,
    /// At how many hospitals.
    pub owed_hospitals: usize,
    /// This page's records: unpaid first, then paid, then revoked, each by hospital.
    pub groups: Vec<Group>,
    /// How many records come after this page.
    pub more: i64,
}

/// Records of one state at one hospital.
pub struct Group {
    /// How they stand.
    pub state: State,
    /// Whose they are.
    pub hospital: String,
    /// How many there are, on other pages too.
    pub count: i64,
    /// What they come to, on other pages too, in fen.
    pub amount_fen: i64,
    /// Those on this page.
    pub items: Vec<OwnItem>,
}

/// One of a citizen's own records.
pub struct OwnRecord {
    /// The record.
    pub item: OwnItem,
    /// Its hospital.
    pub hospital: String,
    /// What happened to it since it was reported.
    pub history: Vec<Happened>,
    /// His appeals against it, the latest first.
    pub appeals: Vec<Appeal>,
}

/// A page of who asked about a citizen.
pub struct OwnLooks {
    /// Newest first.
    pub looks: Vec<SeenBy>,
    /// Whether there are more.
    pub more: bool,
}

/// Somebody who asked about a citizen.
pub struct SeenBy {
    /// When.
    pub at_ms: i64,
    /// Who.
    pub name: String,
    /// What was done, in Chinese.
    pub what: String,
    /// What for, in Chinese, where it was stated.
    pub purpose: Option<&'static str>,
}

/// Reads a page of the list of whoever holds a session; pages count from 1.
///
/// # Errors
/// Any [`StoreError`].
pub async fn own_list(app: &App, visitor: &Visitor, page: i64) -> Result<OwnList, StoreError> {
    let skip = (page - 1) * PAGE_ITEMS;
    let totals = own::totals(&app.db, &visitor.person).await?;
    let items = own::part(&app.db, &visitor.person, skip, PAGE_ITEMS).await?;
    let owed = || totals.iter().filter(|total| total.state == State::Unpaid);
    let all: i64 = totals.iter().map(|total| total.count).sum();
    let shown = i64::try_from(items.len()).unwrap_or(PAGE_ITEMS);
    Ok(OwnList {
        masked_name: masked_name(app, visitor)?,
        owed_fen: owed().map(|total| total.amount_fen).sum(),
        owed_items: owed().map(|total| total.count).sum(),
        owed_hospitals: owed().count(),
        groups: grouped(app, items, &totals),
        more: (all - skip - shown).max(0),
    })
}

fn grouped(app: &App, items: Vec<OwnItem>, totals: &[Total]) -> Vec<Group> {
    let mut groups: Vec<(PartnerId, Group)> = Vec::new();
    for item in items {
        let (state, partner) = (item.state, item.partner);
        match groups.last_mut() {
            Some((of, group)) if *of == partner && group.state == state => group.items.push(item),
            _ => {
                let total = totals
                    .iter()
                    .find(|total| total.state == state && total.partner == partner);
                let group = Group {
                    state,
                    hospital: hospital_name(app, partner),
                    count: total.map_or(1, |total| total.count),
                    amount_fen: total.map_or(item.amount_fen, |total| total.amount_fen),
                    items: vec![item],
                };
                groups.push((partner, group));
            }
        }
    }
    groups.into_iter().map(|(_, group)| group).collect()
}

/// One of a visitor's own records; `None` where it is not his.
///
/// # Errors
/// Any [`StoreError`].
pub async fn own_record(
    app: &App,
    visitor: &Visitor,
    item: ItemId,
) -> Result<Option<OwnRecord>, StoreError> {
    let Some(item) = own::one(&app.db, &visitor.person, item).await? else {
        return Ok(None);
    };
    Ok(Some(OwnRecord {
        hospital: hospital_name(app, item.partner),
        history: own::history(&app.db, item.id, MOST_HISTORY).await?,
        appeals: appeals::of_item(&app.db, &visitor.person, item.id, MOST_APPEALS).await?,
        item,
    }))
}

/// A page of who asked about a visitor; pages count from 1.
///
/// # Errors
/// Any [`StoreError`].
pub async fn own_looks(app: &App, visitor: &Visitor, page: i64) -> Result<OwnLooks, StoreError> {
    let since_ms = app.now_ms() - LOOKS_MS;
    let skip = (page - 1) * PAGE_LOOKS;
    // One more than is shown tells whether there are more.
    let mut looks: Vec<SeenBy> =
        journal::looks_at(&app.db, &visitor.person, since_ms, skip, PAGE_LOOKS + 1)
            .await?
            .into_iter()
            .map(|look| seen_by(app, &look))
            .collect();
    let most = usize::try_from(PAGE_LOOKS).unwrap_or(usize::MAX);
    let more = looks.len() > most;
    looks.truncate(most);
    Ok(OwnLooks { looks, more })
}

/// The name of a hospital or a channel, as citizens read it.
#[must_use]
pub fn hospital_name(app: &App, partner: PartnerId) -> String {
    app.directory.by_id(partner).map_or_else(
        || "（已停用的机构）".to_owned(),
        |partner| partner.name.clone(),
    )
}

/// A visitor's name, all but its last character hidden.
///
/// # Errors
/// [`StoreError::Corrupt`] where it can't be opened.
pub fn masked_name(app: &App, visitor: &Visitor) -> Result<String, StoreError> {
    Ok(masking::masked_name(
        &super::visitor::known(app, visitor)?.user_name,
    ))
}

/// What for, in the words of whichever dictionary the interface has it from.
fn purpose_label(code: &str) -> Option<&'static str> {
    BusinessType::from_code(code)
        .map(BusinessType::label)
        .or_else(|| credential::BusinessType::from_code(code).map(credential::BusinessType::label))
}

fn seen_by(app: &App, look: &Look) -> SeenBy {
    let interface = Interface::from_code(&look.interface);
    SeenBy {
        at_ms: look.at_ms,
        name: hospital_name(app, look.partner),
        what: match interface {
            Some(Interface::OrgMdl002) => "查询您是否有医疗欠费".to_owned(),
            Some(Interface::OrgMdl004) => "为您打开本名单".to_owned(),
            Some(Interface::Org002) => match look.purpose.as_deref() {
                Some("REMIND") => "收到平台提醒：您有未结清的费用".to_owned(),
                _ => "收到平台更正：您的一条记录已撤销".to_owned(),
            },
            Some(Interface::OrgEhc002) => "经您授权，取得您的电子健康卡主索引和身份信息".to_owned(),
            Some(Interface::OrgEhc003) => "扫描您出示的电子健康码，取得主索引和身份信息".to_owned(),
            Some(Interface::OrgEhc004) => {
                "凭您的医保身份，取得电子健康卡主索引和身份信息".to_owned()
            }
            Some(Interface::Ci00030001) => "查询您是否有既往症记录（商业补充医疗保险）".to_owned(),
            Some(Interface::EcQuery | Interface::QrcodeGet) => {
                "扫描您出示的医保码，取得您的医保身份".to_owned()
            }
            Some(Interface::AuthCheck) => "经您刷脸，取得您的医保身份".to_owned(),
            Some(Interface::EcPwd) => "请您输入了医保电子凭证密码".to_owned(),
            Some(other) => other.spec().name.to_owned(),
            None => told_by_terminal(&look.interface).to_owned(),
        },
        purpose: look.purpose.as_deref().and_then(purpose_label),
    }
}

/// What no interface of a specification is, but a terminal's message.
fn told_by_terminal(trans_type: &str) -> &'static str {
    match TerminalMessage::from_trans_type(trans_type) {
        Some(TerminalMessage::Face) => "在窗口终端上识别了您的面容",
        Some(TerminalMessage::Password) => "在窗口终端上接收了您输入的密码",
        None => "查询",
    }
}
