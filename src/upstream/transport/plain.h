/* SPDX-License-Identifier: MIT */
/* The servers of routes with plain: yes, for the transports tcp and udp.
 *
 * Does:    knows the zones of a server: nothing else may be sent to it. It has its own table of them, so that no mistake
 *          in the choice of a group can send another name without encryption.
 * Owns:    server->transport_state, a struct plain.
 * Threads: as in transport.h.
 */
#ifndef DOTSTUB_UPSTREAM_PLAIN_H
#define DOTSTUB_UPSTREAM_PLAIN_H

#include "base/table.h"
#include "dns/key.h"
#include "letter_case.h"
#include "upstream/group.h"

struct suffix_table;

struct plain {
    struct suffix_table *zones;
    struct key apex;                /* the SOA records of the first zone */
    struct table asked;             /* udp: outstanding questions, by name, type and class */
    struct letter_case letter_case; /* udp */
};

static inline struct plain *plain_of(const struct server *server)
{
    return server->transport_state;
}

/* As in struct transport. */
int plain_prepare(struct server *server, struct tls_trust *trust) MUST_CHECK;
void plain_discard(struct server *server);
bool plain_same(const struct server *a, const struct server *b);
bool plain_carries(const struct server *server, const struct key *key);

#endif
