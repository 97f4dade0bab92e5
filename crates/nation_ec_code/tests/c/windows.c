/* Calls NationECCode.dll as a Windows program does.
 *
 *   windows.exe URL...     each address once with guarded buffers, then a crowd, then reloading
 *
 * Prints `ok`, or says what was wrong and fails.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <windows.h>

#include "NationECCode.h"

#define THREADS 8
#define CALLS 25
#define RELOADS 20

static const char QUERY[] =
    "{\"orgId\":\"1234567\",\"transType\":\"ec.query\",\"data\":{\"orgId\":\"1234567\","
    "\"businessType\":\"01101\"},\"extra\":\"{\\\"qrCode\\\":\\\"EC0123\\\"}\"}";

static HMODULE module;
static const char *phase = "alone";
static NationEcTransFunction trans;

static void fail(const char *what) {
    printf("%s: %s (%lu)\n", phase, what, GetLastError());
    exit(1);
}

static void load(void) {
    module = LoadLibraryA("NationECCode.dll");
    if (!module) fail("LoadLibrary");
    trans = (NationEcTransFunction)(void *)GetProcAddress(module, "NationEcTrans");
    if (!trans) fail("GetProcAddress");
}

/* The last byte lies before a page that nobody may touch. */
static char *guarded(size_t size) {
    DWORD before;
    size_t page = 4096, inner = (size + page - 1) / page * page;
    char *whole = VirtualAlloc(NULL, inner + page, MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE);
    if (!whole || !VirtualProtect(whole + inner, page, PAGE_NOACCESS, &before)) fail("guarded");
    return whole + inner - size;
}

static void one(char *url) {
    char *in = guarded(sizeof QUERY - 1), *out = guarded(NATION_EC_DEFAULT_OUTPUT_SIZE);
    memcpy(in, QUERY, sizeof QUERY - 1);
    char *said = trans(url, in, out);
    if (strcmp(said, "0000")) {
        printf("%s\n", said);
        fail(out);
    }
    /* 张三 in GB18030. */
    if (!strstr(out, "\xD5\xC5\xC8\xFD")) fail(out);
    if (strncmp(trans(NULL, in, out), "-2 ", 3) || strncmp(trans(url, in, NULL), "-2 ", 3))
        fail("null pointers");
}

static DWORD WINAPI crowd(void *url) {
    char out[NATION_EC_DEFAULT_OUTPUT_SIZE];
    for (int n = 0; n < CALLS; n++)
        if (strcmp(trans(url, (char *)QUERY, out), "0000")) fail(out);
    return 0;
}

int main(int count, char **words) {
    HANDLE thread[THREADS];
    DWORD handles = 0, now = 0;
    if (count < 2) fail("see the top of windows.c");
    load();
    for (int n = 1; n < count; n++) one(words[n]);
    phase = "in a crowd";
    for (int n = 0; n < THREADS; n++)
        thread[n] = CreateThread(NULL, 0, crowd, words[1], 0, NULL);
    WaitForMultipleObjects(THREADS, thread, TRUE, INFINITE);
    for (int n = 0; n < THREADS; n++) CloseHandle(thread[n]);
    phase = "reloading";
    FreeLibrary(module);
    for (int n = 0; n < RELOADS; n++) {
        char out[NATION_EC_DEFAULT_OUTPUT_SIZE];
        if (GetModuleHandleA("NationECCode.dll")) fail("it is still loaded");
        load();
        if (strcmp(trans(words[1], (char *)QUERY, out), "0000")) fail(out);
        FreeLibrary(module);
        GetProcessHandleCount(GetCurrentProcess(), &now);
        if (n == 0) handles = now;
    }
    if (now > handles + 2) fail("handles were left behind");
    printf("ok, %d threads, %d times loaded anew\n", THREADS, RELOADS);
    return 0;
}
