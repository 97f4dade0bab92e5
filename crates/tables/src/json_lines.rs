//! A record that is a JSON object in one line.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::header::{find, shown};
use crate::records::{Plan, Strangers};

/// The cells of one object in the order of the plan's columns. Names that the caller does not know
/// go to `strangers`.
///
/// Numbers are taken as they are written, because programs write amounts so.
pub(crate) fn cells(
    text: &str,
    plan: &Plan,
    mut stranger: impl FnMut(String),
) -> Result<Vec<Option<String>>, String> {
    // What the parser says may repeat what a cell holds.
    let Members(members) =
        serde_json::from_str(text).map_err(|_| "应为一个 JSON 对象，独占一行".to_owned())?;
    let mut cells = vec![None; plan.columns.len()];
    let mut seen = vec![false; plan.columns.len()];
    for (name, value) in members {
        let Some(column) = find(plan, &name) else {
            if plan.strangers == Strangers::Refused {
                return Err(format!("有不认识的成员“{}”", shown(&name)));
            }
            stranger(shown(&name));
            continue;
        };
        let code = plan.columns[column].code;
        if std::mem::replace(&mut seen[column], true) {
            return Err(format!("{code} 出现两次"));
        }
        cells[column] = match value.get().as_bytes().first() {
            Some(b'"') => serde_json::from_str(value.get()).ok(),
            Some(b'-' | b'0'..=b'9') => Some(value.get().to_owned()),
            Some(b'n') => None,
            _ => return Err(format!("{code} 应为字符串")),
        };
    }
    Ok(cells)
}

/// The members of an object in their order, doubled ones included.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}
