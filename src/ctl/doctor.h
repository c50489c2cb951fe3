/* SPDX-License-Identifier: MIT */
/* What could be wrong with DNS on this machine, looked at one by one.
 *
 * Does:    each check tells of one thing whether it is well, and if not, what to do. Nothing is changed; nothing is asked of the network
 *          but a handshake with each configured server and two names through dotstub.
 * Owns:    the findings, JSON; the configuration is referenced.
 * Threads: the program's only one.
 */
#ifndef DOTSTUB_CTL_DOCTOR_H
#define DOTSTUB_CTL_DOCTOR_H

#include <jansson.h>
#include "command.h"
#include "config/config.h"

struct doctor {
    const struct options *options;
    const struct config *config;
    struct addr server; /* where programs would ask dotstub */
    bool answers;       /* it does, over UDP */
    json_t *status;     /* what /status said, or NULL */
    json_t *stats;
    json_t *findings; /* {"check", "ok", "says", "remedy"} */
    unsigned problems;
};

/* Adds a finding; `remedy` NULL: it is well. */
void doctor_say(struct doctor *doctor, const char *check, const char *remedy, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The checks, in the order in which they are made. */
void doctor_check_daemon(struct doctor *doctor); /* answers over UDP; sets `answers` */
void doctor_check_health(struct doctor *doctor); /* /healthz, where there is one */
void doctor_check_tcp(struct doctor *doctor);
void doctor_check_port(struct doctor *doctor);    /* who has it */
void doctor_check_control(struct doctor *doctor); /* what the daemon says of itself; sets `status` and `stats` */
void doctor_check_resolv(struct doctor *doctor);  /* what programs ask */
void doctor_check_leaks(struct doctor *doctor);   /* who speaks to port 53 of others now */
void doctor_check_clock(struct doctor *doctor);
void doctor_check_servers(struct doctor *doctor);  /* CAs; TLS with each server; the path's MTU */
void doctor_check_families(struct doctor *doctor); /* IPv6, NAT64 */

/* Writes the bundle: all that was found, the daemon's status, counters and settings, without names that were asked, addresses of
 * clients and secrets. 0 or a negative errno. */
int doctor_write_bundle(const struct doctor *doctor, const char *path) MUST_CHECK;

#endif
