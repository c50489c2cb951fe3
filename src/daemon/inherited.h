/* SPDX-License-Identifier: MIT */
/* The listening sockets that the service manager has for us: those it opened (socket activation), and those that it kept for a
 * process before us.
 *
 * Does:    gathers them by address, a UDP and a TCP socket each; hands out copies of those that it opened, so that each worker
 *          has one, and gives away those that it kept, of which there were one for each worker.
 * Owns:    the descriptors it has read, until inherited_close. The manager keeps its own copies: what is asked while no
 *          process is there waits in them.
 * Threads: the main thread.
 */
#ifndef DOTSTUB_DAEMON_INHERITED_H
#define DOTSTUB_DAEMON_INHERITED_H

#include <stdbool.h>
#include <stddef.h>
#include "base/addr.h"

#define INHERITED_NAME "dotstub-listen" /* what the manager keeps them as */

/* Two descriptors for one address; -1: none, or taken over by a listener. */
struct socket_pair {
    struct addr addr;
    int udp, tcp;
    bool shared; /* others have a copy, too: it need not be kept for the next process */
};

struct socket_pairs {
    struct socket_pair *pairs;
    size_t count;
};

struct inherited {
    struct socket_pairs opened; /* one for each address */
    struct socket_pairs kept;
};

/* 0, with or without sockets; or negative after one line that says what is wrong and what to do. */
int inherited_read(struct inherited *out) MUST_CHECK;
/* The one that the manager opened for this address, or NULL. */
const struct socket_pair *inherited_find(const struct inherited *inherited, const struct addr *addr);
/* Copies of both descriptors: 0 or a negative errno; what was copied is in `out` all the same. */
int inherited_copy(struct socket_pair *out, const struct socket_pair *pair) MUST_CHECK;
/* The same of descriptors that another process gave away: all count as kept. They are this function's. 0 or -ENOMEM. */
int inherited_from(struct inherited *out, const int *fds, size_t count) MUST_CHECK;
/* Of those that were kept only these addresses' stay. `forget`: the manager keeps them, and is told to forget all of them. */
void inherited_keep_only(struct inherited *inherited, const struct addr *addrs, size_t count, bool forget);
/* How many were kept for this address; and the next of them, which is the caller's now: false: there is none. */
size_t inherited_count_kept(const struct inherited *inherited, const struct addr *addr);
bool inherited_take_kept(struct inherited *inherited, struct socket_pair *out, const struct addr *addr);
void inherited_close(struct inherited *inherited);

#endif
