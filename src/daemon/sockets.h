/* The listening sockets of all workers: bound together or not at all, before privileges are dropped. */
#ifndef DOTSTUB_DAEMON_SOCKETS_H
#define DOTSTUB_DAEMON_SOCKETS_H

#include "config/config.h"

/* Two descriptors for one address of one worker; -1: taken over by a listener. */
struct socket_pair {
    struct addr addr;
    int udp, tcp;
};

struct sockets {
    struct socket_pair *pairs; /* [worker * per_worker + address] */
    size_t per_worker;
    unsigned workers;
};

/* 0, or negative after one line that says what is wrong and what to do: -EADDRINUSE, -EACCES, ... */
int sockets_open(struct sockets *out, const struct config *config) MUST_CHECK;
/* Closes what no listener has taken over. */
void sockets_close(struct sockets *sockets);

#endif
