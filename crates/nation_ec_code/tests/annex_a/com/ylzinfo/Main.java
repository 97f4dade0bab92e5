package com.ylzinfo;

import com.sun.jna.Memory;
import com.sun.jna.Pointer;

public class Main {
    public static void main(String[] args) {
        Pointer rsStr = new Memory(1024 * 10);
        String rs = EcDll.instance.NationEcTrans(args[0],
            "{\"data\":{\"businessType\":\"01101\",\"deviceType\":\"\",\"officeId\":\"32760\",\"officeName\":\"123\",\"operatorId\":\"test001\",\"operatorName\":\"456\",\"orgId\":\"35020319001\"},\"orgId\":\"35020319001\",\"transType\":\"ec.query\"}",
            rsStr);
        String rsStrString = rsStr.getString(0, "GB18030");
        System.out.println(rsStrString);
        System.out.println(rs);
    }
}
