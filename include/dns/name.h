/* SPDX-License-Identifier: MIT */
/* Domain names in wire form (RFC 1035 section 3.1), uncompressed, and their text form.
 *
 * Does:    measures, lower-cases, compares and prints names that were checked before.
 * Threads: any.
 * RFC:     1035, 4343 (letter case).
 */
#ifndef DOTSTUB_DNS_NAME_H
#define DOTSTUB_DNS_NAME_H

#include <stdbool.h>
#include "base/bytes.h"

#define NAME_MAX_WIRE 255  /* RFC 1035 section 3.1, including the root label */
#define NAME_MAX_TEXT 1024 /* every byte as \DDD, dots, NUL */

/* Length in bytes of the uncompressed name at the start of `bytes`, including the root label; 0: not a name. */
size_t name_len(struct bytes bytes);
/* Copies `len` bytes with ASCII letters in lower case; `out` may be `wire`. */
void name_lower(uint8_t *out, const uint8_t *wire, size_t len);
/* Compares two uncompressed names, ignoring letter case. */
bool name_equal(const uint8_t *a, const uint8_t *b);
/* True if `name` is `suffix` or below it; both uncompressed and in lower case. */
bool name_is_under(const uint8_t *name, size_t name_bytes, const uint8_t *suffix, size_t suffix_bytes);
/* The number of labels without the root. */
unsigned name_labels(const uint8_t *name);
/* Presentation form ("www.example.com.", the root "."), special bytes escaped; returns `out`. */
const char *name_text(const uint8_t *name, char out[NAME_MAX_TEXT]);
/* Parses presentation form, with or without the last dot, to lower case. Returns the length in bytes, or -EINVAL. Bytes above
 * 127 must be escaped: who writes letters beyond ASCII means the name that begins with xn-- (RFC 5891), which programs
 * query. */
int name_from_text(uint8_t out[NAME_MAX_WIRE], const char *text) MUST_CHECK;

#endif
