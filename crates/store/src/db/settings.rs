//! Where the database is, and how much of it one process may use.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tokio_postgres::config::SslMode;

use super::StoreError;

/// Where the database is, and its limits.
#[derive(Clone)]
pub struct DbSettings {
    /// `sqlite:PATH` or `postgres://user:password@host/database`.
    ///
    /// PostgreSQL: `sslmode=require` (or `verify-full`) asks for TLS and always verifies the
    /// server's certificate, against the PEM file named by `sslrootcert=PATH` or else against the
    /// public roots. Without it the connection is plain.
    pub url: String,
    /// SQLite: how many writes may wait for the writer.
    pub write_queue: usize,
    /// PostgreSQL: connections for writes and scans.
    pub pg_write_connections: usize,
    /// PostgreSQL: connections shared by all reads.
    pub pg_read_connections: usize,
    /// How long a write may wait for a place in the queue or for a connection.
    pub queue_timeout_ms: u64,
    /// SQLite: how long to wait for a lock that another process holds.
    pub busy_timeout_ms: u64,
    /// PostgreSQL: the longest a statement of a read may take.
    pub read_timeout_ms: u64,
    /// SQLite: how much of the file the writer keeps in memory, in KiB.
    pub cache_kib: u32,
    /// SQLite: how much of it the readers keep together, in KiB. A page that is not kept costs a
    /// look-up a system call and a copy, a tenth of all that it costs.
    pub readers_cache_kib: u32,
    /// Who moves SQLite's log into its file.
    pub(crate) checkpoints: Checkpoints,
}

/// Who moves SQLite's log into its file; see [`super::sqlite`]'s checkpoint module for figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Checkpoints {
    /// A thread of its own, poked every few thousand pages. At this many pages the writer finishes
    /// the job: while writes never pause, only it can catch up with itself and begin the log anew.
    OwnThread { backstop_pages: i32 },
    /// The writer, after a commit that finds this many pages.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "kept for the benchmark that compares")
    )]
    Writer { pages: i32 },
}

impl DbSettings {
    /// Settings that suit a small server.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            write_queue: 1024,
            pg_write_connections: 8,
            pg_read_connections: 3,
            queue_timeout_ms: 5_000,
            busy_timeout_ms: 5_000,
            read_timeout_ms: 10_000,
            cache_kib: 64 * 1024,
            readers_cache_kib: 256 * 1024,
            checkpoints: Checkpoints::OwnThread {
                backstop_pages: 65_536,
            },
        }
    }

    pub(super) fn queue_timeout(&self) -> Duration {
        Duration::from_millis(self.queue_timeout_ms)
    }

    pub(super) fn place(&self) -> Result<Place, StoreError> {
        if let Some(path) = self.url.strip_prefix("sqlite:") {
            if path.is_empty() || path.starts_with(":memory:") {
                return Err(malformed("sqlite: wants the path of a file"));
            }
            return Ok(Place::Sqlite(PathBuf::from(path)));
        }
        if self.url.starts_with("postgres://") || self.url.starts_with("postgresql://") {
            return Server::parse(&self.url).map(|server| Place::Postgres(Box::new(server)));
        }
        Err(malformed("it starts with sqlite: or postgres://"))
    }
}

/// Hides the URL, which may hold a password.
impl std::fmt::Debug for DbSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DbSettings")
            .field("write_queue", &self.write_queue)
            .field("pg_write_connections", &self.pg_write_connections)
            .field("pg_read_connections", &self.pg_read_connections)
            .finish_non_exhaustive()
    }
}

/// The URL, understood.
pub(super) enum Place {
    Sqlite(PathBuf),
    Postgres(Box<Server>),
}

/// A PostgreSQL server and how to greet it.
#[derive(Clone)]
pub(super) struct Server {
    pub(super) config: tokio_postgres::Config,
    pub(super) tls: Option<tokio_postgres_rustls::MakeRustlsConnect>,
}

impl Server {
    fn parse(url: &str) -> Result<Self, StoreError> {
        // `sslrootcert` and `verify-full` are libpq's words, which tokio-postgres does not know.
        let mut roots = None;
        let url = match url.split_once('?') {
            None => url.to_owned(),
            Some((base, query)) => {
                let mut kept = url::form_urlencoded::Serializer::new(String::new());
                for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
                    match (&*name, &*value) {
                        ("sslrootcert", path) => roots = Some(PathBuf::from(path)),
                        ("sslmode", "verify-full") => {
                            kept.append_pair("sslmode", "require");
                        }
                        _ => {
                            kept.append_pair(&name, &value);
                        }
                    }
                }
                // tokio-postgres reads percent-encoding but not `+` for a blank.
                format!("{base}?{}", kept.finish().replace('+', "%20"))
            }
        };
        let mut config: tokio_postgres::Config = url
            .parse()
            .map_err(|error| malformed(&format!("PostgreSQL: {error}")))?;
        config
            .application_name("banyan")
            .connect_timeout(Duration::from_secs(5))
            // A server that vanished without a word is noticed after this long.
            .tcp_user_timeout(Duration::from_secs(15))
            .keepalives_idle(Duration::from_secs(30));
        let tls = match config.get_ssl_mode() {
            SslMode::Require => Some(tls(roots)?),
            _ => None,
        };
        Ok(Self { config, tls })
    }
}

fn tls(roots: Option<PathBuf>) -> Result<tokio_postgres_rustls::MakeRustlsConnect, StoreError> {
    let mut store = rustls::RootCertStore::empty();
    match roots {
        None => store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(path) => {
            let unreadable = || malformed("sslrootcert is not a readable file of PEM certificates");
            for certificate in CertificateDer::pem_file_iter(path).map_err(|_| unreadable())? {
                store
                    .add(certificate.map_err(|_| unreadable())?)
                    .map_err(|_| unreadable())?;
            }
            if store.is_empty() {
                return Err(unreadable());
            }
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| malformed(&format!("TLS: {error}")))?
        .with_root_certificates(store)
        .with_no_client_auth();
    Ok(tokio_postgres_rustls::MakeRustlsConnect::new(config))
}

fn malformed(why: &str) -> StoreError {
    StoreError::Sql(format!("the database URL is malformed: {why}"))
}
