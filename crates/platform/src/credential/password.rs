//! 电子凭证密码: six digits that only their holder knows.
//!
//! What is kept is their digest (Argon2id), sealed under the master key, because six digits are
//! soon tried through by whoever holds a digest alone. Five wrong entries in a row, wherever they
//! were made, lock the password for 24 hours.

use argon2::Argon2;
use argon2::password_hash::{PasswordHash, PasswordHasher as _, PasswordVerifier as _, SaltString};
use banyan_store::credential::holders::{self, Password};
use banyan_store::credential::requests::{self, State};
use banyan_store::db::{StoreError, Tx};
use banyan_store::ids::{HealthCardPersonId, PasswordRequestId};
use banyan_store::vault::Place;
use zeroize::Zeroizing;

use crate::app::App;

/// After so many wrong entries in a row (standard 7.1, 500079),
pub const MOST_WRONG: u32 = 5;
/// the password is locked for this long.
pub const LOCKED_MS: i64 = 24 * 3_600_000;

/// Six digits.
#[derive(Clone, PartialEq, Eq)]
pub struct Digits(Zeroizing<String>);

impl Digits {
    /// Reads six digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_one = text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_digit());
        is_one.then(|| Self(Zeroizing::new(text.to_owned())))
    }

    /// Whether they are among the first that somebody would try: all the same, counted up or down,
    /// or a part of the person's own number.
    #[must_use]
    pub fn is_weak(&self, id_no: &str) -> bool {
        let digits = self.0.as_bytes();
        let all = |step: i16| {
            digits.windows(2).all(|pair| match pair {
                [one, next] => i16::from(*next) - i16::from(*one) == step,
                _ => false,
            })
        };
        all(0) || all(1) || all(-1) || id_no.contains(self.0.as_str())
    }
}

/// What entering a password came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entered {
    /// It was right.
    Right,
    /// It was wrong; so many entries are left.
    Wrong {
        /// How many.
        left: u32,
    },
    /// None is taken until this moment.
    Locked {
        /// Until when.
        until_ms: i64,
    },
    /// Nobody waits for it any more, or it was changed meanwhile; nothing was counted.
    Over,
    /// There is none.
    NotSet,
}

/// What a password is entered for.
#[derive(Clone)]
enum Purpose {
    /// An institution waits for it.
    Request(PasswordRequestId),
    /// It is to be this one from now on: its digest, sealed.
    Change(Vec<u8>),
}

/// Enters somebody's password for an institution that waits for it, which learns how that went.
///
/// # Errors
/// Any [`StoreError`].
pub async fn enter(
    app: &App,
    person: HealthCardPersonId,
    request: PasswordRequestId,
    typed: Digits,
) -> Result<Entered, StoreError> {
    let entered = attempt(app, person, typed, Purpose::Request(request)).await?;
    app.wake_password_waiters();
    Ok(entered)
}

/// Says to an institution that its holder does not want to; `false` where it waits no longer.
///
/// # Errors
/// Any [`StoreError`].
pub async fn decline(
    app: &App,
    person: HealthCardPersonId,
    request: PasswordRequestId,
) -> Result<bool, StoreError> {
    let now_ms = app.now_ms();
    let declined = app
        .db
        .write(move |tx| requests::end(tx, request, person, State::Declined, now_ms))
        .await?;
    app.wake_password_waiters();
    Ok(declined)
}

/// Gives somebody another password in the place of the one that he enters, which counts like any
/// entry.
///
/// # Errors
/// Any [`StoreError`].
pub async fn change(
    app: &App,
    person: HealthCardPersonId,
    old: Digits,
    new: Digits,
) -> Result<Entered, StoreError> {
    let digest = digest(app, new).await?;
    attempt(app, person, old, Purpose::Change(digest)).await
}

/// Gives somebody his first password; `false` where he has one.
///
/// # Errors
/// Any [`StoreError`].
pub async fn set_first(
    app: &App,
    person: HealthCardPersonId,
    new: Digits,
) -> Result<bool, StoreError> {
    let (digest, now_ms) = (digest(app, new).await?, app.now_ms());
    app.db
        .write(move |tx| -> Result<bool, StoreError> {
            let Some(mut held) = holders::hold_password(tx, person)? else {
                return Ok(false);
            };
            if held.sealed.is_some() {
                return Ok(false);
            }
            held.sealed = Some(digest.clone());
            holders::put_password(tx, person, &held, now_ms)?;
            Ok(true)
        })
        .await
}

/// The digest of a password as it is kept.
///
/// # Errors
/// Where it can't be made, which no password gives cause for.
pub async fn digest(app: &App, digits: Digits) -> Result<Vec<u8>, StoreError> {
    let mut salt = [0; 16];
    app.world.random.fill(&mut salt);
    let text = aside(app, move || {
        let salt = SaltString::encode_b64(&salt)?;
        let hash = Argon2::default().hash_password(digits.0.as_bytes(), &salt)?;
        Ok(hash.to_string())
    })
    .await?;
    Ok(app.vault.seal(Place::CredentialPassword, text.as_bytes()))
}

