//! 电子健康卡: who somebody is, and under which index hospitals speak of him.
//!
//! What enters: a self-paying patient follows the link that his hospital asked for (ORG_EHC_001)
//! and says who he is on the page that it opens ([`authorise`]); or he shows the QR code of his
//! card ([`card`], [`own`]), and the hospital has it verified (ORG_EHC_003). An insured patient's hospital
//! says who he is and what his number at the insurance is (ORG_EHC_004). An operator takes in a
//! file of persons ([`import`]).
//!
//! What is kept: each person once, under the index that is worked out from his identity, with the
//! name that was given first; the numbers that lead to him; how each authorisation stands; which
//! QR codes were used. A claim that contradicts what is registered is refused and kept for people
//! to decide ([`reviewing`]); nothing is merged in silence.
//!
//! What leaves: index and identity, to the hospital that the patient authorised, whose terminal he
//! showed his code to, or that named him rightly; each time with an entry in the journal under his
//! code, so that he sees who looked.

pub mod authorise;
pub mod card;
pub mod identity;
pub mod import;
pub mod org_ehc_001;
pub mod org_ehc_002;
pub mod org_ehc_003;
pub mod org_ehc_004;
pub mod own;
pub mod reviewing;

/// Links of authorisations are this path and a token; behind them `/qr.svg` shows the link itself.
pub const AUTHORISATION_PATH: &str = "/h5/ehc/auth";
