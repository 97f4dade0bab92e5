//! The line of code that each deviation is about, in the languages that hospitals write.

/// A language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Language {
    /// Java, with BouncyCastle or hutool.
    Java,
    /// C#, with BouncyCastle.
    CSharp,
    /// Python, with `cryptography` or gmssl.
    Python,
    /// Node.js.
    Node,
    /// Go, with gmsm.
    Go,
    /// C++, with OpenSSL 3.
    Cpp,
    /// PHP 8.
    Php,
}

impl Language {
    /// All of them, those that hospitals use most first.
    pub const ALL: [Self; 7] = [
        Self::Java,
        Self::CSharp,
        Self::Python,
        Self::Node,
        Self::Go,
        Self::Cpp,
        Self::Php,
    ];

    /// What it is called.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Java => "Java",
            Self::CSharp => "C#",
            Self::Python => "Python",
            Self::Node => "Node",
            Self::Go => "Go",
            Self::Cpp => "C++",
            Self::Php => "PHP",
        }
    }

    /// The language of this name; `c#` and `csharp`, `js` and `node` and the like are the same.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "java" | "kotlin" => Some(Self::Java),
            "c#" | "csharp" | "cs" | ".net" => Some(Self::CSharp),
            "python" | "py" => Some(Self::Python),
            "node" | "js" | "javascript" | "typescript" | "ts" => Some(Self::Node),
            "go" | "golang" => Some(Self::Go),
            "c++" | "cpp" | "c" => Some(Self::Cpp),
            "php" => Some(Self::Php),
            _ => None,
        }
    }
}

/// What a line of code is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Topic {
    Http,
    Members,
    Timestamp,
    CipherText,
    CipherKey,
    Decrypt,
    Bytes,
    Once,
    Param,
    Canonical,
    KeyPart,
    Digest,
    SignText,
}

