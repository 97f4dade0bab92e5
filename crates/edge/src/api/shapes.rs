//! The members of what each path takes, for the pages that explain them.

use banyan_protocol::wire::{Field, Message as _};

pub(crate) use super::call::fills_in;
use super::health_card::{AuthorizeBody, LookupBody, PersonBody, RetainBody, VerifyBody};
use super::overdue::{ChangeBody, EntryLinkBody, NameBody, QueryBody, ReportBody};

pub(crate) const REPORT: &[Field] = ReportBody::FIELDS;
pub(crate) const CHANGE: &[Field] = ChangeBody::FIELDS;
pub(crate) const NAME: &[Field] = NameBody::FIELDS;
pub(crate) const QUERY: &[Field] = QueryBody::FIELDS;
pub(crate) const ENTRY_LINK: &[Field] = EntryLinkBody::FIELDS;
pub(crate) const AUTHORIZE: &[Field] = AuthorizeBody::FIELDS;
pub(crate) const VERIFY: &[Field] = VerifyBody::FIELDS;
pub(crate) const LOOKUP: &[Field] = LookupBody::FIELDS;
pub(crate) const PERSON: &[Field] = PersonBody::FIELDS;
pub(crate) const RETAIN: &[Field] = RetainBody::FIELDS;
