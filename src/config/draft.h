/* SPDX-License-Identifier: MIT */
/* The configuration while it is being read: every setting's values with their places, later ones over earlier
 * ones.
 *
 * Does:    begins with the defaults; takes values as texts, parses them at once and reports the mistakes;
 *          keeps upstreams by name.
 * Owns:    nothing; all lies in the arena.
 * Threads: none.
 */
#ifndef DOTSTUB_CONFIG_DRAFT_H
#define DOTSTUB_CONFIG_DRAFT_H

#include "config/arena.h"
#include "config/report.h"
#include "config/value.h"

struct setting {
    struct value *first, *last;
    size_t count;
    struct mark mark; /* of what was said last */
    bool named;       /* by the operator */
    bool broken;      /* a value was refused, so that nothing more need be said about the setting */
};

struct draft_upstream {
    struct draft_upstream *next;
    const char *name;         /* NULL: it has none that can be used; reported */
    struct mark mark;         /* of what was said last */
    struct setting *settings; /* as upstream_options */
};

struct draft {
    struct arena *arena;
    struct report *report;
    struct setting *settings; /* as options */
    struct draft_upstream *first, *last;
    bool partial; /* a file could not be read, so that what is missing may stand there */
};

/* The defaults. 0 or -ENOMEM, as all below. */
int draft_init(struct draft *draft, struct arena *arena, struct report *report) MUST_CHECK;

/* Begins what a source says about a setting: earlier values are dropped, or kept to be added to where
 * `keep` is set and they are not the default. */
void draft_begin(struct setting *setting, struct mark mark, bool keep);
/* Adds a value, or reports why it cannot be taken. */
int draft_add(struct draft *draft, struct setting *setting, const struct option *option, const char *text,
              struct mark mark) MUST_CHECK;
/* Adds what stands between separators, as in "127.0.0.1, ::1"; an empty text has no items. */
int draft_add_items(struct draft *draft, struct setting *setting, const struct option *option, const char *text,
                    char separator, struct mark mark) MUST_CHECK;
/* Counts a value that is no text for the setting. */
void draft_refuse(struct draft *draft, struct setting *setting, const struct option *option, struct mark mark,
                  const char *why);

/* Begins what a source says about the upstreams, as draft_begin. */
void draft_begin_upstreams(struct draft *draft, struct mark mark, bool keep);
/* The upstream of this name, or NULL. */
struct draft_upstream *draft_find_upstream(const struct draft *draft, const char *name);
/* A new upstream with the defaults of one, at the end. */
int draft_add_upstream(struct draft_upstream **out, struct draft *draft, struct mark mark) MUST_CHECK;

/* The setting with this key, which must exist. */
struct setting *draft_setting(const struct draft *draft, const char *key);
struct setting *draft_upstream_setting(const struct draft_upstream *upstream, const char *key);
const struct option *draft_option(const char *key);

/* One item of a separated text: copied without the blanks around it, with its place. False at the end. */
struct item {
    const char *rest; /* what is still to be read; begin with the text */
    struct mark mark; /* of the rest; begin with the text's place */
    char *text;       /* NULL: memory is gone */
    struct mark at;
};
bool draft_next_item(struct item *item, char separator, struct arena *arena);

#endif
