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
/* Adds the preset of this name to an OPTION_ITEMS, or reports that there is none; `form` is the other form that an item
 * may have here. A preset that an earlier source named stays as it is. 0 or -ENOMEM. */
int reader_add_preset(struct draft *draft, struct setting *setting, const struct option *option, const char *name,
                      const char *form, struct mark mark) MUST_CHECK;

#endif
