/* SPDX-License-Identifier: MIT */
/* The addresses that `listen` stands for: interfaces and their names are looked up again and again, since they come, go and are made anew.
 *
 * Does:    replaces "%eth0" by the addresses of that interface; wildcards, if listen-except is set, by the addresses of all other
 *          interfaces; the name of an interface in a link-local address by its present number.
 * Owns:    nothing; the caller frees the list.
 * Threads: the main thread.
 */
#ifndef DOTSTUB_DAEMON_ADDRESSES_H
#define DOTSTUB_DAEMON_ADDRESSES_H

#include "config/config.h"
#include "listen/kind.h"

struct address_list {
    struct addr *list; /* each once; mem_free */
    size_t count;
};

/* Calls `missing` with each wanted address or interface that is not there now. 0 or a negative errno. */
int addresses_find(struct address_list *out, const struct config *config, const struct listener_addresses *wanted,
                   void (*missing)(void *context, const struct addr *addr), void *context) MUST_CHECK;
/* Adds an address unless it is in the list. 0 or -ENOMEM. */
int addresses_add(struct address_list *list, const struct addr *addr) MUST_CHECK;
/* True if the result can change while the daemon runs. */
bool addresses_can_change(const struct config *config, const struct listener_addresses *wanted);

#endif
