/* The listening sockets of all workers: bound, or taken from the service manager, together or not at all, before privileges
 * are dropped. */
#ifndef DOTSTUB_DAEMON_SOCKETS_H
#define DOTSTUB_DAEMON_SOCKETS_H

#include "config/config.h"
#include "inherited.h"

struct sockets {
    struct socket_pair *pairs; /* [worker * per_worker + address] */
    size_t per_worker;
    unsigned workers;
};

/* What the service manager has handed to us is not bound again; unless `listen` is set, it is all that is listened on.
 * 0, or negative after one line that says what is wrong and what to do: -EADDRINUSE, -EACCES, ... */
int sockets_open(struct sockets *out, const struct config *config) MUST_CHECK;
/* Closes what no listener has taken over. */
void sockets_close(struct sockets *sockets);

#endif
