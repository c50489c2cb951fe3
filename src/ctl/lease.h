/* SPDX-License-Identifier: MIT */
/* The resolver and the page of a captive portal (RFC 8910) that the network told this machine by DHCP.
 *
 * Does:    reads the files of systemd-networkd, dhclient and NetworkManager. Everything in them may come from the network:
 *          only addresses, and a URL of printable ASCII, are taken.
 * Owns:    nothing.
 * Threads: Single-threaded.
 */
#ifndef DOTSTUB_CTL_LEASE_H
#define DOTSTUB_CTL_LEASE_H

#include <stdbool.h>
#include "base/addr.h"

enum { LEASE_SERVERS = 3, LEASE_URL = 512 };

struct network_lease {
    struct addr servers[LEASE_SERVERS];
    unsigned server_count;
    char url[LEASE_URL]; /* "": none */
};

/* The lease of this interface, or of the one with the default route (NULL). Files are below `root` ("" except in tests).
 * False: no file has a resolver. */
bool lease_read(struct network_lease *out, const char *interface, const char *root);

#endif
