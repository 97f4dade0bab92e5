//! Identities: checked on their way in, and put into the types of the wire on their way out.

use banyan_protocol::dictionaries::{IdType, Sex};
use banyan_protocol::health_card::{
    Birthday, CardNo, EhealthCardId, IdNo, MobilePhone, PsnNo, UserName,
};
use banyan_protocol::wire::{FieldFault, Invalid, LocalTime, Scalar};
use banyan_store::db::StoreError;
use banyan_store::health_card::persons::{Identity, Person};
use banyan_store::vault::Vault;

use crate::resident_number;

/// What is said of a person, as text that nobody has looked at yet. Empty text says nothing.
#[derive(Clone, Copy, Default)]
pub struct Stated<'a> {
    /// 证件类型.
    pub id_type: &'a str,
    /// 证件号.
    pub id_no: &'a str,
    /// 姓名.
    pub user_name: &'a str,
    /// 性别, 1, 2 or 0.
    pub user_sex: &'a str,
    /// 出生日期, `yyyyMMdd`.
    pub birthday: &'a str,
    /// 手机号.
    pub mobile_phone: &'a str,
}

impl Stated<'_> {
    /// The identity, if it can be one. A resident's number (idType 01) must be well-formed, and
    /// says sex and birthday by itself.
    ///
    /// # Errors
    /// The first member that can't be, in Chinese, without its value.
    pub fn check(&self) -> Result<Identity, FieldFault> {
        let id_type: IdType = member("idType", self.id_type)?;
        let id_no: IdNo = member("idNo", self.id_no)?;
        let user_name: UserName = member("userName", self.user_name)?;
        let sex: Option<Sex> = optional("userSex", self.user_sex)?;
        let birthday = match self.birthday.trim() {
            "" => None,
            text => {
                let real = text.len() == 8 && is_date(text);
                Some(text)
                    .filter(|_| real)
                    .ok_or_else(|| {
                        FieldFault::new("birthday", "应为 8 位日期 yyyyMMdd，且确有其日")
                    })?
                    .into()
            }
        };
        let phone = match self.mobile_phone.trim() {
            "" => None,
            text => Some(checked_phone(text)?.to_owned()),
        };
        let id_no = id_no.expose().as_str().to_ascii_uppercase();
        let mut identity = Identity {
            id_type: id_type.code().to_owned(),
            id_no,
            user_name: user_name.expose().as_str().to_owned(),
            user_sex: sex
                .filter(|sex| *sex != Sex::Unknown)
                .map(|sex| sex.code().to_owned()),
            birthday: birthday.map(|text: &str| text.to_owned()),
            mobile_phone: phone,
            by_himself: false,
        };
        if id_type == IdType::ResidentIdentityCard {
            take_from_number(&mut identity)?;
        }
        Ok(identity)
    }
}

/// 人员编号, trimmed; `None` where nothing is said.
///
/// # Errors
/// Where it can't be one.
pub fn psn_no(text: &str) -> Result<Option<String>, FieldFault> {
    let number: Option<PsnNo> = optional("psnNo", text)?;
    Ok(number.map(|number| number.expose().as_str().to_owned()))
}

/// A person in the types of the replies.
pub(super) struct OnWire {
    pub(super) ehealth_card_id: EhealthCardId,
    pub(super) card_no: CardNo,
    pub(super) id_no: IdNo,
    pub(super) id_type: IdType,
    pub(super) user_name: UserName,
    pub(super) user_sex: Option<Sex>,
    pub(super) birthday: Option<Birthday>,
    pub(super) mobile_phone: Option<MobilePhone>,
}

impl OnWire {
    /// # Errors
    /// [`StoreError::Corrupt`] where something is kept that no message can carry.
    pub(super) fn of(vault: &Vault, person: &Person) -> Result<Self, StoreError> {
        let identity = &person.identity;
        Ok(Self {
            ehealth_card_id: kept(person, "index", &identity.index(vault).text())?,
            card_no: kept(person, "cardNo", &person.card_no())?,
            id_no: kept(person, "idNo", &identity.id_no)?,
            id_type: kept(person, "idType", &identity.id_type)?,
            user_name: kept(person, "userName", &identity.user_name)?,
            user_sex: kept_if_any(person, "userSex", identity.user_sex.as_deref())?,
            birthday: kept_if_any(person, "birthday", identity.birthday.as_deref())?,
            mobile_phone: kept_if_any(person, "mobilePhone", identity.mobile_phone.as_deref())?,
        })
    }
}

/// What two names differ in; what they share at both ends is hidden.
#[must_use]
pub fn contrasted(one: &str, other: &str) -> (String, String) {
    let (a, b): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let same = |pairs: &mut dyn Iterator<Item = (&char, &char)>| {
        pairs.take_while(|(one, other)| one == other).count()
    };
    let front = same(&mut a.iter().zip(&b));
    let room = a.len().min(b.len()) - front;
    let back = same(&mut a.iter().rev().zip(b.iter().rev())).min(room);
    let hide = |name: &[char]| {
        name.iter()
            .enumerate()
            .map(|(place, letter)| {
                let shared = place < front || place + back >= name.len();
                if shared { '＊' } else { *letter }
            })
            .collect()
    };
    (hide(&a), hide(&b))
}

/// Eleven digits that begin with 1.
pub(super) fn checked_phone(text: &str) -> Result<&str, FieldFault> {
    let digits = text.len() == 11 && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits && text.starts_with('1') {
        return Ok(text);
    }
    Err(FieldFault::new("mobilePhone", "应为 11 位手机号"))
}

