//! 医保电子凭证: who holds a credential, and what institutions did with it.
//!
//! A holder is a person of the health card's registry ([`holders`]), with his place of insurance and
//! the digest of his password. What an institution's number was used for stands in [`biz_nos`],
//! whose face a terminal recognised in [`faces`], and who waits for a password in [`requests`]. QR
//! codes and tokens are kept nowhere: they hold, sealed or coded, what they say.

pub mod biz_nos;
pub mod faces;
pub mod holders;
pub mod requests;
#[cfg(test)]
mod tests;
