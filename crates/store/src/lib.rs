//! Records of Banyan, on SQLite and PostgreSQL.

pub mod db;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
