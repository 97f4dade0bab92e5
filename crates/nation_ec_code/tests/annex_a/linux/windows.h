/* What the example of annex A asks of Windows, on Linux: the same program runs on both. */
#ifndef WINDOWS_STAND_IN_H
#define WINDOWS_STAND_IN_H

#include <cstdlib>
#include <dlfcn.h>

#define __stdcall

typedef void *HMODULE;

static inline HMODULE LoadLibrary(const char *) {
    return dlopen(std::getenv("NATION_EC_LIBRARY"), RTLD_NOW);
}

static inline void *GetProcAddress(HMODULE handle, const char *name) { return dlsym(handle, name); }

#endif
