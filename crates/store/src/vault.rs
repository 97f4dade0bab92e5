//! What must not be read by whoever holds the database alone.
//!
//! One master key (32 bytes, from a file or the environment, never from the database) gives four
//! keys: one seals what must be read again (SM4-GCM), one makes the codes by which persons are
//! looked up (SM3-HMAC), one makes 电子健康卡主索引 ids, which leave the platform and therefore
//! must not be the look-up codes, and one closes the blocks of the hash chains.

use std::fmt;

use banyan_protocol::ambient::SharedRandomness;
use banyan_protocol::crypto::gcm::Sm4Gcm;
use banyan_protocol::crypto::hmac::HmacSm3;

use crate::db::{Db, StoreError};

/// The keys, ready for use; clones share nothing secret that is not copied.
#[derive(Clone)]
pub struct Vault {
    sealing: Sm4Gcm,
    lookup: HmacSm3,
    index: HmacSm3,
    chain: HmacSm3,
    random: SharedRandomness,
}

/// The master key.
#[derive(Clone)]
pub struct MasterKey([u8; 32]);

/// A person as records are looked up: the keyed code of (idType, idNo).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
pub struct PersonCode(pub [u8; 32]);

/// 电子健康卡主索引: the keyed code of (idType, idNo) that leaves the platform, as 64 hexadecimal
/// digits. The store keeps only its own code of it ([`CardCode`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CardIndex(pub [u8; 32]);

/// A health-card index as persons are looked up by it: partners know the index, so the database
/// alone must not say which of its rows it belongs to. Half a code: of ten million persons no two
/// share 128 bits, and the index over them is a third smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CardCode(pub [u8; 16]);

/// 人员编号 at the insurance, as it is looked up: half its keyed code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InsuredCode(pub [u8; 16]);

/// Which column a sealed value belongs to; it opens nowhere else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// partner_secret.sealed
    PartnerSecret,
    /// overdue_batch.content
    BatchContent,
    /// overdue_item.person_sealed, and its copy in overdue_revocation
    ItemPerson,
    /// entry_link.person_sealed and citizen_session.person_sealed
    CitizenPerson,
    /// person.sealed
    HealthCardPerson,
    /// name_review.claimed_sealed
    ReviewClaim,
    /// What a 电子健康码 (QR code) holds; it stands in no column.
    EhealthCode,
    /// What a citizen's page gives back when he authorises; it stands in no column.
    AuthorisationProof,
    /// overdue_appeal.text_sealed
    AppealText,
    /// overdue_appeal.contact_sealed
    AppealContact,
    /// overdue_appeal.answer_sealed
    AppealAnswer,
    /// The edge's item.content
    EdgeItem,
    /// The edge's message.content
    EdgeMessage,
    /// The edge's card.sealed
    EdgeCard,
    /// The edge's notice.content
    EdgeNotice,
    /// insurer_channel.keys_sealed
    ChannelKeys,
    /// supplement_claim.sealed, and its past versions
    SupplementClaim,
    /// supplement_payment.sealed, and its past versions
    SupplementPayment,
    /// supplement_case.sealed, and its past versions
    SupplementCase,
    /// supplement_medicine_box.sealed, and its past versions
    SupplementMedicineBox,
    /// What a 医保电子凭证 QR code holds; it stands in no column.
    CredentialCode,
    /// credential.password_sealed
    CredentialPassword,
    /// vault_check.sealed
    Check,
}

/// A key that is not 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a master key is 64 hexadecimal digits (32 random bytes)")]
pub struct BadMasterKey;

impl MasterKey {
    /// Reads 64 hexadecimal digits.
    ///
    /// # Errors
    /// For anything else.
    pub fn parse(text: &str) -> Result<Self, BadMasterKey> {
        let mut key = [0; 32];
        hex::decode_to_slice(text.trim(), &mut key).map_err(|_| BadMasterKey)?;
        Ok(Self(key))
    }

    /// A new key, as text for a file.
    #[must_use]
    pub fn generate(random: &SharedRandomness) -> String {
        let mut key = [0; 32];
        random.fill(&mut key);
        hex::encode(key)
    }
}

impl Vault {
    /// Derives the keys.
    #[must_use]
    pub fn new(master: &MasterKey, random: SharedRandomness) -> Self {
        let root = HmacSm3::with_key(&master.0);
        let derive = |purpose: &str| root.code(&[b"banyan", purpose.as_bytes()]);
        let purposes = ["sealing", "lookup", "ehealth-card-index", "chain"];
        let [sealing, lookup, index, chain] = purposes.map(derive);
        let mut sealing_key = [0; 16];
        sealing_key.copy_from_slice(&sealing[..16]);
        Self {
            sealing: Sm4Gcm::with_key(&sealing_key),
            lookup: HmacSm3::with_key(&lookup),
            index: HmacSm3::with_key(&index),
            chain: HmacSm3::with_key(&chain),
            random,
        }
    }

