/* SPDX-License-Identifier: MIT */
/* Listening sockets bound before this process: opened by the service manager (socket activation), stored by it for
 * a previous process, or handed over by a running one.
 *
 * Does:    identifies a socket by protocol and address. A socket that the manager opened is copied for each
 *          worker; stored sockets, one for each worker, are given away.
 * Owns:    its descriptors, until inherited_close. The manager keeps its own copies: queries that arrive while no
 *          process runs wait in them.
 * Threads: the main thread.
 */
#ifndef DOTSTUB_DAEMON_INHERITED_H
#define DOTSTUB_DAEMON_INHERITED_H

#include <stdbool.h>
#include <stddef.h>
#include "listen/kind.h"

#define INHERITED_NAME "dotstub-listen" /* the name under which the manager stores them (FDNAME) */

struct inherited_socket {
    int fd;   /* -1: given away */
    int type; /* SOCK_DGRAM or SOCK_STREAM */
    struct addr addr;
};

struct inherited_list {
    struct inherited_socket *sockets;
    size_t count;
};

struct inherited {
    struct inherited_list opened; /* one for each protocol and address */
    struct inherited_list kept;
};

/* Reads the sockets of the service manager, if any. 0, or negative after a log line with the remedy. */
int inherited_read(struct inherited *out) MUST_CHECK;
/* The same for descriptors from another process: all count as stored. Takes the descriptors over. 0 or -ENOMEM. */
int inherited_from(struct inherited *out, const int *fds, size_t count) MUST_CHECK;
/* Checks that each opened socket matches a specification, and that an address with an opened socket has one for
 * each of its specifications. 0, or negative after a log line. */
int inherited_check(const struct inherited *inherited, const struct listener_spec *specs, size_t count) MUST_CHECK;
/* The socket that the manager opened for `spec`, or NULL. */
const struct inherited_socket *inherited_find(const struct inherited *inherited, const struct listener_spec *spec);
/* Closes the stored sockets that no specification names. `forget`: they came from the manager, which then drops
 * all of its copies. */
void inherited_keep_only(struct inherited *inherited, const struct listener_spec *specs, size_t count, bool forget);
/* The number of stored sockets for `spec`; and the next of them, which the caller then owns, or -1. */
size_t inherited_count_stored(const struct inherited *inherited, const struct listener_spec *spec);
int inherited_take_stored(struct inherited *inherited, const struct listener_spec *spec);
void inherited_close(struct inherited *inherited);

#endif
