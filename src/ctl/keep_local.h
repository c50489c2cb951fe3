/* SPDX-License-Identifier: MIT */
/* The zones that a router serves and the public DNS does not: `system enable` can keep them there.
 *
 * Does:    finds them in the resolv.conf that is replaced; writes a configuration file with a route to the router.
 * Owns:    nothing; keep_local_text returns a text from malloc.
 * Threads: Single-threaded.
 */
#ifndef DOTSTUB_CTL_KEEP_LOCAL_H
#define DOTSTUB_CTL_KEEP_LOCAL_H

#include "config/config.h"
#include "resolv.h"

#define KEEP_LOCAL_FILE "50-keep-local.yaml" /* in conf.d */

enum { KEEP_ZONES = 12, KEEP_NAME = 256 };

struct keep_zone {
    char name[KEEP_NAME];
    bool is_private; /* the public DNS does not have it: kept unless the operator says no, else only on yes */
    bool keep;
};

struct keep_local {
    struct addr servers[RESOLV_SERVERS]; /* with private addresses, in the order of resolv.conf */
    unsigned server_count;
    struct keep_zone zones[KEEP_ZONES];
    unsigned zone_count;
};

/* Finds the servers with private addresses; the domains of `search` and `domain`; and the reverse zones of the servers'
 * networks. Leaves out single labels that the public DNS may have, and zones that `config` has a route for. */
void keep_local_find(struct keep_local *out, const struct resolv *resolv, const struct config *config);
/* The text of the file with a route for the zones to keep. NULL: there is none, or out of memory. */
char *keep_local_text(const struct keep_local *keep) MUST_CHECK;

#endif
