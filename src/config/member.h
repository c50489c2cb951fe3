/* SPDX-License-Identifier: MIT */
/* The members of the snapshot, accessed through the table of settings.
 *
 * Does:    writes parsed values into struct config or the struct of an item; prints a member as YAML.
 * Owns:    nothing; texts and lists are in the caller's arena.
 * Threads: any, on different snapshots.
 */
#ifndef DOTSTUB_CONFIG_MEMBER_H
#define DOTSTUB_CONFIG_MEMBER_H

#include <stdio.h>
#include "config/arena.h"
#include "config/value.h"

/* Writes `count` values, a list that starts with `values` (NULL: none), to the option's member of the struct at
 * `base`. Not for OPTION_ITEMS. 0 or -ENOMEM. */
int member_store(void *base, const struct option *option, const struct value *values, size_t count,
                 struct arena *arena) MUST_CHECK;
/* Prints the member in the form that the reader accepts, lists in brackets. Not for OPTION_ITEMS. */
void member_print(FILE *out, const void *base, const struct option *option);
/* Gives the member of an OPTION_ITEMS `count` zeroed structs and returns the first, or NULL when out of memory. */
void *member_store_items(void *base, const struct option *option, size_t count, struct arena *arena) MUST_CHECK;
/* The items of a list, and their number. */
const void *member_item(const void *base, const struct option *option, size_t i);
size_t member_count(const void *base, const struct option *option);
/* The start of the keys of an item: "upstreams.quad9.", or with its number "forward.1.". `list` is the key of the list. */
void member_item_key(char *out, size_t cap, const char *list, const void *base, const struct option *option, size_t i);
/* Prints a text as YAML, quoted if necessary. */
void member_print_text(FILE *out, const char *text, size_t len);

#endif
