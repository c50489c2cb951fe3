/* SPDX-License-Identifier: MIT */
/* The listening sockets of the control side.
 *
 * Owns:    nothing; the caller owns the descriptors. The file of a unix socket stays until the caller removes it.
 * Threads: the main thread's, before there are others: the process's umask is changed for a moment.
 */
#ifndef DOTSTUB_CONTROL_LISTENER_H
#define DOTSTUB_CONTROL_LISTENER_H

#include <sys/types.h>
#include "base/addr.h"

/* A listening unix socket at `path`, mode 0660; root gives it to this user and group (where root may: in a container without
 * CAP_CHOWN it stays root's). A socket that nobody listens on any more is replaced. The descriptor, or negative: -EADDRINUSE: somebody listens, -EEXIST: there
 * is something else of that name, -ENOENT: its directory is missing, ... */
int listener_unix(const char *path, uid_t uid, gid_t gid) MUST_CHECK;
/* The one of these descriptors that listens at this path, or (path NULL) at this address; its place becomes -1. -ENOENT: none does. */
int listener_taken(int *fds, size_t count, const char *path, const struct addr *addr);
/* A listening TCP socket. The descriptor or a negative errno. */
int listener_tcp(const struct addr *addr) MUST_CHECK;

#endif
