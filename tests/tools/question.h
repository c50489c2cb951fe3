/* SPDX-License-Identifier: MIT */
/* The questions that dnsload asks, and whether an answer is right. The address of a name is made from a hash
 * of it, the same as in tests/integration/zone.py. */
#ifndef DOTSTUB_TESTS_QUESTION_H
#define DOTSTUB_TESTS_QUESTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { QUESTION_HEADER = 12, QUESTION_NAME = 256, QUESTION_MAX = QUESTION_HEADER + 255 + 4 + 11 };

/* Writes the message that asks for the A records of a name; gives its length. */
size_t question_put(uint8_t out[QUESTION_MAX], uint16_t id, const char *name, bool edns);

/* The address that belongs to a name: FNV-1a of it in lower case without its last dot; never a private one.
 */
void question_address(const char *name, uint8_t address[4]);

/* True if the answer section, which begins at `at`, holds exactly the A record that belongs to the name. */
bool question_answered_right(const uint8_t *message, size_t len, size_t at, const char *name);

#endif
