/* SPDX-License-Identifier: MIT */
/* Tickets that go from one process to the next.
 *
 * Does:    gives and takes those of TLS 1.3, each with the digest of the server that it is for: address, port and all that was
 *          trusted. One that no server of the group would have given is not taken.
 * Owns:    nothing; what is taken is copied.
 * Threads: the group's; before its loop runs, and after, that of its holder.
 */
#ifndef DOTSTUB_UPSTREAM_TICKETS_H
#define DOTSTUB_UPSTREAM_TICKETS_H

#include "upstream/upstream.h"

struct ticket {
    uint8_t server[DIGEST_LEN];
    struct bytes data;
    uint64_t expires_ms; /* boot-time clock */
};

/* The oldest of each server first. */
void group_each_ticket(const struct group *group, void (*each)(void *context, const struct ticket *ticket),
                       void *context);
/* Where they go elsewhere: each is used once. */
void group_drop_tickets(struct group *group);
/* As the newest of its server. False: it is for none of this group's. */
bool group_take_ticket(struct group *group, const struct ticket *ticket);

#endif
