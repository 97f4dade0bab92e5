/*
 * NationECCode: 国家医保电子凭证业务标准动态库 (5.2).
 *
 * 使用说明见 docs/nation-ec-code.zh-CN.md。
 */
#ifndef NATION_EC_CODE_H
#define NATION_EC_CODE_H

#if defined(_WIN32)
#define NATION_EC_CALL __stdcall
#else
#define NATION_EC_CALL
#endif

/* OutData 的长度由设置 output_size 决定，缺省值如下（含结尾的 NUL）。 */
#define NATION_EC_DEFAULT_OUTPUT_SIZE 2048

/* 不论设置如何，OutData 至少应有这么多字节。 */
#define NATION_EC_LEAST_OUTPUT_SIZE 512

#ifdef __cplusplus
extern "C" {
#endif

/*
 * 交易接口调用函数。
 *
 * strUrl   业务请求地址，以 NUL 结尾，最长 2048 字节
 * InData   交易请求数据，一个 JSON 对象，GB18030 编码，其后不必有 NUL，最长 192 KiB
 * OutData  交易返回数据，长度不小于设置 output_size，总以 NUL 结尾
 *
 * 返回 "0000" 表示收到并验证了中心的应答（应答中的 code 仍须判断）；否则返回
 * 返回码和原因，OutData 中同时有 {"orgId","code","message","cause"}。返回的字符串
 * 属于动态库，不得释放或改写。
 */
char *NATION_EC_CALL NationEcTrans(char *strUrl, char *InData, char *OutData);

/* GetProcAddress、dlsym 所得指针的类型。 */
typedef char *(NATION_EC_CALL *NationEcTransFunction)(char *strUrl, char *InData, char *OutData);

#ifdef __cplusplus
}
#endif

#endif
