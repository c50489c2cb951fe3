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

struct store_login {
    char user[65];          /* "": the default user */
    struct buffer password; /* empty: none */
};

/* The kinds of a store; see topology.h. */
enum store_kind { STORE_PLAIN, STORE_SENTINEL, STORE_CLUSTER };

enum { STORE_PORT_RANGES = 32 };

struct store_setup {
    atomic_uint refs;
    struct seal_keys keys;
    uint64_t patience_ms; /* 0: from the upstream */
    size_t write_queue;
    uint32_t warm_names;
    enum store_kind kind;
    bool nearest;      /* values are read from replicas, too */
    char sentinel[65]; /* the name of the master */
    struct store_login login, sentinel_login;
    char tls_name[256];            /* "": the name or address of each server */
    struct tls_trust *authorities; /* for servers that others name; NULL: STORE_PLAIN */
    bool anyone_certified;         /* they are the system's: strangers have certificates of theirs, too */
    struct {
        uint16_t low, high;
    } ports[STORE_PORT_RANGES]; /* of these servers, beside the ports of those below */
    unsigned port_ranges;
    uint8_t digest[DIGEST_LEN]; /* of everything above and below */
    size_t server_count;
    struct store_server servers[];
};

/* A server that another one named, the `teller`: `host` is an address or a name of `len` bytes, which are hostile. NULL, and
 * `*out` with a reference to its trust that is released with store_server_clear; or the reason why it is refused, as the end
 * of a sentence. */
const char *store_learn(struct store_server *out, const struct store_setup *setup, const struct store_server *teller,
                        const char *host, size_t len, uint64_t port) MUST_CHECK;
/* True if such a server is connected with TLS, so that of two ports the one for TLS is meant. */
bool store_host_needs_tls(const char *host, size_t len);
void store_server_clear(struct store_server *server);
/* True if a store need not reconnect to change from one to the other. */
bool store_setup_same(const struct store_setup *a, const struct store_setup *b);
/* The index of the server that has the entry of this name: if one server is lost, only its entries move. */
size_t store_setup_choose(const struct store_setup *setup, const uint8_t name[SEAL_NAME]);

#endif
