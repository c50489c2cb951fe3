/* SPDX-License-Identifier: MIT */
/* One value of a setting: from text to native units.
 *
 * Does:    parses by the setting's line in the table and says in half a sentence what is wrong.
 * Owns:    nothing; a parsed text is borrowed from the text it was read from.
 * Threads: any.
 * RFC:     1123 section 2.1 (host names), 4648 section 4 (base64), 7858 section 4.2 (pins as in RFC 7469).
 */
#ifndef DOTSTUB_CONFIG_VALUE_H
#define DOTSTUB_CONFIG_VALUE_H

#include "config/config.h"
#include "config/options.h"
#include "config/report.h"

struct value {
    struct value *next; /* the next item of a list */
    struct mark mark;
    bool none; /* the option's word: 0, or nothing */
    union {
        uint64_t number; /* durations in milliseconds */
        struct bytes text;
        struct addr addr; /* port 0: none was named */
        struct prefix prefix;
        struct config_pin pin;
        struct config_log_level level;
    };
};

#define VALUE_WHY 256
/* Reads one value, or one item of a list, into *value, whose mark and next are left alone. On failure
 * `why` is the rest of a sentence that began with the setting's name. */
bool value_parse(struct value *value, const struct option *option, const char *text, char why[VALUE_WHY]);
/* The shortest text that is read as `number`; durations in milliseconds. */
#define NUMBER_TEXT 32
const char *value_number(const struct option *option, uint64_t number, char out[NUMBER_TEXT]);

#endif
