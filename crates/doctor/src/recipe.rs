//! How a string to sign is cooked: the guide's recipe, and every change to it that we know.

use banyan_protocol::crypto::hmac::HmacSm3;
use banyan_protocol::crypto::sm3;
use encoding_rs::GB18030;
use md5::{Digest as _, Md5};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::Sha256;

use crate::captured::Member;
use crate::deviation::Deviation;
use crate::json::Json;
use crate::mask;

/// One way to build and sign the string.
#[derive(Debug, Clone)]
pub(crate) struct Recipe<'a> {
    /// The business JSON as it is signed.
    pub(crate) business: Option<&'a str>,
    pub(crate) signed_as: &'static str,
    /// The members of the business JSON one by one instead of the whole.
    pub(crate) flat: Option<&'a Json>,
    pub(crate) empties_out: bool,
    pub(crate) nulls: Nulls,
    /// Members that are left out besides, or taken in against the rule.
    pub(crate) left_out: &'static [&'static str],
    pub(crate) only_business: bool,
    pub(crate) taken_in: &'static [&'static str],
    pub(crate) order: Order,
    pub(crate) joint: Joint,
    pub(crate) key: KeyPlace,
    pub(crate) secret: &'a str,
    pub(crate) gbk: bool,
    pub(crate) digest: DigestKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nulls {
    Out,
    Word,
    Empty,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Ascii,
    AsWritten,
    NoCase,
    BusinessLast,
}

