/* The C++ example of annex A. Between the two lines stands the standard's own text, as printed, its
 * lines wrapped where the page wrapped them; around it is what it leaves out: headers, variables, a
 * function, and a word about what was received.
 */
#include <cstdio>
#include <cstring>
#include <string>

#include <windows.h>

#include "json/json.h"

using std::string;

static char in_data[2048], out_data[2048];
static char *strUrl;
static char *transret;
static bool received;

static void example() {
// ---------------------------------------------------------------- annex A.1
HMODULE Handle = NULL;
char* (__stdcall * NationEcTrans)(char *strUrl, char *pindata, char
*poutdata);
Handle = LoadLibrary("NationECCode.dll");
if(Handle != NULL){ //获取接口
    NationEcTrans = (char* (__stdcall * )(char*, char *, char
*))GetProcAddress(Handle, "NationEcTrans");
    if(NationEcTrans!=NULL){
        Json::Value root;
        Json::Value param;
        Json::FastWriter writer;
        param["orgId"]="35020311234";
        param["businessType"]="01101";
        param["operatorId"]="test001";
        param["operatorName"]="管理员";
        param["officeId"]="45678";
        param["officeName"]="消化内科";
        param["deviceType"]="SelfService";
        root["data"] = param;
        std::string sReq = writer.write(root);
        memcpy(in_data, sReq.c_str(), sReq.size());
        transret = NationEcTrans(strUrl, in_data, out_data);
        string sResp(transret);
        if(sResp == "0000")
        {
            Json::Value value;
            std::string sOut(out_data);
            if (Json::Reader().parse(sOut, value) && value.isObject())
            {
                int sFlag = value["code"].asInt();
                string sCase = value["cause"].asString();
                if (sFlag != 0){
                    return;
                }
                if (!value.isMember("data")) {
                    return;
                }
                Json::Value data = value["data"];
                //Todo 处理返回数据
// ------------------------------------------------------------------- so far
                received = data.isMember("userName");
            }
        }
        return;
    }
}
}

int main(int count, char **words) {
    if (count != 2) return 2;
    strUrl = words[1];
    /* Nothing promises zeros behind what memcpy wrote. */
    memset(in_data, 'x', sizeof in_data);
    example();
    printf("%s\n%s\n", transret ? transret : "not loaded", out_data);
    return received ? 0 : 1;
}
