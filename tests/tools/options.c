/* SPDX-License-Identifier: MIT */
#include "options.h"
#include <arpa/inet.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "query.h"

struct options options = {.pattern = "n%u.example",
                          .distinct = 1,
                          .count = 1000,
                          .connections = 1,
                          .in_flight = 100,
                          .patience_ns = 5000000000};

static void set_server(const char *address, uint16_t port)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)&options.server;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&options.server;
    if (inet_pton(AF_INET, address, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        options.server_len = sizeof *v4;
    } else if (inet_pton(AF_INET6, address, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        options.server_len = sizeof *v6;
    } else {
        fprintf(stderr, "dnsload: %s is not an address\n", address);
        exit(2);
    }
}

static void usage(void)
{
    fputs(
        "usage: dnsload [-s ADDRESS] [-p PORT] [-t (TCP) | -T (TLS) | -H (HTTPS)] [-e (EDNS)] [-E (ECHO)]\n"
        "               [-n QUERIES] [-N PATTERN with %u] [-d DISTINCT NAMES] [-z ZIPF EXPONENT] [-f FIRST] [-c CONNECTIONS] [-m IN FLIGHT "
        "ON EACH] [-r PER "
        "SECOND]\n"
        "               [-w PATIENCE ms]\n",
        stderr);
    exit(2);
}

void options_read(int argc, char **argv)
{
    const char *address = "127.0.0.1";
    uint16_t port = 53;
    for (int option; (option = getopt(argc, argv, "s:p:tTHeEn:N:d:z:f:c:m:r:w:")) != -1;) {
        uint32_t number = optarg ? (uint32_t)strtoul(optarg, NULL, 10) : 0;
        switch (option) {
        case 's':
            address = optarg;
            break;
        case 'p':
            port = (uint16_t)number;
            break;
        case 't':
            options.tcp = true;
            break;
        case 'T':
            options.tcp = options.tls = true;
            break;
        case 'H':
            options.tcp = options.tls = options.https = true;
            break;
        case 'e':
            options.edns = true;
            break;
        case 'E':
            options.echo = true;
            break;
        case 'z':
            options.zipf = strtod(optarg, NULL);
            break;
        case 'n':
            options.count = number;
            break;
        case 'N':
            options.pattern = optarg;
            break;
        case 'd':
            options.distinct = number;
            break;
        case 'f':
            options.first = number;
            break;
        case 'c':
            options.connections = number;
            break;
        case 'm':
            options.in_flight = number;
            break;
        case 'r':
            options.rate = number;
            break;
        case 'w':
            options.patience_ns = (uint64_t)number * 1000000;
            break;
        default:
            usage();
        }
    }
    bool sane = options.distinct && options.connections && options.in_flight && options.in_flight < 65536 &&
                strlen(options.pattern) < QUERY_NAME - 16;
    if (optind < argc || !sane)
        usage();
    set_server(address, port);
}
