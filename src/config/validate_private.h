/* SPDX-License-Identifier: MIT */
/* Private to the files of the checks. */
#ifndef DOTSTUB_CONFIG_VALIDATE_PRIVATE_H
#define DOTSTUB_CONFIG_VALIDATE_PRIVATE_H

#include "config/arena.h"
#include "config/draft.h"

/* --- validate.c --- */

/* Reports addresses that are listed twice. */
void validate_duplicates(struct draft *draft, const struct setting *setting, const char *key);
/* --- validate_listen.c: listeners and tls-server --- */

void validate_listen(struct draft *draft);
void validate_tls_server(struct draft *draft);

/* --- validate_upstreams.c: upstreams --- */

void validate_upstreams(struct draft *draft);
bool validate_has_family(const struct setting *addresses, sa_family_t family);
/* `key` has the addresses of the servers; `what`: how they are called. */
void validate_source(struct draft *draft, const struct draft_item *item, const char *key, const char *what);
/* The upstreams that the items of this list name. 0 or -ENOMEM. */
int validate_find_upstreams(struct draft *draft, const char *list) MUST_CHECK;
/* Adds the preset of this name if `upstreams` does not list it; reports a name that is neither. 0 or -ENOMEM. */
int validate_find_upstream(struct draft *draft, const char *list, const struct value *value) MUST_CHECK;

/* --- validate_routes.c: groups and forward --- */

void validate_routes(struct draft *draft);

/* --- validate_proxy.c: proxy-protocol --- */

/* 0 or -ENOMEM. */
int validate_proxy(struct draft *draft) MUST_CHECK;

/* --- validate_host.c: upstreams that are defined by a host name --- */

/* Adds the presets that only `bootstrap` names. 0 or -ENOMEM. */
int validate_find_bootstraps(struct draft *draft) MUST_CHECK;
/* Each upstream has either addresses or a host, and a host has a bootstrap that does not lead back to it. */
void validate_hosts(struct draft *draft);
/* Sets what follows from `host` in a configuration without mistakes. 0 or -ENOMEM. */
int validate_fill_hosts(struct config *config, struct arena *arena) MUST_CHECK;

#endif
