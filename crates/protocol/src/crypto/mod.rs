//! The ciphers, one small file each, so that a faster backend can replace one.
//!
//! SM3 and SM4 as the provincial envelope wants them (access guide 4.1.4), and the two forms in
//! which data is kept at rest: SM4-GCM for what must be read again, keyed SM3-HMAC for what is
//! only looked up. Beside them stand those that the dictionaries of the 统一对外接口 name: AES, RSA,
//! MD5 and CMS (its PKCS7). All of them are held against the standards' own vectors and against OpenSSL.

pub mod aes;
pub mod base64;
pub mod cms;
pub mod gcm;
pub mod hmac;
pub mod md5;
pub mod rsa;
pub mod sm3;
pub mod sm4;
