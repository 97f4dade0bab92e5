//! Names to addresses: remembered for a few seconds, asked for once however many wait.
//!
//! Nothing that is remembered here is permitted by that: each call checks every address against
//! its own guard.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

use crate::ConnectFault;

/// Short enough that a moved hospital is followed within the retry of a call.
const REMEMBER: Duration = Duration::from_secs(5);
/// Long enough that a name that does not resolve costs the resolver little.
const REMEMBER_FAILURE: Duration = Duration::from_secs(1);
/// A province has some hundred hospitals.
const MAX_NAMES: usize = 4096;
/// More would only prolong the trial of a dead host.
const MAX_ADDRESSES: usize = 8;
/// The system's resolver blocks a thread of the runtime's pool, 512 in all, while it waits.
const MAX_CONCURRENT: usize = 64;

/// The system's resolver with a short memory.
#[derive(Debug)]
pub(crate) struct Resolver {
    names: Mutex<HashMap<Box<str>, Arc<Name>>>,
    permits: Arc<Semaphore>,
}

#[derive(Debug)]
struct Name {
    answer: watch::Receiver<Option<Answer>>,
    /// The place of the address that last accepted a connection.
    best: AtomicUsize,
}

#[derive(Debug, Clone)]
struct Answer {
    at: Instant,
    addresses: Result<Arc<[IpAddr]>, Arc<str>>,
}

/// What a name stands for.
#[derive(Debug)]
pub(crate) struct Resolved {
    name: Arc<Name>,
    addresses: Arc<[IpAddr]>,
}

impl Resolved {
    /// Every address in canonical form, the one that last worked first.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        let best = self.name.best.load(Ordering::Relaxed) % self.addresses.len().max(1);
        let (before, from) = self.addresses.split_at(best);
        from.iter().chain(before).copied()
    }

    /// Remembers that this address accepted a connection, so that a dead one beside it does not
    /// cost every call its connect timeout.
    pub(crate) fn worked(&self, address: IpAddr) {
        if let Some(place) = self.addresses.iter().position(|known| *known == address) {
            self.name.best.store(place, Ordering::Relaxed);
        }
    }
}

impl Resolver {
    pub(crate) fn new() -> Self {
        Self {
            names: Mutex::default(),
            permits: Arc::new(Semaphore::new(MAX_CONCURRENT)),
        }
    }

    /// The addresses that the host stands for, at least one.
    pub(crate) async fn resolve(&self, host: &str) -> Result<Resolved, ConnectFault> {
        let unresolved = |reason: &str| ConnectFault::Unresolved {
            host: host.to_owned(),
            reason: reason.to_owned(),
        };
        let name = self.name(host);
        let known = name.answer.borrow().clone();
        let answer = match known {
            Some(answer) => answer,
            None => {
                let mut answer = name.answer.clone();
                let answered = answer.wait_for(Option::is_some).await;
                // The asking task ends without an answer only when its runtime does.
                let answered = answered.ok().and_then(|answer| answer.clone());
                answered.ok_or_else(|| unresolved("interrupted"))?
            }
        };
        let addresses = answer.addresses.map_err(|reason| unresolved(&reason))?;
        Ok(Resolved { name, addresses })
    }

    /// What is known of the name, or is being asked for.
    fn name(&self, host: &str) -> Arc<Name> {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let known = names.get(host);
        if let Some(name) = known.filter(|name| name.is_fresh()) {
            return Arc::clone(name);
        }
        let last_worked = known.and_then(|name| name.last_worked());
        if names.len() >= MAX_NAMES {
            names.retain(|_, name| name.is_fresh());
            if names.len() >= MAX_NAMES {
                names.clear();
            }
        }
        let name = Arc::new(Name {
            answer: self.ask(host.to_owned(), last_worked),
            best: AtomicUsize::new(0),
        });
        names.insert(host.into(), Arc::clone(&name));
        name
    }

