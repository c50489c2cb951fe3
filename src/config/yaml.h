/* SPDX-License-Identifier: MIT */
/* YAML text as a small tree; the only module that uses libfyaml.
 *
 * Does:    reads one document of mappings, lists and scalars, each with its place. Refuses, with its place, all
 *          that a configuration does not need: anchors and aliases, tags, a second document, keys that are not
 *          plain text, duplicate keys, deep nesting, too many values.
 * Owns:    nothing; the tree is in the caller's arena, and its marks refer to the source.
 * Threads: none.
 */
#ifndef DOTSTUB_CONFIG_YAML_H
#define DOTSTUB_CONFIG_YAML_H

#include "config/arena.h"
#include "config/report.h"

#define YAML_DEPTH_MAX 16    /* the deepest setting is at 5 */
#define YAML_NODES_MAX 20000 /* in one file */
#define YAML_KEYS_MAX  100   /* in one mapping */

enum yaml_kind {
    YAML_NULL, /* empty, "~" or "null" without quotes */
    YAML_SCALAR,
    YAML_LIST,
    YAML_MAPPING,
    YAML_REFUSED /* a text that no setting may have; already reported */
};

struct yaml_node {
    enum yaml_kind kind;
    struct mark mark;
    const char *text;       /* YAML_SCALAR: UTF-8 without control characters */
    struct yaml_node *key;  /* in a mapping: a YAML_SCALAR */
    struct yaml_node *next; /* in the same list or mapping */
    struct yaml_node *first;
    size_t count;
};

/* *root is NULL if the source is empty or invalid; the latter is reported. 0 or -ENOMEM. */
int yaml_parse(struct yaml_node **root, struct arena *arena, struct report *report,
               const struct source *source) MUST_CHECK;

#endif
