//! Calling again, a bounded number of times.

use std::time::Duration;

use banyan_protocol::ambient::{Clock, Randomness};
use banyan_protocol::envelope::Answer;
use banyan_protocol::wire::{self, Message};
use url::Url;

use crate::{CallFault, Credentials, HostGuard, HttpClient, call};

/// How often to call again, and after how long.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RetryPolicy {
    /// How many calls in all; 0 counts as 1.
    pub attempts: u32,
    /// How long to wait after the first call.
    pub first_delay: Duration,
    /// By how much each wait is longer than the one before.
    pub factor: u32,
    /// The longest wait.
    pub max_delay: Duration,
    /// By which share of itself a wait is made longer or shorter at random, from 0 to 1, so that
    /// those who failed together do not come back together.
    pub jitter: f64,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 3,
            first_delay: Duration::from_millis(200),
            factor: 3,
            max_delay: Duration::from_secs(5),
            jitter: 0.2,
        }
    }
}

/// A policy with the randomness that it draws from.
#[derive(Debug, Clone, Copy)]
pub struct Retry<'a> {
    /// How often, and after how long.
    pub policy: &'a RetryPolicy,
    /// Where the jitter comes from.
    pub randomness: &'a dyn Randomness,
}

impl RetryPolicy {
    /// How long to wait after so many failed calls.
    #[must_use]
    pub fn delay_after(&self, failed: u32, randomness: &dyn Randomness) -> Duration {
        let times = self.factor.saturating_pow(failed.saturating_sub(1));
        let delay = self.first_delay.saturating_mul(times).min(self.max_delay);
        let mut bytes = [0; 4];
        randomness.fill(&mut bytes);
        // From -1 to 1.
        let draw = f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX) * 2.0 - 1.0;
        // The bounds of clamp are numbers; a jitter that is none counts as no jitter.
        let jitter = if self.jitter.is_nan() {
            0.0
        } else {
            self.jitter.clamp(0.0, 1.0)
        };
        Duration::try_from_secs_f64(delay.as_secs_f64() * (1.0 + draw * jitter))
            .unwrap_or(self.max_delay)
            .min(self.max_delay)
    }
}

/// [`call`], again where the fault or the refusal may pass. Each call is sealed anew, with a
/// fresh timestamp, so that it is no replay; that a repeated call has no second effect is the
/// interface's own promise.
///
/// # Errors
/// The fault of the last call.
pub async fn call_with_retry(
    http: &HttpClient,
    url: &Url,
    guard: &HostGuard,
    credentials: &Credentials,
    clock: &dyn Clock,
    retry: Retry<'_>,
    business: &str,
) -> Result<Answer, CallFault> {
    let mut failed = 0;
    loop {
        let outcome = call(http, url, guard, credentials, clock, business).await;
        failed += 1;
        let passing = match &outcome {
            Ok(Answer::Done(_)) => false,
            Ok(Answer::Refused { code, .. }) => crate::fault::is_passing(code),
            Err(fault) => fault.is_retryable(),
        };
        if !passing || failed >= retry.policy.attempts {
            return outcome;
        }
        let delay = retry.policy.delay_after(failed, retry.randomness);
        let host = url.host_str();
        match &outcome {
            Err(fault) => {
                tracing::warn!(host, failed, ?delay, kind = fault.kind(), %fault, "calling again");
            }
            Ok(_) => tracing::warn!(host, failed, ?delay, kind = "refused", "calling again"),
        }
        tokio::time::sleep(delay).await;
    }
}

/// [`call_with_retry`] with messages instead of JSON.
///
/// # Errors
/// The fault of the last call.
pub async fn call_typed_with_retry<Request: Message, Reply: Message>(
    http: &HttpClient,
    url: &Url,
    guard: &HostGuard,
    credentials: &Credentials,
    clock: &dyn Clock,
    retry: Retry<'_>,
    request: &Request,
) -> Result<Reply, CallFault> {
    let business = wire::write(request);
    let answer = call_with_retry(http, url, guard, credentials, clock, retry, &business).await?;
    crate::call::read(answer)
}
