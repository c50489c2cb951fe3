/* SPDX-License-Identifier: MIT */
/* THE table of settings: what can be set, by which name, in which unit and range, what holds when nobody says
 * anything, and where it lies in the snapshot. Reading files and environment, checking, printing and the
 * annotated file all walk it.
 *
 * Does:    describes; finds a setting by name.
 * Owns:    nothing; constants.
 * Threads: any.
 */
#ifndef DOTSTUB_CONFIG_OPTIONS_H
#define DOTSTUB_CONFIG_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum option_type {
    OPTION_BOOLEAN,
    OPTION_INTEGER,
    OPTION_DURATION,
    OPTION_SIZE,
    OPTION_CHOICE,
    OPTION_TEXT,
    OPTION_PATH, /* absolute */
    OPTION_HOST,
    OPTION_NAME,
    OPTION_ADDRESS,
    OPTION_ADDRESSES, /* from here on lists */
    OPTION_PREFIXES,
    OPTION_PINS,
    OPTION_LEVELS,
    OPTION_UPSTREAMS /* the table of upstream options is behind it */
};

enum option_port {
    PORT_LATER = 0, /* the setting "port" beside it says */
    PORT_WANTED = -1,
    PORT_REFUSED = -2 /* any number above 0: the port where the text names none */
};

struct choice {
    const char *word;
    uint64_t value;
};

struct option {
    const char *key;              /* "cache.size" */
    const char *unset;            /* the default, a list's items with commas between; NULL: it must be named */
    const char *help;             /* sentences for the annotated file */
    const char *word;             /* also taken; stands for 0 or for none. NULL: there is no such word */
    const struct choice *choices; /* OPTION_CHOICE; ends with a NULL word */
    /* Numbers: the range, durations in milliseconds. Texts: the longest length. Lists: the most items. */
    uint64_t min, max;
    bool restart_only; /* takes effect at the start of the daemon only */
    uint32_t grain;    /* OPTION_DURATION: milliseconds in one unit of the member */
    enum option_type type;
    int port;        /* addresses: a port or an enum option_port */
    size_t at, size; /* the member of struct config or struct config_upstream */
    size_t beside;   /* OPTION_ADDRESS: the bool that says it is set; lists: the number of items */
};

extern const struct option options[];
extern const size_t option_count;
extern const struct option upstream_options[];
extern const size_t upstream_option_count;

/* The upstream that there is when nobody names one: values that differ from the defaults of
 * upstream_options. */
struct builtin {
    const char *key, *text;
};
extern const struct builtin builtin_upstream[];
extern const size_t builtin_upstream_count;

static inline bool option_is_list(const struct option *option)
{
    return option->type >= OPTION_ADDRESSES;
}

/* The index in a table of the setting with exactly this key, or `count`. */
size_t option_index(const struct option *table, size_t count, const char *key);
/* The index in `options` of the setting that DOTSTUB_... `variable` sets, or option_count. */
size_t option_by_variable(const char *variable);
#define OPTION_VARIABLE_TEXT 64
const char *option_variable(const struct option *option, char out[OPTION_VARIABLE_TEXT]);
/* The length of the section in a key ("cache" of "cache.size"), 0 at top level. */
size_t option_section(const struct option *option);

#endif
