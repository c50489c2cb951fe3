/* SPDX-License-Identifier: MIT */
/* The listening sockets of the control side.
 *
 * Owns:    Nothing; the caller owns the descriptors and removes the unix socket's file.
 * Threads: Main thread, before other threads start: it changes the process's umask for a moment.
 */
#ifndef DOTSTUB_CONTROL_LISTENER_H
#define DOTSTUB_CONTROL_LISTENER_H

#include <sys/types.h>
#include "base/addr.h"

/* Opens a listening unix socket at `path`, mode 0660. Root makes it as user `uid` and group `gid`, or, if that user
 * has no permission, as root in a directory of root, and then sets owner and group (without CAP_CHOWN, as in some
 * containers, the file stays root's). Root also makes a missing /run/NAME for that user. A socket file without a
 * listener is replaced. Returns the descriptor, or a negative error: -EADDRINUSE: another process listens; -EEXIST:
 * the file is not a socket; -ENOENT: the directory is missing; ... */
int listener_unix(const char *path, uid_t uid, gid_t gid) MUST_CHECK;
/* SO_PEERCRED gives clients the process that called listen() last and its user at that time: call this after
 * privileges are dropped. */
void listener_claim(int fd);
/* Finds the descriptor that listens at `path`, or at `addr` if `path` is NULL, and sets its array element to -1.
 * -ENOENT: none. */
int listener_taken(int *fds, size_t count, const char *path, const struct addr *addr);
/* Opens a listening TCP socket. Returns the descriptor or a negative error. */
int listener_tcp(const struct addr *addr) MUST_CHECK;

#endif
