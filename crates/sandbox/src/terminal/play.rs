//! What the terminal plays: one person at a time, his code, his face, his password, and faults.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use banyan_protocol::crypto::base64;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::NextCode;
use super::centre::{Door, NotDone, Person};
use crate::Citizen;
use crate::http_server::{Answering, Reply};

/// How long a scanner's light stays on. Shorter than the library's own time-out, so that its caller
/// learns the reason.
const PATIENCE: Duration = Duration::from_secs(25);
/// No fault holds anybody up for longer.
const MOST_DELAY_MS: u64 = 120_000;
const USUAL_DELAY_MS: u64 = 60_000;
/// 业务流水已过期, standard 7.1.
const NOBODY_WAITS: i64 = 500_051;
const MOST_TRIES: u32 = 25;
const TRY_AGAIN: Duration = Duration::from_millis(200);
/// Codes that wait to be shown.
const MOST_CODES: usize = 100;

/// What `/simulate` changes; what is absent stays as it is.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Wish {
    qr_code: Option<String>,
    fault: Option<Fault>,
    delay_ms: Option<u64>,
    person: Option<Posing>,
    password: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Posing {
    id_type: String,
    id_no: String,
    user_name: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Fault {
    #[default]
    None,
    NoDevice,
    Slow,
    TornCode,
}

/// What the library says. Its `ecToken` is of no use here, and the identity of `/keypad` says whose
/// password is asked for.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    org_id: String,
    #[serde(default)]
    id_type: String,
    #[serde(default)]
    id_no: String,
    #[serde(default)]
    user_name: String,
}

struct Scene {
    person: Person,
    password: String,
    codes: VecDeque<String>,
    fault: Fault,
    delay_ms: u64,
}

pub(super) struct Play {
    door: Door,
    next_code: Option<NextCode>,
    scene: Mutex<Scene>,
    changed: watch::Sender<()>,
}

/// Codes of the protocol; each says in Chinese what happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failed {
    NoDevice,
    TimedOut,
    TornCode,
    AtTheCentre(NotDone),
    Unreadable,
}

impl Failed {
    fn reply(self) -> Value {
        let (code, message) = match self {
            Self::NoDevice => (1, "终端没有这个设备，或设备未连接".to_owned()),
            Self::TimedOut => (3, "没有等到参保人操作".to_owned()),
            Self::TornCode => (4, "扫到的二维码不完整".to_owned()),
            Self::AtTheCentre(NotDone::Unreachable) => (5, "终端连不上电子凭证中心".to_owned()),
            Self::AtTheCentre(NotDone::Refused(code)) => (5, format!("电子凭证中心返回 {code}")),
            Self::Unreadable => (6, "终端读不懂请求".to_owned()),
        };
        json!({ "code": code, "message": message })
    }
}

impl Play {
    pub(super) fn new(
        door: Door,
        person: &Citizen,
        password: String,
        next_code: Option<NextCode>,
    ) -> Self {
        Self {
            door,
            next_code,
            scene: Mutex::new(Scene {
                person: Person {
                    id_type: person.id_type.clone(),
                    id_no: person.id_no.clone(),
                    user_name: person.user_name.clone(),
                },
                password,
                codes: VecDeque::new(),
                fault: Fault::None,
                delay_ms: USUAL_DELAY_MS,
            }),
            changed: watch::Sender::new(()),
        }
    }

    fn scene(&self) -> MutexGuard<'_, Scene> {
        self.scene.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a wish; `false` where there is no such one.
    fn simulate(&self, body: &[u8]) -> bool {
        let Ok(wish) = serde_json::from_slice::<Wish>(body) else {
            return false;
        };
        {
            let mut scene = self.scene();
            if let Some(code) = wish.qr_code {
                if scene.codes.len() == MOST_CODES {
                    scene.codes.pop_front();
                }
                scene.codes.push_back(code);
            }
            if let Some(fault) = wish.fault {
                scene.fault = fault;
            }
            if let Some(delay_ms) = wish.delay_ms {
                scene.delay_ms = delay_ms.min(MOST_DELAY_MS);
            }
            if let Some(person) = wish.person {
                scene.person = Person {
                    id_type: person.id_type,
                    id_no: person.id_no,
                    user_name: person.user_name,
                };
            }
            if let Some(password) = wish.password {
                scene.password = password;
            }
        }
        self.changed.send_replace(());
        true
    }

