//! 电子健康卡: the registry of persons and what leads to it.
//!
//! A person is registered once, under the index that is worked out from his identity
//! ([`persons`]); the insurance's numbers lead to persons ([`insured`]). What contradicts a
//! registration changes nothing and waits for people ([`reviews`]). Hospitals ask for
//! authorisations ([`authorisations`]), and QR codes are used up ([`codes`]). Names are compared as
//! people would ([`names`]).

pub mod authorisations;
pub mod codes;
pub mod insured;
pub mod names;
pub mod persons;
mod register;
pub mod reviews;

pub use register::{Claim, Registered, register, register_all};