/// Sex and birthday of a resident, from his number (GB 11643).
fn take_from_number(identity: &mut Identity) -> Result<(), FieldFault> {
    let number = identity.id_no.as_str();
    let body = number.len() == 18
        && number.is_ascii()
        && number.bytes().take(17).all(|byte| byte.is_ascii_digit());
    if !body {
        return Err(FieldFault::new(
            "idNo",
            "居民身份证应为 18 位，前 17 位为数字",
        ));
    }
    if !resident_number::checks(number) {
        return Err(FieldFault::new(
            "idNo",
            "居民身份证的最后一位（校验码）不符，请核对是否有误",
        ));
    }
    let birthday = &number[6..14];
    if !is_date(birthday) {
        return Err(FieldFault::new("idNo", "居民身份证中的出生日期不存在"));
    }
    // The seventeenth digit is odd for men.
    let male = number
        .as_bytes()
        .get(16)
        .is_some_and(|digit| digit % 2 == 1);
    let sex = if male { Sex::Male } else { Sex::Female }.code();
    for (path, said, is) in [
        ("birthday", &mut identity.birthday, birthday),
        ("userSex", &mut identity.user_sex, sex),
    ] {
        match said {
            Some(said) if said != is => {
                return Err(FieldFault::new(path, "与居民身份证号码不符"));
            }
            _ => *said = Some(is.to_owned()),
        }
    }
    Ok(())
}

/// Whether `yyyyMMdd` is a day that was.
fn is_date(text: &str) -> bool {
    let (Some(year), Some(month), Some(day)) = (text.get(..4), text.get(4..6), text.get(6..8))
    else {
        return false;
    };
    year >= "1850" && LocalTime::parse(&format!("{year}-{month}-{day} 00:00:00")).is_ok()
}

fn member<T: Scalar>(path: &str, text: &str) -> Result<T, FieldFault> {
    T::parse(text.trim()).map_err(|Invalid(expected)| FieldFault::new(path, expected))
}

fn optional<T: Scalar>(path: &str, text: &str) -> Result<Option<T>, FieldFault> {
    match text.trim() {
        "" => Ok(None),
        text => member(path, text).map(Some),
    }
}

fn kept<T: Scalar>(person: &Person, what: &str, text: &str) -> Result<T, StoreError> {
    T::parse(text).map_err(|_| StoreError::Corrupt(format!("person {}: {what}", person.id)))
}

fn kept_if_any<T: Scalar>(
    person: &Person,
    what: &str,
    text: Option<&str>,
) -> Result<Option<T>, StoreError> {
    text.map(|text| kept(person, what, text)).transpose()
}

impl std::fmt::Debug for Stated<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Stated(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESIDENT: Stated<'static> = Stated {
        id_type: "01",
        id_no: "11010519491231002x",
        user_name: " 张三 ",
        user_sex: "",
        birthday: "",
        mobile_phone: "15400000001",
    };

    fn fault(stated: Stated<'_>) -> String {
        stated.check().unwrap_err().path
    }

    #[test]
    fn a_resident_s_number_says_sex_and_birthday() {
        let identity = RESIDENT.check().unwrap();
        assert_eq!(identity.id_no, "11010519491231002X");
        assert_eq!(identity.user_name, "张三");
        assert_eq!(
            (identity.user_sex.as_deref(), identity.birthday.as_deref()),
            (Some("2"), Some("19491231"))
        );
        let same = Stated {
            birthday: "19491231",
            user_sex: "0",
            ..RESIDENT
        };
        assert!(same.check().unwrap() == identity);
    }

    #[test]
    fn what_can_t_be_is_named() {
        for id_no in [
            "110105194912310021",
            "1101051949123100",
            "1101051949123100２X",
            "11010519490229002X",
            "A1010519491231002X",
            "",
        ] {
            assert_eq!(fault(Stated { id_no, ..RESIDENT }), "idNo", "{id_no}");
        }
        assert_eq!(
            fault(Stated {
                id_type: "1",
                ..RESIDENT
            }),
            "idType"
        );
        assert_eq!(
            fault(Stated {
                user_name: "　",
                ..RESIDENT
            }),
            "userName"
        );
        assert_eq!(
            fault(Stated {
                user_sex: "1",
                ..RESIDENT
            }),
            "userSex"
        );
        assert_eq!(
            fault(Stated {
                birthday: "19491230",
                ..RESIDENT
            }),
            "birthday"
        );
        assert_eq!(
            fault(Stated {
                birthday: "19490230",
                ..RESIDENT
            }),
            "birthday"
        );
        for mobile_phone in ["2540000001", "25400000001", "154 0000000", "1540000000a"] {
            assert_eq!(
                fault(Stated {
                    mobile_phone,
                    ..RESIDENT
                }),
                "mobilePhone"
            );
        }
    }

    #[test]
    fn other_papers_are_taken_as_they_are() {
        let passport = Stated {
            id_type: "03",
            id_no: "e12345678",
            user_name: "John Smith",
            birthday: "20000229",
            ..Stated::default()
        };
        let identity = passport.check().unwrap();
        assert_eq!(
            (
                &*identity.id_no,
                identity.birthday.as_deref(),
                identity.user_sex
            ),
            ("E12345678", Some("20000229"), None)
        );
    }

    #[test]
    fn a_contrast_hides_what_need_not_be_seen() {
        assert_eq!(
            contrasted("张三丰", "张叁丰"),
            ("＊三＊".to_owned(), "＊叁＊".to_owned())
        );
        assert_eq!(
            contrasted("张三", "张三三"),
            ("＊＊".to_owned(), "＊＊三".to_owned())
        );
        assert_eq!(contrasted("", "张"), (String::new(), "张".to_owned()));
    }
}
