/* SPDX-License-Identifier: MIT */
/* Checks of DNS on this machine.
 *
 * Does:    Each check adds one or more findings: ok, or a problem with a remedy. Checks change nothing. They make a TLS
 *          handshake with each configured server, send queries for two names to dotstub, and fetch /healthz.
 * Owns:    The findings, as JSON. It borrows the configuration.
 * Threads: Single-threaded.
 */
#ifndef DOTSTUB_CTL_DOCTOR_H
#define DOTSTUB_CTL_DOCTOR_H

#include <jansson.h>
#include "command.h"
#include "config/config.h"

struct doctor {
    const struct options *options;
    const char *socket; /* the control socket's path; NULL: off */
    int silent;         /* the error because of which it is not asked any more; 0: it replies */
    /* The daemon's configuration in force, else that of the files and the environment, else the defaults. */
    struct config *config;
    struct addr server; /* the address of dotstub that programs would use */
    bool answers;       /* dotstub answers over UDP */
    bool refuses;       /* but refuses this machine's queries */
    bool reached;       /* a server was reached and verified */
    json_t *status;     /* the reply to /status, or NULL */
    json_t *stats;
    json_t *lists;    /* the reply to /block, or NULL */
    json_t *findings; /* array of {"check", "ok", "result", "says", "remedy"} */
    unsigned problems;
};

/* Adds a finding; `remedy` NULL: ok. */
void doctor_say(struct doctor *doctor, const char *check, const char *remedy, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Adds a finding that is neither good nor a problem of dotstub; `remedy` may be NULL. */
void doctor_note(struct doctor *doctor, const char *check, const char *remedy, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Finds the configuration, and gets status and counters from the daemon. Adds findings about the files. 0 or
 * -ENOMEM. */
int doctor_read_config(struct doctor *doctor) MUST_CHECK;
/* True for an address and port of dotstub on this machine. */
bool doctor_is_ours(const struct doctor *doctor, const struct addr *server);

/* The checks, in the order in which they run. */
void doctor_check_daemon(struct doctor *doctor); /* UDP; sets `answers` */
void doctor_check_health(struct doctor *doctor); /* /healthz, if metrics.listen is set */
void doctor_check_tcp(struct doctor *doctor);
void doctor_check_port(struct doctor *doctor);     /* which process holds the port */
void doctor_check_control(struct doctor *doctor);  /* the daemon's own status */
void doctor_check_reload(struct doctor *doctor);   /* the last reload, and settings that wait for a restart */
void doctor_check_lists(struct doctor *doctor);    /* block lists that cannot be read */
void doctor_check_resolv(struct doctor *doctor);   /* nameservers in resolv.conf, and their timeout */
void doctor_check_programs(struct doctor *doctor); /* a lookup with getaddrinfo; files other than resolv.conf */
void doctor_check_leaks(struct doctor *doctor);    /* open sockets to port 53 of other hosts */
void doctor_check_clock(struct doctor *doctor);
void doctor_check_servers(struct doctor *doctor);  /* CAs; TLS with each server; path MTU */
void doctor_check_families(struct doctor *doctor); /* IPv6, NAT64 */

/* doctor_hosts.c: finds the present addresses of an upstream with a host, and adds a finding about them. Returns their
 * number. */
size_t doctor_find_host(struct doctor *doctor, const struct config_upstream *upstream,
                        struct addr out[CONFIG_HOST_ADDRESSES]);

/* Writes the findings and the daemon's status, counters and settings to a file, without query names, client addresses
 * and secrets. 0 or a negative error. */
int doctor_write_bundle(const struct doctor *doctor, const char *path) MUST_CHECK;

#endif
