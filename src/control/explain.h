/* SPDX-License-Identifier: MIT */
/* Where the time of slow, failed and traced queries went, as JSON; dotstubctl(8) documents it.
 *
 * Threads: Main thread.
 */
#ifndef DOTSTUB_CONTROL_EXPLAIN_H
#define DOTSTUB_CONTROL_EXPLAIN_H

#include "resolve/trace.h"
#include "gather.h"

/* Limits one reply to the newest records: many workers may hold thousands. */
#define EXPLAIN_MOST 256

/* Selects records: by the newest of a kind, by name, or by id. None set: all. */
struct explain_wanted {
    bool last; /* only the newest of `kind` */
    enum record_kind kind;
    bool by_name; /* only those for `name` */
    uint8_t name[NAME_MAX_WIRE];
    uint32_t id;
};

/* Returns text as status_text does. */
char *explain_text(const struct gather_sum *sum, const struct explain_wanted *wanted);
/* A summary of the newest `most`. Without `with_names` it leaves out everything that may contain a name. */
struct json_t *explain_recent(const struct gather_sum *sum, size_t most, bool with_names);
char *explain_trace(const struct trace *trace);

#endif
