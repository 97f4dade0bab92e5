//! Serving HTTP and HTTPS, the same for the platform and the edge: listen, bound what a client may
//! do, keep pages safe, stop without dropping anything.

mod body;
mod safety;
mod serving;

pub use body::{BodyRoom, ReadBody, Unread, within};
pub use safety::protect;
pub use serving::{Serving, ServingError, Tls};
