//! What a hospital asks of the platform and tells it.

use banyan_protocol::catalogue::Interface;
use banyan_protocol::dictionaries::{BusinessType, ItemState};
use banyan_protocol::overdue::org_mdl_001::{
    ReportReply, ReportRequest, UnsettledItem, UnsettledPerson,
};
use banyan_protocol::overdue::org_mdl_002::{QueryReply, QueryRequest};
use banyan_protocol::overdue::org_mdl_003::{ItemUpdate, UpdateReply, UpdateRequest};
use banyan_protocol::overdue::org_mdl_004::{EntryLinkReply, EntryLinkRequest};
use banyan_protocol::overdue::org_mdl_005::{ResultReply, ResultRequest};
use banyan_protocol::wire::{FieldFault, Message};

use super::{LedgerEntry, SimulatedHospital};
use crate::citizens::scalar;
use crate::{Citizen, PartnerFault};

/// A message that the line swallowed; sent again it is the same batch.
#[derive(Debug, Clone)]
pub(super) enum Outgoing {
    Report(ReportRequest),
    Update(UpdateRequest),
}

/// A hospital that is cut off for long stops keeping what it could not send; its ledger still
/// knows it.
const MAX_UNSENT: usize = 1000;

impl SimulatedHospital {
    /// Reports these debts in one batch (ORG_MDL_001). Where the call fails for a passing reason,
    /// the batch waits for [`SimulatedHospital::resend`].
    ///
    /// # Errors
    /// See [`PartnerFault`].
    pub async fn report(
        &self,
        org_trace_ids: &[impl AsRef<str>],
    ) -> Result<ReportReply, PartnerFault> {
        let request = self.report_request(org_trace_ids)?;
        let sent = self.call(Interface::OrgMdl001, &request).await;
        self.keep_if_unsent(sent, || Outgoing::Report(request))
    }

    /// The message of a new batch with these debts, for whoever wants to send it himself, twice
    /// or changed. Debts of one person stand together; each anonymous one stands alone.
    ///
    /// # Errors
    /// Where the ledger has no such item, or its citizen does not fit the message.
    pub fn report_request(
        &self,
        org_trace_ids: &[impl AsRef<str>],
    ) -> Result<ReportRequest, PartnerFault> {
        let mut ledger = self.ledger();
        let mut persons: Vec<(&LedgerEntry, UnsettledPerson)> = Vec::new();
        for org_trace_id in org_trace_ids {
            let entry = ledger.get(org_trace_id.as_ref())?;
            let item = unsettled_item(entry)?;
            let same = persons.iter_mut().find(|(other, _)| {
                entry.citizen.is_some()
                    && other.citizen == entry.citizen
                    && other.debt.user_type == entry.debt.user_type
            });
            match same {
                Some((_, person)) => person.itemList.push(item),
                None => persons.push((entry, unsettled_person(entry, item)?)),
            }
        }
        let persons = persons.into_iter().map(|(_, person)| person).collect();
        let name = ledger.new_name('R');
        for org_trace_id in org_trace_ids {
            ledger.change(org_trace_id.as_ref(), |entry| {
                entry.org_request_id = Some(name.clone());
            })?;
        }
        Ok(ReportRequest {
            orgId: self.org_id.clone(),
            orgName: self.org_name.clone(),
            notifyUrl: self.callback.clone(),
            orgRequestId: scalar("orgRequestId", &name)?,
            unsettleList: Some(persons),
            extData: None,
        })
    }

    /// The patient pays, and the platform is told (ORG_MDL_003).
    ///
    /// # Errors
    /// See [`PartnerFault`]; the ledger says paid all the same.
    pub async fn pay(&self, org_trace_id: &str) -> Result<UpdateReply, PartnerFault> {
        self.pay_locally(org_trace_id)?;
        self.tell(org_trace_id).await
    }

    /// The debt turns out to be a mistake, and the platform is told (ORG_MDL_003).
    ///
    /// # Errors
    /// See [`PartnerFault`]; the ledger says revoked all the same.
    pub async fn revoke(&self, org_trace_id: &str) -> Result<UpdateReply, PartnerFault> {
        self.revoke_locally(org_trace_id)?;
        self.tell(org_trace_id).await
    }

