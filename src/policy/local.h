/* SPDX-License-Identifier: MIT */
/* Answers made here, for all steps of policy/. */
#ifndef DOTSTUB_POLICY_LOCAL_H
#define DOTSTUB_POLICY_LOCAL_H

#include "dns/records.h"
#include "resolve/query.h"

/* Answers with these records; SERVFAIL when memory is gone. Gives the verdict of that. */
enum verdict local_answer(struct query *query, uint16_t rcode, const struct record_text *answer, unsigned answers,
                          const struct record_text *authority, unsigned authorities);

#endif
