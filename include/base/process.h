/* SPDX-License-Identifier: MIT */
/* The process at the other end of a unix socket.
 *
 * Does:    identifies the peer by the credentials that the kernel recorded: for an accepted connection those of the
 *          process that connected, for a connecting socket those of the process that last called listen(). Names of
 *          files and users are not used.
 * Owns:    the pidfd, which distinguishes the process from a later one with the same pid.
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

/* 0; -EXDEV (the peer is in a pid namespace that is not visible here); -ESRCH (it has ended); or another negative
 * errno. */
int process_of_peer(struct process *out, int socket) MUST_CHECK;
/* Checks that the process runs in our pid namespace and, unless /proc hides it, only as the recorded user and in
 * our user namespace. Mount namespaces may differ: each start of a service has its own. 0; -EXDEV (other
 * namespaces); -EPERM (another user); -ESRCH (it has ended); or another negative errno (/proc is unreadable). */
int process_check(const struct process *process) MUST_CHECK;
void process_release(struct process *process);

#endif
