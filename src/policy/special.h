/* SPDX-License-Identifier: MIT */
/* For the step of records: the names that the step of special-use names answers. */
#ifndef DOTSTUB_POLICY_SPECIAL_H
#define DOTSTUB_POLICY_SPECIAL_H

#include "resolve/query.h"

/* True if the name of the key is never forwarded. */
bool special_has(const struct resolver *resolver, const struct key *key);

#endif
