/* SPDX-License-Identifier: MIT */
/* Domain names in wire form (RFC 1035 section 3.1), uncompressed, and their text form.
 *
 * Does:    measures, lower-cases, compares and prints names whose bounds are already known to be good.
 * Threads: any.
 * RFC:     1035, 4343 (letter case).
 */
#ifndef DOTSTUB_DNS_NAME_H
#define DOTSTUB_DNS_NAME_H

#include <stdbool.h>
#include "base/bytes.h"

#define NAME_MAX_WIRE 255  /* RFC 1035 section 3.1, root label included */
#define NAME_MAX_TEXT 1024 /* every byte as \DDD, dots, NUL */

/* Length in bytes of the uncompressed name at the start of `bytes`, root label included; 0 if it is not one. */
size_t name_len(struct bytes bytes);
/* Copies `len` bytes with ASCII letters in lower case; `out` may be `wire`. */
void name_lower(uint8_t *out, const uint8_t *wire, size_t len);
/* Both uncompressed; letter case is ignored. */
bool name_equal(const uint8_t *a, const uint8_t *b);
/* True if `name` is `suffix` or below it; both uncompressed and in lower case. */
bool name_is_under(const uint8_t *name, size_t name_bytes, const uint8_t *suffix, size_t suffix_bytes);
/* Labels without the root. */
unsigned name_labels(const uint8_t *name);
/* Presentation form ("www.example.com.", the root "."), special bytes escaped; gives `out`. */
const char *name_text(const uint8_t *name, char out[NAME_MAX_TEXT]);
/* From presentation form, with or without the last dot, lower-cased. Length in bytes, or -EINVAL. */
int name_from_text(uint8_t out[NAME_MAX_WIRE], const char *text) MUST_CHECK;

#endif