async fn attempt(
    app: &App,
    person: HealthCardPersonId,
    typed: Digits,
    purpose: Purpose,
) -> Result<Entered, StoreError> {
    let now_ms = app.now_ms();
    let Some(seen) = holders::password(&app.db, person).await? else {
        return Ok(Entered::NotSet);
    };
    if let Some(until_ms) = seen.locked_until(now_ms) {
        return Ok(Entered::Locked { until_ms });
    }
    let Some(sealed) = seen.sealed else {
        return Ok(Entered::NotSet);
    };
    let right = is_right(app, &sealed, typed).await?;
    app.db
        .write(move |tx| settle(tx, person, &sealed, right, &purpose, now_ms))
        .await
}

/// Counts an entry that was found right or wrong against this digest, and does what it is for.
fn settle(
    tx: &mut Tx<'_>,
    person: HealthCardPersonId,
    sealed: &[u8],
    right: bool,
    purpose: &Purpose,
    now_ms: i64,
) -> Result<Entered, StoreError> {
    let Some(mut held) = holders::hold_password(tx, person)? else {
        return Ok(Entered::Over);
    };
    if let Some(until_ms) = held.locked_until(now_ms) {
        return Ok(Entered::Locked { until_ms });
    }
    if held.sealed.as_deref() != Some(sealed) {
        return Ok(Entered::Over);
    }
    let entered = count(&mut held, right, now_ms);
    let taken = match (purpose, entered) {
        (Purpose::Request(request), _) => {
            requests::end(tx, *request, person, told(entered), now_ms)?
        }
        (Purpose::Change(new), Entered::Right) => {
            held.sealed = Some(new.clone());
            true
        }
        (Purpose::Change(_), _) => true,
    };
    if !taken {
        return Ok(Entered::Over);
    }
    if matches!(entered, Entered::Locked { .. }) {
        requests::lock(tx, person)?;
    }
    holders::put_password(tx, person, &held, now_ms)?;
    Ok(entered)
}

fn count(held: &mut Password, right: bool, now_ms: i64) -> Entered {
    held.locked_until_ms = None;
    if right {
        held.wrong_tries = 0;
        return Entered::Right;
    }
    held.wrong_tries += 1;
    let left = MOST_WRONG.saturating_sub(held.wrong_tries);
    if left > 0 {
        return Entered::Wrong { left };
    }
    let until_ms = now_ms + LOCKED_MS;
    held.wrong_tries = 0;
    held.locked_until_ms = Some(until_ms);
    Entered::Locked { until_ms }
}

/// What whoever waits is told.
const fn told(entered: Entered) -> State {
    match entered {
        Entered::Right => State::Right,
        Entered::Locked { .. } => State::Locked,
        Entered::Wrong { .. } | Entered::Over | Entered::NotSet => State::Wrong,
    }
}

async fn is_right(app: &App, sealed: &[u8], typed: Digits) -> Result<bool, StoreError> {
    let kept = app.vault.open(Place::CredentialPassword, sealed)?;
    let kept = String::from_utf8(kept)
        .map_err(|_| StoreError::Corrupt("a password's digest is no text".to_owned()))?;
    aside(app, move || {
        let hash = PasswordHash::new(&kept)?;
        Ok(Argon2::default()
            .verify_password(typed.0.as_bytes(), &hash)
            .is_ok())
    })
    .await
}

/// Runs what takes tens of milliseconds and 19 MB on purpose, a few at a time.
async fn aside<T: Send + 'static>(
    app: &App,
    work: impl FnOnce() -> Result<T, argon2::password_hash::Error> + Send + 'static,
) -> Result<T, StoreError> {
    let _place = app
        .hashing
        .acquire()
        .await
        .map_err(|_| StoreError::Closed)?;
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| StoreError::Corrupt(format!("a digest ended badly: {error}")))?
        .map_err(|error| StoreError::Corrupt(format!("a password's digest: {error}")))
}

impl std::fmt::Debug for Digits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Digits(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_everybody_tries_first_is_weak() {
        for text in ["000000", "123456", "876543", "491231"] {
            let digits = Digits::parse(text).unwrap();
            assert!(digits.is_weak("11010519491231002X"), "{text}");
        }
        assert!(
            !Digits::parse("295103")
                .unwrap()
                .is_weak("11010519491231002X")
        );
        for text in ["", "12345", "1234567", "12345a", "１２３４５６"] {
            assert!(Digits::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn five_wrong_in_a_row_lock_for_a_day() {
        let mut held = Password {
            sealed: None,
            wrong_tries: 0,
            locked_until_ms: None,
        };
        for left in [4, 3] {
            assert_eq!(count(&mut held, false, 0), Entered::Wrong { left });
        }
        assert_eq!(count(&mut held, true, 0), Entered::Right);
        for left in [4, 3, 2, 1] {
            assert_eq!(count(&mut held, false, 0), Entered::Wrong { left });
        }
        let until_ms = 5 + LOCKED_MS;
        assert_eq!(count(&mut held, false, 5), Entered::Locked { until_ms });
        assert_eq!(held.locked_until(until_ms - 1), Some(until_ms));
        assert_eq!(held.locked_until(until_ms), None);
        assert_eq!(
            count(&mut held, false, until_ms),
            Entered::Wrong { left: 4 }
        );
    }
}
