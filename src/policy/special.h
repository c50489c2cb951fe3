/* SPDX-License-Identifier: MIT */
/* For the step of records: the names that the step of special-use names answers. */
#ifndef DOTSTUB_POLICY_SPECIAL_H
#define DOTSTUB_POLICY_SPECIAL_H

#include "resolve/query.h"

/* True if the name of the key is never forwarded for the client of the query. */
bool special_has(const struct query *query, const struct key *key);

#endif
