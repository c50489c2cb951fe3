/* SPDX-License-Identifier: MIT */
/* The listening sockets that were bound before us: those that the service manager opened (socket activation), and those that it
 * kept for a process before us, or that such a process hands over.
 *
 * Does:    knows each by protocol and address, which is all that says what it is for; hands out copies of those that the manager
 *          opened, so that each worker has one, and gives away those that were kept, of which there were one for each worker.
 * Owns:    the descriptors it has read, until inherited_close. The manager keeps its own copies: what is asked while no
 *          process is there waits in them.
 * Threads: the main thread.
 */
#ifndef DOTSTUB_DAEMON_INHERITED_H
#define DOTSTUB_DAEMON_INHERITED_H

#include <stdbool.h>
#include <stddef.h>
#include "listen/kind.h"

#define INHERITED_NAME "dotstub-listen" /* what the manager keeps them as */

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

/* 0, with or without sockets; or negative after one line that says what is wrong and what to do. */
int inherited_read(struct inherited *out) MUST_CHECK;
/* The same of descriptors that another process gave away: all count as kept. They are this function's. 0 or -ENOMEM. */
int inherited_from(struct inherited *out, const int *fds, size_t count) MUST_CHECK;
/* All that was opened must be what these specifications name, and an address of which one socket was opened needs all of them.
 * 0, or negative after one line. */
int inherited_check(const struct inherited *inherited, const struct listener_spec *specs, size_t count) MUST_CHECK;
/* The one that the manager opened for this, or NULL. */
const struct inherited_socket *inherited_find(const struct inherited *inherited, const struct listener_spec *spec);
/* Of those that were kept only these stay. `forget`: the manager keeps them, and is told to forget all of them. */
void inherited_keep_only(struct inherited *inherited, const struct listener_spec *specs, size_t count, bool forget);
/* How many were kept for this; and the next of them, which is the caller's now, or -1. */
size_t inherited_count_kept(const struct inherited *inherited, const struct listener_spec *spec);
int inherited_take_kept(struct inherited *inherited, const struct listener_spec *spec);
void inherited_close(struct inherited *inherited);

#endif
