/* The Java example of annex A, in the two files that Java wants. Supplied: the imports, the address as
 * an argument; left out: two libraries of OpenSSL that another maker's DLL needs.
 */
package com.ylzinfo;

import com.sun.jna.Library;
import com.sun.jna.Native;
import com.sun.jna.Pointer;

public interface EcDll extends Library {
    EcDll instance = Native.load("NationECCode", EcDll.class);
    String NationEcTrans(String strUrl, String InData, Pointer OutData);
}
