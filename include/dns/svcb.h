/* SPDX-License-Identifier: MIT */
/* Service parameters of encrypted resolvers, for SVCB records and DHCP options.
 *
 * Does:    writes the parameters in wire form, in the order of their keys.
 * Owns:    nothing.
 * Threads: any.
 * RFC:     9460 (SVCB), 9461 (resolvers), 9462 (DDR), 9463 (DNR).
 */
#ifndef DOTSTUB_DNS_SVCB_H
#define DOTSTUB_DNS_SVCB_H

#include "base/addr.h"
#include "base/bytes.h"

/* The most addresses of one family in a parameter. */
#define SVCB_HINTS 8

struct svcb_service {
    const char *alpn; /* "dot", "h2" */
    uint16_t port;
    const char *path; /* of DNS over HTTPS, as /dns-query; NULL: another protocol */
};

/* alpn, port, ipv4hint, ipv6hint, dohpath. Without addresses there are no hints, as RFC 9463 section 3.1.8 requires for
 * DHCP. `writer` fails if there is no room. */
void svcb_params(struct writer *writer, const struct svcb_service *service, const struct addr *hints, size_t count);

#endif
