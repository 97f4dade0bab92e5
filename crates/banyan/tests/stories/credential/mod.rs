//! Stories of the credential centre (医保电子凭证).

mod codes;
mod door;
mod faces;
mod pages;
mod passwords;
mod window;
