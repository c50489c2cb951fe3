/* SPDX-License-Identifier: MIT */
/* Reads the tree of a file into the draft.
 *
 * Does:    walks the tree along the table of settings; reports unknown keys and wrong types.
 * Owns:    nothing.
 * Threads: none.
 */
#ifndef DOTSTUB_CONFIG_READER_H
#define DOTSTUB_CONFIG_READER_H

#include "config/draft.h"
#include "config/yaml.h"

/* Applies the file to the draft; root NULL is an empty file. 0 or -ENOMEM. */
int reader_apply(struct draft *draft, const struct yaml_node *root) MUST_CHECK;

#endif
