/* SPDX-License-Identifier: MIT */
#include "query.h"
#include <string.h>

void query_address(const char *name, uint8_t address[4])
{
    uint32_t hash = 2166136261U;
    for (; *name; name++) {
        uint8_t byte = (uint8_t)(*name >= 'A' && *name <= 'Z' ? *name + 32 : *name);
        hash = (hash ^ byte) * 16777619U;
    }
    address[0] = (uint8_t)(11 + (hash >> 24) % 100);
    address[1] = (uint8_t)(hash >> 16);
    address[2] = (uint8_t)(hash >> 8);
    address[3] = (uint8_t)hash;
}

static size_t put_name(uint8_t *out, const char *text)
{
    size_t len = 0;
    while (*text) {
        size_t label = strcspn(text, ".");
        out[len++] = (uint8_t)label;
        memcpy(out + len, text, label);
        len += label;
        text += label + (text[label] == '.');
    }
    out[len++] = 0;
    return len;
}

size_t query_put(uint8_t out[QUERY_MAX], uint16_t id, const char *name, bool edns)
{
    static const uint8_t head[] = {1, 0, 0, 1, 0, 0, 0, 0, 0}, tail[] = {0, 1, 0, 1};
    static const uint8_t opt[] = {0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0};
    out[0] = (uint8_t)(id >> 8);
    out[1] = (uint8_t)id;
    memcpy(out + 2, head, sizeof head);
    out[QUERY_HEADER - 1] = edns;
    size_t len = QUERY_HEADER + put_name(out + QUERY_HEADER, name);
    memcpy(out + len, tail, sizeof tail);
    len += sizeof tail;
    if (edns) {
        memcpy(out + len, opt, sizeof opt);
        len += sizeof opt;
    }
    return len;
}

bool query_answered_right(const uint8_t *message, size_t len, size_t at, const char *name)
{
    uint8_t expected[4];
    unsigned count = (unsigned)(message[6] << 8 | message[7]), found = 0;
    query_address(name, expected);
    for (; count; count--) {
        while (at < len && message[at] && message[at] < 192)
            at += message[at] + 1U;
        if (at >= len)
            return false;
        at += message[at] ? 2 : 1;
        if (at + 10 > len)
            return false;
        size_t rdlength = (size_t)(message[at + 8] << 8 | message[at + 9]);
        bool is_a = !message[at] && message[at + 1] == 1;
        if (at + 10 + rdlength > len)
            return false;
        if (is_a && (rdlength != 4 || memcmp(message + at + 10, expected, 4) != 0))
            return false;
        found += is_a;
        at += 10 + rdlength;
    }
    return found == 1;
}
