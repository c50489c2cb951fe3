/* The listening sockets that the service manager opened for us (socket activation).
 *
 * Does:    gathers them by address, a UDP and a TCP socket each; hands out copies, so that each worker has one.
 * Owns:    the descriptors it has read, until inherited_close. The manager keeps its own copies: what is asked while no
 *          process is there waits in them.
 * Threads: the main thread.
 */
#ifndef DOTSTUB_DAEMON_INHERITED_H
#define DOTSTUB_DAEMON_INHERITED_H

#include <stddef.h>
#include "base/addr.h"

/* Two descriptors for one address; -1: none, or taken over by a listener. */
struct socket_pair {
    struct addr addr;
    int udp, tcp;
};

struct inherited {
    struct socket_pair *pairs;
    size_t count;
};

/* 0, with or without sockets; or negative after one line that says what is wrong and what to do. */
int inherited_read(struct inherited *out) MUST_CHECK;
/* NULL if the address was not handed to us. */
const struct socket_pair *inherited_find(const struct inherited *inherited, const struct addr *addr);
/* Copies of both descriptors: 0 or a negative errno; what was copied is in `out` all the same. */
int inherited_copy(struct socket_pair *out, const struct socket_pair *pair) MUST_CHECK;
void inherited_close(struct inherited *inherited);

#endif
