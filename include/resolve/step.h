/* SPDX-License-Identifier: MIT */
/* A step of the processing of a query. daemon/steps.c has the full order of the steps, in which each query passes
 * them.
 *
 * Does:    a step is one constant table entry. Its part of the configuration is prepared once, as an immutable
 *          snapshot that all workers share; each worker has its own state of the step, which no other thread uses.
 * Owns:    a step set, which is ref-counted, owns the snapshots; a resolver owns the states.
 * Threads: `prepare` and `files` run on the main thread, those of a step with `files` also on a thread of libuv's
 *          pool; `release` on the thread that drops the last reference; all else on the worker's.
 */
#ifndef DOTSTUB_RESOLVE_STEP_H
#define DOTSTUB_RESOLVE_STEP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include "base/check.h"

struct answer;
struct config;
struct query;
struct resolver;

enum verdict {
    NEXT,     /* the next step continues with the query */
    ANSWERED, /* a response was sent */
    DROPPED,  /* the query ended without a response */
    WAITING,  /* the query is parked (query_park) */
    REPLACED, /* only from `answer`: the pass continues with another response */
};

/* Members other than `name` may be NULL. */
struct step {
    const char *name;
    /* Makes the step's snapshot, without pointers into `config`. 0 and *snapshot (NULL: nothing to do in this
     * configuration); STEP_INCOMPLETE and *snapshot, which is then used at the start and after a reload only, with the
     * reason in `errors`; STEP_AGAIN and *snapshot; or negative, with a sentence for the operator in `errors` (except for
     * -ENOMEM). */
    int (*prepare)(const struct config *config, void **snapshot, FILE *errors);
    void (*release)(void *snapshot);
    /* Calls `tell` for each file and directory that `prepare` reads. When one of them changes, the daemon prepares the
     * step again, from the same configuration, while the workers use the previous snapshot; that one stays in use if
     * `prepare` fails. */
    void (*files)(const struct config *config, void (*tell)(void *context, const char *path), void *context);
    /* False: the step is left out of the walk. NULL: it is left out if it has `prepare` and that made no snapshot. */
    bool (*wanted)(const void *snapshot);
    /* Bytes of a worker's state, which are zero at first; 0: it has none. */
    size_t state_size;
    /* Completes a worker's state; of `resolver` only loop, counters and cache are initialized. 0, or negative with
     * nothing allocated. */
    int (*init)(struct resolver *resolver, void *state);
    /* Switches to `snapshot`; the previous one must not be used after this call. First called after `init`. */
    void (*configure)(void *state, const void *snapshot);
    enum verdict (*run)(struct query *query, void *state);
    /* Inspects a response about to be sent, if the query has passed this step. `response` is as the cache stores
     * it: without OPT, with limited TTLs, not truncated (ttl_offsets are not set). The step must not modify the
     * message unless it calls query_own_response first and then returns REPLACED. WAITING keeps the response; later
     * query_resume continues with it, or query_answer or query_error send another one; only the steps before this
     * one see either. ANSWERED and DROPPED as of `run`. No other query may end meanwhile. */
    enum verdict (*answer)(struct query *query, struct answer *response, void *state);
    /* Ends what the state owns. */
    void (*fini)(void *state);
};

#define STEPS_MAX 24

/* A result of `prepare`: what could not be read is missing in the snapshot. */
#define STEP_INCOMPLETE 1
/* Another one: the snapshot is used, and `prepare` is called again soon, even if no file changes. Only for steps with
 * `files`. */
#define STEP_AGAIN 2

/* A snapshot of one step, shared by step sets. */
struct step_snapshot {
    atomic_uint references;
    bool again;     /* STEP_AGAIN */
    uint64_t files; /* the state of the step's files before they were read (file_state); 0: none */
    void *data;     /* as `prepare` made it */
};

/* All steps of an order, prepared for one configuration. */
struct step_set {
    atomic_uint references;
    const struct step *const *order; /* ends with NULL */
    unsigned count;
    struct step_snapshot *held[STEPS_MAX]; /* by the step's index in the order */
};

/* Makes a snapshot of one step. 0, STEP_INCOMPLETE or STEP_AGAIN and one reference in *out, or the negative result of
 * `prepare`. */
int step_prepare(struct step_snapshot **out, const struct step *step, const struct config *config,
                 FILE *errors) MUST_CHECK;
/* NULL does nothing. */
void step_snapshot_unref(const struct step *step, struct step_snapshot *snapshot);
/* False: with this result of `prepare` the step is left out of the walk. */
bool step_is_wanted(const struct step *step, const void *snapshot);
/* The present state of the step's files, which differs from that of a snapshot after a change. */
uint64_t step_files_state(const struct step *step, const struct config *config);

/* Prepares the steps of `order` (constant, ends with NULL). 0 and one reference in *out, or the negative result of
 * the step that failed. */
int step_set_new(struct step_set **out, const struct step *const *order, const struct config *config,
                 FILE *errors) MUST_CHECK;
/* A set that shares all snapshots of `set` but one, that of the step with this index in the order. 0 and one reference
 * in *out, and `snapshot` is taken over; or -ENOMEM. */
int step_set_replace(struct step_set **out, const struct step_set *set, unsigned index,
                     struct step_snapshot *snapshot) MUST_CHECK;
struct step_set *step_set_ref(struct step_set *set);
/* NULL does nothing. */
void step_set_unref(struct step_set *set);

/* The last two steps of daemon/steps.c: the cache, and lookups. step_validate, before them, has the trust anchors. */
extern const struct step step_validate, step_cache, step_lookup;

#endif
