/* SPDX-License-Identifier: MIT */
/* Text is UTF-8 without control characters, so that any terminal can show it.
 *
 * Does:    checks bytes.
 * Owns:    nothing.
 * Threads: any.
 * RFC:     3629.
 */
#ifndef DOTSTUB_CONFIG_TEXT_H
#define DOTSTUB_CONFIG_TEXT_H

#include <stdbool.h>
#include <stddef.h>

enum text_fault { TEXT_CLEAN, TEXT_NOT_UTF8, TEXT_CONTROL_CHARACTER };

/* Finds the first fault; with `lines` tabs and line ends are allowed. *at becomes the offset of the fault, or
 * `len` if there is none. */
enum text_fault text_check(const char *text, size_t len, bool lines, size_t *at);

#endif
