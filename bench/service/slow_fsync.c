/* Makes a disk slow for one program: each fsync and fdatasync takes SLOW_FSYNC_MS milliseconds longer.
   cc -shared -fPIC -o slow_fsync.so slow_fsync.c -ldl; LD_PRELOAD=$PWD/slow_fsync.so SLOW_FSYNC_MS=30 PROGRAM */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

static void wait_as_a_slow_disk(void)
{
    const char *given = getenv("SLOW_FSYNC_MS");
    long ms = given ? strtol(given, NULL, 10) : 0;
    struct timespec left = {ms / 1000, (ms % 1000) * 1000000L};
    while (ms > 0 && nanosleep(&left, &left) != 0) {}
}

int fsync(int file)
{
    static int (*real)(int);
    if (!real) real = (int (*)(int)) dlsym(RTLD_NEXT, "fsync");
    wait_as_a_slow_disk();
    return real(file);
}

int fdatasync(int file)
{
    static int (*real)(int);
    if (!real) real = (int (*)(int)) dlsym(RTLD_NEXT, "fdatasync");
    wait_as_a_slow_disk();
    return real(file);
}