    /// The anonymous patient gives his name, and the platform is told (ORG_MDL_003, 3.1.10).
    ///
    /// # Errors
    /// See [`PartnerFault`]; the ledger has the name all the same.
    pub async fn make_real_name(
        &self,
        org_trace_id: &str,
        citizen: &Citizen,
    ) -> Result<UpdateReply, PartnerFault> {
        self.ledger()
            .change(org_trace_id, |entry| entry.citizen = Some(citizen.clone()))?;
        self.tell(org_trace_id).await
    }

    /// Tells the platform how the debt stands here (ORG_MDL_003). Where the call fails for a
    /// passing reason, the message waits for [`SimulatedHospital::resend`].
    ///
    /// # Errors
    /// See [`PartnerFault`].
    pub async fn tell(&self, org_trace_id: &str) -> Result<UpdateReply, PartnerFault> {
        let request = self.update_request(org_trace_id)?;
        let sent = self.call(Interface::OrgMdl003, &request).await;
        self.keep_if_unsent(sent, || Outgoing::Update(request))
    }

    /// The message that tells how the debt stands here, for whoever wants to send it himself.
    ///
    /// # Errors
    /// Where the ledger has no such item, its citizen does not fit the message, or the platform
    /// has not told its traceId.
    pub fn update_request(&self, org_trace_id: &str) -> Result<UpdateRequest, PartnerFault> {
        let mut ledger = self.ledger();
        let entry = ledger.get(org_trace_id)?;
        let person = entry.citizen.as_ref().map(Citizen::wire).transpose()?;
        let trace_id = entry.trace_id.as_deref();
        let trace_id = trace_id.ok_or_else(|| PartnerFault::NoTraceId(org_trace_id.to_owned()))?;
        let update = ItemUpdate {
            orgTraceId: scalar("orgTraceId", org_trace_id)?,
            traceId: scalar("traceId", trace_id)?,
            state: entry.local_state,
        };
        let name = ledger.new_name('U');
        ledger.change(org_trace_id, |entry| {
            entry.org_request_id = Some(name.clone());
        })?;
        drop(ledger);
        let (id_no, id_type, user_name, ehealth_card_id) = match person {
            Some(person) => (
                Some(person.id_no),
                Some(person.id_type),
                Some(person.user_name),
                Some(person.ehealth_card_id),
            ),
            None => (None, None, None, None),
        };
        Ok(UpdateRequest {
            orgId: self.org_id.clone(),
            idNo: id_no,
            idType: id_type,
            userName: user_name,
            ehealthCardId: ehealth_card_id,
            notifyUrl: self.callback.clone(),
            orgRequestId: scalar("orgRequestId", &name)?,
            itemList: vec![update],
            extData: None,
        })
    }

    /// How many messages wait to be sent again.
    #[must_use]
    pub fn unsent_count(&self) -> usize {
        self.unsent().len()
    }

    /// Sends the oldest message that the line swallowed once more, the same batch under the same
    /// name; `false` where there is none. It stays for another time where the line swallows it
    /// again. One caller at a time.
    ///
    /// # Errors
    /// See [`PartnerFault`].
    pub async fn resend(&self) -> Result<bool, PartnerFault> {
        let Some(oldest) = self.unsent().pop_front() else {
            return Ok(false);
        };
        let sent = match &oldest {
            Outgoing::Report(request) => self
                .call::<_, ReportReply>(Interface::OrgMdl001, request)
                .await
                .map(|_| true),
            Outgoing::Update(request) => self
                .call::<_, UpdateReply>(Interface::OrgMdl003, request)
                .await
                .map(|_| true),
        };
        if sent.as_ref().is_err_and(PartnerFault::is_retryable) {
            self.unsent().push_front(oldest);
        }
        sent
    }

