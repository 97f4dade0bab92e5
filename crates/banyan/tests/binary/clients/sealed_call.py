"""A hospital's client for the access guide, chapter 4, with Python's standard library and the
`openssl` command line (3.0 or later) alone: reports a debt, waits for the outcome, asks about the
person. Usage: sealed_call.py SANDBOX_JSON"""

import base64
import json
import subprocess
import sys
import time
import urllib.request


def openssl(arguments, data):
    return subprocess.run(["openssl", *arguments], input=data, capture_output=True, check=True).stdout


def sm3(data):
    return openssl(["dgst", "-sm3", "-binary"], data)


def sm4(secret, data, *mode):
    # The key is the first 16 bytes of the secret; PKCS#7 is what `enc` pads with.
    key = secret.encode()[:16].hex()
    return openssl(["enc", "-sm4-ecb", "-K", key, *mode], data)


def string_to_sign(members, business, secret):
    signed = {
        name: value
        for name, value in members.items()
        if name not in ("sign", "encryptData", "extendParams") and value is not None
    }
    if business is not None:
        signed["param"] = business
    return "&".join(f"{name}={signed[name]}" for name in sorted(signed)) + "&key=" + secret


def signature(members, business, secret):
    return base64.urlsafe_b64encode(sm3(string_to_sign(members, business, secret).encode())).decode()


def call(platform, path, app_id, secret, parameters):
    business = json.dumps(parameters, ensure_ascii=False)
    message = {
        "appId": app_id,
        "version": "1.0.0",
        "timestamp": str(int(time.time() * 1000)),
        "encryptType": "SM4",
        "signType": "SM3",
    }
    message["sign"] = signature(message, business, secret)
    message["encryptData"] = base64.urlsafe_b64encode(sm4(secret, business.encode())).decode()
    request = urllib.request.Request(
        platform + path,
        json.dumps(message).encode(),
        {"Content-Type": "application/json; charset=utf-8", "X-Api-Sign-Version": "2.0.0"},
    )
    # No proxy of the environment stands between us and this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=20) as response:
        reply = json.load(response)
    if reply["respCode"] != "000000":
        raise SystemExit(f"refused: {reply['respCode']} {reply['respMsg']}")
    plain = sm4(secret, base64.urlsafe_b64decode(reply["encryptData"]), "-d").decode()
    if signature(reply, plain, secret) != reply["sign"]:
        raise SystemExit("the reply's signature is wrong")
    return json.loads(plain)


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        sandbox = json.load(file)
    hospital, citizen = sandbox["hospitals"][1], sandbox["citizens"][13]
    person = {name: citizen[name] for name in ("idNo", "idType", "userName", "ehealthCardId")}
    org = {"orgId": hospital["orgId"]}
    batch = org | {"orgRequestId": "python-1"}
    item = {"orgTraceId": "python-1-1", "medType": "21", "feeType": "02", "itemName": "住院费 & 药费=1",
            "amount": "1234.5", "actualTime": "2025-11-20 09:00:00"}

    def ask(path, parameters):
        return call(sandbox["platform"], path, hospital["appId"], hospital["secret"], parameters)

    reported = ask("/umdl/reportOverdueData", batch | {
        "orgName": hospital["orgName"], "notifyUrl": hospital["callbackUrl"],
        "unsettleList": [person | {"userType": "02", "itemList": [item]}]})
    deadline = time.monotonic() + 30
    outcome = ask("/qmdl/queryReportResult", batch)
    while not outcome["reportResultList"] and time.monotonic() < deadline:
        time.sleep(0.02)
        outcome = ask("/qmdl/queryReportResult", batch)
    query = ask("/qmdl/queryOverdueData", org | person | {"businessType": "01101"})
    print(json.dumps({"reported": reported, "outcome": outcome, "query": query}, ensure_ascii=False))


main()
