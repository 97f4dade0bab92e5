//! 商业补充医疗保险: what insurers' channels send, and the one question that they ask.

pub mod icd10;
pub mod import;
