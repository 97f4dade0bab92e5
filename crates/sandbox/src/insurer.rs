//! An insurer of a supplementary scheme as a caller of the 统一对外接口: it fetches its tokens, and hands over its
//! historical cases, five hundred at a time.

use std::fmt;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use banyan_client::{CallFault, HostGuard, HttpClient};
use banyan_protocol::ambient::{SharedClock, SharedRandomness};
use banyan_protocol::catalogue::Interface;
use banyan_protocol::envelope::fjs::{
    Answered, Calling, Channel, Cipher, Level, Manner, Signer, answer, member,
};
use banyan_protocol::envelope::{ReplyFault, Secret};
use banyan_protocol::supplement::MAX_ROWS_PER_CALL;
use banyan_protocol::wire::{FieldFault, LocalTime, Scalar as _};
use bytes::Bytes;
use serde_json::{Value, json};
use url::Url;

use crate::{Citizen, InsurerAccess, PartnerFault};

/// A simulated insurer. `Debug` shows neither its secret nor its token.
pub struct SimulatedInsurer {
    app_id: String,
    secret: Secret,
    channel: Channel,
    service_ids: Vec<String>,
    platform: Url,
    token: Mutex<Option<Token>>,
    clock: SharedClock,
    random: SharedRandomness,
    http: HttpClient,
}

#[derive(Clone)]
struct Token {
    text: String,
    ends_ms: i64,
}

/// A token is renewed when it has less than this left.
const RENEW_BEFORE_MS: i64 = 60_000;

/// What a migration came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Migrated {
    /// Cases handed over and accepted.
    pub cases: usize,
    /// Calls that it took.
    pub calls: usize,
}

impl SimulatedInsurer {
    /// Ready to call with SM4 and SM3, as its registration says.
    ///
    /// # Errors
    /// [`PartnerFault::Unfit`] where the registration is none.
    pub fn new(
        access: &InsurerAccess,
        platform: Url,
        clock: SharedClock,
        random: SharedRandomness,
        http: HttpClient,
    ) -> Result<Self, PartnerFault> {
        let unfit = |name: &str, why: &str| PartnerFault::Unfit(FieldFault::new(name, why));
        let secret = Secret::parse(&access.chs_fjs_appsecret)
            .map_err(|_| unfit(member::APPSECRET, "至少 16 个字节"))?;
        let level =
            Level::from_number(access.level).ok_or_else(|| unfit("level", "应为 1 至 4"))?;
        Ok(Self {
            app_id: access.chs_fjs_appid.clone(),
            secret,
            channel: Channel {
                level,
                cipher: Cipher::Sm4,
                signer: Signer::Sm3,
            },
            service_ids: access.service_ids.clone(),
            platform,
            token: Mutex::default(),
            clock,
            random,
            http,
        })
    }

    /// Its secret, for whoever hides it in what is shown.
    #[must_use]
    pub const fn secret(&self) -> &Secret {
        &self.secret
    }

    /// Calls an interface; a token that is no longer taken is renewed once.
    ///
    /// # Errors
    /// See [`PartnerFault`]; a refusal is an answer.
    pub async fn call(
        &self,
        interface: Interface,
        business: &str,
    ) -> Result<Answered, PartnerFault> {
        let answered = self
            .send(&self.sealed(interface, business).await?.1)
            .await?;
        if answered.code != "-7" || self.channel.level < Level::Token {
            return Ok(answered);
        }
        self.forget_token();
        self.send(&self.sealed(interface, business).await?.1).await
    }

    /// The string to sign and the message, as [`SimulatedInsurer::call`] would send it.
    ///
    /// # Errors
    /// Where no token can be had.
    pub async fn sealed(
        &self,
        interface: Interface,
        business: &str,
    ) -> Result<(String, String), PartnerFault> {
        let token = match self.channel.level >= Level::Token {
            true => Some(self.token().await?),
            false => None,
        };
        let calling = Calling {
            app_id: &self.app_id,
            token: token.as_deref(),
            funid: Some(interface.code()),
            timestamp_ms: self.clock.now_ms(),
            business: Some(business),
            manner: Manner::FIRST,
        };
        let to_sign = calling.string_to_sign(&self.secret);
        Ok((to_sign, self.seal(&calling)?))
    }

