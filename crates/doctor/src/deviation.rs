//! Every way in which a message may deviate from the guide that the doctor knows: what it is,
//! what to change, where the guide says so, and whether the platform takes it all the same.

use crate::code::Topic;

/// What is known of a deviation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Spec {
    /// Stable, for tools.
    pub(crate) id: &'static str,
    /// Whether the platform accepts it.
    pub(crate) tolerated: bool,
    /// Which lines of code it concerns.
    pub(crate) topic: Topic,
    /// Section of the access guide.
    pub(crate) section: &'static str,
    /// What was done.
    pub(crate) what: &'static str,
    /// What to do instead.
    pub(crate) change: &'static str,
}

macro_rules! deviations {
    ($($name:ident $id:literal $tolerated:ident $topic:ident $section:literal $what:literal => $change:literal;)*) => {
        /// One way to deviate.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub(crate) enum Deviation { $($name),* }

        impl Deviation {
            #[cfg(test)]
            pub(crate) const ALL: &'static [Self] = &[$(Self::$name),*];

            pub(crate) const fn spec(self) -> Spec {
                match self {
                    $(Self::$name => Spec {
                        id: $id,
                        tolerated: deviations!(@ $tolerated),
                        topic: Topic::$topic,
                        section: $section,
                        what: $what,
                        change: $change,
                    }),*
                }
            }
        }
    };
    (@ taken) => { true };
    (@ wrong) => { false };
}