    /// Asks in a task of its own: callers give up waiting at their timeouts, and each that took
    /// the question with it would leave a blocked thread behind.
    fn ask(&self, host: String, last_worked: Option<IpAddr>) -> watch::Receiver<Option<Answer>> {
        let (tell, answer) = watch::channel(None);
        let permits = Arc::clone(&self.permits);
        tokio::spawn(async move {
            // The semaphore is never closed, and a permit that could not be had is no reason to
            // leave the callers without an answer.
            let _permit = permits.acquire_owned().await.ok();
            let found = tokio::net::lookup_host((host.as_str(), 0)).await;
            let addresses = match found {
                Ok(found) => in_order(found.map(|socket| socket.ip()), last_worked)
                    .ok_or_else(|| Arc::from("no address")),
                Err(error) => Err(Arc::from(error.to_string())),
            };
            // No receiver is left where the name was forgotten meanwhile.
            let _ = tell.send(Some(Answer {
                at: Instant::now(),
                addresses,
            }));
        });
        answer
    }

    /// Lets a name stand for these addresses until the resolver is dropped.
    #[cfg(test)]
    pub(crate) fn pretend(&self, host: &str, addresses: &[IpAddr]) {
        let (_, answer) = watch::channel(Some(Answer {
            at: Instant::now() + Duration::from_secs(3600),
            addresses: Ok(addresses.into()),
        }));
        let name = Name {
            answer,
            best: AtomicUsize::new(0),
        };
        let mut names = self.names.lock().unwrap();
        names.insert(host.into(), Arc::new(name));
    }
}

impl Name {
    fn is_fresh(&self) -> bool {
        match &*self.answer.borrow() {
            Some(answer) if answer.addresses.is_ok() => answer.at.elapsed() < REMEMBER,
            Some(answer) => answer.at.elapsed() < REMEMBER_FAILURE,
            // Still being asked for, unless the asking task is gone.
            None => self.answer.has_changed().is_ok(),
        }
    }

    fn last_worked(&self) -> Option<IpAddr> {
        let answer = self.answer.borrow();
        let addresses = answer.as_ref()?.addresses.as_ref().ok()?;
        addresses.get(self.best.load(Ordering::Relaxed)).copied()
    }
}

/// The addresses in canonical form, each once, the one that last worked first; `None` for none.
fn in_order(
    found: impl Iterator<Item = IpAddr>,
    last_worked: Option<IpAddr>,
) -> Option<Arc<[IpAddr]>> {
    let mut addresses: Vec<IpAddr> = Vec::new();
    for address in found.map(|address| address.to_canonical()) {
        if !addresses.contains(&address) && addresses.len() < MAX_ADDRESSES {
            addresses.push(address);
        }
    }
    // The sort is stable, so the others keep the order of the system's preference.
    addresses.sort_by_key(|address| Some(*address) != last_worked);
    (!addresses.is_empty()).then(|| addresses.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn many_waiters_ask_once_and_all_learn() {
        let resolver = Resolver::new();
        let resolved = resolver.resolve("localhost").await.unwrap();
        assert!(resolved.addresses().all(|address| address.is_loopback()));
        let again = resolver.resolve("localhost").await.unwrap();
        assert!(Arc::ptr_eq(&resolved.name, &again.name));
    }

    #[tokio::test]
    async fn a_name_that_stands_for_nothing_says_so() {
        let resolver = Resolver::new();
        let fault = resolver.resolve("nobody.invalid").await.unwrap_err();
        assert!(matches!(fault, ConnectFault::Unresolved { .. }), "{fault}");
    }

    #[test]
    fn addresses_are_canonical_and_the_one_that_worked_comes_first() {
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let found = ["fd00::1", "::ffff:10.0.0.1", "10.0.0.1", "10.0.0.2"].map(address);
        let kept = in_order(found.into_iter(), Some(address("10.0.0.2"))).unwrap();
        assert_eq!(*kept, ["10.0.0.2", "fd00::1", "10.0.0.1"].map(address));
        assert_eq!(in_order([].into_iter(), None), None);
    }

    #[tokio::test]
    async fn memory_is_bounded() {
        let resolver = Resolver::new();
        for number in 0..MAX_NAMES + 10 {
            resolver.pretend(&number.to_string(), &[]);
        }
        let _ = resolver.name("localhost");
        assert!(resolver.names.lock().unwrap().len() <= MAX_NAMES);
    }
}
