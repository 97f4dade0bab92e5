//! One connection to PostgreSQL with the statements prepared on it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use futures_util::future::{BoxFuture, FutureExt as _};
use tokio_postgres::error::SqlState;
use tokio_postgres::tls::NoTls;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row, Statement};

use super::arrays::{self, Wanted};
use crate::db::error::is_io;
use crate::db::settings::Server;
use crate::db::{StoreError, Val};

/// Prepared statements a connection may hold; ours are few, so reaching this means that some text
/// is made up at run time.
const STATEMENTS: usize = 512;

pub(super) struct Connection {
    pub(super) client: Client,
    statements: Mutex<HashMap<String, Statement>>,
}

/// A failure, with what must be known about it beyond its message.
pub(super) struct Failure {
    pub(super) error: StoreError,
    /// The connection is of no more use.
    pub(super) lost: bool,
    /// The statement must be prepared anew: the schema changed under it.
    pub(super) stale: bool,
    /// PostgreSQL asks for the whole transaction again.
    pub(super) retry: bool,
}

/// Connects, and says once what the session is for.
pub(super) async fn connect(server: &Server, setup: &str) -> Result<Connection, StoreError> {
    let client = open_client(server).await?;
    client.batch_execute(setup).await?;
    Ok(Connection {
        client,
        statements: Mutex::default(),
    })
}

pub(super) async fn open_client(server: &Server) -> Result<Client, StoreError> {
    let (client, driver): (
        Client,
        BoxFuture<'static, Result<(), tokio_postgres::Error>>,
    ) = match &server.tls {
        None => {
            let (client, driver) = server.config.connect(NoTls).await?;
            (client, driver.boxed())
        }
        Some(tls) => {
            let (client, driver) = server.config.connect(tls.clone()).await?;
            (client, driver.boxed())
        }
    };
    tokio::spawn(async move {
        if let Err(error) = driver.await {
            // The next use of the client says the same, and mends it.
            tracing::warn!(error = %StoreError::from(error), "a connection to PostgreSQL ended");
        }
    });
    Ok(client)
}

impl Connection {
    pub(super) async fn query(&self, sql: &str, params: &[Val<'_>]) -> Result<Vec<Row>, Failure> {
        let statement = self.prepare(sql).await?;
        check(&statement, params)?;
        let answer = self.client.query(&statement, &as_sql(params)).await;
        answer.map_err(|error| self.note(sql, error))
    }

    pub(super) async fn execute(&self, sql: &str, params: &[Val<'_>]) -> Result<u64, Failure> {
        let statement = self.prepare(sql).await?;
        check(&statement, params)?;
        let answer = self.client.execute(&statement, &as_sql(params)).await;
        answer.map_err(|error| self.note(sql, error))
    }

    /// The rows for each set of parameters, in one statement.
    pub(super) async fn query_each(
        &self,
        sql: &str,
        sets: &[Vec<Val<'_>>],
        wanted: Wanted,
    ) -> Result<Vec<Vec<Row>>, Failure> {
        let mut found: Vec<Vec<Row>> = sets.iter().map(|_| Vec::new()).collect();
        if sets.is_empty() {
            return Ok(found);
        }
        let kinds = arrays::kinds(sets);
        if let Some(other) = sets.iter().find(|set| set.len() != kinds.len()) {
            return Err(StoreError::wrong_count(kinds.len(), other.len()).into());
        }
        let text = arrays::each_text(sql, &kinds, wanted);
        let statement = self.prepare(&text).await?;
        let columns = arrays::columns(&kinds, sets)?;
        let params: Vec<&(dyn ToSql + Sync)> = columns.iter().map(|array| &**array as _).collect();
        let answer = self.client.query(&statement, &params).await;
        for row in answer.map_err(|error| self.note(&text, error))? {
            let place = row.try_get::<_, i64>(row.len().saturating_sub(1))?;
            usize::try_from(place - 1)
                .ok()
                .and_then(|place| found.get_mut(place))
                .ok_or_else(|| StoreError::Corrupt("a row belongs to no question".to_owned()))?
                .push(row);
        }
        Ok(found)
    }

    /// For parameters that are arrays.
    pub(super) async fn execute_raw(
        &self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<u64, Failure> {
        let statement = self.prepare(sql).await?;
        let answer = self.client.execute(&statement, params).await;
        answer.map_err(|error| self.note(sql, error))
    }

    /// BEGIN, COMMIT and the like.
    pub(super) async fn control(&self, sql: &str) -> Result<(), Failure> {
        self.client.batch_execute(sql).await.map_err(Failure::from)
    }

    pub(super) async fn prepare(&self, sql: &str) -> Result<Statement, Failure> {
        let known = self.statements().get(sql).cloned();
        if let Some(statement) = known {
            return Ok(statement);
        }
        let statement = self.client.prepare(sql).await?;
        let mut statements = self.statements();
        if statements.len() >= STATEMENTS {
            statements.clear();
        }
        statements.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }

    fn note(&self, sql: &str, error: tokio_postgres::Error) -> Failure {
        let failure = Failure::from(error);
        if failure.stale {
            self.statements().remove(sql);
        }
        failure
    }

    fn statements(&self) -> std::sync::MutexGuard<'_, HashMap<String, Statement>> {
        self.statements
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// The checks that SQLite's side makes too, in the same words.
fn check(statement: &Statement, params: &[Val<'_>]) -> Result<(), StoreError> {
    let wanted = statement.params().len();
    if wanted != params.len() {
        return Err(StoreError::wrong_count(wanted, params.len()));
    }
    if params.iter().any(Val::holds_nul) {
        return Err(StoreError::nul());
    }
    Ok(())
}

fn as_sql<'a>(params: &'a [Val<'a>]) -> Vec<&'a (dyn ToSql + Sync)> {
    params.iter().map(|value| value as _).collect()
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self {
            error,
            lost: false,
            stale: false,
            retry: false,
        }
    }
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        let code = error.code().cloned();
        let is = |states: &[SqlState]| code.as_ref().is_some_and(|code| states.contains(code));
        Self {
            retry: is(&[
                SqlState::T_R_SERIALIZATION_FAILURE,
                SqlState::T_R_DEADLOCK_DETECTED,
            ]),
            // "cached plan must not change result type" comes as a feature not supported.
            stale: is(&[
                SqlState::FEATURE_NOT_SUPPORTED,
                SqlState::INVALID_SQL_STATEMENT_NAME,
            ]),
            lost: is(&[
                SqlState::ADMIN_SHUTDOWN,
                SqlState::CRASH_SHUTDOWN,
                SqlState::CANNOT_CONNECT_NOW,
                SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
            ]) || error.is_closed()
                || (code.is_none() && is_io(&error)),
            error: error.into(),
        }
    }
}
