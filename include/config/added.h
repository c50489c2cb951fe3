/* SPDX-License-Identifier: MIT */
/* Routes that are added at run time (dotstubctl forward), beside those of the configuration.
 *
 * Does:    makes one route from texts, checked by the rules for `forward` and with the same sentences; makes the
 *          configuration that holds for routes: another one's, with some routes added to `forward`.
 * Owns:    an added route is immutable and ref-counted; the configuration made with it holds a copy.
 * Threads: the main thread; the configuration as struct config.
 */
#ifndef DOTSTUB_CONFIG_ADDED_H
#define DOTSTUB_CONFIG_ADDED_H

#include "config/config.h"

struct added_texts {
    const char *zones;     /* lists are separated by commas */
    const char *servers;   /* addresses, or names of upstreams or of one group */
    const char *interface; /* NULL: any */
    bool plain;
    bool portal;
};

struct added_route {
    unsigned refs;
    struct config_route route;
};

/* The salt makes the id of the route's group one that no other route has or had: 16 bytes. `until_ms`: clock_ms, 0:
 * the route has no end. All mistakes are written to `errors`, one sentence a line. 0, ERROR_CONFIG or -ENOMEM. */
int added_new(struct added_route **out, const struct config *config, const struct added_texts *texts,
              const uint8_t salt[ROUTE_SALT], uint64_t until_ms, FILE *errors) MUST_CHECK;
/* Reads a duration as in the configuration, from a second to a year. 0 or ERROR_CONFIG. */
int added_duration(uint64_t *out_ms, const char *text, FILE *errors) MUST_CHECK;
/* A copy without those zones that `drops` says. 0 with *out NULL if none is left, or -ENOMEM. */
int added_without(struct added_route **out, const struct added_route *from,
                  bool (*drops)(void *context, const char *zone), void *context) MUST_CHECK;
/* Checks that the servers of the route exist in another configuration. `errors` may be NULL. 0 or ERROR_CONFIG. */
int added_check(const struct added_route *added, const struct config *config, FILE *errors) MUST_CHECK;
struct added_route *added_ref(struct added_route *added);
/* NULL does nothing. */
void added_unref(struct added_route *added);

/* True if both texts are the same domain name. */
bool added_same_zone(const char *a, const char *b);

/* Changes of the routes of a configuration at run time. */
struct route_changes {
    struct added_route *const *added;
    size_t added_count;
    const char *const *down; /* interfaces that are missing or down */
    size_t down_count;
};

/* The configuration in which `forward` is followed by the added routes, whose zones differ. A zone of theirs is taken out
 * of the routes of `base`. Routes of `forward` by an interface that is down are left out and are in `waiting`; those of
 * views are left out. Private ones stay. `base` is held by reference; *out is `base` itself if nothing changes. 0 or -ENOMEM. */
int config_with_routes(struct config **out, struct config *base, const struct route_changes *changes) MUST_CHECK;

#endif
