//! What stands in an address: parts of the path, and what is asked for behind the question mark.
//! What is wrong there is answered like everything else, with the field named.

use std::collections::HashSet;

use axum::extract::path::ErrorKind;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use banyan_protocol::result_code::ResultCode;
use banyan_protocol::wire::FieldFault;
use serde::de::DeserializeOwned;
use url::form_urlencoded;

use super::reply::Reply;

/// What is asked for behind the question mark, whose members are numbers and texts.
pub(super) struct Asked<T>(pub(super) T);

/// The one part of the path that is not fixed.
pub(super) struct Part(pub(super) String);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Reply;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Reply> {
        read(parts.uri.query().unwrap_or_default())
            .map(Self)
            .map_err(|fault| Reply::field(&fault))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Part {
    type Rejection = Reply;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Reply> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(part)) => Ok(Self(part)),
            Err(PathRejection::FailedToDeserializePathParams(fault)) => {
                let field = match fault.kind() {
                    ErrorKind::InvalidUtf8InPathParam { key } => key.as_str(),
                    _ => "",
                };
                let why = "地址中的这一段应为 UTF-8 文本的百分号编码";
                Err(Reply::field(&FieldFault::new(field, why)))
            }
            Err(_) => Err(Reply::refused(
                ResultCode::SystemError,
                "前置机内部错误：地址无法解读",
            )),
        }
    }
}

fn read<T: DeserializeOwned>(query: &str) -> Result<T, FieldFault> {
    let mut said = HashSet::new();
    for (name, _) in form_urlencoded::parse(query.as_bytes()) {
        if let Some(twice) = said.replace(name) {
            return Err(FieldFault::new(twice.into_owned(), "只可给出一次"));
        }
    }
    let pairs = form_urlencoded::parse(query.as_bytes());
    serde_path_to_error::deserialize(serde_urlencoded::Deserializer::new(pairs))
        .map_err(|fault| FieldFault::new(fault.path().to_string(), "应为整数"))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Default, Deserialize)]
    #[serde(default, rename_all = "camelCase")]
    struct Wanted {
        after: i64,
        most_rows: Option<i64>,
        name: String,
    }

    #[test]
    fn what_is_wrong_behind_the_question_mark_is_named() {
        for (query, field) in [
            ("after=abc", "after"),
            ("name=x&mostRows=", "mostRows"),
            ("mostRows=99999999999999999999", "mostRows"),
            ("after=1&after=2", "after"),
            ("x=1&x=2", "x"),
        ] {
            let fault = read::<Wanted>(query).unwrap_err();
            assert_eq!(fault.path, field, "{query}");
        }
        let wanted: Wanted = read("after=7&name=%E5%BC%A0+x&unknown=1").unwrap();
        assert_eq!((wanted.after, &*wanted.name), (7, "张 x"));
        assert_eq!(read::<Wanted>("").unwrap().most_rows, None);
    }
}