    /// Plays the fault that is on. A slow terminal is slow until the fault is switched off.
    async fn play_fault(&self, scans: bool) -> Result<(), Failed> {
        let mut changed = self.changed.subscribe();
        let (fault, delay_ms) = {
            let scene = self.scene();
            (scene.fault, scene.delay_ms)
        };
        match fault {
            Fault::NoDevice => Err(Failed::NoDevice),
            Fault::TornCode if scans => Err(Failed::TornCode),
            Fault::None | Fault::TornCode => Ok(()),
            Fault::Slow => {
                let over = async {
                    while self.scene().fault == Fault::Slow && changed.changed().await.is_ok() {}
                };
                // Either way the waiting is over.
                let _ = tokio::time::timeout(Duration::from_millis(delay_ms), over).await;
                Ok(())
            }
        }
    }

    async fn scan(&self) -> Result<Value, Failed> {
        self.play_fault(true).await?;
        let mut changed = self.changed.subscribe();
        let shown = async {
            loop {
                let waiting = self.scene().codes.pop_front();
                if let Some(code) = waiting {
                    return code;
                }
                if let Some(next) = &self.next_code
                    && let Some(code) = next().await
                {
                    return code;
                }
                // The sender is ours, so it is not gone.
                let _ = changed.changed().await;
            }
        };
        let code = tokio::time::timeout(PATIENCE, shown).await;
        let code = code.map_err(|_| Failed::TimedOut)?;
        Ok(json!({ "code": 0, "message": "", "qrCode": code }))
    }

    async fn face(&self, asked: &Asked) -> Result<Value, Failed> {
        self.play_fault(false).await?;
        let person = self.scene().person.clone();
        let auth_no = self.door.face(&asked.org_id, &person).await;
        let auth_no = auth_no.map_err(Failed::AtTheCentre)?;
        // Nobody has a face here; what a picture is made of begins like this.
        let photo = base64::encode(b"\xFF\xD8\xFF\xE0 a simulated face \xFF\xD9");
        Ok(json!({ "code": 0, "message": "", "authNo": auth_no, "photoData": photo }))
    }

    async fn keypad(&self, asked: Asked) -> Result<Value, Failed> {
        self.play_fault(false).await?;
        let password = self.scene().password.clone();
        let person = Person {
            id_type: asked.id_type,
            id_no: asked.id_no,
            user_name: asked.user_name,
        };
        let mut tries = 0;
        loop {
            let delivered = self.door.password(&asked.org_id, &person, &password).await;
            match delivered {
                Ok(()) => return Ok(json!({ "code": 0, "message": "" })),
                // Nobody waits yet: a simulated finger is quicker than the institution's own call,
                // which comes beside.
                Err(NotDone::Refused(NOBODY_WAITS)) if tries < MOST_TRIES => {
                    tries += 1;
                    tokio::time::sleep(TRY_AGAIN).await;
                }
                Err(fault) => return Err(Failed::AtTheCentre(fault)),
            }
        }
    }
}

impl Answering for Play {
    async fn answer(&self, path: &str, body: Bytes) -> Reply {
        if path == "/simulate" {
            return if self.simulate(&body) {
                Reply::ok(json!({ "code": 0 }).to_string())
            } else {
                Reply::Http {
                    status: 400,
                    body: Failed::Unreadable.reply().to_string(),
                }
            };
        }
        let Ok(asked) = serde_json::from_slice::<Asked>(&body) else {
            return Reply::ok(Failed::Unreadable.reply().to_string());
        };
        let done = match path {
            "/scan" => self.scan().await,
            "/face" => self.face(&asked).await,
            "/keypad" => self.keypad(asked).await,
            _ => {
                return Reply::Http {
                    status: 404,
                    body: Failed::Unreadable.reply().to_string(),
                };
            }
        };
        Reply::ok(done.unwrap_or_else(Failed::reply).to_string())
    }
}

impl fmt::Debug for Play {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Play")
            .field("door", &self.door)
            .finish_non_exhaustive()
    }
}
