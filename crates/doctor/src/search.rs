//! Looking for the recipe that gives the signature.
//!
//! The guide's own recipe comes first, then those with one change, with two, with three; among as
//! many changes the order is that of [`axes`]. So what is found has the fewest deviations there
//! are, and the same message always gets the same answer. The whole search is bounded by the bytes
//! that it may hash.

use crate::captured::{Captured, Member};
use crate::deviation::Deviation as D;
use crate::json::{Escapes, Json, Layout, LeftOut, Style};
use crate::recipe::{DigestKind, Joint, KeyPlace, Nulls, Order, Recipe, Turn};

/// What may be hashed in one search: about a third of a second.
const MOST_BYTES: usize = 48 << 20;
/// Changes to the recipe that are tried together.
const MOST_CHANGES: usize = 3;
/// Spellings of the business JSON that are tried, and what they may come to in all.
const MOST_SPELLINGS: usize = 64;
const MOST_SPELLED_BYTES: usize = 4 << 20;

/// The recipe that gives the signature.
pub(crate) struct Match<'a> {
    pub(crate) recipe: Recipe<'a>,
    /// Each change that it has: how it deviates, and the recipe with this one change undone.
    pub(crate) changes: Vec<(Vec<D>, Recipe<'a>)>,
}

/// What the search works on.
pub(crate) struct Subject<'a> {
    pub(crate) captured: &'a Captured,
    pub(crate) business: Option<&'a str>,
    pub(crate) secret: &'a str,
    /// Other forms of the secret and of the business JSON, made before so that recipes can borrow
    /// them.
    pub(crate) pantry: &'a Pantry,
}

/// Texts that recipes borrow.
pub(crate) struct Pantry {
    spellings: Vec<(String, Vec<D>)>,
    json: Option<Json>,
    secrets: Vec<(String, D)>,
}

impl Pantry {
    pub(crate) fn new(business: Option<&str>, secret: &str) -> Self {
        let json = business.and_then(|text| {
            Json::parse(text).or_else(|| {
                // What was encrypted was a string that holds JSON.
                Json::parse(&serde_json::from_str::<String>(text).ok()?)
            })
        });
        let spellings = business.map_or_else(Vec::new, |text| spellings(text, json.as_ref()));
        let md5 = hex::encode(<md5::Md5 as md5::Digest>::digest(secret.as_bytes()));
        let mut secrets: Vec<(String, D)> = Vec::new();
        let first16 = secret.get(..16).unwrap_or(secret);
        for (text, deviation) in [
            (first16.to_owned(), D::SecretFirst16),
            (format!("{secret}\n"), D::SecretNewline),
            (format!("{secret}\r\n"), D::SecretNewline),
            (secret.to_lowercase(), D::SecretCase),
            (secret.to_uppercase(), D::SecretCase),
            (md5.to_uppercase(), D::SecretMd5),
            (md5, D::SecretMd5),
        ] {
            if text != secret && secrets.iter().all(|(known, _)| *known != text) {
                secrets.push((text, deviation));
            }
        }
        Self {
            spellings,
            json,
            secrets,
        }
    }
}

impl Drop for Pantry {
    fn drop(&mut self) {
        for (secret, _) in &mut self.secrets {
            zeroize::Zeroize::zeroize(secret);
        }
    }
}

