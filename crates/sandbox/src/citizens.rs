//! Citizens whom nobody is: well-formed identities in a number range that no district has.

use std::fmt;

use banyan_protocol::ambient::SeededRandomness;
use banyan_protocol::dictionaries::IdType;
use banyan_protocol::overdue::{EhealthCardId, IdNo, MobilePhone, UserName};
use banyan_protocol::wire::{FieldFault, LocalTime, Scalar};
use banyan_store::vault::Vault;
use serde::{Deserialize, Serialize};

/// A citizen as `sandbox.json` lists him. `Debug` shows nothing of him.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Citizen {
    /// 证件类型.
    pub id_type: String,
    /// 证件号码.
    pub id_no: String,
    /// 姓名.
    pub user_name: String,
    /// 电子健康卡主索引 id.
    pub ehealth_card_id: String,
    /// 手机号码.
    pub mobile_phone: String,
    /// 医保人员编号.
    pub psn_no: String,
    /// 医保电子凭证码; empty as long as the sandbox has no 医保 centre.
    pub ec_qr_code: String,
}

/// A citizen before he has a health card. `Debug` shows nothing of him.
#[derive(Clone, PartialEq, Eq)]
pub struct CitizenSeed {
    /// 证件类型, always 01 (居民身份证).
    pub id_type: String,
    /// 证件号码.
    pub id_no: String,
    /// 姓名.
    pub user_name: String,
    /// 手机号码.
    pub mobile_phone: String,
    /// 医保人员编号.
    pub psn_no: String,
}

impl CitizenSeed {
    /// The citizen with the health-card index that the platform of this vault gives him.
    #[must_use]
    pub fn with_index(self, vault: &Vault) -> Citizen {
        Citizen {
            ehealth_card_id: vault.ehealth_card_id(&self.id_type, &self.id_no),
            id_type: self.id_type,
            id_no: self.id_no,
            user_name: self.user_name,
            mobile_phone: self.mobile_phone,
            psn_no: self.psn_no,
            // Given when his credential is.
            ec_qr_code: String::new(),
        }
    }
}

/// The same citizens for the same seed, the first ones the same whatever the count. Numbers and
/// phones are all distinct; at most 32,109,858, which is all that the range holds.
#[must_use]
pub fn generate(count: usize, seed: i64) -> Vec<CitizenSeed> {
    let draws = SeededRandomness::new(seed);
    let (first_identity, first_phone) = (draws.below(IDENTITIES), draws.below(PHONES));
    (0..IDENTITIES)
        .take(count)
        .map(|index| CitizenSeed {
            id_type: IdType::ResidentIdentityCard.code().to_owned(),
            id_no: identity_number((first_identity + index * IDENTITY_STEP) % IDENTITIES),
            user_name: name(index, &draws),
            mobile_phone: format!(
                "{PHONE_SEGMENT}{:08}",
                (first_phone + index * PHONE_STEP) % PHONES
            ),
            psn_no: psn_no((first_identity + index * IDENTITY_STEP) % IDENTITIES),
        })
        .collect()
}

/// Fujian is 35, and its prefectures are 3501 to 3509: no district was ever called 359999, so no
/// real person's number begins so.
const DISTRICT: &str = "359999";
/// 1935-01-01, in days before the epoch.
const FIRST_BIRTHDAY: i64 = -12_784;
/// Up to 2022-12-31: the oldest are 88 years older than the youngest.
const BIRTHDAYS: u64 = 32_142;
/// 顺序码 001 to 999.
const SEQUENCES: u64 = 999;
const IDENTITIES: u64 = BIRTHDAYS * SEQUENCES;
/// A prime that does not divide `IDENTITIES`: steps of it come to every number once before any
/// comes twice, and neighbours differ in birthday and sex.
const IDENTITY_STEP: u64 = 15_485_863;

/// A segment that looks like a mobile phone's to every HIS that checks (`1[3-9]` and nine
/// digits), but was given to no operator (as of 2022, the free ones are 142, 143, 154, 161, 164
/// and 194). 199, which examples like to use, is China Telecom's.
const PHONE_SEGMENT: &str = "154";
const PHONES: u64 = 100_000_000;
/// Shares no factor with `PHONES`.
const PHONE_STEP: u64 = 61_803_399;

