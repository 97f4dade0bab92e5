//! The terminal as a caller of the centre, by the same door and envelope as the library, in UTF-8.

use banyan_client::{HostGuard, HttpClient};
use banyan_protocol::ambient::World;
use banyan_protocol::credential::terminal::TerminalMessage;
use banyan_protocol::crypto::base64;
use banyan_protocol::crypto::gcm::Sm4Gcm;
use banyan_protocol::crypto::sm4::KEY_BYTES;
use banyan_protocol::envelope::centre::{self, Request};
use bytes::Bytes;
use serde_json::{Value, json};
use url::Url;

use crate::Account;

/// Who stands at the terminal. Never shown.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Person {
    pub(super) id_type: String,
    pub(super) id_no: String,
    pub(super) user_name: String,
}

/// Why the centre gave nothing; what it said is not passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotDone {
    /// It could not be reached, or its reply not be believed.
    Unreachable,
    /// It refused with this code.
    Refused(i64),
}

/// The centre's door for terminals.
#[derive(Debug)]
pub(super) struct Door {
    url: Url,
    account: Account,
    world: World,
    http: HttpClient,
}

impl Door {
    pub(super) const fn new(url: Url, account: Account, world: World, http: HttpClient) -> Self {
        Self {
            url,
            account,
            world,
            http,
        }
    }

    /// The authorisation number for the face of whoever stands there.
    pub(super) async fn face(&self, org_id: &str, person: &Person) -> Result<String, NotDone> {
        let data = json!({
            "orgId": org_id, "idType": person.id_type, "idNo": person.id_no,
            "userName": person.user_name,
        });
        let now_ms = self.world.clock.now_ms();
        let said = self
            .call(org_id, TerminalMessage::Face.trans_type(), &data, now_ms)
            .await?;
        let auth_no = said.get("authNo").and_then(Value::as_str);
        auth_no.map(str::to_owned).ok_or(NotDone::Unreachable)
    }

    /// Delivers a password, sealed under the terminal's key and bound to hospital and moment, so that
    /// nobody on the way reads it and no copy of the message opens at another time.
    pub(super) async fn password(
        &self,
        org_id: &str,
        person: &Person,
        password: &str,
    ) -> Result<(), NotDone> {
        let now_ms = self.world.clock.now_ms();
        let secret = self.account.secret.expose().as_bytes();
        // An account's secret has as many bytes at least.
        let key = secret
            .first_chunk::<KEY_BYTES>()
            .ok_or(NotDone::Unreachable)?;
        let sealed = Sm4Gcm::with_key(key).seal(
            &*self.world.random,
            format!("{org_id}|{now_ms}").as_bytes(),
            password.as_bytes(),
        );
        let data = json!({
            "orgId": org_id, "idType": person.id_type, "idNo": person.id_no,
            "userName": person.user_name, "password": base64::encode(&sealed),
        });
        self.call(
            org_id,
            TerminalMessage::Password.trans_type(),
            &data,
            now_ms,
        )
        .await
        .map(|_| ())
    }

    async fn call(
        &self,
        org_id: &str,
        trans_type: &str,
        data: &Value,
        now_ms: i64,
    ) -> Result<Value, NotDone> {
        let request = Request::new(org_id, trans_type, &data.to_string(), None)
            .map_err(|_| NotDone::Unreachable)?;
        let (app_id, secret) = (&self.account.app_id, &self.account.secret);
        let body = Bytes::from(request.seal(app_id, secret, now_ms));
        // Whoever starts a sandbox says where its centre is.
        let answered = self.http.post(&self.url, body, &HostGuard::Anywhere).await;
        let answered = answered.map_err(|_| NotDone::Unreachable)?;
        let text = std::str::from_utf8(&answered.body).map_err(|_| NotDone::Unreachable)?;
        match centre::open_reply(text, app_id, secret) {
            Ok(reply) if reply.code == 0 => {
                let data = reply.data.as_deref().unwrap_or("{}");
                serde_json::from_str(data).map_err(|_| NotDone::Unreachable)
            }
            Ok(reply) => Err(NotDone::Refused(reply.code)),
            Err(_) => Err(NotDone::Unreachable),
        }
    }
}
