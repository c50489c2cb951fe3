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
    struct listener_spec *specs;
    size_t spec_count;
    size_t per_worker;
    unsigned workers;
    int *copies; /* copies of all sockets, for the next process: first the unshared ones */
    size_t copy_count, own_count;
    bool can_change; /* addresses of `listen` are missing now, or come and go: see listening.h */
};

/* `taken`: the sockets of the previous process; NULL: those of the service manager. They are not bound again.
 * Unless `listen` is set, only they are used. 0, or negative after a log line with the remedy: -EADDRINUSE,
 * -EACCES, ... */
int sockets_open(struct sockets *out, const struct config *config, struct inherited *taken) MUST_CHECK;
/* Gives the service manager copies to store, in place of the ones it has. */
void sockets_keep(const struct sockets *sockets);
/* True if a port of `listen` needs CAP_NET_BIND_SERVICE. */
bool sockets_need_privileges(const struct config *config);
/* True for the error of a socket whose address or interface may come later. */
bool sockets_is_missing(int error);
/* Opens one socket for each of `count` workers. 0 or negative: none is open. */
int sockets_open_more(const struct listener_spec *spec, int *fds, unsigned count) MUST_CHECK;
/* Adds copies of these sockets for the next process. 0 or -ENOMEM. */
int sockets_add_copies(struct sockets *sockets, const int *fds, unsigned count) MUST_CHECK;
/* Closes the copies of the sockets of `spec`. */
void sockets_drop_copies(struct sockets *sockets, const struct listener_spec *spec);
/* Writes the addresses to `out`, which has room for `count` of them, each once, and returns their number. */
size_t sockets_addresses(const struct listener_spec *specs, size_t count, struct addr *out);
/* Logs one line for each address. */
void sockets_announce(const struct listener_spec *specs, size_t count);
/* Closes the copies, so that later queries do not arrive at a socket that only this process has open. */
void sockets_let_go(struct sockets *sockets);
/* Closes the sockets that no listener has taken over. */
void sockets_close(struct sockets *sockets);

#endif
