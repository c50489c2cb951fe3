/* SPDX-License-Identifier: MIT */
/* Sends one DNS query to a nameserver.
 *
 * Does:    Parses strictly, and ignores messages that do not match the query.
 * Threads: Single-threaded; blocks for at most the caller's timeout.
 */
#ifndef DOTSTUB_CTL_PROBE_H
#define DOTSTUB_CTL_PROBE_H

#include <stdbool.h>
#include <stdint.h>
#include "base/addr.h"

struct probe_response {
    uint16_t rcode;
    unsigned records; /* in the Answer section, of the query's type */
    uint32_t address; /* of the first A record, in host byte order; 0: none */
    unsigned ms;
};

/* Queries a name in presentation format over UDP (with a retry each second) or TCP. 0, or negative: -ETIMEDOUT,
 * -ECONNREFUSED, ...; -EINVAL: not a domain name; ERROR_MALFORMED, ...: the message over TCP is not a valid
 * response. */
int probe_send(struct probe_response *out, const struct addr *server, const char *name, uint16_t type, bool tcp,
               unsigned timeout_ms) MUST_CHECK;
/* True for NOERROR and NXDOMAIN: resolution works. */
bool probe_is_good(const struct probe_response *response);

#endif
