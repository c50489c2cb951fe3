/* SPDX-License-Identifier: MIT */
/* One DNS question of our own to a nameserver.
 *
 * Does:    takes nothing for an answer that does not belong to the question, and looks at it strictly.
 * Threads: the program's only one; it blocks, as long as the caller says.
 */
#ifndef DOTSTUB_CTL_PROBE_H
#define DOTSTUB_CTL_PROBE_H

#include <stdbool.h>
#include <stdint.h>
#include "base/addr.h"

struct probe_answer {
    uint16_t rcode;
    unsigned records; /* in its answer section, of the type that was asked for */
    unsigned ms;
};

/* Asks for a name in presentation form, over UDP (again each second) or TCP. 0, -ETIMEDOUT, -ECONNREFUSED and others; -EINVAL: the name
 * is none; ERROR_MALFORMED and others of the kind: what came over TCP is no answer. */
int probe_ask(struct probe_answer *out, const struct addr *server, const char *name, uint16_t type, bool tcp,
              unsigned patience_ms) MUST_CHECK;
/* True for what says that somebody was reached who knows: NOERROR and NXDOMAIN. */
bool probe_is_good(const struct probe_answer *answer);

#endif
