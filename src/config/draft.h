/* SPDX-License-Identifier: MIT */
/* The configuration while it is being read: the values of every setting with their places; later sources override
 * earlier ones.
 *
 * Does:    starts with the defaults; parses values at once and reports the mistakes; finds items of lists by name.
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
    struct draft_item *items, *last_item; /* OPTION_ITEMS */
    size_t count;                         /* of values or items */
    struct mark mark;                     /* of the last source that named it */
    bool named;                           /* set by the operator */
    bool broken;                          /* a value was refused: report nothing further about this setting */
};

struct draft_item {
    struct draft_item *next;
    const struct option_items *of;
    const char *name;         /* the value of its identity; NULL: it has none, or no usable one (which was reported) */
    struct mark mark;         /* of the last source that named it */
    struct setting *settings; /* as the table of `of` */
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

/* The item of this name, or NULL. */
struct draft_item *draft_find_item(const struct setting *setting, const char *name);
/* Appends a new item with default values to the setting of an OPTION_ITEMS. */
int draft_add_item(struct draft_item **out, struct draft *draft, struct setting *setting, const struct option_items *of,
                   struct mark mark) MUST_CHECK;
/* Appends a preset. */
int draft_add_preset(struct draft *draft, struct setting *setting, const struct option_items *of,
                     const struct preset *preset, struct mark mark) MUST_CHECK;

/* The setting with this key, which must exist. */
struct setting *draft_setting(const struct draft *draft, const char *key);
struct setting *draft_item_setting(const struct draft_item *item, const char *key);
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
