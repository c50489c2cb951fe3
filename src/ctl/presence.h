/* SPDX-License-Identifier: MIT */
/* Detects whether dotstub answers, by a name that only dotstub resolves (dns/presence.h).
 *
 * Threads: Single-threaded; blocks for at most the caller's timeout.
 */
#ifndef DOTSTUB_CTL_PRESENCE_H
#define DOTSTUB_CTL_PRESENCE_H

#include "probe.h"

/* Another program answered; no resolver answered, or only with SERVFAIL. */
enum { PRESENCE_OTHER = 1, PRESENCE_NONE };

/* Queries a nameserver. 0 (it is dotstub, or forwards to dotstub); PRESENCE_OTHER; or a negative error of
 * probe_send (no response). `out` is written unless the result is negative. */
int presence_check(struct probe_response *out, const struct addr *server, bool tcp, unsigned timeout_ms) MUST_CHECK;

/* Resolves such a name with getaddrinfo() in a new process, which reads nsswitch.conf and resolv.conf in their
 * present state. 0 (the query reached dotstub); PRESENCE_OTHER (another resolver answered, maybe NXDOMAIN);
 * PRESENCE_NONE; -ETIMEDOUT; or another negative error. */
int presence_check_programs(unsigned timeout_ms) MUST_CHECK;

/* The meaning of a result other than 0, for a sentence. */
const char *presence_error(int status);

#endif
