/* SPDX-License-Identifier: MIT */
/* For all steps of policy/: locally built responses, and the clients that the configuration allows. */
#ifndef DOTSTUB_POLICY_LOCAL_H
#define DOTSTUB_POLICY_LOCAL_H

#include "dns/records.h"
#include "resolve/query.h"

/* Answers with these records, or with SERVFAIL when out of memory. Returns the verdict. */
enum verdict local_answer(struct query *query, uint16_t rcode, const struct record_text *answer, unsigned answers,
                          const struct record_text *authority, unsigned authorities);

/* Answers with a response of `len` bytes that was built in resolver->big (dns/build.h), or with SERVFAIL if `len` is
 * negative. Returns the verdict. */
enum verdict local_send(struct query *query, int len);
/* Answers with a CNAME record from the query's name to `target` (uncompressed) and the records of the response for that
 * name, `rest`. */
enum verdict local_alias(struct query *query, const uint8_t *target, size_t len, uint32_t ttl,
                         const struct answer *rest);

/* For a step's `answer`: reduces the response to the records that were chosen in resolver->rewrite, in their order.
 * Returns the verdict. The response may be anywhere, also where an earlier rewrite left it. */
enum verdict local_keep_chosen(struct query *query, struct answer *response);

/* False: only clients on this machine are allowed. The listening addresses do not show that, because sockets may be
 * inherited. */
bool local_serves_beyond_loopback(const struct config *config);

#endif
