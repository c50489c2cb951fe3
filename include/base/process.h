/* SPDX-License-Identifier: MIT */
/* The process at the other end of a unix socket.
 *
 * Does:    tells who it is by what the kernel recorded: for an accepted connection the process that connected, for a
 *          connecting one the process that last called listen(). Names of files and of users play no part.
 * Owns:    the pidfd, which keeps the pid from being taken for that of a later process.
 * Threads: any.
 */
#ifndef DOTSTUB_BASE_PROCESS_H
#define DOTSTUB_BASE_PROCESS_H

#include <sys/types.h>
#include "base/check.h"

struct process {
    pid_t pid;
    uid_t uid;
    gid_t gid;
    int fd; /* -1: this kernel has no pidfds */
};

/* 0; -EXDEV: it is in a pid namespace that we cannot see into; -ESRCH: it has ended; or another negative errno. */
int process_of_peer(struct process *out, int socket) MUST_CHECK;
/* Checks that it runs in our pid namespace and, unless /proc hides it from us, under the recorded user only and in our user
 * namespace. Mount namespaces may differ: each start of a service has its own. 0; -EXDEV: other namespaces; -EPERM: another user; -ESRCH: it has ended; or another
 * negative errno: /proc cannot be read. */
int process_check(const struct process *process) MUST_CHECK;
void process_release(struct process *process);

#endif
