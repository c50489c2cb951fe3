/* The listening sockets of all workers: bound, or taken from the service manager, together or not at all, before privileges
 * are dropped. The manager keeps copies over a restart, so that what is asked meanwhile waits in them; if fewer workers come back,
 * these take the others' sockets as well: closing one would lose what waits in it. */
#ifndef DOTSTUB_DAEMON_SOCKETS_H
#define DOTSTUB_DAEMON_SOCKETS_H

#include "config/config.h"
#include "inherited.h"

struct sockets {
    struct socket_pair *pairs; /* [worker * per_worker + i]: one for each address, in their order; what is behind is to spare */
    size_t addresses;
    size_t per_worker;
    unsigned workers;
};

/* What the service manager has handed to us is not bound again; unless `listen` is set, it is all that is listened on.
 * 0, or negative after one line that says what is wrong and what to do: -EADDRINUSE, -EACCES, ... */
int sockets_open(struct sockets *out, const struct config *config) MUST_CHECK;
/* Closes what no listener has taken over. */
void sockets_close(struct sockets *sockets);

#endif
