"""A HIS that knows only the standard: it loads libNationECCode.so and calls NationEcTrans, as the
standard's annex A does, against the running sandbox. Arguments: the library, sandbox.json."""

import ctypes
import json
import os
import sys

library, description = sys.argv[1:]
sandbox = json.load(open(description, encoding="utf-8"))
os.environ["NATIONECCODE_CONFIG"] = os.path.join(os.path.dirname(description), "NationECCode.toml")
url = sandbox["platform"] + "/localcfc/api/hsecfc/localQrCodeQuery"
trans = ctypes.CDLL(library).NationEcTrans
trans.restype = ctypes.c_char_p


def call(text):
    out = ctypes.create_string_buffer(10240)
    returned = trans(url.encode(), text.encode("gb18030"), out).decode("gb18030")
    return {"returned": returned, "out": json.loads(out.value.decode("gb18030"))}


def message(trans_type, org_id, **members):
    data = {"orgId": org_id, "businessType": "01301", "operatorId": "test001", "operatorName": "管理员",
            "officeId": "45678", "officeName": "消化内科", **members}
    return json.dumps({"orgId": org_id, "transType": trans_type, "data": data}, ensure_ascii=False)


org_id = sandbox["hospitals"][0]["orgId"]
person = sandbox["citizens"][0]
print(json.dumps({
    # Annex A, C++: neither transType nor orgId at the top.
    "cpp": call('{"data":{"businessType":"01101","deviceType":"SelfService","officeId":"45678",'
                '"officeName":"消化内科","operatorId":"test001","operatorName":"管理员","orgId":"35020311234"}}\n'),
    # Annex A, Java.
    "java": call('{"data":{"businessType":"01101","deviceType":"","officeId":"32760","officeName":"123",'
                 '"operatorId":"test001","operatorName":"456","orgId":"35020319001"},"orgId":"35020319001",'
                 '"transType":"ec.query"}'),
    "scanned": call(message("cn.nhsa.qrcode.get", org_id, outBizNo="20251121093000A1B")),
    "again": call(message("cn.nhsa.qrcode.get", org_id, outBizNo="20251121093000A1B")),
    "face": call(message("cn.nhsa.auth.check", org_id, outBizNo="20251121093000A1C")),
    "password": call(message("cn.nhsa.ec.pwd", org_id, idNo=person["idNo"], idType="01",
                             userName=person["userName"], mdtrtCertType="01A")),
    "elsewhere": call(message("ec.query", "99999999999")),
}, ensure_ascii=False))
