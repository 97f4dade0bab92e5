package main

import (
	"encoding/json"
	"os"
	"reflect"
	"testing"
)

// 与共用的一组报文逐条核对。
func TestVectors(t *testing.T) {
	var vectors struct {
		AppID, Secret string
		Messages      []struct {
			Name, SignedAs, StringToSign, Business string
			Message                                message
		}
	}
	text, err := os.ReadFile("../../fixtures/vectors/envelope.json")
	must(err)
	must(json.Unmarshal(text, &vectors))
	if len(vectors.Messages) < 8 {
		t.Fatal("报文太少")
	}
	for _, v := range vectors.Messages {
		if stringToSign(v.Message, v.Business, vectors.Secret, v.SignedAs) != v.StringToSign {
			t.Error("待签名串不符：" + v.Name)
		}
		if open(v.Message, vectors.Secret, v.SignedAs) != v.Business {
			t.Error("解密不符：" + v.Name)
		}
		sealed := seal(vectors.AppID, vectors.Secret, v.Business, v.Message["timestamp"], v.SignedAs)
		if v.Message["respCode"] == "" && !reflect.DeepEqual(sealed, v.Message) {
			t.Error("密封不符：" + v.Name)
		}
	}
}
