//! What is wrong with a message, and where.

use std::fmt;

/// The first member of a message that is not as it should be.
///
/// Both texts are for the caller: the path is in the wire's own words, what was expected in
/// Chinese. The offending value itself is never repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldFault {
    /// Such as `unsettleList[3].itemList[0].amount`; empty where the whole message is meant.
    pub path: String,
    /// Such as `不可缺少`.
    pub expected: String,
    /// Whether nothing stands there at all: the member is missing, null or blank.
    pub absent: bool,
}

impl FieldFault {
    /// At this path, with this explanation.
    pub fn new(path: impl Into<String>, expected: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            expected: expected.into(),
            absent: false,
        }
    }

    /// At this path nothing stands, and something must.
    pub fn absent(path: impl Into<String>, expected: impl Into<String>) -> Self {
        Self {
            absent: true,
            ..Self::new(path, expected)
        }
    }
}

impl fmt::Display for FieldFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            f.write_str(&self.expected)
        } else {
            write!(f, "{}：{}", self.path, self.expected)
        }
    }
}

impl std::error::Error for FieldFault {}
