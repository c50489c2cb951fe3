/* SPDX-License-Identifier: MIT */
#include "syscalls.h"
#include <config.h>
#include <errno.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/mem.h"
#include "filters.h"

/* SPEC_ALLOW: without it the kernel turns off speculation in some processors, which costs more than the filter. */
static int set_filter(struct sock_fprog *program)
{
    long thread = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                          SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_SPEC_ALLOW, program);
    if (thread < 0 && errno == EINVAL) /* before Linux 4.17 */
        thread = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, program);
    if (thread < 0)
        return -errno;
    return thread == 0 ? 0 : -EBUSY; /* this thread has a filter of its own */
}

static int load(enum filter_kind kind)
{
    const struct filter_program *program = &filter_programs[kind];
    const size_t size = program->len * sizeof *program->code;
    struct sock_fprog own = {.len = program->len, .filter = mem_alloc(size)};
    if (!own.filter)
        return -ENOMEM;
    memcpy(own.filter, program->code, size);
    for (size_t i = 0; i < own.len; i++)
        if (own.filter[i].k == FILTER_PID)
            own.filter[i].k = (uint32_t)getpid();
    int status = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : set_filter(&own);
    mem_free(own.filter);
    return status;
}

bool syscalls_can_restrict(void)
{
#ifdef WITH_SANITIZER
    return false;
#else
    return true;
#endif
}

int syscalls_restrict(bool kill, bool unix_streams)
{
    return load((kill ? FILTER_KILL : 0) | (unix_streams ? FILTER_UNIX_STREAMS : 0));
}

int syscalls_refuse_io_uring(void)
{
    return load(FILTER_NO_IO_URING);
}