/// How names and values are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Joint {
    Usual,
    NoSeparator,
    ValuesOnly,
    Encoded,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyPlace {
    /// This before the secret, at the end.
    End(&'static str),
    /// `key=SECRET&` before everything.
    Front,
    /// Among the members, in their order.
    Sorted,
    Absent,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DigestKind {
    Sm3,
    Sm3Lower,
    Sm3Upper,
    HmacSm3,
    Md5,
    Sha256,
}

/// A string to sign, and the same with what must not be shown masked, character for character.
#[derive(Debug)]
pub(crate) struct Cooked {
    pub(crate) text: String,
    pub(crate) shown: String,
}

impl<'a> Recipe<'a> {
    /// The guide's own (access guide 4.1.4.1).
    pub(crate) const fn of_the_guide(business: Option<&'a str>, secret: &'a str) -> Self {
        Self {
            business,
            signed_as: "param",
            flat: None,
            empties_out: false,
            nulls: Nulls::Out,
            left_out: &[],
            only_business: false,
            taken_in: &[],
            order: Order::Ascii,
            joint: Joint::Usual,
            key: KeyPlace::End("&key="),
            secret,
            gbk: false,
            digest: DigestKind::Sm3,
        }
    }

    fn takes(&self, member: &Member) -> bool {
        let name = &*member.name;
        let business = ["data", "param"].contains(&name);
        let excluded = ["sign", "encryptData", "extendParams"].contains(&name) || business;
        (!excluded || self.taken_in.contains(&name))
            && !self.left_out.contains(&name)
            && !self.only_business
            && (!member.is_null || self.nulls != Nulls::Out)
    }

    fn pairs(&self, members: &'a [Member]) -> Vec<(&'a str, &'a str)> {
        let mut pairs: Vec<(&str, &str)> = members
            .iter()
            .filter(|member| self.takes(member))
            .map(|member| {
                let empty = member.is_null && self.nulls == Nulls::Empty;
                (&*member.name, if empty { "" } else { &*member.text })
            })
            .collect();
        match self.flat.and_then(Json::members) {
            Some(inner) => pairs.extend(inner.iter().filter_map(|(name, value)| match value {
                Json::Text(text) | Json::Word(text) => Some((&**name, &**text)),
                Json::List(_) | Json::Object(_) => None,
            })),
            None => pairs.extend(self.business.map(|json| (self.signed_as, json))),
        }
        if self.empties_out {
            pairs.retain(|(_, value)| !value.is_empty());
        }
        if self.key == KeyPlace::Sorted {
            pairs.push(("key", self.secret));
        }
        match self.order {
            Order::Ascii => pairs.sort_by_key(|(name, _)| *name),
            Order::AsWritten => {}
            Order::NoCase => pairs.sort_by_key(|(name, _)| name.to_ascii_lowercase()),
            Order::BusinessLast => pairs.sort_by_key(|(name, _)| (*name == self.signed_as, *name)),
        }
        pairs
    }

    fn encoded(value: &str) -> String {
        utf8_percent_encode(value, NON_ALPHANUMERIC).to_string()
    }

    /// The string to sign.
    pub(crate) fn text(&self, members: &'a [Member]) -> String {
        let mut text = String::with_capacity(512);
        self.write(members, &mut |piece, _| text.push_str(piece));
        text
    }

    /// The string to sign, and what may be shown of it.
    pub(crate) fn cook(&self, members: &'a [Member], show_data: bool) -> Cooked {
        let (mut text, mut shown) = (String::new(), String::new());
        self.write(members, &mut |piece, kind| {
            text.push_str(piece);
            match kind {
                Piece::Open => shown.push_str(piece),
                Piece::Data if show_data => shown.push_str(piece),
                Piece::Data => shown.push_str(&mask::mask(piece)),
                Piece::Secret => shown.extend(piece.chars().map(|_| '*')),
            }
        });
        Cooked { text, shown }
    }

    fn write(&self, members: &'a [Member], put: &mut dyn FnMut(&str, Piece)) {
        let separator = if matches!(self.joint, Joint::NoSeparator | Joint::ValuesOnly) {
            ""
        } else {
            "&"
        };
        let mut first = true;
        let mut pair = |put: &mut dyn FnMut(&str, Piece), name: &str, value: &str, kind: Piece| {
            if !first {
                put(separator, Piece::Open);
            }
            first = false;
            if self.joint != Joint::ValuesOnly {
                put(name, Piece::Open);
                put("=", Piece::Open);
            }
            if self.joint == Joint::Encoded && kind != Piece::Secret {
                put(&Self::encoded(value), kind);
            } else {
                put(value, kind);
            }
        };
        if self.key == KeyPlace::Front {
            pair(put, "key", self.secret, Piece::Secret);
        }
        for (name, value) in self.pairs(members) {
            let kind = if name == "key" && self.key == KeyPlace::Sorted {
                Piece::Secret
            } else if mask::is_shown(name) {
                Piece::Open
            } else {
                Piece::Data
            };
            pair(put, name, value, kind);
        }
        if let KeyPlace::End(before) = self.key {
            put(before, Piece::Open);
            put(self.secret, Piece::Secret);
        }
    }

    /// The digest of the string to sign.
    pub(crate) fn digest(&self, members: &'a [Member]) -> Vec<u8> {
        let text = match self.digest {
            DigestKind::Sm3Lower => self.text(members).to_lowercase(),
            DigestKind::Sm3Upper => self.text(members).to_uppercase(),
            _ => self.text(members),
        };
        let gbk;
        let bytes = if self.gbk {
            gbk = GB18030.encode(&text).0;
            &*gbk
        } else {
            text.as_bytes()
        };
        match self.digest {
            DigestKind::Sm3 | DigestKind::Sm3Lower | DigestKind::Sm3Upper => {
                sm3::digest(bytes).to_vec()
            }
            DigestKind::HmacSm3 => HmacSm3::with_key(self.secret.as_bytes())
                .plain_code(bytes)
                .to_vec(),
            DigestKind::Md5 => Md5::digest(bytes).to_vec(),
            DigestKind::Sha256 => Sha256::digest(bytes).to_vec(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    Open,
    Data,
    Secret,
}

/// A change to the recipe, and what it is called.
pub(crate) struct Turn<'a> {
    pub(crate) deviations: Vec<Deviation>,
    pub(crate) apply: Box<dyn Fn(&mut Recipe<'a>) + 'a>,
}

impl<'a> Turn<'a> {
    pub(crate) fn new(deviation: Deviation, apply: impl Fn(&mut Recipe<'a>) + 'a) -> Self {
        Self {
            deviations: vec![deviation],
            apply: Box::new(apply),
        }
    }
}
