/* SPDX-License-Identifier: MIT */
/* The internals of config_load, for tests and fuzzers.
 *
 * Does:    reads a text as if it were the only file.
 * Owns:    nothing.
 * Threads: none.
 */
#ifndef DOTSTUB_CONFIG_LOAD_H
#define DOTSTUB_CONFIG_LOAD_H

#include "config/config.h"
#include "config/machine.h"

/* As config_load, with one text in place of all files and with this machine. */
int load_text(struct config **out, const char *name, const char *text, size_t len, char *const *variables,
              const struct machine *machine, FILE *errors) MUST_CHECK;

#endif
