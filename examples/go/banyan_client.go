// 接入指南第 4 章的 Go 客户端：签名、加密、调用、验签。只依赖 github.com/tjfoc/gmsm（Debian：golang-github-tjfoc-gmsm-dev）。
//
//	go test                                                            核对实现
//	BANYAN_SECRET=密钥 go run . 平台地址 appId 路径 '业务 JSON'        调用一个接口
package main

import (
	"bytes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/tjfoc/gmsm/sm3"
	"github.com/tjfoc/gmsm/sm4"
)

type message map[string]string // 外层报文都是单层的字符串

func ecb(secret string, data []byte, one func(cipher.Block, []byte, []byte)) []byte {
	block, err := sm4.NewCipher([]byte(secret[:16])) // 密钥的前 16 位
	must(err)
	for i := 0; i+16 <= len(data); i += 16 {
		one(block, data[i:i+16], data[i:i+16])
	}
	return data
}

func stringToSign(m message, business, secret, name string) string {
	var names []string
	signed := message{name: business} // 加密前的原文，一字不差
	for k, v := range m {
		signed[k] = v
	}
	for k := range signed {
		if k != "sign" && k != "encryptData" && k != "extendParams" && (k != name || business != "") {
			names = append(names, k)
		}
	}
	sort.Strings(names) // 按 ASCII 码排序
	for i, k := range names {
		names[i] = k + "=" + signed[k]
	}
	return strings.Join(names, "&") + "&key=" + secret
}

func signature(m message, business, secret, name string) string {
	return base64.URLEncoding.EncodeToString(sm3.Sm3Sum([]byte(stringToSign(m, business, secret, name))))
}

func seal(appID, secret, business, timestamp, name string) message {
	m := message{"appId": appID, "version": "1.0.0", "timestamp": timestamp, "encryptType": "SM4", "signType": "SM3"}
	m["sign"] = signature(m, business, secret, name)
	pad := 16 - len(business)%16 // PKCS7
	padded := append([]byte(business), bytes.Repeat([]byte{byte(pad)}, pad)...)
	m["encryptData"] = base64.URLEncoding.EncodeToString(ecb(secret, padded, cipher.Block.Encrypt))
	return m
}

func open(m message, secret, name string) (business string) {
	data, err := base64.URLEncoding.DecodeString(m["encryptData"])
	must(err)
	if plain := ecb(secret, data, cipher.Block.Decrypt); len(plain) > 0 {
		business = string(plain[:len(plain)-int(plain[len(plain)-1])])
	}
	if signature(m, business, secret, name) != m["sign"] {
		log.Fatal("签名不符：可用 banyan doctor 诊断")
	}
	return business
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func main() {
	secret := os.Getenv("BANYAN_SECRET")
	body, _ := json.Marshal(seal(os.Args[2], secret, os.Args[4], strconv.FormatInt(time.Now().UnixMilli(), 10), "param"))
	response, err := http.Post(os.Args[1]+os.Args[3], "application/json; charset=utf-8", bytes.NewReader(body))
	must(err)
	var reply message
	must(json.NewDecoder(response.Body).Decode(&reply))
	if reply["respCode"] != "000000" {
		log.Fatalf("对方拒绝：%s %s", reply["respCode"], reply["respMsg"])
	}
	fmt.Println(open(reply, secret, "param"))
}
