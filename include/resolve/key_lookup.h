/* SPDX-License-Identifier: MIT */
/* The look-up of the root's keys, unchecked, for the tracking of trust anchors.
 *
 * Does:    asks the upstream, not the cache, with CD, so that the response also has signatures of keys that no anchor vouches
 *          for; copies the response.
 * Owns:    nothing; the caller keeps the struct until `done`, and frees the copy.
 * Threads: the worker's.
 */
#ifndef DOTSTUB_RESOLVE_KEY_LOOKUP_H
#define DOTSTUB_RESOLVE_KEY_LOOKUP_H

#include <stddef.h>
#include <stdint.h>
#include "resolve/waiter.h"

enum { KEY_LOOKUP_MAX = 16384 }; /* bytes of a response; a larger one fails */

struct key_lookup {
    /* Called once, maybe before key_lookup_begin returns. */
    void (*done)(struct key_lookup *lookup);
    int status;       /* 0, or why there is no response */
    uint8_t *message; /* with status 0: mem_alloc; the caller's */
    size_t len;
    struct waiter waiter; /* private */
};

/* `done` is set. */
void key_lookup_begin(struct key_lookup *lookup, struct resolver *resolver);

#endif
