/* SPDX-License-Identifier: MIT */
#include "canonical.h"

#include <ldns/rr.h>
#include <string.h>

#include "dns/message.h"

#define POINTER 0xC0

size_t canonical_name(const uint8_t *wire, size_t at, uint8_t out[NAME_MAX_WIRE])
{
    size_t len = 0;
    for (;;) {
        while (wire[at] >= POINTER)
            at = read_u16(wire + at) & 0x3FFF;
        size_t label = 1 + (size_t)wire[at];
        if (len + label > NAME_MAX_WIRE) { /* the walk has excluded this */
            out[0] = 0;
            return 1;
        }
        name_lower(out + len, wire + at, label);
        len += label;
        if (label == 1)
            return len;
        at += label;
    }
}

size_t canonical_name_end(const uint8_t *wire, size_t at)
{
    while (wire[at] && wire[at] < POINTER)
        at += 1 + (size_t)wire[at];
    return wire[at] ? at + 2 : at + 1;
}

/* The layout of the data of types with names in the list of RFC 4034 section 6.2, without NSEC (RFC 6840 section 5.1)
 * and HINFO, which has no name. One character for each field: a number of bytes, n: a name, s: a character string,
 * *: the rest. Two more types have names that some servers compress; these names (k) keep their letter case. */
static const struct canonical_layout {
    uint16_t type;
    const char *fields;
} layouts[] = {
    {LDNS_RR_TYPE_NS, "n"},     {LDNS_RR_TYPE_MD, "n"},     {LDNS_RR_TYPE_MF, "n"},       {LDNS_RR_TYPE_CNAME, "n"},
    {LDNS_RR_TYPE_SOA, "nn*"},  {LDNS_RR_TYPE_MB, "n"},     {LDNS_RR_TYPE_MG, "n"},       {LDNS_RR_TYPE_MR, "n"},
    {LDNS_RR_TYPE_PTR, "n"},    {LDNS_RR_TYPE_MINFO, "nn"}, {LDNS_RR_TYPE_MX, "2n"},      {LDNS_RR_TYPE_RP, "nn"},
    {LDNS_RR_TYPE_AFSDB, "2n"}, {LDNS_RR_TYPE_RT, "2n"},    {LDNS_RR_TYPE_SIG, "99n*"},   {LDNS_RR_TYPE_PX, "2nn"},
    {LDNS_RR_TYPE_NXT, "n*"},   {LDNS_RR_TYPE_SRV, "6n"},   {LDNS_RR_TYPE_KX, "2n"},      {LDNS_RR_TYPE_NAPTR, "4sssn"},
    {LDNS_RR_TYPE_DNAME, "n"},  {LDNS_RR_TYPE_LP, "2k"},    {LDNS_RR_TYPE_NSAP_PTR, "k"}, {LDNS_RR_TYPE_RRSIG, "99n*"},
    {LDNS_RR_TYPE_A6, "6"},
};

static const char *layout_of(uint16_t type)
{
    for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++)
        if (layouts[i].type == type)
            return layouts[i].fields;
    return "*";
}

/* As canonical_name, in the letter case of the message. */
static size_t copy_name(const uint8_t *wire, size_t at, uint8_t *out)
{
    size_t len = 0;
    for (;;) {
        while (wire[at] >= POINTER)
            at = read_u16(wire + at) & 0x3FFF;
        size_t label = 1 + (size_t)wire[at];
        memcpy(out + len, wire + at, label);
        len += label;
        if (label == 1 || len >= NAME_MAX_WIRE)
            return len;
        at += label;
    }
}

/* A6 (RFC 2874): a prefix length, the rest of the address, and a name unless the prefix length is 0. */
static size_t canonical_a6(const uint8_t *wire, size_t at, size_t len, uint8_t *out)
{
    size_t head = len > 0 && wire[at] <= 128 ? 1 + (128u - wire[at] + 7) / 8 : len;
    memcpy(out, wire + at, len);
    if (head < len && wire[at] > 0)
        name_lower(out + head, wire + at + head, len - head);
    return len;
}

size_t canonical_rdata(const uint8_t *wire, uint16_t type, size_t at, size_t len, uint8_t *out)
{
    size_t end = at + len, written = 0;
    if (type == LDNS_RR_TYPE_A6)
        return canonical_a6(wire, at, len, out);
    for (const char *field = layout_of(type); *field && at < end; field++) {
        size_t bytes = *field == 's' ? 1 + (size_t)wire[at] : *field == '*' ? end - at : (size_t)(*field - '0');
        if (*field == 'n' || *field == 'k') {
            written += *field == 'n' ? canonical_name(wire, at, out + written) : copy_name(wire, at, out + written);
            at = canonical_name_end(wire, at);
            continue;
        }
        if (bytes > end - at) /* shorter than its type requires */
            bytes = end - at;
        memcpy(out + written, wire + at, bytes);
        written += bytes;
        at += bytes;
    }
    return written;
}

size_t canonical_len(const uint8_t *name)
{
    const uint8_t *at = name;
    while (*at)
        at += 1 + (size_t)*at;
    return (size_t)(at - name) + 1;
}

const uint8_t *canonical_ancestor(const uint8_t *name, unsigned labels)
{
    for (unsigned has = name_labels(name); has > labels; has--)
        name += 1 + (size_t)*name;
    return name;
}

/* The offsets of the labels, from the first to the last. Returns their number. */
static unsigned offsets_of(const uint8_t *name, uint8_t out[128])
{
    unsigned count = 0;
    for (size_t at = 0; name[at] && count < 127; at += 1 + (size_t)name[at])
        out[count++] = (uint8_t)at;
    return count;
}

static int compare_labels(const uint8_t *a, const uint8_t *b)
{
    size_t least = *a < *b ? *a : *b;
    int order = memcmp(a + 1, b + 1, least);
    return order != 0 ? order : (int)*a - (int)*b;
}

int canonical_compare(const uint8_t *a, const uint8_t *b)
{
    uint8_t a_at[128], b_at[128];
    unsigned a_left = offsets_of(a, a_at), b_left = offsets_of(b, b_at);
    while (a_left > 0 && b_left > 0) {
        int order = compare_labels(a + a_at[--a_left], b + b_at[--b_left]);
        if (order != 0)
            return order;
    }
    return (int)a_left - (int)b_left;
}

unsigned canonical_common(const uint8_t *a, const uint8_t *b)
{
    uint8_t a_at[128], b_at[128];
    unsigned a_left = offsets_of(a, a_at), b_left = offsets_of(b, b_at), common = 0;
    while (a_left > 0 && b_left > 0 && compare_labels(a + a_at[--a_left], b + b_at[--b_left]) == 0)
        common++;
    return common;
}
