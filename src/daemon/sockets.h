/* SPDX-License-Identifier: MIT */
/* The listening sockets of all workers: bound, or taken from the service manager, together or not at all, before privileges
 * are dropped. The manager keeps copies over a restart, so that what is asked meanwhile waits in them; if fewer workers come
 * back, these take the others' sockets as well: closing one would lose what waits in it. */
#ifndef DOTSTUB_DAEMON_SOCKETS_H
#define DOTSTUB_DAEMON_SOCKETS_H

#include "config/config.h"
#include "inherited.h"

struct listening_socket {
    struct listener_spec spec;
    int fd;      /* -1: none, or taken over by a listener */
    bool shared; /* others have a copy, too: it need not be kept for the next process */
};

struct sockets {
    struct listening_socket
        *list; /* [worker * per_worker + i]: one for each specification, in their order; those behind are spare */
    size_t specs;
    size_t per_worker;
    unsigned workers;
    int *copies; /* of all of them, for the next process: first those that only we have */
    size_t copy_count, own_count;
};

/* `taken`: those of the process before, NULL: what the service manager has for us. They are not bound again; unless `listen` is
 * set, it is all that is listened on. 0, or negative after one line that says what is wrong and what to do: -EADDRINUSE,
 * -EACCES, ... */
int sockets_open(struct sockets *out, const struct config *config, struct inherited *taken) MUST_CHECK;
/* Gives copies to the service manager to keep, in place of those that it has. */
void sockets_keep(const struct sockets *sockets);
/* Writes the addresses that are listened on to `out`, which has room for `specs` of them, and gives their number. */
size_t sockets_addresses(const struct sockets *sockets, struct addr *out);
/* One line in the log for each address. */
void sockets_announce(const struct sockets *sockets);
/* Closes the copies: whoever asks from now on is not to wait for us. */
void sockets_let_go(struct sockets *sockets);
/* Closes what no listener has taken over. */
void sockets_close(struct sockets *sockets);

#endif
