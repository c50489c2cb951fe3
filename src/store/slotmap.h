/* SPDX-License-Identifier: MIT */
/* The replies of a cluster about itself.
 *
 * Does:    the slot of a key; reads the replies to CLUSTER SHARDS and CLUSTER SLOTS, and the errors MOVED and ASK, all of
 *          which are hostile.
 * Owns:    nothing; values.
 * Threads: any.
 */
#ifndef DOTSTUB_STORE_SLOTMAP_H
#define DOTSTUB_STORE_SLOTMAP_H

#include "resp.h"

enum {
    SLOTS = 16384,
    SLOT_MASTERS = 48,  /* a map with more of them is refused */
    SLOT_REPLICAS = 48, /* further ones are left out */
    SLOT_NOBODY = 0xff,
    SLOT_HOST = 256,
};

/* The slot of a key: CRC16 (XMODEM) of it, or of the part between its first "{" and the next "}" if there is one. */
unsigned slot_of(struct bytes key);

/* A server as another one named it. The host is text without NUL, else unchecked. */
struct slot_server {
    char host[SLOT_HOST]; /* "": the host of the server that named it */
    uint16_t port;        /* 0: none */
    uint16_t tls_port;    /* likewise */
};

struct slot_map {
    unsigned count;
    struct slot_server master[SLOT_MASTERS];
    unsigned replica_count;
    struct slot_replica {
        struct slot_server server;
        uint8_t master;
    } replica[SLOT_REPLICAS];
    uint8_t owner[SLOTS]; /* index of a master, or SLOT_NOBODY */
};

/* 0, or ERROR_MALFORMED: it is not a map, has too many masters, or a slot twice. */
int slot_map_shards(struct slot_map *out, const struct resp_reply *reply) MUST_CHECK;
int slot_map_slots(struct slot_map *out, const struct resp_reply *reply) MUST_CHECK;

struct slot_redirect {
    bool ask; /* for this command alone */
    unsigned slot;
    struct slot_server to; /* port and tls_port are the same */
};
/* False: the error is something else, or malformed. */
bool slot_redirect_read(struct slot_redirect *out, const struct resp_reply *error);

#endif