    /// What the citizen owes, at this hospital or anywhere, asked at the register window
    /// (ORG_MDL_002).
    ///
    /// # Errors
    /// See [`PartnerFault`].
    pub async fn query(
        &self,
        citizen: &Citizen,
        only_here: bool,
    ) -> Result<QueryReply, PartnerFault> {
        let person = citizen.wire()?;
        let request = QueryRequest {
            orgId: only_here.then(|| self.org_id.clone()),
            businessType: BusinessType::Registration,
            idNo: person.id_no,
            idType: person.id_type,
            userName: person.user_name,
            ehealthCardId: Some(person.ehealth_card_id),
            extData: None,
        };
        self.call(Interface::OrgMdl002, &request).await
    }

    /// The link to the citizen's own list (ORG_MDL_004).
    ///
    /// # Errors
    /// See [`PartnerFault`].
    pub async fn entry_link(&self, citizen: &Citizen) -> Result<EntryLinkReply, PartnerFault> {
        let person = citizen.wire()?;
        let request = EntryLinkRequest {
            orgId: Some(self.org_id.clone()),
            idNo: person.id_no,
            idType: person.id_type,
            userName: person.user_name,
            ehealthCardId: Some(person.ehealth_card_id),
            extData: None,
        };
        self.call(Interface::OrgMdl004, &request).await
    }

    /// What became of a batch (ORG_MDL_005); the ledger takes it in as it does a callback.
    ///
    /// # Errors
    /// See [`PartnerFault`].
    pub async fn results(&self, org_request_id: &str) -> Result<ResultReply, PartnerFault> {
        let request = ResultRequest {
            orgId: self.org_id.clone(),
            orgRequestId: scalar("orgRequestId", org_request_id)?,
            extData: None,
        };
        let reply: ResultReply = self.call(Interface::OrgMdl005, &request).await?;
        self.ledger()
            .confirm(&reply.reportResultList, reply.extData.as_ref());
        Ok(reply)
    }

    /// Any interface of the platform with a message of one's own.
    ///
    /// # Errors
    /// See [`PartnerFault`].
    pub async fn call<Request: Message, Reply: Message>(
        &self,
        interface: Interface,
        request: &Request,
    ) -> Result<Reply, PartnerFault> {
        self.caller.call(interface, request).await
    }

    fn keep_if_unsent<T>(
        &self,
        sent: Result<T, PartnerFault>,
        message: impl FnOnce() -> Outgoing,
    ) -> Result<T, PartnerFault> {
        if sent.as_ref().is_err_and(PartnerFault::is_retryable) {
            let mut unsent = self.unsent();
            if unsent.len() < MAX_UNSENT {
                unsent.push_back(message());
            } else {
                tracing::warn!(
                    org = self.org_id(),
                    "an unsent message is not kept: too many"
                );
            }
        }
        sent
    }
}

fn unsettled_item(entry: &LedgerEntry) -> Result<UnsettledItem, FieldFault> {
    Ok(UnsettledItem {
        orgTraceId: scalar("orgTraceId", &entry.org_trace_id)?,
        medType: entry.debt.med_type,
        feeType: entry.debt.fee_type,
        itemName: entry.debt.item_name.clone(),
        amount: entry.debt.amount,
        actualTime: entry.debt.actual_time,
    })
}

fn unsettled_person(
    entry: &LedgerEntry,
    item: UnsettledItem,
) -> Result<UnsettledPerson, FieldFault> {
    let mut row = UnsettledPerson {
        idNo: None,
        idType: None,
        userName: None,
        ehealthCardId: None,
        mobilePhone: None,
        userType: entry.debt.user_type,
        itemList: vec![item],
        extData: None,
    };
    if let Some(citizen) = &entry.citizen {
        let person = citizen.wire()?;
        row.idNo = Some(person.id_no);
        row.idType = Some(person.id_type);
        row.userName = Some(person.user_name);
        row.ehealthCardId = Some(person.ehealth_card_id);
        row.mobilePhone = person.mobile_phone;
    }
    Ok(row)
}

impl LedgerEntry {
    /// Whether the platform knows the debt and has confirmed it as unpaid, and so does the
    /// hospital: what a payment can settle.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.local_state == ItemState::Unpaid && self.confirmed_state == Some(ItemState::Unpaid)
    }
}
