/* SPDX-License-Identifier: MIT */
/* Where the time of slow, failed and traced queries went, as JSON; docs/man/dotstubctl.8 says what is in it.
 *
 * Threads: the main thread's.
 */
#ifndef DOTSTUB_CONTROL_EXPLAIN_H
#define DOTSTUB_CONTROL_EXPLAIN_H

#include "resolve/trace.h"
#include "gather.h"

/* Records in one answer, the newest: many workers keep thousands. */
#define EXPLAIN_MOST 256

/* Which records; of several members at most one is set, none: all. */
struct explain_wanted {
    bool last; /* the newest of this kind: */
    enum record_kind kind;
    bool by_name; /* those of this name: */
    uint8_t name[NAME_MAX_WIRE];
    uint32_t id;
};

/* As status_text. */
char *explain_text(const struct gather_sum *sum, const struct explain_wanted *wanted);
/* The newest `most`, in short; what may hold a name only `with_names`. */
struct json_t *explain_recent(const struct gather_sum *sum, size_t most, bool with_names);
char *explain_trace(const struct trace *trace);

#endif
