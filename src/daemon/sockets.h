/* SPDX-License-Identifier: MIT */
/* The listening sockets of all workers: bound, or taken from the service manager, all or none, before privileges
 * are dropped. The service manager stores copies during a restart, so that queries wait in their buffers. If fewer
 * workers come back they also take the sockets of the others: closing a socket would lose the queries in it. */
#ifndef DOTSTUB_DAEMON_SOCKETS_H
#define DOTSTUB_DAEMON_SOCKETS_H

#include "config/config.h"
#include "inherited.h"

struct listening_socket {
    struct listener_spec spec;
    int fd;      /* -1: none, or taken over by a listener */
    bool shared; /* the service manager or another worker has it too: it need not be stored */
};

struct sockets {
    struct listening_socket
        *list; /* [worker * per_worker + i]: one for each specification, in their order, then spare ones */
    size_t specs;
    size_t per_worker;
    unsigned workers;
    int *copies; /* copies of all sockets, for the next process: first the unshared ones */
    size_t copy_count, own_count;
};

/* `taken`: the sockets of the previous process; NULL: those of the service manager. They are not bound again.
 * Unless `listen` is set, only they are used. 0, or negative after a log line with the remedy: -EADDRINUSE,
 * -EACCES, ... */
int sockets_open(struct sockets *out, const struct config *config, struct inherited *taken) MUST_CHECK;
/* Gives the service manager copies to store, in place of the ones it has. */
void sockets_keep(const struct sockets *sockets);
/* Writes the listening addresses to `out`, which has room for `specs` of them, and returns their number. */
size_t sockets_addresses(const struct sockets *sockets, struct addr *out);
/* Logs one line for each address. */
void sockets_announce(const struct sockets *sockets);
/* Closes the copies, so that later queries do not arrive at a socket that only this process has open. */
void sockets_let_go(struct sockets *sockets);
/* Closes the sockets that no listener has taken over. */
void sockets_close(struct sockets *sockets);

#endif
