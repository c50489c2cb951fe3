/* SPDX-License-Identifier: MIT */
/* The end of gets, and their values; see inside.h. */
#ifndef DOTSTUB_STORE_GET_H
#define DOTSTUB_STORE_GET_H

#include "inside.h"

/* The bytes whose hash names the entry of a key. */
struct bytes store_material(uint8_t out[STORE_MATERIAL], const uint8_t definition[DIGEST_LEN], const struct key *key);
/* The name of an entry, with the first of the fleet's keys. */
const uint8_t *store_name_of(const struct store *store, const struct store_entry *entry);
/* The server that has the entry of this name; NULL: none is known now. */
struct store_place *store_place_of(struct store *store, const uint8_t name[SEAL_NAME]);
struct node *store_node_of(struct store *store, const uint8_t name[SEAL_NAME]);
/* Ends a get with its callback; see store_ops.done. */
void get_end(struct store_get *get, struct store_found *found, bool leased);
/* Opens a value of the fleet's key `which`, in place. True with the response, if it is one for this get. */
bool get_open(struct store_get *get, unsigned which, uint8_t *sealed, size_t len, struct store_found *out);
/* The two halves of it: the content of the value of this name, and the response to this key in it. */
struct store_opened {
    struct bytes content;
    int64_t sealed_ms;
    uint64_t age_ms;
};
bool get_unseal(struct store *store, unsigned which, const uint8_t name[SEAL_NAME], uint8_t *sealed, size_t len,
                struct store_opened *out);
bool get_unpack(struct store *store, const struct key *key, const struct store_opened *opened, struct store_found *out);
/* The caller goes on without the store. */
void get_is_late(struct store_get *get, uint64_t now_ms);

#endif
