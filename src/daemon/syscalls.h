/* SPDX-License-Identifier: MIT */
/* The system calls that the daemon may make once it runs (seccomp).
 *
 * Does:    allows those in a table; others fail: forbidden ones with EPERM, ones that the table does not know with ENOSYS,
 *          so that the C library takes its older ways.
 * Threads: any; holds for all threads of the process.
 */
#ifndef DOTSTUB_DAEMON_SYSCALLS_H
#define DOTSTUB_DAEMON_SYSCALLS_H

#include <stdbool.h>
#include "base/check.h"

/* False: this program cannot restrict itself, because the sanitizer that it is built with needs more. */
bool syscalls_can_restrict(void);
/* `kill`: a call that is not allowed ends the process instead. `unix_streams`: connections to unix sockets are allowed. 0 or
 * a negative errno; the filter holds until the end of the process. */
int syscalls_restrict(bool kill, bool unix_streams) MUST_CHECK;

/* io_uring_setup fails with ENOSYS from now on: for libuv, whose loops would use a ring since version 1.45.
 * Before the first loop. 0 or a negative errno. */
int syscalls_refuse_io_uring(void) MUST_CHECK;

#endif
