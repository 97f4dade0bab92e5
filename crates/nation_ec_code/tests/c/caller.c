/* Calls the library as a HIS program does, with memory on both sides of which nobody may step.
 *
 *   caller LIBRARY one SIZE URL         InData from stdin; prints the returned text and OutData
 *   caller LIBRARY nulls URL
 *   caller LIBRARY threads THREADS CALLS URL
 *   caller LIBRARY reload TIMES URL
 *   caller LIBRARY memory CALLS URL
 *
 * Everything but `one` prints `ok` and figures, or says what was wrong and fails.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "NationECCode.h"

static const char QUERY[] =
    "{\"orgId\":\"1234567\",\"transType\":\"ec.query\",\"data\":{\"orgId\":\"1234567\","
    "\"businessType\":\"01101\"},\"extra\":\"{\\\"qrCode\\\":\\\"EC0123\\\"}\"}";

static void *handle;
static NationEcTransFunction trans;

static void fail(const char *what) {
    fprintf(stderr, "%s\n", what);
    exit(1);
}

static void load(const char *library) {
    handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    if (!handle) fail(dlerror());
    *(void **)&trans = dlsym(handle, "NationEcTrans");
    if (!trans) fail("no NationEcTrans");
}

/* So many bytes whose last lies before a page that nobody may touch, and before them another. */
static char *guarded(size_t size) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t inner = (size + page - 1) / page * page;
    char *whole = mmap(NULL, inner + 2 * page, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (whole == MAP_FAILED) fail("mmap");
    mprotect(whole, page, PROT_NONE);
    mprotect(whole + page + inner, page, PROT_NONE);
    /* What stands between the first page and the buffer is watched instead. */
    memset(whole + page, 0x5A, inner);
    return whole + page + inner - size;
}

static void untouched_before(const char *buffer) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const char *start = (const char *)((size_t)buffer / page * page);
    for (const char *at = start; at < buffer; at++)
        if (*at != 0x5A) fail("written before OutData");
}

static int one(size_t size, char *url) {
    static char input[1 << 20];
    size_t length = fread(input, 1, sizeof input, stdin);
    char *in = guarded(length);
    memcpy(in, input, length);
    char *address = guarded(strlen(url) + 1);
    strcpy(address, url);
    char *out = guarded(size);
    char *said = trans(address, in, out);
    untouched_before(out);
    if (!memchr(out, 0, size)) fail("OutData does not end");
    printf("%s\n%s\n", said, out);
    return 0;
}

static int nulls(char *url) {
    char out[NATION_EC_DEFAULT_OUTPUT_SIZE];
    char *in = (char *)QUERY;
    for (int which = 0; which < 8; which++) {
        strcpy(out, "untouched");
        char *said = trans(which & 1 ? url : NULL, which & 2 ? in : NULL, which & 4 ? out : NULL);
        if (which == 7) {
            if (strcmp(said, "0000")) fail(said);
        } else if (strncmp(said, "-2 ", 3)) {
            fail(said);
        } else if (which & 4 && !strstr(out, "\"code\":-2")) {
            fail(out);
        }
    }
    printf("ok\n");
    return 0;
}

struct work {
    char *url;
    int calls;
    int number;
};

static void *crowd(void *argument) {
    struct work *work = argument;
    char out[NATION_EC_DEFAULT_OUTPUT_SIZE], in[1024], own[64];
    for (int n = 0; n < work->calls; n++) {
        /* The centre gives `officeName` back, so an answer of another thread would be seen. */
        snprintf(own, sizeof own, "t%d-%d", work->number, n);
        snprintf(in, sizeof in,
                 "{\"transType\":\"ec.query\",\"data\":{\"orgId\":\"1234567\",\"officeName\":\"%s\"},"
                 "\"extra\":{\"qrCode\":\"EC0123\"}}",
                 own);
        char *said = trans(work->url, in, out);
        if (strcmp(said, "0000")) fail(said);
        char wanted[80];
        snprintf(wanted, sizeof wanted, "\"officeName\":\"%s\"", own);
        if (!strstr(out, wanted)) fail(out);
    }
    return NULL;
}

static int threads(int count, int calls, char *url) {
    pthread_t *thread = calloc((size_t)count, sizeof *thread);
    struct work *work = calloc((size_t)count, sizeof *work);
    for (int n = 0; n < count; n++) {
        work[n] = (struct work){url, calls, n};
        if (pthread_create(&thread[n], NULL, crowd, &work[n])) fail("pthread_create");
    }
    for (int n = 0; n < count; n++) pthread_join(thread[n], NULL);
    free(thread);
    free(work);
    printf("ok\n");
    return 0;
}

static int entries(const char *folder) {
    int count = 0;
    DIR *directory = opendir(folder);
    while (readdir(directory)) count++;
    closedir(directory);
    return count;
}

static int reload(const char *library, int times, char *url) {
    char out[NATION_EC_DEFAULT_OUTPUT_SIZE];
    int files = 0, gone = 0;
    for (int n = 0; n < times; n++) {
        load(library);
        char *said = trans(url, (char *)QUERY, out);
        if (strcmp(said, "0000")) fail(said);
        if (entries("/proc/self/task") != 3) fail("a thread was left behind");
        dlclose(handle);
        /* Whether it really went is the loader's to say. */
        void *still = dlopen(library, RTLD_NOW | RTLD_NOLOAD);
        if (still) dlclose(still); else gone++;
        if (n == 0) files = entries("/proc/self/fd");
    }
    if (entries("/proc/self/fd") > files) fail("connections were left behind");
    printf("ok, %d of %d times the library really went\n", gone, times);
    return 0;
}

static long resident_kb(void) {
    long pages = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%ld %ld", &pages, &resident) != 2) fail("statm");
    fclose(file);
    return resident * sysconf(_SC_PAGESIZE) / 1024;
}

static int memory(int calls, char *url) {
    char out[NATION_EC_DEFAULT_OUTPUT_SIZE];
    long before = 0;
    for (int n = 0; n < calls; n++) {
        /* The first tenth fills caches, pools and the allocator's bins. */
        if (n == calls / 10) before = resident_kb();
        char *said = trans(url, (char *)QUERY, out);
        if (strcmp(said, "0000")) fail(said);
    }
    printf("ok, grew by %ld KB over %d calls, %ld KB resident\n", resident_kb() - before, calls,
           resident_kb());
    return 0;
}

int main(int count, char **words) {
    if (count < 4) fail("see the top of caller.c");
    const char *mode = words[2];
    if (!strcmp(mode, "reload")) return reload(words[1], atoi(words[3]), words[4]);
    load(words[1]);
    if (!strcmp(mode, "one")) return one((size_t)atol(words[3]), words[4]);
    if (!strcmp(mode, "nulls")) return nulls(words[3]);
    if (!strcmp(mode, "threads")) return threads(atoi(words[3]), atoi(words[4]), words[5]);
    if (!strcmp(mode, "memory")) return memory(atoi(words[3]), words[4]);
    fail("see the top of caller.c");
}
