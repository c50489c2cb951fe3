/* SPDX-License-Identifier: MIT */
#include "answer.h"
#include <string.h>
#include "../tools/query.h"

enum { OPT = 41, OPT_LEN = 11, PADDING = 12, TYPE_AND_CLASS = 4, RECORD_LEN = 16 };

/* Writes the query's name as text; returns the offset behind it; 0: malformed. */
static size_t read_name(const uint8_t *message, size_t len, char name[QUERY_NAME])
{
    size_t at = QUERY_HEADER, text = 0;
    while (at < len && message[at]) {
        size_t label = message[at++];
        if (label > 63 || at + label >= len || text + label + 2 > QUERY_NAME)
            return 0;
        memcpy(name + text, message + at, label);
        text += label;
        name[text++] = '.';
        at += label;
    }
    name[text ? text - 1 : 0] = '\0';
    return at + 1 + TYPE_AND_CLASS <= len ? at + 1 : 0;
}

static bool has_padding(const uint8_t *opt, size_t len)
{
    size_t at = OPT_LEN;
    while (at + 4 <= len) {
        if ((opt[at] << 8 | opt[at + 1]) == PADDING)
            return true;
        at += 4 + (size_t)(opt[at + 2] << 8 | opt[at + 3]);
    }
    return false;
}

static void put_record(uint8_t out[RECORD_LEN], const char *name, uint32_t ttl)
{
    static const uint8_t head[] = {0xc0, QUERY_HEADER, 0, 1, 0, 1};
    memcpy(out, head, sizeof head);
    for (int i = 0; i < 4; i++)
        out[sizeof head + (size_t)i] = (uint8_t)(ttl >> (24 - 8 * i));
    out[10] = 0;
    out[11] = 4;
    query_address(name, out + 12);
}

size_t answer_make(const uint8_t *query, size_t len, uint32_t ttl, uint8_t frame[ANSWER_MAX], bool *padded)
{
    static const uint8_t opt[OPT_LEN] = {0, 0, OPT, 4, 208};
    char name[QUERY_NAME];
    uint8_t *message = frame + 2;
    size_t end = len >= QUERY_HEADER ? read_name(query, len, name) : 0;
    if (!end)
        return 0;
    bool is_address = query[end] == 0 && query[end + 1] == 1;
    end += TYPE_AND_CLASS;
    bool has_opt = query[11] == 1 && len >= end + OPT_LEN && query[end + 2] == OPT;
    *padded = has_opt && has_padding(query + end, len - end);
    memcpy(message, query, end);
    message[2] = 0x80 | (query[2] & 1);
    message[3] = 0x80;
    message[7] = is_address;
    message[8] = message[9] = message[10] = 0;
    message[11] = has_opt;
    if (is_address) {
        put_record(message + end, name, ttl);
        end += RECORD_LEN;
    }
    if (has_opt) {
        memcpy(message + end, opt, sizeof opt);
        end += sizeof opt;
    }
    frame[0] = (uint8_t)(end >> 8);
    frame[1] = (uint8_t)end;
    return 2 + end;
}