    /// Refuses a database that was written under another master key; a fresh one is marked.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] where the key is another one.
    pub async fn check(&self, db: &Db) -> Result<(), StoreError> {
        let fresh = self.seal(Place::Check, CHECK_TEXT);
        let sealed = db
            .write(move |tx| {
                tx.execute(
                    "INSERT INTO vault_check (id, sealed) VALUES (1, $1) ON CONFLICT (id) DO NOTHING",
                    &[(&fresh).into()],
                )?;
                tx.query_opt("SELECT sealed FROM vault_check WHERE id = 1", &[], |row| {
                    row.get::<Vec<u8>>(0)
                })
            })
            .await?
            .unwrap_or_default();
        self.open(Place::Check, &sealed).map(|_| ()).map_err(|_| {
            StoreError::Corrupt(
                "this database was written under another master key; \
                 start with the key that it was made with"
                    .to_owned(),
            )
        })
    }

    /// Unpredictable bytes, for names that nobody else gives.
    #[must_use]
    pub fn nonce<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.random.fill(&mut bytes);
        bytes
    }

    /// Seals a value for its place.
    #[must_use]
    pub fn seal(&self, place: Place, plaintext: &[u8]) -> Vec<u8> {
        self.sealing.seal(&*self.random, place.context(), plaintext)
    }

    /// Opens what was sealed for this place.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] where it was sealed under another key or for another place, or was
    /// changed.
    pub fn open(&self, place: Place, sealed: &[u8]) -> Result<Vec<u8>, StoreError> {
        self.sealing
            .open(place.context(), sealed)
            .map_err(|error| StoreError::Corrupt(format!("{place:?}: {error}")))
    }

    /// The code by which a person is looked up.
    ///
    /// Letters are taken as capitals: the last character of a resident identity number may be
    /// written `x` or `X`.
    #[must_use]
    pub fn person_code(&self, id_type: &str, id_no: &str) -> PersonCode {
        let id_no = id_no.trim().to_ascii_uppercase();
        PersonCode(
            self.lookup
                .code(&[b"person", id_type.as_bytes(), id_no.as_bytes()]),
        )
    }

    /// 电子健康卡主索引 id of a person: 64 hexadecimal digits that nobody can work out from the
    /// identity number.
    #[must_use]
    pub fn ehealth_card_id(&self, id_type: &str, id_no: &str) -> String {
        self.card_index(id_type, id_no).text()
    }

    /// The same as bytes.
    #[must_use]
    pub fn card_index(&self, id_type: &str, id_no: &str) -> CardIndex {
        let id_no = id_no.trim().to_ascii_uppercase();
        CardIndex(self.index.code(&[id_type.as_bytes(), id_no.as_bytes()]))
    }

    /// The code by which the holder of this index is looked up.
    #[must_use]
    pub fn card_code(&self, index: &CardIndex) -> CardCode {
        CardCode(half(self.lookup.code(&[b"card", &index.0])))
    }

    /// The code by which somebody is looked up by 人员编号.
    #[must_use]
    pub fn insured_code(&self, psn_no: &str) -> InsuredCode {
        InsuredCode(half(self.lookup.code(&[b"psn", psn_no.trim().as_bytes()])))
    }

    /// The token of an authorisation's link: worked out from what is known of it, so that asking
    /// again gives the same link though the database keeps only the token's code.
    #[must_use]
    pub fn authorisation_token(&self, id: i64, partner: i64, out_auth_no: &str) -> [u8; 32] {
        let (id, partner) = (id.to_be_bytes(), partner.to_be_bytes());
        self.lookup
            .code(&[b"authorisation", &id, &partner, out_auth_no.as_bytes()])
    }

    /// The code of a block of a hash chain.
    #[must_use]
    pub fn chain_code(&self, parts: &[&[u8]]) -> [u8; 32] {
        self.chain.code(parts)
    }

    /// The code of a secret token or of a message's content, for comparing without keeping it.
    #[must_use]
    pub fn content_code(&self, content: &[u8]) -> [u8; 32] {
        self.lookup.code(&[b"content", content])
    }

    /// The code of parts of a 医保电子凭证 (its token, its index number): of this purpose alone.
    #[must_use]
    pub fn credential_code(&self, purpose: &str, parts: &[&[u8]]) -> [u8; 32] {
        let mut all: Vec<&[u8]> = vec![b"credential", purpose.as_bytes()];
        all.extend_from_slice(parts);
        self.lookup.code(&all)
    }

    /// The code that a page's form carries, so that only a page of ours can have made it: from
    /// the session's token and what the form is for.
    #[must_use]
    pub fn form_code(&self, session: &[u8], purpose: &str) -> [u8; 32] {
        self.lookup.code(&[b"form", session, purpose.as_bytes()])
    }
}

