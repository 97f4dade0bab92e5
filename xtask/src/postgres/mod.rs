//! A PostgreSQL for one test run: its programs are found or installed, its cluster is made in a
//! fresh folder and is gone afterwards. No other cluster of the machine is looked at or touched.

mod account;
mod binaries;
mod cluster;
mod install;

pub(crate) use binaries::Binaries;
pub(crate) use cluster::Cluster;