/// Twenty digits that begin like the identity number's: no insurance agency has them.
fn psn_no(place: u64) -> String {
    format!("{DISTRICT}{place:014}")
}

fn identity_number(place: u64) -> String {
    // Both quotients are far below what an i64 holds.
    let day = FIRST_BIRTHDAY + i64::try_from(place / SEQUENCES).unwrap_or(0);
    let birthday = LocalTime::from_epoch_ms(day * 86_400_000);
    let digits: String = birthday
        .render()
        .chars()
        .take(10)
        .filter(char::is_ascii_digit)
        .collect();
    let body = format!("{DISTRICT}{digits}{:03}", place % SEQUENCES + 1);
    let check = check_character(&body);
    format!("{body}{check}")
}

/// The eighteenth character by GB 11643 (ISO 7064, MOD 11-2): weights 2^(17-i) modulo 11.
fn check_character(body: &str) -> char {
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let sum: u32 = body
        .chars()
        .filter_map(|digit| digit.to_digit(10))
        .zip(WEIGHTS)
        .map(|(digit, weight)| digit * weight)
        .sum();
    match (12 - sum % 11) % 11 {
        10 => 'X',
        check => char::from_digit(check, 10).unwrap_or('0'),
    }
}

const SURNAMES: &[&str] = &[
    "陈", "林", "黄", "张", "吴", "李", "郑", "王", "刘", "苏", "蔡", "杨", "许", "叶", "谢", "郭",
    "曾", "邱", "赖", "罗", "江", "庄", "翁", "卓", "魏", "连", "游", "戴", "詹", "薛",
];
const COMPOUND_SURNAMES: &[&str] = &["欧阳", "上官", "司徒", "诸葛", "司马", "端木"];
const GIVEN_NAMES: &[&str] = &[
    "建国", "秀英", "志强", "丽华", "伟", "芳", "雅婷", "俊杰", "明辉", "淑贞", "宇轩", "梓涵",
    "思远", "美玲", "文斌", "晓燕", "国平", "桂兰", "子墨", "一诺", "晨", "静", "海峰", "春梅",
    "家豪", "诗琪", "榕生", "闽生", "爱华", "敏",
];
/// Characters beyond the basic plane (four bytes in UTF-8 and in GB18030): the ones that old
/// databases and drivers lose.
const RARE_GIVEN_NAMES: &[&str] = &["𠮷", "𬭎", "𫖯", "子𬸚", "𫍲安", "明𬱖"];
const MINORITY_NAMES: &[&str] = &[
    "阿依古丽·买买提",
    "扎西·多吉",
    "布合丽且姆·阿卜杜热西提",
    "古丽娜尔·艾合买提江",
    "迪丽热巴·吐尔逊",
];

/// Every fortieth name each is of the kinds that programs stumble over.
fn name(index: u64, draws: &SeededRandomness) -> String {
    let (surnames, given) = match index % 40 {
        13 => return pick(MINORITY_NAMES, draws).to_owned(),
        27 => (SURNAMES, RARE_GIVEN_NAMES),
        33 => (COMPOUND_SURNAMES, GIVEN_NAMES),
        _ => (SURNAMES, GIVEN_NAMES),
    };
    format!("{}{}", pick(surnames, draws), pick(given, draws))
}

fn pick<'a>(list: &[&'a str], draws: &SeededRandomness) -> &'a str {
    let place = usize::try_from(draws.next_u64() % list.len().max(1) as u64).unwrap_or(0);
    list.get(place).copied().unwrap_or_default()
}

/// A citizen as messages carry him.
pub(crate) struct WirePerson {
    pub(crate) id_type: IdType,
    pub(crate) id_no: IdNo,
    pub(crate) user_name: UserName,
    pub(crate) ehealth_card_id: EhealthCardId,
    pub(crate) mobile_phone: Option<MobilePhone>,
}

impl Citizen {
    /// The citizen in the types of the messages.
    pub(crate) fn wire(&self) -> Result<WirePerson, FieldFault> {
        Ok(WirePerson {
            id_type: scalar("idType", &self.id_type)?,
            id_no: scalar("idNo", &self.id_no)?,
            user_name: scalar("userName", &self.user_name)?,
            ehealth_card_id: scalar("ehealthCardId", &self.ehealth_card_id)?,
            mobile_phone: match self.mobile_phone.as_str() {
                "" => None,
                phone => Some(scalar("mobilePhone", phone)?),
            },
        })
    }
}

