/* From a file's tree to the draft.
 *
 * Does:    walks the tree along the table of settings; reports unknown keys and wrong types.
 * Owns:    nothing.
 * Threads: none.
 */
#ifndef DOTSTUB_CONFIG_READER_H
#define DOTSTUB_CONFIG_READER_H

#include "config/draft.h"
#include "config/yaml.h"

/* Lays what the file says over the draft; root NULL is an empty file. 0 or -ENOMEM. */
int reader_apply(struct draft *draft, const struct yaml_node *root) MUST_CHECK;

/* The key among the first `count` of the table that was probably meant, or NULL; keys of a section without its name. `section`
 * NULL: top level, whose keys are the sections too. The text lies in `out`. */
#define READER_KEY_TEXT 64
const char *reader_meant(const char *text, const struct option *table, size_t count, const char *section,
                         char out[READER_KEY_TEXT]);

#endif
