/* SPDX-License-Identifier: MIT */
/* The store: a second-level cache on servers of Redis or Valkey, which the replicas of a fleet share.
 *
 * Does:    asks for the response to a key (store_get) and gives new responses to it (store_put), sealed (store/seal.h).
 *          All commands of a turn of the loop leave in one write. It is never in the way: a server that is slow, silent
 *          or not connected is left alone, and nothing waits for a write.
 * Owns:    its connections. struct store_setup is immutable and ref-counted.
 * Threads: a store is its worker's; a setup is made by the main thread.
 */
#ifndef DOTSTUB_STORE_STORE_H
#define DOTSTUB_STORE_STORE_H

#include "base/counters.h"
#include "base/histogram.h"
#include "base/list.h"
#include "config/config.h"
#include "dns/message.h"
#include "net/loop.h"

/* Servers, keys, passwords and trust of a configuration. */
struct store_setup;
/* Reads the files of the configuration. *out NULL: it has no store. 0, or negative after one line to `errors` with the
 * remedy. */
int store_setup_new(struct store_setup **out, const struct config *config, FILE *errors) MUST_CHECK;
/* NULL does nothing. */
struct store_setup *store_setup_ref(struct store_setup *setup);
void store_setup_unref(struct store_setup *setup);

/* The result of the validator of the replica that stored a response. */
enum store_verdict { STORE_NOT_VALIDATED, STORE_SECURE, STORE_INSECURE, STORE_VERDICT_LAST = STORE_INSECURE };

/* A response from the store. Its memory is valid until the callback returns. */
struct store_found {
    struct answer answer; /* ttl: seconds that remain, TTLs lowered; 0: it has expired, TTLs as at first */
    uint32_t ttl;         /* at first */
    uint64_t age_ms;      /* since it was sealed */
    enum store_verdict verdict;
    bool awaited; /* another replica asked the upstream for it, and the get waited */
};

/* A look-up of the addresses of a server's host. */
struct store_host {
    const char *name;
    struct addr addresses[CONFIG_HOST_ADDRESSES]; /* without ports */
    size_t count;                                 /* 0: none was found */
    void (*done)(struct store_host *host);        /* called once */
};

/* A flush of the whole fleet: of a name, or of that name and all below it ("." and below: of everything). */
struct store_flush {
    int64_t at_ms; /* wall clock of the replica where it was asked for */
    bool below;
    uint8_t len;
    uint8_t name[NAME_MAX_WIRE]; /* in lower case */
};

struct store_ops {
    /* Looks up a host; host->done is called later, or before the return. Negative: it is not called. */
    int (*look_up)(void *user, struct store_host *host);
    /* True if the caller will use this value. False: the get goes on; it is not called again for the same value. */
    bool (*usable)(void *context, struct store_found *found);
    /* The get has ended. `found` is a value that was usable; NULL: the store has none, or is not to be had. `leased`:
     * other replicas wait for the value that the caller now gets from an upstream; it ends that with store_put or
     * store_unlease. */
    void (*done)(void *context, struct store_found *found, bool leased);
    /* The reply is late: the caller should go on without it. The get has not ended. */
    void (*late)(void *context);
    /* A flush came from another replica. Called by the store that leads. */
    void (*heard)(void *user, const struct store_flush *flush);
    /* A popular value of the fleet, after store_warm. False: no more of them now. */
    bool (*warmed)(void *user, const struct key *key, struct store_found *found);
};

struct store;
/* `ops` is a constant; `user` is passed to its functions. `leads`: the store of one of the process's workers, which
 * listens for flushes of the fleet for all. 0 or -ENOMEM. The setup is kept by reference. */
int store_new(struct store **out, struct loop *loop, struct counters *counters, struct store_setup *setup,
              const struct store_ops *ops, void *user, bool leads) MUST_CHECK;
/* Changes to another setup; waiting gets end without a response. */
void store_configure(struct store *store, struct store_setup *setup);
/* Closes the connections; waiting gets end without a callback. `closed` is called when the last handle is gone, maybe
 * before the return; then call store_free. */
void store_stop(struct store *store, void (*closed)(void *context), void *context);
void store_free(struct store *store);

/* The name of an entry with the fleet's key. Zeroed: not known yet. */
struct store_name {
    uint64_t setup; /* the number of the setup that it belongs to */
    uint8_t bytes[32];
};

/* The response to `key` of a group with this definition. `name` is set by the first function that needs it. */
struct store_entry {
    const uint8_t *definition; /* DIGEST_LEN bytes */
    const struct key *key;
    struct store_name *name;
};

struct store_get;
/* Asks for an entry, whose key is borrowed until the end of the get. `median_ms`: of the upstream's response times, for
 * the patience. `epoch`: of the cache; values that were sealed before the epoch began are not used. NULL: nothing was
 * asked, and the caller should go on. Never calls back before it returns. */
struct store_get *store_get(struct store *store, const struct store_entry *entry, uint64_t median_ms, uint64_t epoch,
                            void *context) MUST_CHECK;
/* Ends a get without a callback. */
void store_forget(struct store_get *get);
/* Gives a response to the store, for its ttl and `stale_s` more seconds. False: responses such as this one are not
 * stored, or it was dropped. */
bool store_put(struct store *store, const struct store_entry *entry, const struct answer *answer, uint32_t stale_s,
               enum store_verdict verdict);

/* The response that others wait for will not come, or is not stored. */
void store_unlease(struct store *store, const struct store_entry *entry);

/* --- flushes of the whole fleet --- */

/* Rejects values of these names that were sealed before the flush. `epoch`: the present one of the local cache; the
 * caller flushes that cache next, which raises its epoch by one. */
void store_take_flush(struct store *store, const struct store_flush *flush, uint64_t epoch);

/* Embedded in the caller. */
struct store_telling {
    struct list_link in_store;
    unsigned outstanding;
    unsigned told, servers; /* servers that have noted the flush, of all */
    void (*done)(struct store_telling *telling);
    void *context; /* of the caller */
};
/* Tells all replicas. `life_ms`: no value that was sealed before lives longer. `telling->done` is called later, after a
 * second or so at the latest, or before the return. */
void store_tell_flush(struct store *store, const struct store_flush *flush, uint64_t life_ms,
                      struct store_telling *telling);

/* --- popular names --- */

/* Takes the most popular names of the fleet from the store, as far as it has them, at a bounded rate. `group` is the
 * number of the group with this definition. */
void store_warm(struct store *store, const uint8_t definition[DIGEST_LEN], uint32_t group);

/* --- reports --- */

#define STORE_SERVERS_MAX 64
struct store_server_report {
    char name[96];
    const char *role;         /* "server"; see docs/json.md */
    const char *state;        /* "ready", "connecting", "slow", "down"; "unused" */
    bool serves;              /* it has entries */
    char error[160];          /* the latest one while it is not ready; "" */
    bool hears;               /* flushes of the fleet arrive from it; only of the store that leads */
    uint64_t unsent, waiting; /* bytes, commands */
    struct histogram latency; /* of gets, in microseconds */
};
/* Fills at most `room` reports and returns the number of servers. */
size_t store_report(const struct store *store, struct store_server_report *out, size_t room);

#endif
