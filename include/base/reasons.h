/* SPDX-License-Identifier: MIT */
/* Failures counted by reason.
 *
 * Does:    counts by text, since several errors may have one text; the first REASONS_MAX texts have a count each.
 * Owns:    nothing; a value, all zero at first. The texts are constants.
 * Threads: none; copies may be read anywhere.
 */
#ifndef DOTSTUB_BASE_REASONS_H
#define DOTSTUB_BASE_REASONS_H

#include <stdint.h>

#define REASONS_MAX 12

struct reason_count {
    const char *text; /* of base/errors; NULL: not used */
    uint64_t count;
};

struct reasons {
    struct reason_count item[REASONS_MAX];
    uint64_t others; /* of further texts */
};

/* Counts one failure. */
void reasons_note(struct reasons *reasons, int error);
/* Adds the counts of `other`. */
void reasons_merge(struct reasons *reasons, const struct reasons *other);
/* Subtracts earlier counts. */
void reasons_subtract(struct reasons *reasons, const struct reasons *before);
/* The most frequent reason, or NULL if there is none. */
const struct reason_count *reasons_top(const struct reasons *reasons);

#endif
