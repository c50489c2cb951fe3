/* SPDX-License-Identifier: MIT */
/* The part of YAML that a configuration is written in, held to before libfyaml sees the text.
 *
 * Does:    walks the text once: keys, values, "- " items, [ ], { }, quotes within one line, comments. All
 *          else that YAML has is refused with its place: anchors, aliases, tags, directives, "? " keys, block
 *          scalars, brackets as keys, quotes over several lines, tabs that indent, deep nesting, brackets and
 *          quotes that are not closed.
 * Owns:    nothing.
 * Threads: any.
 *
 * libfyaml 0.7.12 reads freed memory on some texts ("? [a, b]J: <tab> ?"), asserts on others and leaks on
 * more. It has been fuzzed behind this guard.
 */
#ifndef DOTSTUB_CONFIG_GUARD_H
#define DOTSTUB_CONFIG_GUARD_H

#include "config/report.h"

#define GUARD_DEPTH_MAX 16 /* of brackets; the deepest setting lies at 4 */

/* True if the text, which is clean, keeps to it; reports the first place where it does not otherwise. */
bool prescan_check(struct report *report, const struct source *source);

#endif
