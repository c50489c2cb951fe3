/* SPDX-License-Identifier: MIT */
#include "dns/addresses.h"

#include <ldns/ldns.h>

#include "walk.h"

enum { POINTER = 0xC0, IPV4 = 4, IPV6 = 16, KEY_IPV4HINT = 4, KEY_IPV6HINT = 6 };

static bool any_in_list(struct bytes list, size_t len, address_test_with *test, void *context)
{
    for (size_t at = 0; at + len <= list.len; at += len)
        if (test(context, list.data + at, len))
            return true;
    return false;
}

/* Priority, target (never compressed), parameters. Not inlined: most records are addresses. */
static __attribute__((noinline)) bool any_in_hints(struct bytes rdata, address_test_with *test, void *context)
{
    struct cursor cursor = cursor_over(rdata);
    (void)cursor_u16(&cursor);
    (void)cursor_take(&cursor, name_len((struct bytes){cursor.at, cursor_left(&cursor)}));
    while (!cursor.failed && cursor_left(&cursor) > 0) {
        uint16_t key = cursor_u16(&cursor), len = cursor_u16(&cursor);
        struct bytes value = {cursor_take(&cursor, len), len};
        size_t each = key == KEY_IPV4HINT ? IPV4 : key == KEY_IPV6HINT ? IPV6 : 0;
        if (!cursor.failed && each > 0 && any_in_list(value, each, test, context))
            return true;
    }
    return false;
}

static bool any_in_record(uint16_t type, struct bytes rdata, address_test_with *test, void *context)
{
    switch (type) {
    case LDNS_RR_TYPE_A:
        return any_in_list(rdata, IPV4, test, context);
    case LDNS_RR_TYPE_AAAA:
        return any_in_list(rdata, IPV6, test, context);
    case LDNS_RR_TYPE_SVCB:
    case LDNS_RR_TYPE_HTTPS:
        return any_in_hints(rdata, test, context);
    default:
        return false;
    }
}

static bool any_in_records(const uint8_t *wire, size_t at, unsigned count, address_test_with *test, void *context)
{
    for (unsigned i = 0; i < count; i++) {
        const uint8_t *fixed = wire + (wire[at] >= POINTER ? at + 2 : name_end(wire, at));
        struct bytes rdata = {fixed + RECORD_FIXED, read_u16(fixed + RECORD_FIXED - 2)};
        if (any_in_record(read_u16(fixed), rdata, test, context))
            return true;
        at = (size_t)(rdata.data + rdata.len - wire);
    }
    return false;
}

bool addresses_test_in_answer(const struct answer *answer, address_test_with *test, void *context)
{
    return any_in_records(answer->wire, message_question_end(answer), read_u16(answer->wire + LDNS_ANCOUNT_OFF), test,
                          context);
}

/* The context is a pointer to the test without a context. */
static bool call_test(void *context, const uint8_t *address, size_t len)
{
    return (*(address_test *const *)context)(address, len);
}

bool addresses_in_answer(const struct answer *answer, address_test *test)
{
    return addresses_test_in_answer(answer, call_test, &test);
}

bool addresses_in_additional(const struct answer *answer, address_test *test)
{
    return any_in_records(answer->wire, answer->additional, read_u16(answer->wire + LDNS_ARCOUNT_OFF), call_test,
                          &test);
}

static void read_address(struct addr *out, const uint8_t *address, size_t len)
{
    *out = (struct addr){.sa.sa_family = len == IPV4 ? AF_INET : AF_INET6};
    if (len == IPV4)
        memcpy(&out->in.sin_addr, address, IPV4);
    else
        memcpy(&out->in6.sin6_addr, address, IPV6);
}

size_t addresses_list(const struct answer *answer, uint16_t type, struct addr *out, size_t most)
{
    const uint8_t *wire = answer->wire;
    size_t at = message_question_end(answer), len = type == LDNS_RR_TYPE_A ? IPV4 : IPV6, found = 0;
    unsigned count = read_u16(wire + LDNS_ANCOUNT_OFF);
    for (unsigned i = 0; i < count && found < most; i++) {
        const uint8_t *fixed = wire + (wire[at] >= POINTER ? at + 2 : name_end(wire, at));
        struct bytes rdata = {fixed + RECORD_FIXED, read_u16(fixed + RECORD_FIXED - 2)};
        if (read_u16(fixed) == type && rdata.len == len)
            read_address(&out[found++], rdata.data, len);
        at = (size_t)(rdata.data + rdata.len - wire);
    }
    return found;
}