/// Finds the recipe; `tried` counts.
pub(crate) fn find<'a>(
    subject: &Subject<'a>,
    stated: &[u8],
    tried: &mut usize,
) -> Option<Match<'a>> {
    let axes = axes(subject);
    let mut search = Search {
        members: &subject.captured.members,
        axes: &axes,
        stated,
        members_bytes: subject
            .captured
            .members
            .iter()
            .map(|one| one.name.len() + one.text.len())
            .sum(),
        bytes_left: MOST_BYTES,
        tried,
    };
    let guide = Recipe::of_the_guide(subject.business, subject.secret);
    let (recipe, turns) =
        (0..=MOST_CHANGES).find_map(|changes| search.go(&guide, &[], 0, changes))?;
    let changes = turns.iter().map(|undone| {
        let mut without = guide.clone();
        let mut deviations = Vec::new();
        for place in &turns {
            let Some(turn) = axes.get(place.0).and_then(|axis| axis.get(place.1)) else {
                continue;
            };
            if place == undone {
                deviations.clone_from(&turn.deviations);
            } else {
                (turn.apply)(&mut without);
            }
        }
        (deviations, without)
    });
    Some(Match {
        changes: changes.collect(),
        recipe,
    })
}

struct Search<'s, 'a> {
    members: &'a [Member],
    axes: &'s [Vec<Turn<'a>>],
    stated: &'s [u8],
    members_bytes: usize,
    bytes_left: usize,
    tried: &'s mut usize,
}

/// A turn's axis, and its place there.
type TurnPlace = (usize, usize);

impl<'a> Search<'_, 'a> {
    /// Tries every recipe with exactly so many more changes, on axes from this one on.
    fn go(
        &mut self,
        recipe: &Recipe<'a>,
        done: &[TurnPlace],
        from: usize,
        changes: usize,
    ) -> Option<(Recipe<'a>, Vec<TurnPlace>)> {
        if changes == 0 {
            return self.fits(recipe).then(|| (recipe.clone(), done.to_vec()));
        }
        let axes = self.axes;
        for (axis_place, axis) in axes.iter().enumerate().skip(from) {
            for (turn_place, turn) in axis.iter().enumerate() {
                if self.bytes_left == 0 {
                    return None;
                }
                let mut changed = recipe.clone();
                (turn.apply)(&mut changed);
                let mut done = done.to_vec();
                done.push((axis_place, turn_place));
                let found = self.go(&changed, &done, axis_place + 1, changes - 1);
                if found.is_some() {
                    return found;
                }
            }
        }
        None
    }

    fn fits(&mut self, recipe: &Recipe<'a>) -> bool {
        let size = 200 + self.members_bytes + recipe.business.map_or(0, str::len);
        self.bytes_left = self.bytes_left.saturating_sub(size);
        *self.tried += 1;
        recipe.digest(self.members) == self.stated
    }
}

/// Every change that could make a difference to this message, the likeliest kinds first.
fn axes<'a>(subject: &Subject<'a>) -> Vec<Vec<Turn<'a>>> {
    let captured = subject.captured;
    let has = |name: &str| {
        captured
            .members
            .iter()
            .any(|member| member.name == name && !member.is_null)
    };
    let mut axes = vec![business(subject)];
    if subject.business.is_some() {
        axes.push(vec![Turn::new(D::SignedAsData, |r| r.signed_as = "data")]);
    }
    axes.push(key(subject));
    axes.push(members(&has));
    if captured
        .members
        .iter()
        .any(|member| !member.is_null && member.text.is_empty())
    {
        axes.push(vec![Turn::new(D::EmptiesOut, |r| r.empties_out = true)]);
    }
    if captured.members.iter().any(|member| member.is_null) {
        axes.push(vec![
            Turn::new(D::NullsAsWord, |r| r.nulls = Nulls::Word),
            Turn::new(D::NullsAsEmpty, |r| r.nulls = Nulls::Empty),
        ]);
    }
    axes.push(vec![
        Turn::new(D::OrderWritten, |r| r.order = Order::AsWritten),
        Turn::new(D::BusinessLast, |r| r.order = Order::BusinessLast),
        Turn::new(D::OrderNoCase, |r| r.order = Order::NoCase),
    ]);
    axes.push(vec![
        Turn::new(D::DigestMd5, |r| r.digest = DigestKind::Md5),
        Turn::new(D::DigestSha256, |r| r.digest = DigestKind::Sha256),
        Turn::new(D::DigestHmac, |r| r.digest = DigestKind::HmacSm3),
        Turn::new(D::DigestLower, |r| r.digest = DigestKind::Sm3Lower),
        Turn::new(D::DigestUpper, |r| r.digest = DigestKind::Sm3Upper),
    ]);
    let ascii = subject.business.is_none_or(str::is_ascii)
        && captured.members.iter().all(|member| member.text.is_ascii());
    if !ascii {
        axes.push(vec![Turn::new(D::StringGbk, |r| r.gbk = true)]);
    }
    axes.push(vec![
        Turn::new(D::NoSeparator, |r| r.joint = Joint::NoSeparator),
        Turn::new(D::ValuesOnly, |r| r.joint = Joint::ValuesOnly),
        Turn::new(D::ValuesEncoded, |r| r.joint = Joint::Encoded),
    ]);
    axes
}

