/* SPDX-License-Identifier: MIT */
/* For the step of records: rebind-protection for the targets of aliases. */
#ifndef DOTSTUB_POLICY_REBIND_H
#define DOTSTUB_POLICY_REBIND_H

#include "resolve/query.h"

/* True if the client must not get this response of an upstream to a query for `key`. */
bool rebind_refuses(const struct query *query, const struct key *key, const struct answer *response);
/* Answers NODATA with the reason. Returns the verdict. */
enum verdict rebind_replace(struct query *query);

#endif
