// 接入指南第 4 章的 Java 客户端：签名、加密、调用、验签。只依赖 BouncyCastle（bcprov）。需 Java 17。
//   java -cp bcprov.jar BanyanClient.java --vectors ../../fixtures/vectors/envelope.tsv   核对实现
//   java -cp bcprov.jar BanyanClient.java 平台地址 appId 路径 '业务 JSON'   调用一个接口，密钥在环境变量 BANYAN_SECRET
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import javax.crypto.Cipher;
import javax.crypto.spec.SecretKeySpec;
import org.bouncycastle.jcajce.provider.digest.SM3;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import static java.nio.charset.StandardCharsets.UTF_8;

public class BanyanClient {
    static byte[] sm4(int mode, String secret, byte[] data) throws Exception {
        Cipher cipher = Cipher.getInstance("SM4/ECB/PKCS7Padding", new BouncyCastleProvider());
        cipher.init(mode, new SecretKeySpec(secret.substring(0, 16).getBytes(UTF_8), "SM4")); // 密钥的前 16 位
        return cipher.doFinal(data);
    }

    static String encrypt(String secret, String business) throws Exception {
        return Base64.getUrlEncoder().encodeToString(sm4(Cipher.ENCRYPT_MODE, secret, business.getBytes(UTF_8)));
    }

    static String decrypt(String secret, String text) throws Exception {
        return new String(sm4(Cipher.DECRYPT_MODE, secret, Base64.getUrlDecoder().decode(text)), UTF_8);
    }

    static String stringToSign(Map<String, String> message, String business, String secret, String name) {
        TreeMap<String, String> signed = new TreeMap<>(message); // 按 ASCII 码排序
        for (String excluded : new String[] {"sign", "encryptData", "extendParams"}) signed.remove(excluded);
        if (business != null) signed.put(name, business); // 加密前的原文，一字不差
        return signed.entrySet().stream().filter(e -> e.getValue() != null)
            .map(e -> e.getKey() + "=" + e.getValue()).collect(Collectors.joining("&")) + "&key=" + secret;
    }

    static String signature(Map<String, String> message, String business, String secret, String name) {
        byte[] text = stringToSign(message, business, secret, name).getBytes(UTF_8);
        return Base64.getUrlEncoder().encodeToString(new SM3.Digest().digest(text));
    }

    static Map<String, String> seal(String appId, String secret, String business, String timestamp, String name) throws Exception {
        Map<String, String> message = new TreeMap<>(Map.of("appId", appId, "version", "1.0.0",
            "timestamp", timestamp, "encryptType", "SM4", "signType", "SM3"));
        message.put("sign", signature(message, business, secret, name));
        message.put("encryptData", encrypt(secret, business));
        return message;
    }

    static String open(Map<String, String> message, String secret, String name) throws Exception {
        String data = message.get("encryptData");
        String business = data == null ? null : decrypt(secret, data);
        if (!signature(message, business, secret, name).equals(message.get("sign")))
            throw new IllegalStateException("签名不符：可用 banyan doctor 诊断");
        return business;
    }

    // 外层报文都是单层的字符串；实际项目请用 Jackson 等 JSON 库。
    static Map<String, String> flat(String json) {
        Map<String, String> members = new TreeMap<>();
        var found = Pattern.compile("\"(\\w+)\"\\s*:\\s*\"((?:[^\"\\\\]|\\\\.)*)\"").matcher(json);
        while (found.find()) members.put(found.group(1), found.group(2).replace("\\\"", "\"").replace("\\\\", "\\"));
        return members;
    }

    public static void main(String[] args) throws Exception {
        if (args[0].equals("--vectors")) { // 每行：名称、签名用名、业务 JSON、待签名串、报文、密钥（均为 base64）
            int checked = 0;
            for (String line : Files.readAllLines(Path.of(args[1]))) {
                String[] v = java.util.Arrays.stream(line.split("\t", -1)).map(f -> new String(Base64.getDecoder().decode(f), UTF_8)).toArray(String[]::new);
                Map<String, String> message = flat(v[4]);
                String business = v[2].isEmpty() ? null : v[2];
                if (!stringToSign(message, business, v[5], v[1]).equals(v[3])) throw new AssertionError("待签名串不符：" + v[0]);
                if (!java.util.Objects.equals(open(message, v[5], v[1]), business)) throw new AssertionError("解密不符：" + v[0]);
                if (!message.containsKey("respCode") && !seal(message.get("appId"), v[5], business, message.get("timestamp"), v[1]).equals(message)) throw new AssertionError("密封不符：" + v[0]);
                checked++;
            }
            System.out.println("{\"checked\": " + checked + "}");
            return;
        }
        String business = args[3], secret = System.getenv("BANYAN_SECRET");
        var message = seal(args[1], secret, business, String.valueOf(System.currentTimeMillis()), "param");
        String body = message.entrySet().stream().map(e -> "\"" + e.getKey() + "\":\"" + e.getValue() + "\"").collect(Collectors.joining(",", "{", "}"));
        var request = HttpRequest.newBuilder(URI.create(args[0] + args[2])).header("Content-Type", "application/json; charset=utf-8")
            .header("X-Api-Sign-Version", "2.0.0").POST(HttpRequest.BodyPublishers.ofString(body)).build();
        var reply = flat(HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString()).body());
        if (!"000000".equals(reply.get("respCode"))) throw new IllegalStateException("对方拒绝：" + reply.get("respCode") + " " + reply.get("respMsg"));
        new java.io.PrintStream(System.out, true, "UTF-8").println(open(reply, secret, "param"));
    }
}
