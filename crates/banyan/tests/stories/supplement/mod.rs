//! Stories of insurers' channels (统一对外接口).

mod algorithms;
mod door;
mod insurer;
mod keeping;
mod ledgers;
mod refusals;
mod tokens;
