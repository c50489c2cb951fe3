/* SPDX-License-Identifier: MIT */
/* The queries that dnsload sends, and the check of their responses. The address of a name is computed from its hash,
 * as in tests/integration/zone.py. */
#ifndef DOTSTUB_TESTS_QUERY_H
#define DOTSTUB_TESTS_QUERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { QUERY_HEADER = 12, QUERY_NAME = 256, QUERY_MAX = QUERY_HEADER + 255 + 4 + 11 };

/* Writes a query for the A records of a name; returns its length. */
size_t query_put(uint8_t out[QUERY_MAX], uint16_t id, const char *name, bool edns);

/* The address of a name: FNV-1a of it in lower case without the last dot; never a private address. */
void query_address(const char *name, uint8_t address[4]);

/* True if the Answer section, which begins at `at`, has exactly one A record, with the address of the name. */
bool query_answered_right(const uint8_t *message, size_t len, size_t at, const char *name);

#endif
