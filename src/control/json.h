/* SPDX-License-Identifier: MIT */
/* Building JSON with jansson, which only those that include this know.
 *
 * Invariant: objects are built with the functions that take a reference over, and these take NULL for a failure; so a failed
 * allocation anywhere makes the text at the end incomplete at worst, and print() gives NULL only when there is no root or no text.
 */
#ifndef DOTSTUB_CONTROL_JSON_H
#define DOTSTUB_CONTROL_JSON_H

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/addr.h"
#include "base/clock.h"

/* Digits of a number that is no integer: it was one of thousandths, so it is printed with three decimals at most. */
enum { REAL_DIGITS = 15 };

/* With a newline at its end, for people. */
static inline char *print(json_t *root)
{
    char *text = root ? json_dumps(root, JSON_INDENT(1) | JSON_REAL_PRECISION(REAL_DIGITS)) : NULL;
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

/* Milliseconds of a number of microseconds, seconds of one of milliseconds. */
static inline json_t *thousandths(uint64_t count)
{
    return json_real((double)count / 1000);
}

/* Texts of strangers (certificates, extended errors) need not be UTF-8: then all but ASCII becomes "?". */
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

static inline uint64_t seconds_since(uint64_t ms)
{
    return (clock_ms() - ms) / 1000;
}

#endif
