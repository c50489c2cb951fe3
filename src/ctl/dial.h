/* SPDX-License-Identifier: MIT */
/* TLS handshakes with servers, verified as the daemon does, all at the same time.
 *
 * Owns:    The dials, from dials_init until dials_fini.
 * Threads: Single-threaded; dials_run blocks until all dials have ended, for at most DIALS_MS.
 */
#ifndef DOTSTUB_CTL_DIAL_H
#define DOTSTUB_CTL_DIAL_H

#include "config/config.h"
#include "net/stream.h"
#include "net/tls.h"

enum { DIALS_MS = 5000 };

struct handshake {
    struct stream stream;
    struct tls_tickets tickets;
    struct dials *all;
    const struct config_upstream *upstream;
    const struct addr *addr;
    struct tls_facts facts;
    int result; /* 0: verified */
    bool live;
    int mtu; /* path MTU known to the kernel; 0: unknown */
};

struct dials {
    struct loop loop;
    struct timeouts patience;
    struct timeout deadline;
    struct handshake *dial;
    size_t count, live;
};

/* Makes room for at most `most` dials. 0 or a negative error. */
int dials_init(struct dials *dials, size_t most) MUST_CHECK;
/* Makes the trust for an upstream, from its own settings or else those of the configuration. 0 or an error of
 * tls_trust_new. */
int dials_trust(struct tls_trust **out, const struct config *config, const struct config_upstream *upstream) MUST_CHECK;
/* Starts a handshake with one address of an upstream; both must outlive the dials. */
void dials_start(struct dials *dials, const struct config_upstream *upstream, const struct addr *addr,
                 struct tls_trust *trust);
void dials_run(struct dials *dials);
void dials_fini(struct dials *dials);

/* The CA file that verifies the upstream. */
const char *dials_ca_file(const struct config *config, const struct config_upstream *upstream);
/* True if there is no route to the address, or no such address family. */
bool dial_is_unreachable(const struct handshake *dial);

#endif
