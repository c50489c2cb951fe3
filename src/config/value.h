/* SPDX-License-Identifier: MIT */
/* One value of a setting: from text to native units.
 *
 * Does:    parses a value as the table describes it; on failure gives the reason in half a sentence.
 * Owns:    nothing; a parsed text borrows from the text it was read from.
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
    bool none; /* the option's word for 0 or none */
    union {
        uint64_t number; /* durations in milliseconds */
        struct bytes text;
        struct addr addr; /* port 0: the text has no port */
        struct prefix prefix;
        struct config_pin pin;
        struct config_log_level level;
    };
};

#define VALUE_WHY 320
/* Parses one value, or one item of a list, into *value; its mark and next are unchanged. On failure `why` is the
 * rest of a sentence that begins with the setting's name. */
bool value_parse(struct value *value, const struct option *option, const char *text, char why[VALUE_WHY]);
/* True if the option accepts the text. */
bool value_fits(const struct option *option, const char *text);
/* The shortest text that parses as `number`; durations in milliseconds. */
#define NUMBER_TEXT 32
const char *value_number(const struct option *option, uint64_t number, char out[NUMBER_TEXT]);

#endif
