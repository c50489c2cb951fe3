/* SPDX-License-Identifier: MIT */
/* What dnsload is told on its command line. */
#ifndef DOTSTUB_TESTS_OPTIONS_H
#define DOTSTUB_TESTS_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct options {
    struct sockaddr_storage server;
    socklen_t server_len;
    bool tcp, edns;
    bool echo;           /* the question itself is the right answer */
    const char *pattern; /* of names, with a %u */
    uint32_t first;      /* number for the %u */
    uint32_t distinct, count, connections;
    uint32_t in_flight; /* on each connection */
    uint32_t rate;      /* a second; 0: as fast as answers come */
    double zipf;        /* 0: names in turn */
    uint64_t patience_ns;
};

extern struct options options;

/* Says how it is used and ends the program if the arguments make no sense. */
void options_read(int argc, char **argv);

#endif