deviations! {
    // ---- the body ----
    BodyGbk "body.gbk" wrong Http "4.1.1" "整个报文是 GBK/GB18030 编码" => "发送前把报文按 UTF-8 编码，请求头写 charset=utf-8";
    BodyQuoted "body.quoted" wrong Http "4.1.2.1" "报文被当作字符串又转义了一次（JSON 外面多了一层引号或反斜杠）" => "只序列化一次：请求体应直接是 JSON 对象";
    BodyEncoded "body.url_encoded" wrong Http "4.1.2.1" "请求体做了 URL 编码（表单方式提交）" => "以 application/json 直接发送 JSON，不要用表单或 URL 编码";
    MemberTwice "body.member_twice" wrong Http "4.1.2.1" "同一个字段在报文中出现了两次" => "删除重复的字段";
    MethodNotPost "http.method" wrong Http "4.1.1" "请求方法不是 POST" => "改用 POST";
    ContentType "http.content_type" taken Http "4.1.4.1" "Content-Type 不是 application/json; charset=utf-8" => "设置请求头 Content-Type: application/json; charset=utf-8";
    SignVersion "http.sign_version" wrong Http "4.1.4.1" "请求头 X-Api-Sign-Version 不是 2.0.0" => "设置请求头 X-Api-Sign-Version: 2.0.0";
    // ---- the envelope ----
    AppIdAbsent "envelope.appId" wrong Members "4.1.2.1" "缺少 appId" => "在报文顶层加上 appId（平台分配的应用 ID）";
    VersionAbsent "envelope.version" wrong Members "4.1.2.1" "缺少 version" => "在报文顶层加上 version，例如 \"1.0.0\"，并参与签名";
    TimestampAbsent "envelope.timestamp" wrong Timestamp "4.1.2.1" "缺少 timestamp" => "在报文顶层加上 timestamp（毫秒时间戳的字符串），并参与签名";
    EncryptTypeAbsent "envelope.encryptType" wrong Members "4.1.2.1" "缺少 encryptType" => "在报文顶层加上 encryptType: \"SM4\"，并参与签名";
    SignTypeAbsent "envelope.signType" wrong Members "4.1.2.1" "缺少 signType" => "在报文顶层加上 signType: \"SM3\"，并参与签名";
    SignAbsent "envelope.sign" wrong Members "4.1.2.1" "缺少 sign" => "把签名放入顶层字段 sign";
    EncryptDataAbsent "envelope.encryptData" wrong Members "4.1.2.1" "缺少 encryptData" => "把密文放入顶层字段 encryptData";
    MemberCase "envelope.member_case" wrong Members "4.1.2.1" "字段名大小写不符（例如 appid、EncryptData）" => "字段名须与指南完全一致：appId、version、timestamp、encryptType、signType、sign、encryptData";
    EncryptTypeOther "envelope.encryptType_value" wrong Members "4.1.2.1" "encryptType 既不是 SM4，也不是 PLAIN" => "encryptType 写 \"SM4\"";
    SignTypeOther "envelope.signType_value" wrong Members "4.1.2.1" "signType 既不是 SM3，也不是 PLAIN" => "signType 写 \"SM3\"";
    Plain "envelope.plain" taken Members "4.1.2.1" "报文是明文（PLAIN），只有测试环境接受" => "正式环境须改为 encryptType=SM4、signType=SM3";
    AnswerInRequest "envelope.answer_in_request" wrong Members "4.1.3.1" "请求中带有 respCode 或 respMsg" => "这两个字段只用于应答，请从请求中去掉";
    TimestampSeconds "timestamp.seconds" wrong Timestamp "4.1.2.1" "timestamp 是秒，不是毫秒" => "用毫秒时间戳（13 位），例如 1630639075173";
    TimestampNotNumber "timestamp.form" wrong Timestamp "4.1.2.1" "timestamp 不是 Unix 毫秒时间戳" => "用毫秒时间戳的字符串（13 位数字），不要用日期格式";
    // ---- the ciphertext ----
    CipherHex "cipher.hex" wrong CipherText "4.1.4.1" "密文用了十六进制" => "把 SM4 的输出字节做 URL 安全的 base64，不要转十六进制";
    CipherStandard "cipher.base64_standard" taken CipherText "4.1.4.1" "密文用了标准 base64（+、/），指南要求 URL 安全（-、_）" => "改用 URL 安全的 base64；平台两种都接受";
    CipherSpaces "cipher.spaces" wrong CipherText "4.1.4.1" "密文里的 + 变成了空格（经过了表单解码）" => "改用 URL 安全的 base64，并以 JSON 请求体发送";
    CipherPercent "cipher.percent" wrong CipherText "4.1.4.1" "密文做了 URL 百分号编码（%2B、%3D）" => "放入 JSON 前不要再做 URL 编码";
    CipherTwice "cipher.base64_twice" wrong CipherText "4.1.4.1" "密文做了两次编码" => "只做一次 base64";
    NotEncrypted "cipher.none" wrong Decrypt "4.1.4.1" "encryptData 里是明文，没有加密" => "先用 SM4 加密，再做 base64";
    KeyLast16 "key.last16" wrong CipherKey "4.1.4.1" "SM4 密钥取了密钥的后 16 位" => "取接入方密钥的前 16 位";
    KeyHex "key.hex" wrong CipherKey "4.1.4.1" "SM4 密钥是把接入方密钥按十六进制解码得到的" => "不要解码：取密钥文本的前 16 个字符的字节";
    KeyBase64 "key.base64" wrong CipherKey "4.1.4.1" "SM4 密钥是把接入方密钥按 base64 解码得到的" => "不要解码：取密钥文本的前 16 个字符的字节";
    KeyMd5 "key.md5" wrong CipherKey "4.1.4.1" "SM4 密钥是接入方密钥的 MD5" => "不要做 MD5：取密钥文本的前 16 个字符的字节";
    KeySm3 "key.sm3" wrong CipherKey "4.1.4.1" "SM4 密钥是接入方密钥的 SM3 的前 16 字节" => "不要做摘要：取密钥文本的前 16 个字符的字节";
    KeyCase "key.case" wrong CipherKey "4.1.4.1" "SM4 密钥的字母大小写被改变了" => "密钥区分大小写，按原样使用";
    CbcZeroIv "mode.cbc_zero_iv" wrong Decrypt "4.1.4.1" "用了 CBC 模式（IV 全零）" => "改用 ECB 模式，不需要 IV";
    CbcKeyIv "mode.cbc_key_iv" wrong Decrypt "4.1.4.1" "用了 CBC 模式（IV 与密钥相同）" => "改用 ECB 模式，不需要 IV";
    CbcIvInFront "mode.cbc_iv_in_front" wrong Decrypt "4.1.4.1" "用了 CBC 模式（IV 放在密文前面）" => "改用 ECB 模式，不需要 IV";
    PaddingZero "padding.zero" wrong Decrypt "4.1.4.1" "用了零填充" => "改用 PKCS#7 填充";
    PaddingNone "padding.none" wrong Decrypt "4.1.4.1" "没有填充（明文恰好是 16 字节的整数倍）" => "改用 PKCS#7 填充：整块时也要补一块";
    PlaintextGbk "plaintext.gbk" wrong Bytes "4.1.1" "加密前的明文是 GBK 编码" => "加密前把 JSON 按 UTF-8 转成字节";
    PlaintextBase64 "plaintext.base64" wrong Bytes "4.1.4.1" "加密前又把 JSON 做了 base64" => "直接加密 JSON 文本的 UTF-8 字节";
    PlaintextHex "plaintext.hex" wrong Bytes "4.1.4.1" "加密前又把 JSON 转成了十六进制" => "直接加密 JSON 文本的 UTF-8 字节";
    PlaintextQuoted "plaintext.quoted" wrong Once "4.1.4.1" "明文是一个装着 JSON 的字符串（序列化了两次）" => "业务参数只序列化一次，再加密";
    PlaintextWrapped "plaintext.wrapped" wrong Once "4.1.4.1" "业务参数外面多包了一层 data 或 param" => "直接加密业务参数本身，例如 {\"orgId\":…}";
    // ---- the business JSON in the string to sign ----
    SignedAsData "sign.as_data" taken Param "4.1.4.1" "业务 JSON 以 data= 参与签名，指南正文写的是 param=" => "改为 param=；平台两种都接受";
    WithoutBusiness "sign.no_business" wrong Param "4.1.4.1" "业务 JSON 没有参与签名" => "把加密前的业务 JSON 以 param=… 参与签名";
    BusinessIsCipher "sign.over_ciphertext" wrong Param "4.1.4.1" "签名用的是密文，不是加密前的明文" => "先用加密前的业务 JSON 签名，再加密";
    BusinessFlat "sign.flat" wrong Param "4.1.4.1" "业务参数被拆开，逐个参与签名" => "业务参数作为一整段 JSON，以 param={…} 参与签名";
    BusinessSorted "sign.sorted" wrong Once "4.1.4.1" "签名时业务 JSON 的字段重新排了序，与加密的原文不同" => "签名与加密用同一个字符串，不要再序列化";
    BusinessCompact "sign.compact" wrong Once "4.1.4.1" "签名时业务 JSON 重新序列化过，空白与加密的原文不同" => "签名与加密用同一个字符串，不要再序列化";
    BusinessSpaced "sign.spaced" wrong Once "4.1.4.1" "签名时业务 JSON 的逗号、冒号后带空格，与加密的原文不同" => "签名与加密用同一个字符串，不要再序列化";
    BusinessPretty "sign.pretty" wrong Once "4.1.4.1" "签名时业务 JSON 带换行与缩进，与加密的原文不同" => "签名与加密用同一个字符串，不要再序列化";
    BusinessSlashes "sign.slashes" wrong Once "4.1.4.1" "签名时业务 JSON 的 / 写成了 \\/，与加密的原文不同" => "签名与加密用同一个字符串；PHP 用 JSON_UNESCAPED_SLASHES";
    BusinessUnicode "sign.unicode" wrong Once "4.1.4.1" "签名时业务 JSON 的汉字写成了 \\uXXXX，与加密的原文不同" => "签名与加密用同一个字符串；Python 用 ensure_ascii=False";
    BusinessLiteral "sign.literal" wrong Once "4.1.4.1" "签名时业务 JSON 的转义写法与加密的原文不同（加密的带 \\u 或 \\/，签名的不带）" => "签名与加密用同一个字符串，不要再序列化";
    BusinessHtml "sign.html" wrong Once "4.1.4.1" "签名时业务 JSON 的 <>&= 写成了 \\u003c 等，与加密的原文不同" => "签名与加密用同一个字符串；Gson 用 disableHtmlEscaping()";
    BusinessNoNulls "sign.business_no_nulls" wrong Once "4.1.4.1" "签名时业务 JSON 去掉了值为 null 的字段，与加密的原文不同" => "签名与加密用同一个字符串，不要再序列化";
    BusinessNoEmpties "sign.business_no_empties" wrong Once "4.1.4.1" "签名时业务 JSON 去掉了值为空字符串的字段，与加密的原文不同" => "签名与加密用同一个字符串，不要再序列化";
    BusinessTrimmed "sign.trimmed" wrong Once "4.1.4.1" "签名时业务 JSON 去掉了首尾空白，与加密的原文不同" => "签名与加密用同一个字符串";
    // ---- the other members in the string to sign ----
    EmptiesOut "sign.no_empties" taken Canonical "4.1.4.1" "值为空字符串的字段没有参与签名" => "平台接受；若要与指南一致，空值也写成 字段名=";
    NullsAsWord "sign.null_as_word" wrong Canonical "4.1.4.1" "值为 null 的字段以 字段名=null 参与了签名" => "值为 null 的字段不参与签名，最好也不要发送";
    NullsAsEmpty "sign.null_as_empty" wrong Canonical "4.1.4.1" "值为 null 的字段以 字段名= 参与了签名" => "值为 null 的字段不参与签名，最好也不要发送";
    ExtendParamsIn "sign.extend_params" wrong Canonical "4.1.4.1" "extendParams 参与了签名" => "拼接前剔除 sign、encryptData、extendParams";
    EncryptDataIn "sign.encrypt_data" wrong Canonical "4.1.4.1" "encryptData 参与了签名" => "拼接前剔除 sign、encryptData、extendParams";
    TypesOut "sign.no_types" wrong Canonical "4.1.4.1" "encryptType 与 signType 没有参与签名" => "除 sign、encryptData、extendParams 外，顶层字段都要参与签名";
    SignTypeOut "sign.no_sign_type" wrong Canonical "4.1.4.1" "signType 没有参与签名" => "除 sign、encryptData、extendParams 外，顶层字段都要参与签名";
    VersionOut "sign.no_version" wrong Canonical "4.1.4.1" "version 没有参与签名" => "除 sign、encryptData、extendParams 外，顶层字段都要参与签名";
    TimestampOut "sign.no_timestamp" wrong Canonical "4.1.4.1" "timestamp 没有参与签名" => "除 sign、encryptData、extendParams 外，顶层字段都要参与签名";
    OutcomeOut "sign.no_outcome" wrong Canonical "4.1.4.2" "应答中的 respCode、respMsg 没有参与签名" => "应答的 respCode、respMsg 也要参与签名";
    OnlyBusiness "sign.only_business" wrong Canonical "4.1.4.1" "只对业务 JSON 签名，顶层字段没有参与" => "appId、encryptType、signType、timestamp、version 与 param 一起排序、拼接";
    OrderWritten "sign.unsorted" wrong Canonical "4.1.4.1" "没有排序，按报文中的顺序拼接" => "按字段名的 ASCII 码升序排列后再拼接";
    OrderNoCase "sign.order_no_case" wrong Canonical "4.1.4.1" "排序时忽略了大小写" => "按字段名的 ASCII 码升序排列（大写字母在小写字母之前）";
    BusinessLast "sign.business_last" wrong Canonical "4.1.4.1" "业务 JSON 拼在了最后，没有参与排序" => "param 与其他字段一起按 ASCII 码排序（在 encryptType 之后、signType 之前）";
    NoSeparator "sign.no_separator" wrong Canonical "4.1.4.1" "字段之间没有用 & 连接" => "用 & 连接各个 字段名=值";
    ValuesOnly "sign.values_only" wrong Canonical "4.1.4.1" "只拼接了值，没有字段名" => "拼成 字段名=值 的形式";
    ValuesEncoded "sign.url_encoded" wrong Canonical "4.1.4.1" "拼接前对值做了 URL 编码" => "用原值拼接，不做 URL 编码";
    // ---- the key in the string to sign ----
    KeyBare "sign.key_bare" wrong KeyPart "4.1.4.1" "密钥直接接在末尾，没有 &key=" => "末尾写 &key= 再接密钥";
    KeyNoName "sign.key_no_name" wrong KeyPart "4.1.4.1" "末尾是 &密钥，少了 key=" => "末尾写 &key= 再接密钥";
    KeyNoAmpersand "sign.key_no_ampersand" wrong KeyPart "4.1.4.1" "key= 之前少了 &" => "末尾写 &key= 再接密钥";
    KeyOtherName "sign.key_name" wrong KeyPart "4.1.4.1" "密钥的参数名不是小写的 key（例如 KEY、secret、appSecret）" => "参数名用小写 key：&key=密钥";
    KeyAbsent "sign.key_absent" wrong KeyPart "4.1.4.1" "待签名串没有接上密钥" => "末尾写 &key= 再接密钥";
    KeyInFront "sign.key_in_front" wrong KeyPart "4.1.4.1" "密钥放在了最前面" => "密钥放在末尾：…&key=密钥";
    KeySorted "sign.key_sorted" wrong KeyPart "4.1.4.1" "key 与其他字段一起排了序" => "key 不参与排序，总是放在末尾";
    SecretFirst16 "sign.secret_first16" wrong KeyPart "4.1.4.1" "签名只用了密钥的前 16 位" => "签名用整个密钥，只有 SM4 才取前 16 位";
    SecretCase "sign.secret_case" wrong KeyPart "4.1.4.1" "签名用的密钥改变了字母大小写" => "密钥区分大小写，按原样使用";
    SecretNewline "sign.secret_newline" wrong KeyPart "4.1.4.1" "签名用的密钥末尾带有换行（多半从文件读入时带入）" => "读入密钥后去掉首尾空白，例如 trim()";
    SecretMd5 "sign.secret_md5" wrong KeyPart "4.1.4.1" "签名用的是密钥的 MD5" => "签名用密钥原文";
    // ---- the digest ----
    StringGbk "sign.gbk" wrong Bytes "4.1.1" "待签名串按 GBK 转成了字节" => "按 UTF-8 转成字节再做 SM3，例如 getBytes(UTF_8)";
    DigestHmac "digest.hmac" wrong Digest "4.1.4.1" "用了 HMAC-SM3" => "用普通的 SM3 摘要，密钥已在待签名串里";
    DigestMd5 "digest.md5" wrong Digest "4.1.4.1" "用了 MD5" => "改用 SM3";
    DigestSha256 "digest.sha256" wrong Digest "4.1.4.1" "用了 SHA-256" => "改用 SM3";
    DigestLower "digest.lower" wrong Digest "4.1.4.1" "整个待签名串被转成了小写" => "保持原样，不要转大小写";
    DigestUpper "digest.upper" wrong Digest "4.1.4.1" "整个待签名串被转成了大写" => "保持原样，不要转大小写";
    SignHex "sign.hex" wrong SignText "4.1.4.1" "签名用了十六进制" => "把 SM3 的 32 个字节做 base64，不要转十六进制";
    SignHexBase64 "sign.base64_of_hex" wrong SignText "4.1.4.1" "签名先转成十六进制文本，再做了 base64" => "直接对 SM3 的 32 个字节做 base64";
    SignStandard "sign.base64_standard" taken SignText "4.1.4.2" "签名用了标准 base64（+、/），指南的示例是 URL 安全（-、_）" => "改用 URL 安全的 base64；平台两种都接受";
    SignUnpadded "sign.base64_unpadded" taken SignText "4.1.4.2" "签名的 base64 没有末尾的 =" => "平台接受；若要与指南的示例一致，请保留 =";
    SignSpaces "sign.spaces" wrong SignText "4.1.4.1" "签名里的 + 变成了空格（经过了表单解码）" => "改用 URL 安全的 base64，并以 JSON 请求体发送";
    SignPercent "sign.percent" wrong SignText "4.1.4.1" "签名做了 URL 百分号编码" => "放入 JSON 前不要再做 URL 编码";
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_deviation_has_an_id_of_its_own() {
        let ids: HashSet<&str> = Deviation::ALL.iter().map(|one| one.spec().id).collect();
        assert_eq!(ids.len(), Deviation::ALL.len());
    }
}
