//! 闽政通 as a caller: it asks about citizens whom it knows by name and number alone, for any
//! hospital, and leads them to their own list (access guide 3.1.3, 3.1.4).

use std::fmt;

use banyan_client::HttpClient;
use banyan_protocol::ambient::SharedClock;
use banyan_protocol::catalogue::Interface;
use banyan_protocol::dictionaries::BusinessType;
use banyan_protocol::overdue::org_mdl_002::{QueryReply, QueryRequest};
use banyan_protocol::overdue::org_mdl_004::{EntryLinkReply, EntryLinkRequest};
use banyan_protocol::wire::Message;
use url::Url;

use crate::caller::PlatformCaller;
use crate::{Account, BadAccount, Citizen, PartnerFault};

/// What the channel is registered as. `Debug` does not show the secret.
#[derive(Clone)]
pub struct MztSetup {
    /// 应用 ID.
    pub app_id: String,
    /// 密钥.
    pub secret: String,
    /// Where the platform is.
    pub platform_url: Url,
}

/// The simulated 闽政通.
#[derive(Debug)]
pub struct MztChannel {
    caller: PlatformCaller,
}

impl MztChannel {
    /// Ready to call.
    ///
    /// # Errors
    /// Where the secret is too short.
    pub fn new(setup: &MztSetup, clock: SharedClock, http: HttpClient) -> Result<Self, BadAccount> {
        let account = Account::new(&setup.app_id, &setup.secret)?;
        let platform = setup.platform_url.clone();
        Ok(Self {
            caller: PlatformCaller::new(&account, platform, clock, http),
        })
    }

    /// What he owes anywhere, asked when he books an appointment (ORG_MDL_002).
    ///
    /// # Errors
    /// See [`PartnerFault`].
    pub async fn query(&self, citizen: &Citizen) -> Result<QueryReply, PartnerFault> {
        let person = citizen.wire()?;
        let request = QueryRequest {
            orgId: None,
            businessType: BusinessType::Registration,
            idNo: person.id_no,
            idType: person.id_type,
            userName: person.user_name,
            ehealthCardId: None,
            extData: None,
        };
        self.call(Interface::OrgMdl002, &request).await
    }

    /// The link to his own list (ORG_MDL_004).
    ///
    /// # Errors
    /// See [`PartnerFault`].
    pub async fn entry_link(&self, citizen: &Citizen) -> Result<EntryLinkReply, PartnerFault> {
        let person = citizen.wire()?;
        let request = EntryLinkRequest {
            orgId: None,
            idNo: person.id_no,
            idType: person.id_type,
            userName: person.user_name,
            ehealthCardId: None,
            extData: None,
        };
        self.call(Interface::OrgMdl004, &request).await
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
}

impl fmt::Debug for MztSetup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MztSetup")
            .field("app_id", &self.app_id)
            .field("platform_url", &self.platform_url.as_str())
            .finish_non_exhaustive()
    }
}
