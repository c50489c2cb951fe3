/* SPDX-License-Identifier: MIT */
/* Locally built responses, for all steps of policy/. */
#ifndef DOTSTUB_POLICY_LOCAL_H
#define DOTSTUB_POLICY_LOCAL_H

#include "dns/records.h"
#include "resolve/query.h"

/* Answers with these records, or with SERVFAIL when out of memory. Returns the verdict. */
enum verdict local_answer(struct query *query, uint16_t rcode, const struct record_text *answer, unsigned answers,
                          const struct record_text *authority, unsigned authorities);

#endif