/// A value of a message from its text.
pub(crate) fn scalar<T: Scalar>(member: &str, text: &str) -> Result<T, FieldFault> {
    T::parse(text).map_err(|invalid| FieldFault::new(member, invalid.0))
}

impl fmt::Debug for Citizen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Citizen(***)")
    }
}

impl fmt::Debug for CitizenSeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CitizenSeed(***)")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::testing::{citizens, vault};

    /// GB 11643 the other way round, by its definition: the sum of all eighteen values, each
    /// times 2^(18-place), leaves 1 modulo 11.
    fn checks(id_no: &str) -> bool {
        let values = id_no.chars().map(|c| match c {
            'X' => 10,
            digit => u64::from(digit.to_digit(10).unwrap()),
        });
        let sum: u64 = values
            .zip((0..18).rev())
            .map(|(value, power)| value * (1 << power))
            .sum();
        id_no.len() == 18 && sum % 11 == 1
    }

    #[test]
    fn the_standard_s_own_examples_check() {
        for id_no in ["11010519491231002X", "440524188001010014"] {
            assert!(checks(id_no));
            assert!(id_no.ends_with(check_character(&id_no[..17])));
        }
    }

    #[test]
    fn numbers_check_and_nothing_comes_twice() {
        let seeds = generate(20_000, 7);
        let mut numbers = HashSet::new();
        let mut phones = HashSet::new();
        let mut insured = HashSet::new();
        for seed in &seeds {
            assert!(seed.id_no.starts_with(DISTRICT) && checks(&seed.id_no));
            let birthday = format!(
                "{}-{}-{} 00:00:00",
                &seed.id_no[6..10],
                &seed.id_no[10..12],
                &seed.id_no[12..14]
            );
            assert!(LocalTime::parse(&birthday).is_ok(), "{birthday}");
            assert_ne!(&seed.id_no[14..17], "000");
            assert!(numbers.insert(&seed.id_no) && phones.insert(&seed.mobile_phone));
            assert!(insured.insert(&seed.psn_no) && seed.psn_no.len() == 20);
            assert!(seed.mobile_phone.len() == 11 && seed.mobile_phone.starts_with("154"));
        }
        let years: HashSet<&str> = seeds.iter().map(|seed| &seed.id_no[6..10]).collect();
        assert_eq!(years.len(), 88, "every year from 1935 to 2022");
        assert!(years.contains("1935") && years.contains("2022"));
        assert!(seeds.iter().any(|seed| seed.id_no.ends_with('X')));
    }

    #[test]
    fn the_range_is_walked_through_without_repetition() {
        let gcd = |mut a: u64, mut b: u64| {
            while b != 0 {
                (a, b) = (b, a % b);
            }
            a
        };
        assert_eq!(gcd(IDENTITIES, IDENTITY_STEP), 1);
        assert_eq!(gcd(PHONES, PHONE_STEP), 1);
    }

    #[test]
    fn citizens_fit_the_messages_and_are_of_every_kind() {
        let citizens = citizens(200);
        for citizen in &citizens {
            citizen.wire().unwrap();
            assert_eq!(citizen.ehealth_card_id.len(), 64);
        }
        let some = |wanted: fn(&str) -> bool| citizens.iter().any(|c| wanted(&c.user_name));
        assert!(some(|name| name.contains('·')));
        assert!(some(|name| name.chars().any(|c| c.len_utf8() == 4)));
        assert!(some(|name| {
            let compound = COMPOUND_SURNAMES.iter();
            compound.clone().any(|surname| name.starts_with(surname))
        }));
    }

    #[test]
    fn the_same_seed_gives_the_same_citizens() {
        assert!(generate(50, 3) == generate(50, 3));
        assert!(generate(50, 3)[..20] == generate(20, 3)[..]);
        assert!(generate(50, 3) != generate(50, 4));
    }

    #[test]
    fn nothing_of_a_person_shows() {
        let seed = generate(1, 1).remove(0);
        let shown = format!("{seed:?} {:?}", seed.clone().with_index(&vault()));
        assert!(!shown.contains(&seed.id_no) && !shown.contains(&seed.user_name));
    }
}
