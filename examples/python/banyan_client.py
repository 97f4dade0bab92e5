"""接入指南第 4 章的 Python 客户端：签名、加密、调用、验签。只依赖 cryptography（pip install cryptography）。

  python3 banyan_client.py --vectors ../../fixtures/vectors/envelope.json    核对实现
  python3 banyan_client.py 沙箱目录/sandbox.json [citizen 序号]              对着沙箱走一遍
"""
import base64
import json
import sys
import time
import urllib.request

from cryptography.hazmat.primitives import hashes, padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes


def sm3(data):
    digest = hashes.Hash(hashes.SM3())
    digest.update(data)
    return digest.finalize()


def cipher(secret):
    return Cipher(algorithms.SM4(secret.encode()[:16]), modes.ECB())  # 密钥的前 16 位


def encrypt(secret, text):
    pad, enc = padding.PKCS7(128).padder(), cipher(secret).encryptor()
    data = pad.update(text.encode()) + pad.finalize()
    return base64.urlsafe_b64encode(enc.update(data) + enc.finalize()).decode()


def decrypt(secret, text):
    dec, unpad = cipher(secret).decryptor(), padding.PKCS7(128).unpadder()
    data = dec.update(base64.urlsafe_b64decode(text)) + dec.finalize()
    return (unpad.update(data) + unpad.finalize()).decode()


def string_to_sign(message, business, secret, name="param"):
    signed = {k: v for k, v in message.items() if k not in ("sign", "encryptData", "extendParams") and v is not None}
    if business is not None:
        signed[name] = business  # 加密前的原文，一字不差
    return "&".join(f"{k}={signed[k]}" for k in sorted(signed)) + "&key=" + secret


def signature(message, business, secret, name="param"):
    return base64.urlsafe_b64encode(sm3(string_to_sign(message, business, secret, name).encode())).decode()


def seal(app_id, secret, business, timestamp_ms, name="param"):
    message = {"appId": app_id, "version": "1.0.0", "timestamp": str(timestamp_ms), "encryptType": "SM4", "signType": "SM3"}
    return message | {"sign": signature(message, business, secret, name), "encryptData": encrypt(secret, business)}


def open_message(message, secret, name="param"):
    business = decrypt(secret, message["encryptData"]) if message.get("encryptData") else None
    if signature(message, business, secret, name) != message["sign"]:
        raise ValueError("签名不符：可用 banyan doctor 诊断")
    return business


def call(platform, path, app_id, secret, parameters):
    business = json.dumps(parameters, ensure_ascii=False)  # 只序列化一次：签名与加密都用它
    body = json.dumps(seal(app_id, secret, business, int(time.time() * 1000))).encode()
    headers = {"Content-Type": "application/json; charset=utf-8", "X-Api-Sign-Version": "2.0.0"}
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # 不经代理
    with opener.open(urllib.request.Request(platform + path, body, headers), timeout=20) as response:
        reply = json.load(response)
    if reply["respCode"] != "000000":
        raise SystemExit(f"对方拒绝：{reply['respCode']} {reply['respMsg']}")
    return json.loads(open_message(reply, secret))


def check(vectors):
    for v in vectors["messages"]:
        assert string_to_sign(v["message"], v["business"], vectors["secret"], v["signedAs"]) == v["stringToSign"], v["name"]
        assert open_message(v["message"], vectors["secret"], v["signedAs"]) == v["business"], v["name"]
        if "respCode" not in v["message"]:
            assert seal(vectors["appId"], vectors["secret"], v["business"], v["message"]["timestamp"], v["signedAs"]) == v["message"]
    print(json.dumps({"checked": len(vectors["messages"])}))


def tour(sandbox, citizen):
    hospital, person = sandbox["hospitals"][2], {k: citizen[k] for k in ("idType", "idNo", "userName", "ehealthCardId")}
    ask = lambda path, p: call(sandbox["platform"], path, hospital["appId"], hospital["secret"], {"orgId": hospital["orgId"], **p})
    number = f"python-{time.time_ns()}"
    item = {"orgTraceId": number, "medType": "21", "feeType": "02", "itemName": "住院费 & 药费=1", "amount": "1234.5", "actualTime": "2025-11-20 09:00:00"}
    reported = ask("/umdl/reportOverdueData", {"orgName": hospital["orgName"], "notifyUrl": hospital["callbackUrl"], "orgRequestId": number,
                                               "unsettleList": [{**person, "userType": "02", "itemList": [item]}]})
    query = ask("/qmdl/queryOverdueData", {**person, "businessType": "01101"})
    print(json.dumps({"reported": reported, "query": query}, ensure_ascii=False))


if sys.argv[1] == "--vectors":
    check(json.load(open(sys.argv[2], encoding="utf-8")))
else:
    description = json.load(open(sys.argv[1], encoding="utf-8"))
    tour(description, description["citizens"][int(sys.argv[2]) if len(sys.argv) > 2 else 0])
