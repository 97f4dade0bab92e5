//! The same calls for programs without async.

use banyan_protocol::ambient::Clock;
use banyan_protocol::envelope::Answer;
use banyan_protocol::wire::Message;
use bytes::Bytes;
use url::Url;

use crate::{
    CallFault, ClientSetupError, Credentials, HostGuard, HttpClient, HttpReply, HttpSettings, Retry,
};

/// Posts messages from a runtime of its own. Threads may share it, and then take turns at
/// driving it. It must not be used or dropped inside another runtime.
#[derive(Debug)]
pub struct Client {
    http: HttpClient,
    runtime: tokio::runtime::Runtime,
}

impl Client {
    /// Prepares the runtime and the pool; connects nowhere yet.
    ///
    /// # Errors
    /// Where either can't be had.
    pub fn new(settings: &HttpSettings) -> Result<Self, ClientSetupError> {
        Ok(Self {
            http: HttpClient::new(settings)?,
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?,
        })
    }

    /// See [`HttpClient::post`].
    ///
    /// # Errors
    /// Those of [`HttpClient::post`].
    pub fn post(&self, url: &Url, body: Bytes, guard: &HostGuard) -> Result<HttpReply, CallFault> {
        self.run(self.http.post(url, body, guard))
    }

    /// See [`crate::call`].
    ///
    /// # Errors
    /// Those of [`crate::call`].
    pub fn call(
        &self,
        url: &Url,
        guard: &HostGuard,
        credentials: &Credentials,
        clock: &dyn Clock,
        business: &str,
    ) -> Result<Answer, CallFault> {
        self.run(crate::call(
            &self.http,
            url,
            guard,
            credentials,
            clock,
            business,
        ))
    }

    /// See [`crate::call_typed`].
    ///
    /// # Errors
    /// Those of [`crate::call_typed`].
    pub fn call_typed<Request: Message, Reply: Message>(
        &self,
        url: &Url,
        guard: &HostGuard,
        credentials: &Credentials,
        clock: &dyn Clock,
        request: &Request,
    ) -> Result<Reply, CallFault> {
        self.run(crate::call_typed(
            &self.http,
            url,
            guard,
            credentials,
            clock,
            request,
        ))
    }

    /// See [`crate::call_with_retry`].
    ///
    /// # Errors
    /// Those of [`crate::call_with_retry`].
    pub fn call_with_retry(
        &self,
        url: &Url,
        guard: &HostGuard,
        credentials: &Credentials,
        clock: &dyn Clock,
        retry: Retry<'_>,
        business: &str,
    ) -> Result<Answer, CallFault> {
        self.run(crate::call_with_retry(
            &self.http,
            url,
            guard,
            credentials,
            clock,
            retry,
            business,
        ))
    }

    fn run<T>(&self, calling: impl Future<Output = T>) -> T {
        self.runtime.block_on(async {
            // Nothing ran since the last call. The first turn lets the runtime learn what has
            // happened to its sockets, the second lets the pool's tasks act on it; otherwise a
            // connection that the server closed meanwhile would be taken for a living one.
            tokio::task::yield_now().await;
            tokio::task::yield_now().await;
            calling.await
        })
    }
}
