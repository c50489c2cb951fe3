/* SPDX-License-Identifier: MIT */
/* THE table of settings: name, unit, range, default and member of the snapshot. Reading files and environment,
 * checks, printing and the annotated file all walk it.
 *
 * Does:    describes the settings; finds a setting by name.
 * Owns:    nothing; constants.
 * Threads: any.
 */
#ifndef DOTSTUB_CONFIG_OPTIONS_H
#define DOTSTUB_CONFIG_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "config/config.h"

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
    OPTION_INTERFACE,
    OPTION_ADDRESS,
    OPTION_ADDRESSES, /* this and the following types are lists */
    OPTION_PREFIXES,
    OPTION_PINS,
    OPTION_NAMES, /* domain names */
    OPTION_LEVELS,
    OPTION_HOSTS,
    OPTION_INTERFACES,
    OPTION_PATHS, /* absolute */
    OPTION_TEXTS, /* one text stands for a list of one, as for OPTION_PATHS */
    OPTION_WORDS, /* as OPTION_NAME */
    OPTION_ITEMS  /* mappings, each with the settings of `items` */
};

enum option_port {
    PORT_LATER = 0, /* set later, from the setting "port" beside it */
    PORT_WANTED = -1,
    PORT_REFUSED = -2 /* a number above 0 is the default port */
};

struct choice {
    const char *word;
    uint64_t value;
};

struct option;

/* The items of a list. Keys of items may have a section, as keys of the file have. */
struct option_items {
    const char *one, *many; /* "an upstream", "upstreams", for messages */
    const char *example;    /* an item, for messages */
    const char *identity; /* the key by which a later source finds an item of an earlier one; NULL: lists are joined */
    const struct option *table;
    size_t count;
    size_t size;  /* of an item's struct */
    bool presets; /* the name of a preset is also an item, in a file and in a variable; other lists have no variable */
};

struct option {
    const char *key;   /* "cache.size" */
    const char *unset; /* the default, the items of a list separated by commas; NULL: the setting is required */
    const char *help;  /* sentences for the annotated file */
    const char *word;  /* a word also accepted, for 0 or none; NULL: there is no such word */
    const struct choice *choices; /* for OPTION_CHOICE; the last one has a NULL word */
    /* Numbers: the range, durations in milliseconds. Texts: the maximum length. Lists: the maximum number of
     * items. */
    uint64_t min, max;
    bool restart_only; /* takes effect only when the daemon starts */
    uint32_t grain;    /* OPTION_DURATION: milliseconds in one unit of the member */
    enum option_type type;
    enum config_file use;             /* OPTION_PATH */
    bool interfaces;                  /* addresses: "%eth0" stands for all addresses of that interface */
    int port;                         /* addresses: a port or an enum option_port */
    const struct option_items *items; /* OPTION_ITEMS */
    size_t at, size;                  /* the member of struct config or of an item's struct */
    size_t beside; /* OPTION_ADDRESS: the bool that is true if it is set; lists: the number of items */
};

extern const struct option options[];
extern const size_t option_count;
extern const struct option upstream_options[];
extern const size_t upstream_option_count;
extern const struct option_items upstream_items, group_items, route_items, block_items, view_items, lease_items,
    host_items, zone_items;

/* A public resolver that `upstreams` may name; the first one is used if none is configured. */
struct preset {
    const char *name, *tls_name, *addresses, *max_qps, *transport, *https; /* from max_qps on NULL: the default */
};
extern const struct preset presets[];
extern const size_t preset_count;
/* The preset with this name; NULL: none. */
const struct preset *preset_find(const char *name);
/* The preset's value for a key of upstream_options; NULL: the default. */
const char *preset_text(const struct preset *preset, const char *key);

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
/* True if the option has another section than the one before it in its table. */
bool option_begins_section(const struct option *table, const struct option *option);
/* "an upstream" without its article. */
const char *option_noun(const struct option_items *of);
/* The key without its section. */
const char *option_leaf(const struct option *option);

#endif
