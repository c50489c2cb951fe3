/* SPDX-License-Identifier: MIT */
/* The configuration of a store with the contents of its files; see store/store.h. */
#ifndef DOTSTUB_STORE_SETUP_H
#define DOTSTUB_STORE_SETUP_H

#include <stdatomic.h>
#include "net/tls.h"
#include "seal.h"
#include "store/store.h"

struct store_server {
    struct config_store_server where;
    char text[280];          /* as configured */
    uint64_t id;             /* for the choice of an entry's server; the same in all replicas */
    struct tls_trust *trust; /* NULL: without TLS */
};

struct store_setup {
    atomic_uint refs;
    struct seal_keys keys;
    uint64_t patience_ms; /* 0: from the upstream */
    size_t write_queue;
    uint32_t warm_names;
    char user[65];              /* "": the default user */
    struct buffer password;     /* empty: none */
    uint8_t digest[DIGEST_LEN]; /* of everything above and below */
    size_t server_count;
    struct store_server servers[];
};

/* True if a store need not reconnect to change from one to the other. */
bool store_setup_same(const struct store_setup *a, const struct store_setup *b);
/* The index of the server that has the entry of this name: if one server is lost, only its entries move. */
size_t store_setup_choose(const struct store_setup *setup, const uint8_t name[SEAL_NAME]);

#endif
