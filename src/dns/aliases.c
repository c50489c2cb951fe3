/* SPDX-License-Identifier: MIT */
#include "dns/aliases.h"

#include <ldns/ldns.h>
#include <string.h>

#include "dns/codes.h"
#include "walk.h"

enum { POINTER = 0xC0, POINTER_BITS = 0x3FFF };

/* The target in the data of a record; NULL: records of this type have none. */
static const uint8_t *target_of(uint16_t type, const uint8_t *data)
{
    switch (type) {
    case LDNS_RR_TYPE_CNAME:
        return data;
    case LDNS_RR_TYPE_SVCB:
    case LDNS_RR_TYPE_HTTPS:
        return data[2] ? data + 2 : NULL; /* behind the priority; the root: the owner itself */
    default:
        return NULL;
    }
}

/* Copies a name without its pointers, in lower case. The walk has checked pointers and length. */
static size_t expand(uint8_t out[NAME_MAX_WIRE], const uint8_t *wire, const uint8_t *label)
{
    size_t len = 0;
    for (;;) {
        while (*label >= POINTER)
            label = wire + (read_u16(label) & POINTER_BITS);
        size_t step = 1 + (size_t)*label;
        if (len + step > NAME_MAX_WIRE)
            return 0;
        memcpy(out + len, label, step);
        len += step;
        if (*label == 0)
            break;
        label += step;
    }
    name_lower(out, out, len);
    return len;
}

bool aliases_find(const struct answer *answer, bool (*test)(void *context, const uint8_t *name, size_t len),
                  void *context)
{
    const uint8_t *wire = answer->wire;
    unsigned count = read_u16(wire + LDNS_ANCOUNT_OFF), given = 0;
    uint8_t name[NAME_MAX_WIRE];
    size_t at = message_question_end(answer);
    for (unsigned i = 0; i < count && given < ALIASES_MAX; i++) {
        const uint8_t *fixed = wire + (wire[at] >= POINTER ? at + 2 : name_end(wire, at));
        uint16_t type = read_u16(fixed);
        if (i == 0 && !aliases_may_follow(type))
            return false;
        const uint8_t *data = fixed + RECORD_FIXED, *target = target_of(type, data);
        size_t len = target ? expand(name, wire, target) : 0;
        given += target != NULL;
        if (len > 0 && test(context, name, len))
            return true;
        at = (size_t)(data + read_u16(data - 2) - wire);
    }
    return false;
}

/* --- the names that a response concerns --- */

struct concern {
    struct bytes name;
    bool below;
};

static bool covers(void *context, const uint8_t *name, size_t len)
{
    const struct concern *concern = context;
    struct bytes wanted = concern->name;
    return concern->below ? name_is_under(name, len, wanted.data, wanted.len)
                          : len == wanted.len && memcmp(name, wanted.data, len) == 0;
}

static bool is_denial(const uint8_t *wire)
{
    return (read_u16(wire + MESSAGE_FLAGS) & 0xF) == RCODE_NXDOMAIN && read_u16(wire + LDNS_ANCOUNT_OFF) == 0;
}

bool answer_concerns(const struct answer *answer, struct bytes own, struct bytes name, bool below)
{
    struct concern concern = {name, below};
    if (covers(&concern, own.data, own.len))
        return true;
    if (is_denial(answer->wire))
        return name_is_under(name.data, name.len, own.data, own.len);
    return aliases_find(answer, covers, &concern);
}
