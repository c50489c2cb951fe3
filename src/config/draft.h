/* SPDX-License-Identifier: MIT */
/* The configuration while it is being read: the values of every setting with their places; later sources override
 * earlier ones.
 *
 * Does:    starts with the defaults; parses values at once and reports the mistakes; finds upstreams by name.
 * Owns:    nothing; everything is in the arena.
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
    struct mark mark; /* of the last source that named it */
    bool named;       /* set by the operator */
    bool broken;      /* a value was refused: report nothing further about this setting */
};

struct draft_upstream {
    struct draft_upstream *next;
    const char *name;         /* NULL: no usable name; reported */
    struct mark mark;         /* of the last source that named it */
    struct setting *settings; /* as upstream_options */
};

/* A fact that the operator may not expect, although nothing is wrong. */
struct notice {
    struct notice *next;
    const char *text; /* a sentence */
};

struct draft {
    struct arena *arena;
    struct report *report;
    struct setting *settings; /* as options */
    struct draft_upstream *first, *last;
    struct notice *first_notice, *last_notice;
    size_t notice_count;
    bool partial; /* a file could not be read, so settings that seem to be missing may be in it */
};

/* Sets the defaults. 0 or -ENOMEM, as all functions below. */
int draft_init(struct draft *draft, struct arena *arena, struct report *report) MUST_CHECK;

/* Begins the values that a source gives a setting: drops earlier values, or, with `keep`, retains those that are
 * not the default, to append to them. */
void draft_begin(struct setting *setting, struct mark mark, bool keep);
/* Adds a value, or reports why it is invalid. */
int draft_add(struct draft *draft, struct setting *setting, const struct option *option, const char *text,
              struct mark mark) MUST_CHECK;
/* Adds the items between separators, as in "127.0.0.1, ::1"; an empty text has no items. */
int draft_add_items(struct draft *draft, struct setting *setting, const struct option *option, const char *text,
                    char separator, struct mark mark) MUST_CHECK;
/* Reports why a value of the setting is refused. */
void draft_refuse(struct draft *draft, struct setting *setting, const struct option *option, struct mark mark,
                  const char *why);

/* Adds a notice. */
int draft_notice(struct draft *draft, const char *format, ...) MUST_CHECK __attribute__((format(printf, 2, 3)));

/* Begins the upstreams that a source lists; as draft_begin. */
void draft_begin_upstreams(struct draft *draft, struct mark mark, bool keep);
/* The upstream of this name, or NULL. */
struct draft_upstream *draft_find_upstream(const struct draft *draft, const char *name);
/* Appends a new upstream with default values. */
int draft_add_upstream(struct draft_upstream **out, struct draft *draft, struct mark mark) MUST_CHECK;
/* Appends a preset. */
int draft_add_preset(struct draft *draft, const struct preset *preset, struct mark mark) MUST_CHECK;

/* The setting with this key, which must exist. */
struct setting *draft_setting(const struct draft *draft, const char *key);
struct setting *draft_upstream_setting(const struct draft_upstream *upstream, const char *key);
const struct option *draft_option(const char *key);

/* One item of a separated text: a copy without the spaces around it, and its place. False at the end. */
struct item {
    const char *rest; /* the unread rest; initially the text */
    struct mark mark; /* the place of the rest; initially of the text */
    char *text;       /* NULL: out of memory */
    struct mark at;
};
bool draft_next_item(struct item *item, char separator, struct arena *arena);

#endif
