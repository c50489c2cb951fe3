/* SPDX-License-Identifier: MIT */
/* Preloaded into a program, lets one allocation in N fail, of the program and of all its libraries:
 *
 *     LD_PRELOAD=failing.so FAILING=FILE program
 *
 * FILE is shared with the test, which sets `one_in` at any time and reads the counts; all three are 64-bit numbers in the
 * order of the machine. Which allocations fail is random, but the same in each run of the same program. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct shared {
    _Atomic uint64_t one_in; /* 0: none fails */
    _Atomic uint64_t asked, failed;
};

static struct shared *shared;

static struct {
    void *(*malloc)(size_t size);
    void *(*calloc)(size_t count, size_t size);
    void *(*realloc)(void *old, size_t size);
    int (*posix_memalign)(void **out, size_t alignment, size_t size);
    void *(*aligned_alloc)(size_t alignment, size_t size);
} real;

static void look_up(void *function, const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    memcpy(function, &found, sizeof found);
}

/* Without a file no allocation fails. */
__attribute__((constructor)) static void share(void)
{
    const char *path = getenv("FAILING");
    const int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *mapped = fd >= 0 ? mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;
    if (fd >= 0)
        close(fd);
    shared = mapped == MAP_FAILED ? NULL : mapped;
}

/* The mixing function of splitmix64. */
static uint64_t mix(uint64_t value)
{
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
    return value ^ (value >> 31);
}

static bool fails(void)
{
    const uint64_t one_in = shared ? atomic_load(&shared->one_in) : 0;
    if (one_in == 0)
        return false;
    const uint64_t number = atomic_fetch_add(&shared->asked, 1) + 1;
    if (mix(number * 0x9e3779b97f4a7c15u) % one_in != 0)
        return false;
    atomic_fetch_add(&shared->failed, 1);
    errno = ENOMEM;
    return true;
}

void *malloc(size_t size)
{
    if (!real.malloc)
        look_up(&real.malloc, "malloc");
    return fails() ? NULL : real.malloc(size);
}

void *calloc(size_t count, size_t size)
{
    if (!real.calloc)
        look_up(&real.calloc, "calloc");
    return fails() ? NULL : real.calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    if (!real.realloc)
        look_up(&real.realloc, "realloc");
    return size > 0 && fails() ? NULL : real.realloc(old, size);
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
    if (!real.posix_memalign)
        look_up(&real.posix_memalign, "posix_memalign");
    return fails() ? ENOMEM : real.posix_memalign(out, alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    if (!real.aligned_alloc)
        look_up(&real.aligned_alloc, "aligned_alloc");
    return fails() ? NULL : real.aligned_alloc(alignment, size);
}
