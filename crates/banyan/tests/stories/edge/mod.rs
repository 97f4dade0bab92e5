//! The hospital's side: a HIS that speaks plain JSON, an edge, and a line that may do anything.

mod day;
mod doors;
mod dropped;
mod faults;
mod input;
mod line;
mod outcomes;
mod pages;
mod place;
