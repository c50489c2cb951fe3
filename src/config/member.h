/* SPDX-License-Identifier: MIT */
/* The members of the snapshot, accessed through the table of settings.
 *
 * Does:    writes parsed values into struct config or struct config_upstream; prints a member as YAML.
 * Owns:    nothing; texts and lists are in the caller's arena.
 * Threads: any, on different snapshots.
 */
#ifndef DOTSTUB_CONFIG_MEMBER_H
#define DOTSTUB_CONFIG_MEMBER_H

#include <stdio.h>
#include "config/arena.h"
#include "config/value.h"

/* Writes `count` values, a list that starts with `values` (NULL: none), to the option's member of the struct at
 * `base`. Not for OPTION_UPSTREAMS. 0 or -ENOMEM. */
int member_store(void *base, const struct option *option, const struct value *values, size_t count,
                 struct arena *arena) MUST_CHECK;
/* Prints the member in the form that the reader accepts, lists in brackets. Not for OPTION_UPSTREAMS. */
void member_print(FILE *out, const void *base, const struct option *option);
/* Prints a text as YAML, quoted if necessary. */
void member_print_text(FILE *out, const char *text, size_t len);

#endif