fn business<'a>(subject: &Subject<'a>) -> Vec<Turn<'a>> {
    let mut turns = Vec::new();
    if let Some(ciphertext) = subject.captured.get("encryptData") {
        turns.push(Turn::new(D::BusinessIsCipher, move |r| {
            r.business = Some(ciphertext)
        }));
    }
    if subject.business.is_some() {
        turns.push(Turn::new(D::WithoutBusiness, |r| r.business = None));
    }
    for (text, deviations) in &subject.pantry.spellings {
        turns.push(Turn {
            deviations: deviations.clone(),
            apply: Box::new(move |r| r.business = Some(text)),
        });
    }
    if let Some(json) = &subject.pantry.json {
        turns.push(Turn::new(D::BusinessFlat, move |r| r.flat = Some(json)));
    }
    turns
}

fn key<'a>(subject: &Subject<'a>) -> Vec<Turn<'a>> {
    let end = |deviation, before| {
        Turn::new(deviation, move |r: &mut Recipe<'a>| {
            r.key = KeyPlace::End(before)
        })
    };
    let mut turns = vec![
        end(D::KeyBare, ""),
        end(D::KeyNoName, "&"),
        end(D::KeyNoAmpersand, "key="),
        end(D::KeyOtherName, "&KEY="),
        end(D::KeyOtherName, "&Key="),
        end(D::KeyOtherName, "&secret="),
        end(D::KeyOtherName, "&appSecret="),
        end(D::KeyOtherName, "&appKey="),
        Turn::new(D::KeyAbsent, |r| r.key = KeyPlace::Absent),
        Turn::new(D::KeyInFront, |r| r.key = KeyPlace::Front),
        Turn::new(D::KeySorted, |r| r.key = KeyPlace::Sorted),
    ];
    for (secret, deviation) in &subject.pantry.secrets {
        turns.push(Turn::new(*deviation, move |r| r.secret = secret));
    }
    turns
}

fn members<'a>(has: &dyn Fn(&str) -> bool) -> Vec<Turn<'a>> {
    let out = |deviation, names: &'static [&'static str]| {
        Turn::new(deviation, move |r: &mut Recipe<'a>| r.left_out = names)
    };
    let mut turns = Vec::new();
    if has("extendParams") {
        turns.push(Turn::new(D::ExtendParamsIn, |r| {
            r.taken_in = &["extendParams"]
        }));
    }
    if has("encryptData") {
        turns.push(Turn::new(D::EncryptDataIn, |r| {
            r.taken_in = &["encryptData"]
        }));
    }
    turns.push(out(D::TypesOut, &["encryptType", "signType"]));
    turns.push(out(D::SignTypeOut, &["signType"]));
    turns.push(out(D::VersionOut, &["version"]));
    turns.push(out(D::TimestampOut, &["timestamp"]));
    if has("respCode") {
        turns.push(out(D::OutcomeOut, &["respCode", "respMsg"]));
    }
    turns.push(Turn::new(D::OnlyBusiness, |r| r.only_business = true));
    turns
}

