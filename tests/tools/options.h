/* SPDX-License-Identifier: MIT */
/* dnsload's command line. */
#ifndef DOTSTUB_TESTS_OPTIONS_H
#define DOTSTUB_TESTS_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct options {
    struct sockaddr_storage server;
    socklen_t server_len;
    bool tcp, edns;
    bool tls;            /* over tcp; the certificate is not verified */
    bool https;          /* HTTP/2 over tls */
    bool echo;           /* the response must be the query itself */
    const char *pattern; /* of names, with a %u */
    uint32_t first;      /* first number for the %u */
    uint32_t distinct, count, connections;
    uint32_t in_flight; /* on each connection */
    uint32_t rate;      /* queries a second; 0: as fast as responses come */
    double zipf;        /* 0: each name in turn */
    uint64_t patience_ns;
};

extern struct options options;

/* Prints the usage and exits if the arguments are invalid. */
void options_read(int argc, char **argv);

#endif
