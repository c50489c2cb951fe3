/* SPDX-License-Identifier: MIT */
/* Short names for functions of jansson that build JSON.
 *
 * Invariant: objects are built only with functions that take over the reference and accept NULL. A failed allocation
 * therefore leaves out a member at worst; print() returns NULL only without a root or without memory for the text.
 */
#ifndef DOTSTUB_CONTROL_JSON_H
#define DOTSTUB_CONTROL_JSON_H

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/addr.h"
#include "base/bytes.h"
#include "base/clock.h"

/* Enough digits for values with three decimals, few enough to hide binary rounding. */
enum { REAL_DIGITS = 15 };

/* Prints and frees `root`; ends with a newline, so that curl's output reads well. Non-ASCII characters are escaped:
 * text from the network may contain C1 controls, which a terminal interprets. */
static inline char *print(json_t *root)
{
    char *text = root ? json_dumps(root, JSON_INDENT(1) | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(REAL_DIGITS)) : NULL;
    size_t len = text ? strlen(text) : 0;
    char *line = text ? realloc(text, len + 2) : NULL;
    json_decref(root);
    if (line)
        memcpy(line + len, "\n", 2);
    else
        free(text);
    return line;
}

static inline void put(json_t *object, const char *key, json_t *value)
{
    (void)json_object_set_new(object, key, value);
}

static inline void put_number(json_t *object, const char *key, uint64_t value)
{
    put(object, key, json_integer((json_int_t)value));
}

/* Microseconds to milliseconds, or milliseconds to seconds. */
static inline json_t *thousandths(uint64_t count)
{
    return json_real((double)count / 1000);
}

/* Text from the network (certificates, extended errors) may be invalid UTF-8: then non-ASCII bytes become "?". */
static inline json_t *text_of(const char *text, size_t len)
{
    json_t *value = json_stringn(text, len);
    if (value)
        return value;
    char *plain = strndup(text, len);
    for (char *at = plain; at && *at; at++)
        if ((unsigned char)*at >= 0x80)
            *at = '?';
    value = plain ? json_string(plain) : NULL;
    free(plain);
    return value;
}

static inline void put_text(json_t *object, const char *key, const char *text)
{
    put(object, key, text_of(text, strlen(text)));
}

static inline void put_flag(json_t *object, const char *key, bool flag)
{
    put(object, key, json_boolean(flag));
}

static inline json_t *text_of_addr(const struct addr *addr)
{
    char text[ADDR_TEXT];
    return json_string(addr_format(addr, true, text));
}

/* One array element per line; none for NULL. */
static inline json_t *lines_of(const char *text)
{
    json_t *array = json_array();
    for (const char *end; text && *text; text = *end ? end + 1 : end) {
        end = text + strcspn(text, "\n");
        (void)json_array_append_new(array, text_of(text, (size_t)(end - text)));
    }
    return array;
}

/* The records of a message, for a reply's `records`. */
json_t *records_of(struct bytes message);

static inline uint64_t seconds_since(uint64_t ms)
{
    return (clock_ms() - ms) / 1000;
}

#endif