/// How else the business JSON may have been written when it was signed: each spelling once, those
/// that differ from the encrypted one in the fewest ways first.
fn spellings(text: &str, json: Option<&Json>) -> Vec<(String, Vec<D>)> {
    let mut found: Vec<(String, Vec<D>)> = Vec::new();
    let mut add = |spelling: String, deviations: Vec<D>| {
        if spelling != text
            && found.len() < MOST_SPELLINGS
            && found.iter().all(|(known, _)| *known != spelling)
        {
            found.push((spelling, deviations));
        }
    };
    add(text.trim().to_owned(), vec![D::BusinessTrimmed]);
    let Some(json) = json else {
        return found;
    };
    // Which of layout and escapes changed shows when each is held against the text's own.
    let (own_layout, own_escapes) = own_style(text, json);
    let mut styles: Vec<(Style, Vec<D>)> = Vec::new();
    for sorted in [false, true] {
        for (left_out, about_left_out) in [
            (LeftOut::Nothing, &[] as &[D]),
            (LeftOut::Nulls, &[D::BusinessNoNulls]),
            (LeftOut::Empties, &[D::BusinessNoEmpties]),
            (
                LeftOut::NullsAndEmpties,
                &[D::BusinessNoNulls, D::BusinessNoEmpties],
            ),
        ] {
            for (layout, about_layout) in [
                (Layout::Compact, D::BusinessCompact),
                (Layout::Spaced, D::BusinessSpaced),
                (Layout::Pretty("  "), D::BusinessPretty),
                (Layout::Pretty("    "), D::BusinessPretty),
                (Layout::Pretty("\t"), D::BusinessPretty),
            ] {
                for (escapes, about_escapes) in [
                    (Escapes::Least, D::BusinessLiteral),
                    (Escapes::Slashes, D::BusinessSlashes),
                    (Escapes::Unicode, D::BusinessUnicode),
                    (Escapes::UnicodeUpper, D::BusinessUnicode),
                    (Escapes::Html, D::BusinessHtml),
                ] {
                    let mut deviations = about_left_out.to_vec();
                    deviations.extend(sorted.then_some(D::BusinessSorted));
                    let style = Style {
                        sorted,
                        left_out,
                        layout,
                        escapes,
                    };
                    deviations.extend((own_layout != layout).then_some(about_layout));
                    deviations.extend((own_escapes != escapes).then_some(about_escapes));
                    styles.push((style, deviations));
                }
            }
        }
    }
    styles.sort_by_key(|(_, deviations)| deviations.len());
    // A large message has fewer spellings tried, so that no message takes long.
    let most = (MOST_SPELLED_BYTES / text.len().max(1)).max(1);
    for (style, deviations) in styles.into_iter().take(most) {
        let deviations = if deviations.is_empty() {
            vec![D::BusinessCompact]
        } else {
            deviations
        };
        add(json.write(style), deviations);
    }
    found
}

/// The layout and escapes that the text itself has, as near as can be said.
fn own_style(text: &str, json: &Json) -> (Layout, Escapes) {
    let layouts = [
        Layout::Compact,
        Layout::Spaced,
        Layout::Pretty("  "),
        Layout::Pretty("    "),
        Layout::Pretty("\t"),
    ];
    let escapes = [
        Escapes::Least,
        Escapes::Slashes,
        Escapes::Unicode,
        Escapes::UnicodeUpper,
        Escapes::Html,
    ];
    if text.len() > MOST_SPELLED_BYTES / 32 {
        return (Layout::Compact, Escapes::Least);
    }
    for layout in layouts {
        for escapes in escapes {
            let style = Style {
                sorted: false,
                left_out: LeftOut::Nothing,
                layout,
                escapes,
            };
            if json.write(style) == text {
                return (layout, escapes);
            }
        }
    }
    (Layout::Compact, Escapes::Least)
}
