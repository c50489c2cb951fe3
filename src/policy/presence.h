/* SPDX-License-Identifier: MIT */
/* Answers the names with which dotstubctl detects a running dotstub (include/dns/presence.h). */
#ifndef DOTSTUB_POLICY_PRESENCE_H
#define DOTSTUB_POLICY_PRESENCE_H

#include "resolve/query.h"

/* True for such a name. */
bool presence_is_asked(const struct key *key);
/* Answers with one A record; NODATA for other types. */
enum verdict presence_answer(struct query *query);

#endif
