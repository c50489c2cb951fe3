/* SPDX-License-Identifier: MIT */
/* For the step of records: the names that the step of hosts serves. */
#ifndef DOTSTUB_POLICY_HOSTS_H
#define DOTSTUB_POLICY_HOSTS_H

#include "dns/build.h"
#include "resolve/query.h"

/* True if the step of hosts, which must be in the order, has this name for the query's client. */
bool hosts_has(const struct query *query, const uint8_t *name, size_t len);
/* Adds the addresses of the name of this type (or of both for ANY). */
void hosts_add(const struct query *query, const uint8_t *name, size_t len, uint16_t type, struct build *build,
               const uint8_t *owner);

#endif