    /// Hands over so many historical cases of these citizens, always the same ones from the first
    /// number on, and says after each call how many are through.
    ///
    /// # Errors
    /// At the first call that fails or is refused; what was accepted before stays.
    pub async fn migrate(
        &self,
        cases: usize,
        citizens: &[Citizen],
        mut through: impl FnMut(usize),
    ) -> Result<Migrated, PartnerFault> {
        let mut migrated = Migrated::default();
        while migrated.cases < cases {
            let until = cases.min(migrated.cases + MAX_ROWS_PER_CALL);
            let rows = self.cases(migrated.cases..until, citizens);
            if rows.is_empty() {
                break;
            }
            self.hand_over(rows).await?;
            migrated.cases = until;
            migrated.calls += 1;
            through(migrated.cases);
        }
        Ok(migrated)
    }

    /// Asks which past illnesses somebody is known to have, for its first service; gives whether
    /// there are any.
    ///
    /// # Errors
    /// See [`PartnerFault`].
    pub async fn look_up(&self, citizen: &Citizen) -> Result<bool, PartnerFault> {
        let mut asked = json!({ "idcard": citizen.id_no, "name": citizen.user_name });
        if let Some(service) = self.service_ids.first() {
            asked["serviceId"] = service.as_str().into();
        }
        let business = json!({ "data": asked }).to_string();
        let answered = done(self.call(Interface::Ci00030001, &business).await?)?;
        Ok(answered.data["past_illness_check"] == "1")
    }

    /// Hands over the cases with these numbers in one call; handed over again they change nothing.
    ///
    /// # Errors
    /// See [`PartnerFault`].
    pub async fn hand_over_cases(
        &self,
        numbers: Range<usize>,
        citizens: &[Citizen],
    ) -> Result<(), PartnerFault> {
        self.hand_over(self.cases(numbers, citizens)).await
    }

    async fn hand_over(&self, rows: Vec<Value>) -> Result<(), PartnerFault> {
        let business = json!({ "data": { "topic": "hmbExtInfo", "hmbList": rows } }).to_string();
        done(self.call(Interface::Xy00000003, &business).await?)?;
        Ok(())
    }

    fn cases(&self, numbers: Range<usize>, citizens: &[Citizen]) -> Vec<Value> {
        numbers
            .filter_map(|number| {
                let citizen = citizens.get(number % citizens.len().max(1))?;
                Some(self.historical_case(number, citizen))
            })
            .collect()
    }

    /// Its appid.
    #[must_use]
    pub fn app_id(&self) -> &str {
        &self.app_id
    }

    /// The historical case with this number: one invoice of somebody who was ill.
    #[must_use]
    pub fn historical_case(&self, number: usize, citizen: &Citizen) -> Value {
        let (diagnosis, code) = DIAGNOSES[number % DIAGNOSES.len()];
        let (past, past_code) = DIAGNOSES[(number / 7) % DIAGNOSES.len()];
        let service = &self.service_ids[number % self.service_ids.len().max(1)];
        // Some day of the three years before this moment's year, always the same.
        let closed_ms = FIRST_CASE_MS + i64::try_from(number % 900).unwrap_or(0) * 86_400_000;
        let closed = LocalTime::from_epoch_ms(closed_ms).render().into_owned();
        let invoice_fen = 50_000 + (number * 7_919) % 900_000;
        let yuan = |fen: usize| format!("{}.{:02}", fen / 100, fen % 100);
        let mut case = json!({
            "reportTime": closed, "applyMethod": "线上", "caseNo": format!("HMB{number:08}"),
            "closeTime": closed, "insuredName": citizen.user_name,
            "insuredCertType": citizen.id_type, "insuredCertno": citizen.id_no,
            "insuredSex": "0", "mainDiagName": diagnosis, "mainDiagCode": code,
            "previousIllnessName": past, "previousIllnessCode": past_code,
            "invoiceNum": format!("{:012}", 350_200_000_000_usize + number),
            "invoiceAmt": yuan(invoice_fen), "socialPayAmt": yuan(invoice_fen / 2),
            "scopeInSelfAmt": yuan(invoice_fen / 4), "scopeOutSelfAmt": yuan(invoice_fen / 4),
            "scopeInExceptAmt": "0", "scopeOutExceptAmt": "0", "caseStaus": "1",
            "claimConclus": "赔付", "reason": "", "compenAmt": yuan(invoice_fen / 8),
            "payTime": closed, "fixmedinsName": "榕城第一医院（沙箱）", "dischargeTime": closed,
            "serviceId": service,
        });
        for place in ["One", "Two", "Three", "Four", "Five", "Six", "Seven"] {
            for name in ["reasonableAmt", "compenRatio", "compenAmt"] {
                case[format!("{name}{place}")] = "0".into();
            }
        }
        for place in ["One", "Two", "Three", "Four", "Five"] {
            for name in ["speciDrugName", "speciDrugPrice", "speciDrugNum"] {
                case[format!("{name}{place}")] = "".into();
            }
        }
        case
    }