impl Topic {
    /// The line as it should be.
    pub(crate) const fn line(self, language: Language) -> &'static str {
        let [java, csharp, python, node, go, cpp, php] = self.lines();
        match language {
            Language::Java => java,
            Language::CSharp => csharp,
            Language::Python => python,
            Language::Node => node,
            Language::Go => go,
            Language::Cpp => cpp,
            Language::Php => php,
        }
    }

    /// In the order of [`Language::ALL`].
    #[expect(clippy::too_many_lines, reason = "a table: one line for each language")]
    const fn lines(self) -> [&'static str; 7] {
        match self {
            Self::Http => [
                r#"conn.setRequestProperty("Content-Type", "application/json; charset=utf-8"); out.write(json.getBytes(StandardCharsets.UTF_8));"#,
                r#"var content = new StringContent(json, Encoding.UTF8, "application/json");"#,
                r#"requests.post(url, data=json_text.encode("utf-8"), headers={"Content-Type": "application/json; charset=utf-8"})"#,
                r"await fetch(url, { method: 'POST', headers: { 'Content-Type': 'application/json; charset=utf-8' }, body: JSON.stringify(message) })",
                r#"http.Post(url, "application/json; charset=utf-8", bytes.NewReader(body))"#,
                r#"curl_easy_setopt(curl, CURLOPT_POSTFIELDS, json.c_str()); // header: Content-Type: application/json; charset=utf-8"#,
                r"curl_setopt($ch, CURLOPT_POSTFIELDS, $json); // Content-Type: application/json; charset=utf-8",
            ],
            Self::Members => [
                r#"m.put("appId", appId); m.put("version", "1.0.0"); m.put("timestamp", ts); m.put("encryptType", "SM4"); m.put("signType", "SM3");"#,
                r#"m["appId"] = appId; m["version"] = "1.0.0"; m["timestamp"] = ts; m["encryptType"] = "SM4"; m["signType"] = "SM3";"#,
                r#"m = {"appId": app_id, "version": "1.0.0", "timestamp": ts, "encryptType": "SM4", "signType": "SM3"}"#,
                r"const m = { appId, version: '1.0.0', timestamp: ts, encryptType: 'SM4', signType: 'SM3' };",
                r#"m := map[string]string{"appId": appID, "version": "1.0.0", "timestamp": ts, "encryptType": "SM4", "signType": "SM3"}"#,
                r#"m["appId"] = appId; m["version"] = "1.0.0"; m["timestamp"] = ts; m["encryptType"] = "SM4"; m["signType"] = "SM3";"#,
                r"$m = ['appId' => $appId, 'version' => '1.0.0', 'timestamp' => $ts, 'encryptType' => 'SM4', 'signType' => 'SM3'];",
            ],
            Self::Timestamp => [
                "String ts = String.valueOf(System.currentTimeMillis());",
                "var ts = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds().ToString();",
                "ts = str(int(time.time() * 1000))",
                "const ts = String(Date.now());",
                "ts := strconv.FormatInt(time.Now().UnixMilli(), 10)",
                "auto ts = std::to_string(duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count());",
                "$ts = (string) intval(microtime(true) * 1000);",
            ],
            Self::CipherText => [
                "String encryptData = Base64.getUrlEncoder().encodeToString(cipherBytes);",
                r#"var encryptData = Convert.ToBase64String(cipherBytes).Replace('+', '-').Replace('/', '_');"#,
                "encrypt_data = base64.urlsafe_b64encode(cipher_bytes).decode()",
                "const encryptData = cipherBytes.toString('base64').replaceAll('+', '-').replaceAll('/', '_');",
                "encryptData := base64.URLEncoding.EncodeToString(cipherBytes)",
                "EVP_EncodeBlock(out, cipher, cipher_len); // 再把 + 换成 -，/ 换成 _",
                "$encryptData = strtr(base64_encode($cipherBytes), '+/', '-_');",
            ],
            Self::CipherKey => [
                "byte[] key = secret.substring(0, 16).getBytes(StandardCharsets.UTF_8);",
                "var key = Encoding.UTF8.GetBytes(secret.Substring(0, 16));",
                "key = secret[:16].encode()",
                "const key = Buffer.from(secret.slice(0, 16), 'utf8');",
                "key := []byte(secret)[:16]",
                "const auto* key = reinterpret_cast<const unsigned char*>(secret.data()); // 前 16 字节",
                "$key = substr($secret, 0, 16);",
            ],
            Self::Decrypt => [
                r#"Cipher c = Cipher.getInstance("SM4/ECB/PKCS7Padding", "BC"); c.init(Cipher.ENCRYPT_MODE, new SecretKeySpec(key, "SM4"));"#,
                "var c = new PaddedBufferedBlockCipher(new EcbBlockCipher(new SM4Engine()), new Pkcs7Padding());",
                "enc = Cipher(algorithms.SM4(key), modes.ECB()).encryptor()  # padding.PKCS7(128)",
                "const c = crypto.createCipheriv('sm4-ecb', key, null); // 默认即 PKCS#7 填充",
                "out, err := sm4.Sm4Ecb(key, plain, true) // tjfoc/gmsm，自带 PKCS#7",
                "EVP_EncryptInit_ex(ctx, EVP_sm4_ecb(), nullptr, key, nullptr); // 默认即 PKCS#7 填充",
                "$cipherBytes = openssl_encrypt($json, 'sm4-ecb', $key, OPENSSL_RAW_DATA);",
            ],
            Self::Bytes => [
                "byte[] bytes = text.getBytes(StandardCharsets.UTF_8);",
                "var bytes = Encoding.UTF8.GetBytes(text); // 不要用 Encoding.Default",
                r#"data = text.encode("utf-8")"#,
                "const bytes = Buffer.from(text, 'utf8');",
                "data := []byte(text) // Go 的字符串本就是 UTF-8",
                "// 先把 GBK 转成 UTF-8：WideCharToMultiByte(CP_UTF8, …) 或 iconv",
                "$text = mb_convert_encoding($text, 'UTF-8', 'GBK');",
            ],
            Self::Once => [
                "String json = mapper.writeValueAsString(param); // 只此一次：签名与加密都用这个 json",
                "var json = JsonSerializer.Serialize(param); // 只此一次：签名与加密都用这个 json",
                "business = json.dumps(param, ensure_ascii=False)  # 只此一次：签名与加密都用它",
                "const business = JSON.stringify(param); // 只此一次：签名与加密都用它",
                "business, _ := json.Marshal(param) // 只此一次：签名与加密都用它",
                "const std::string json = writer.write(param); // 只此一次：签名与加密都用它",
                "$json = json_encode($param, JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES); // 只此一次",
            ],
            Self::Param => [
                r#"toSign.put("param", json); // json 为加密前的原文"#,
                r#"toSign["param"] = json; // json 为加密前的原文"#,
                r#"to_sign["param"] = business  # 加密前的原文"#,
                "toSign.param = business; // 加密前的原文",
                r#"toSign["param"] = string(business) // 加密前的原文"#,
                r#"toSign["param"] = json; // 加密前的原文"#,
                "$toSign['param'] = $json; // 加密前的原文",
            ],
            Self::Canonical => [
                r#"String s = new TreeMap<>(toSign).entrySet().stream().filter(e -> e.getValue() != null).map(e -> e.getKey() + "=" + e.getValue()).collect(joining("&")) + "&key=" + secret;"#,
                r#"var s = string.Join("&", toSign.OrderBy(p => p.Key, StringComparer.Ordinal).Select(p => $"{p.Key}={p.Value}")) + "&key=" + secret;"#,
                r#"s = "&".join(f"{k}={to_sign[k]}" for k in sorted(to_sign)) + "&key=" + secret"#,
                "const s = Object.keys(toSign).sort().map((k) => `${k}=${toSign[k]}`).join('&') + '&key=' + secret;",
                r#"sort.Strings(names); for _, k := range names { parts = append(parts, k+"="+toSign[k]) }; s := strings.Join(parts, "&") + "&key=" + secret"#,
                r#"for (auto& [k, v] : std::map(toSign)) s += k + "=" + v + "&"; s += "key=" + secret; // std::map 已按字节排序"#,
                r#"ksort($toSign, SORT_STRING); foreach ($toSign as $k => $v) { $s .= "$k=$v&"; } $s .= "key=" . $secret;"#,
            ],
            Self::KeyPart => [
                r#"String s = joined + "&key=" + secret.trim();"#,
                r#"var s = joined + "&key=" + secret.Trim();"#,
                r#"s = joined + "&key=" + secret.strip()"#,
                "const s = joined + '&key=' + secret.trim();",
                r#"s := joined + "&key=" + strings.TrimSpace(secret)"#,
                r#"s = joined + "&key=" + secret;"#,
                "$s = $joined . '&key=' . trim($secret);",
            ],
            Self::Digest => [
                "byte[] d = new SM3.Digest().digest(s.getBytes(StandardCharsets.UTF_8));",
                "var d = new SM3Digest(); d.BlockUpdate(bytes, 0, bytes.Length); d.DoFinal(hash, 0);",
                r#"h = hashes.Hash(hashes.SM3()); h.update(s.encode("utf-8")); d = h.finalize()"#,
                "const d = crypto.createHash('sm3').update(s, 'utf8').digest();",
                "d := sm3.Sm3Sum([]byte(s))",
                "EVP_Digest(s.data(), s.size(), d, &n, EVP_sm3(), nullptr);",
                "$d = openssl_digest($s, 'sm3', true);",
            ],
            Self::SignText => [
                "String sign = Base64.getUrlEncoder().encodeToString(d); // d 是 SM3 的 32 个字节",
                r#"var sign = Convert.ToBase64String(d).Replace('+', '-').Replace('/', '_');"#,
                "sign = base64.urlsafe_b64encode(d).decode()",
                "const sign = d.toString('base64').replaceAll('+', '-').replaceAll('/', '_');",
                "sign := base64.URLEncoding.EncodeToString(d)",
                "EVP_EncodeBlock(out, d, 32); // 再把 + 换成 -，/ 换成 _",
                "$sign = strtr(base64_encode($d), '+/', '-_');",
            ],
        }
    }
}
