//! A hospital's part, played towards a platform's ORG_MDL_001 to 005 and ORG_EHC_001 to 004.

mod cards;
mod debts;
mod envelope;

use banyan_protocol::catalogue::Interface;
use banyan_protocol::wire::{self, Message};
use serde_json::{Value, json};

use crate::heard::{Fault, Heard, failed, skipped};
use crate::report::{CaseResult, Report, Side};
use crate::run::Run;
use crate::{BadTarget, Target};

/// A person of the platform's test environment, registered there. Never a real one.
#[derive(Clone, PartialEq, Eq)]
pub struct Person {
    /// 证件类型.
    pub id_type: String,
    /// 证件号码.
    pub id_no: String,
    /// 姓名.
    pub user_name: String,
    /// 电子健康卡主索引 id.
    pub ehealth_card_id: String,
    /// 医保人员编号, if he has one.
    pub psn_no: Option<String>,
}

impl std::fmt::Debug for Person {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Person(***)")
    }
}

/// What is needed for the cases that would otherwise be skipped.
#[derive(Debug, Clone, Default)]
pub struct PlatformOptions {
    /// Where the platform may call back; without it nothing is reported.
    pub notify_url: Option<String>,
    /// Whom to ask about; without him only refusals are tested.
    pub person: Option<Person>,
}

/// Tests a platform.
///
/// # Errors
/// Where nobody is there.
pub async fn platform(
    target: &Target,
    options: &PlatformOptions,
    mut tell: impl FnMut(&CaseResult) + Send,
) -> Result<Report, BadTarget> {
    let mut run = Run::begin(Side::Platform, target, &mut tell).await?;
    let play = Play { target, options };
    debts::play(&mut run, &play).await;
    cards::play(&mut run, &play).await;
    envelope::play(&mut run, &play).await;
    Ok(run.end())
}

struct Play<'a> {
    target: &'a Target,
    options: &'a PlatformOptions,
}

impl Play<'_> {
    async fn ask(&self, interface: Interface, business: &Value) -> Result<Heard, Fault> {
        self.target.ask(interface, business).await
    }

    /// Asks, and reads the reply as the interface has it.
    async fn done<Reply: Message>(
        &self,
        interface: Interface,
        business: &Value,
    ) -> Result<Reply, Fault> {
        let done = self
            .ask(interface, business)
            .await?
            .done(&self.target.secret)?;
        match wire::read(&done.to_string()) {
            Ok(reply) => Ok(reply),
            Err(fault) => failed(format!("应答的业务数据有误：{fault}")),
        }
    }

    fn notify_url(&self) -> Result<&str, Fault> {
        match &self.options.notify_url {
            Some(url) => Ok(url),
            None => skipped("没有给出回调地址：请用 --notify-url"),
        }
    }

    fn person(&self) -> Result<&Person, Fault> {
        match &self.options.person {
            Some(person) => Ok(person),
            None => skipped("没有给出测试环境中的人员：请用 --person 文件"),
        }
    }

    /// A query that the platform takes, whatever it finds: about a batch that nobody sent.
    fn harmless(&self) -> Value {
        json!({"orgId": self.target.org_id, "orgRequestId": "conformance-none"})
    }
}

fn of_person(person: &Person) -> Value {
    json!({
        "idType": person.id_type, "idNo": person.id_no, "userName": person.user_name,
        "ehealthCardId": person.ehealth_card_id,
    })
}
