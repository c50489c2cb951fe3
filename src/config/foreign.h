/* SPDX-License-Identifier: MIT */
/* Spellings of values in other programs (unbound, stubby, dnsmasq, systemd-resolved, curl).
 *
 * Does:    suggests a correct value for a refused one, for the error message.
 * Owns:    nothing.
 * Threads: any.
 */
#ifndef DOTSTUB_CONFIG_FOREIGN_H
#define DOTSTUB_CONFIG_FOREIGN_H

#include "config/value.h"

enum { FOREIGN_TEXT = 200 };

/* Replaces the general form in the reason of a refusal ("is not an address; write ADDR@PORT") by the corrected
 * value. */
void foreign_explain(const struct option *option, const char *text, char why[VALUE_WHY]);
/* A replacement for `text`, which the option refused: a value that it accepts, perhaps with another setting for the
 * rest. False: no suggestion. */
bool foreign_correct(const struct option *option, const char *text, char out[FOREIGN_TEXT]);
/* The same for an item of `upstreams` that names no preset. */
bool foreign_correct_upstream(const char *text, char out[FOREIGN_TEXT]);

#endif