fn half(code: [u8; 32]) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&code[..16]);
    half
}

const CHECK_TEXT: &[u8] = b"banyan";

impl CardIndex {
    /// 64 hexadecimal digits.
    #[must_use]
    pub fn text(&self) -> String {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = String::with_capacity(64);
        for byte in self.0 {
            text.push(char::from(DIGITS[usize::from(byte >> 4)]));
            text.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
        text
    }

    /// Reads 64 hexadecimal digits of either case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return None;
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let digit = |place: usize| char::from(*pair.get(place)?).to_digit(16);
            *byte = u8::try_from(digit(0)? * 16 + digit(1)?).ok()?;
        }
        Some(Self(bytes))
    }
}

impl Place {
    const fn context(self) -> &'static [u8] {
        match self {
            Self::PartnerSecret => b"partner_secret.sealed",
            Self::BatchContent => b"overdue_batch.content",
            Self::ItemPerson => b"overdue_item.person_sealed",
            Self::CitizenPerson => b"citizen.person_sealed",
            Self::HealthCardPerson => b"person.sealed",
            Self::ReviewClaim => b"name_review.claimed_sealed",
            Self::EhealthCode => b"ehealth_code",
            Self::AuthorisationProof => b"authorisation_proof",
            Self::AppealText => b"overdue_appeal.text_sealed",
            Self::AppealContact => b"overdue_appeal.contact_sealed",
            Self::AppealAnswer => b"overdue_appeal.answer_sealed",
            Self::EdgeItem => b"edge.item.content",
            Self::EdgeMessage => b"edge.message.content",
            Self::EdgeCard => b"edge.card.sealed",
            Self::EdgeNotice => b"edge.notice.content",
            Self::ChannelKeys => b"insurer_channel.keys_sealed",
            Self::SupplementClaim => b"supplement_claim.sealed",
            Self::SupplementPayment => b"supplement_payment.sealed",
            Self::SupplementCase => b"supplement_case.sealed",
            Self::SupplementMedicineBox => b"supplement_medicine_box.sealed",
            Self::CredentialCode => b"credential_code",
            Self::CredentialPassword => b"credential.password_sealed",
            Self::Check => b"vault_check.sealed",
        }
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault(***)")
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(***)")
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Arc;

    use banyan_protocol::ambient::SeededRandomness;

    use super::*;

    pub(crate) fn vault(seed: i64) -> Vault {
        let random: SharedRandomness = Arc::new(SeededRandomness::new(seed));
        let key = MasterKey::parse(&MasterKey::generate(&random)).unwrap();
        Vault::new(&key, random)
    }

    #[test]
    fn a_person_has_one_code_and_one_index_under_one_key() {
        let vault = vault(1);
        let code = vault.person_code("01", "35012119900101001x");
        assert_eq!(code, vault.person_code("01", "35012119900101001X"));
        assert_ne!(code, vault.person_code("02", "35012119900101001X"));
        assert_ne!(
            code,
            super::tests::vault(2).person_code("01", "35012119900101001X")
        );
        let index = vault.ehealth_card_id("01", "35012119900101001X");
        assert_eq!(index.len(), 64);
        assert_ne!(index.as_bytes()[..32], code.0);
        let bytes = vault.card_index("01", "35012119900101001x");
        assert_eq!(bytes.text(), index);
        assert_eq!(CardIndex::parse(&index.to_uppercase()), Some(bytes));
        assert_eq!(CardIndex::parse(&index[1..]), None);
        assert_ne!(vault.card_code(&bytes).0, bytes.0[..16]);
    }

    #[test]
    fn keys_are_64_hexadecimal_digits() {
        for text in ["", "00", &"g".repeat(64), &"0".repeat(63), &"é".repeat(32)] {
            assert!(MasterKey::parse(text).is_err(), "{text}");
        }
        assert!(MasterKey::parse(&format!("{}\n", "0a".repeat(32))).is_ok());
    }

    crate::on_both_engines! {
        async fn another_master_key_is_refused(db: &TestDb) {
            vault(1).check(db).await.unwrap();
            vault(1).check(db).await.unwrap();
            let refused = vault(2).check(db).await.unwrap_err();
            assert!(matches!(refused, StoreError::Corrupt(_)), "{refused}");
        }
    }
}