    /// The token in use, or a new one.
    async fn token(&self) -> Result<String, PartnerFault> {
        let now_ms = self.clock.now_ms();
        let kept = self
            .token
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
            .filter(|token| token.ends_ms > now_ms + RENEW_BEFORE_MS);
        if let Some(token) = kept {
            return Ok(token.text);
        }
        let asking = Calling {
            app_id: &self.app_id,
            token: None,
            funid: None,
            timestamp_ms: now_ms,
            business: None,
            manner: Manner::FIRST,
        };
        let code = self.fetch("/fjs/oauth/code", self.seal(&asking)?).await?;
        let showing = json!({
            member::APPID: self.app_id, member::APPSECRET: self.secret.expose(),
            "code": code["code"],
        });
        let given = self.fetch("/fjs/oauth/token", showing.to_string()).await?;
        let token = Token {
            text: given[member::TOKEN].as_str().unwrap_or_default().to_owned(),
            ends_ms: now_ms + given["expires_in"].as_i64().unwrap_or(0) * 1000,
        };
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = Some(token.clone());
        Ok(token.text)
    }

    fn forget_token(&self) {
        self.token
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
    }

    fn seal(&self, calling: &Calling<'_>) -> Result<String, PartnerFault> {
        calling
            .seal(&self.channel, &self.secret, &*self.random)
            .ok_or_else(|| FieldFault::new("", "报文无法密封").into())
    }

    /// Asks for a code or a token.
    async fn fetch(&self, path: &str, body: String) -> Result<Value, PartnerFault> {
        let reply = self.post(path, body).await?;
        let answered: Answered = serde_json::from_slice(&reply).map_err(|_| no_answer())?;
        Ok(done(answered)?.data)
    }

    async fn send(&self, sealed: &str) -> Result<Answered, PartnerFault> {
        let reply = self.post("/fjs/api", sealed.to_owned()).await?;
        answer::open(&reply, &self.channel, &self.secret, &*self.random)
            .map_err(|fault| PartnerFault::Call(CallFault::NotOpened(ReplyFault::NotOpened(fault))))
    }

    async fn post(&self, path: &str, body: String) -> Result<Bytes, PartnerFault> {
        let mut url = self.platform.clone();
        let base = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{base}{path}"));
        // Whoever starts a sandbox says where its platform is.
        let guard = HostGuard::Anywhere;
        Ok(self.http.post(&url, body.into(), &guard).await?.body)
    }
}

/// The answer, where it says that it was done.
///
/// # Errors
/// The refusal.
pub(crate) fn done(answered: Answered) -> Result<Answered, PartnerFault> {
    if answered.code == answer::DONE {
        return Ok(answered);
    }
    Err(PartnerFault::Call(CallFault::Refused {
        code: answered.code,
        message: answered.message,
    }))
}

fn no_answer() -> PartnerFault {
    FieldFault::new("", "应答应含 code、data、message、type").into()
}

/// 2023-01-03 10:00:00 in China.
const FIRST_CASE_MS: i64 = 1_672_711_200_000;

/// What people of the sandbox were treated for: name and ICD-10 code.
const DIAGNOSES: [(&str, &str); 8] = [
    ("肺恶性肿瘤", "C34.901"),
    ("原发性高血压", "I10.x00"),
    ("2 型糖尿病", "E11.900"),
    ("脑梗死", "I63.900"),
    ("冠状动脉粥样硬化性心脏病", "I25.103"),
    ("慢性肾脏病 5 期", "N18.001"),
    ("急性阑尾炎", "K35.900"),
    ("桡骨骨折", "S52.501"),
];

impl fmt::Debug for SimulatedInsurer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimulatedInsurer")
            .field("app_id", &self.app_id)
            .field("level", &self.channel.level)
            .finish_non_exhaustive()
    }
}
