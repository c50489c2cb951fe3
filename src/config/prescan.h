/* SPDX-License-Identifier: MIT */
/* The subset of YAML that a configuration may use, enforced before libfyaml parses the text.
 *
 * Does:    walks the text once: keys, values, "- " items, [ ], { }, quotes within one line, comments. Refuses all
 *          other YAML with its place: anchors, aliases, tags, directives, "? " keys, block scalars, brackets as
 *          keys, quotes over several lines, tabs as indentation, deep nesting, unclosed brackets and quotes.
 * Owns:    nothing.
 * Threads: any.
 *
 * libfyaml 0.7.12 reads freed memory on some texts ("? [a, b]J: <tab> ?"), fails assertions on others and leaks on
 * more. It has been fuzzed behind this check.
 */
#ifndef DOTSTUB_CONFIG_PRESCAN_H
#define DOTSTUB_CONFIG_PRESCAN_H

#include "config/report.h"

#define PRESCAN_DEPTH_MAX 16 /* of brackets; the deepest setting is at 4 */

/* True if the text (UTF-8, see file_is_text) is within the subset; otherwise reports the first place where it is
 * not. */
bool prescan_check(struct report *report, const struct source *source);

#endif
