/* SPDX-License-Identifier: MIT */
/* The letter case of names in queries over UDP, as a further secret (draft-vixie-dnsext-dns0x20).
 *
 * Does:    draws the case of all letters. A server copies the name into its response, so a response in another case
 *          is forged, or its server changes them: a few in a row, without a correct one, show that it does. Then its
 *          queries are not changed for LETTER_CASE_RETEST ms.
 * Owns:    nothing; a value, all zero at first.
 * Threads: the worker's.
 */
#ifndef DOTSTUB_UPSTREAM_LETTER_CASE_H
#define DOTSTUB_UPSTREAM_LETTER_CASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    LETTER_CASE_CHANGED = 3,             /* responses */
    LETTER_CASE_RETEST = 10 * 60 * 1000, /* ms */
};

struct letter_case {
    unsigned changed;        /* responses in another case since the latest one in the same */
    uint64_t plain_until_ms; /* names are sent in lower case until then */
};

/* True if the case is drawn now. */
bool letter_case_is_mixed(const struct letter_case *known, uint64_t now_ms);
/* Draws the case of all letters of a name in wire form. */
void letter_case_mix(uint8_t *name, size_t len);
/* A response to a query with drawn case was in the same case, or in another. True: the server counts as one that
 * changes them from now on. */
bool letter_case_note(struct letter_case *known, bool same, uint64_t now_ms);

#endif
