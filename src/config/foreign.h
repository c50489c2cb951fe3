/* SPDX-License-Identifier: MIT */
/* Spellings of other programs (unbound, stubby, dnsmasq, systemd-resolved, curl) for values of ours.
 *
 * Does:    corrects a refused value, so that the error can say what to write.
 * Owns:    nothing.
 * Threads: any.
 */
#ifndef DOTSTUB_CONFIG_FOREIGN_H
#define DOTSTUB_CONFIG_FOREIGN_H

#include "config/value.h"

enum { FOREIGN_TEXT = 200 };

/* Replaces the general form in the reason of a refusal ("is not an address; write ADDR@PORT") by the corrected value. */
void foreign_explain(const struct option *option, const char *text, char why[VALUE_WHY]);
/* The text to write in place of `text`, which the option refused: a value that it accepts, perhaps with the setting beside it that
 * takes the rest. False: no idea. */
bool foreign_correct(const struct option *option, const char *text, char out[FOREIGN_TEXT]);
/* The same for an item of `upstreams` that names no preset. */
bool foreign_correct_upstream(const char *text, char out[FOREIGN_TEXT]);

#endif
