/* SPDX-License-Identifier: MIT */
/* What counts as text: UTF-8 without control characters, so that it can be shown on any terminal.
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

/* Looks for the first fault; tabs and line ends are none where there may be lines. *at is set to its
 * offset, to `len` where there is none. */
enum text_fault text_check(const char *text, size_t len, bool lines, size_t *at);

#endif
