/* SPDX-License-Identifier: MIT */
/* TLS tickets that are handed to another process or saved.
 *
 * Does:    exports and imports tickets of TLS 1.3, each with the digest of its server: address, port and trust. A
 *          ticket that matches no server of the group is not imported.
 * Owns:    nothing; imported tickets are copied.
 * Threads: the group's; before its loop runs, and after, that of its owner.
 */
#ifndef DOTSTUB_UPSTREAM_TICKETS_H
#define DOTSTUB_UPSTREAM_TICKETS_H

#include "upstream/upstream.h"

struct ticket {
    uint8_t server[DIGEST_LEN];
    struct bytes data;
    uint64_t expires_ms; /* boot-time clock */
};

/* For each server the oldest ticket first. */
void group_each_ticket(const struct group *group, void (*each)(void *context, const struct ticket *ticket),
                       void *context);
/* Drops all tickets after they were given to another process: each is used once. */
void group_drop_tickets(struct group *group);
/* Adds it as the newest ticket of its server. False: no server of this group matches. */
bool group_take_ticket(struct group *group, const struct ticket *ticket);

#endif
